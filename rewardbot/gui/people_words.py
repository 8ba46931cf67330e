"""What is said of those who answer, in words. No Qt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rewardbot.feedback.annotators import Conflict
from rewardbot.feedback.people import People, Person
from rewardbot.types import Segment

COLUMNS: dict[str, str] = {
    "who": "",
    "answers": "that count",
    "same again": "how often the same was said when a pair was asked again",
    "rationality": "how surely the better clip is named: log-odds for each unit of its lead; 0 for a coin",
    "error": "share of answers that say the opposite of what was meant",
    "weight": "of an answer in the reward; 1 for whoever can be relied on most"}
"""Of the table of people, and what each tells."""

NOT_KNOWN = "\u2013"


def row(person: Person) -> tuple[str, ...]:
    """What `COLUMNS` say of somebody."""
    known = person.estimate
    return (person.name, str(person.answers), f"{person.same} of {person.again}" if person.again else NOT_KNOWN,
            *((f"{known.rationality:.1f}", f"{known.error:.0%}", f"{known.weight:.2f}") if known else (NOT_KNOWN,) * 3))


def short(people: People) -> str:
    """All of it in a line."""
    count, names = people.disputed, [person.name for person in people.people]
    found = [f"{len(names)} answer" if len(names) > 1 else f"{' '.join(names)} alone answers"]
    if people.agreement is not None:
        found.append(f"agreement {people.agreement:.2f}")
    if count:
        found.append("1 conflict" if count == 1 else f"{count} conflicts")
    return ", ".join(found)


def agreement(people: People) -> str:
    """How far they agree."""
    if not people.people:
        return "Nobody has answered yet."
    found = ("Agreement is not known: no two people have answered about the same clips, or all alike."
             if people.agreement is None else
             f"Agreement (Krippendorff's alpha): {people.agreement:.2f}; 1: all agree, 0: as by chance.")
    if any(person.estimate is None for person in people.people):
        found += " Rationality, error and weight are known when two have answered and a reward was fitted to that."
    return found


def disputed(people: People) -> str:
    """How many conflicts there are."""
    if not people.disputed:
        return "No clips were answered both ways." if people.people else ""
    what = "One pair of clips was" if people.disputed == 1 else f"{people.disputed} pairs of clips were"
    more = f" Those with the most answers are the first {len(people.disputes)}." if people.disputed > len(people.disputes) else ""
    return f"{what} answered both ways. Enter or a click shows one.{more}"


def conflict(one: Conflict) -> str:
    """A conflict in two lines: a clip each, and who finds it better."""
    return "\n".join(f"{_clip(clip)}   {names}" for clip, names in zip(one.clips, sides(one), strict=True))


def sides(one: Conflict) -> tuple[str, str]:
    """Who finds the first better, and who the second."""
    return _names(one.for_first), _names(one.for_second)


def headline(one: Conflict) -> str:
    """Of the two clips while they are looked at."""
    people = sorted({name for name, _ in (*one.for_first, *one.for_second)})
    if len(people) == 1:
        return f"{people[0]} has said both of these"
    return f"{', '.join(people[:-1])} and {people[-1]} disagree about these"


def _clip(clip: Segment) -> str:
    return f"{clip.episode_id} {clip.start}-{clip.stop}"


def _names(said: Sequence[tuple[str, int]]) -> str:
    return ", ".join(name if times == 1 else f"{name} ({times} times)" for name, times in Counter(name for name, _ in said).items())
