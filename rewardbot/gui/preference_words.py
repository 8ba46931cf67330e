"""What the preference window says, in words. No Qt."""

from __future__ import annotations

from rewardbot.feedback.export import in_words
from rewardbot.feedback.feedback import LEVELS, Kind, Query, Ranking, Rating, Response, Skip
from rewardbot.feedback.messages import Question
from rewardbot.gui import people_words
from rewardbot.gui.level import Level
from rewardbot.gui.preference_outbox import Sent, Stored
from rewardbot.gui.preference_progress import expected, uncertainty
from rewardbot.gui.preference_session import PreferenceSession
from rewardbot.gui.silence import lasting

ASKS: dict[Kind, str] = {
    "pair": "Which one is better?", "ranking": "Order the clips, the best first", "rating": "How good is this, from 1 to 7?",
    "mark": "Does this frame show success?", "interval": "Is anything unsafe in this clip? Mark where"}

PLACES = {2: ("left", "right")}
"""What places are called, by how many there are; otherwise by their number."""

Text = tuple[str, Level]


def headline(session: PreferenceSession) -> Text:
    """What to do now."""
    if session.outbox.trouble:
        return f"Not stored yet: {session.outbox.trouble.splitlines()[0]}", "bad"
    if session.outbox.late:
        return f"Not stored yet: no word from the desk for {lasting(session.outbox.late)}. It is sent again.", "warning"
    if session.typing:
        return "Why is it unsafe? A digit, or type it and press Enter", "plain"
    if session.interval is not None:
        return "Go to where the unsafe part ends, and press B", "plain"
    if session.query is None:
        return "No question now", "plain"
    if session.dispute is not None:
        return people_words.headline(session.dispute.conflict), "plain"
    if session.phase == "loading":
        return "The clips are being read", "plain"
    return ASKS[session.query.kind], "plain"


def waiting(session: PreferenceSession) -> str:
    """Why there is no question now."""
    if session.phase == "storing":
        return "The answer is being stored"
    return str(session.status.get("words") or "No question yet; the next one appears here by itself")


def progress(session: PreferenceSession) -> str:
    """How far, how fast and how well."""
    of = session.progress
    parts = [f"{of.answered} answered", f"{of.skipped} skipped"]
    left, pace = session.left(), session.per_minute()
    if left is not None:
        parts.append(f"{left} left")
    if pace is not None:
        parts.append(f"{pace:.0f} a minute")
        if left:
            parts.append(f"about {max(1, round(left / pace))} min to go")
    if (agreement := of.agreement()) is not None:
        share, count = agreement
        parts.append(f"agrees with the model in {share:.0%} of {count}")
    if of.repeats:
        parts.append(f"with yourself in {of.consistent} of {of.repeats}")
    return "   \u00b7   ".join(parts)


def badges(session: PreferenceSession) -> list[Text]:
    """What is wrong beside the question: who is silent, and a robot that was stopped."""
    found: list[Text] = []
    if silent := session.silent():
        found.append((f"silent: {', '.join(f'{name} {lasting(seconds)}' for name, seconds in silent.items())}", "warning"))
    if session.robot.stopping and not session.safety.stopped:
        found.append(("Stop is not confirmed yet", "bad"))
    if session.safety.stopped:
        found.append(("Stopped; Ctrl+R clears it", "bad"))
    return found


def banner(session: PreferenceSession) -> Text | None:
    """What the desk has to say above the clips: an alarm, or what is the matter."""
    if alarm := str(session.status.get("alarm") or ""):
        return f"Alarm: {alarm} Ctrl+A clears it.", "bad"
    if trouble := str(session.status.get("trouble") or ""):
        return trouble.splitlines()[0], "warning"
    return None


def why(query: Query) -> str:
    """Why this is asked, and what the reward expects."""
    by = f"strategy: {query.strategy or 'none'}" + (f", reward version {query.reward_version}" if query.reward_version else "")
    parts = [query.reason or "No reason was given.", by]
    if shares := expected(query):
        parts.append("expected: " + ", ".join(f"{side} {share:.0%}" for side, share in shares))
        parts.append(f"uncertainty {uncertainty(query):.0%}")
    elif query.predicted:
        parts.append(f"its likeliest answer has {max(query.predicted):.0%}")
    else:
        parts.append("no answer is expected")
    return "   \u00b7   ".join(parts)


def last(stored: Stored | None) -> str:
    """What was answered last, and what the reward had expected."""
    if stored is None:
        return ""
    if stored.question is None:
        return f"Stored: {in_words(stored.response)}.  U undoes it"
    query = stored.question.query
    text = f"Stored: {said(query, stored.response)}"
    if shares := expected(query):
        side, share = max(shares, key=lambda one: one[1])
        text += f"; the model had expected {side} ({share:.0%})"
    return f"{text}.  U undoes it"


def unconfirmed(session: PreferenceSession) -> str:
    """What was said and is not known to be on the disk, for the end of a sitting; empty for nothing."""
    found = list(filter(None, map(_posted, session.outbox.sent)))
    if not found:
        return ""
    why = session.outbox.trouble.splitlines()[0] if session.outbox.trouble else "The desk has not answered."
    return f"Perhaps not stored: {'; '.join(found)}. {why} Look, and say it again."


def _posted(sent: Sent) -> str:
    """What a person said; empty for a skip that nobody said, of clips that cannot be shown."""
    entry = sent.request.entry
    if sent.undone is not None:
        return f"undo of {_answered(sent.undone.question, sent.undone.response)}"
    if not isinstance(entry, Response) or (isinstance(entry, Skip) and sent.question is None):
        return ""
    return _answered(sent.question, entry)


def _answered(question: Question | None, response: Response) -> str:
    return f"{said(question.query, response)} to {question.query.id}" if question else in_words(response)


def said(query: Query, response: Response) -> str:
    """An answer, of an order the clips by their places, the best first."""
    if isinstance(response, Rating):
        return f"{response.level} of {LEVELS[-1]}"
    if query.kind != "ranking" or not isinstance(response, Ranking):
        return in_words(response, query)
    ranked: dict[int, list[str]] = {}
    for number, option in enumerate(query.order):
        ranked.setdefault(response.ranks[option], []).append(place(number, len(query.order)))
    return ", then ".join(" and ".join(ranked[rank]) for rank in sorted(ranked))


def place(number: int, of: int) -> str:
    """What the clip at a place is called."""
    return PLACES[of][number] if of in PLACES else f"clip {number + 1}"


def verdict(session: PreferenceSession, number: int) -> str:
    """What is said of the clip at a place, while it is on its way or being typed; empty for nothing."""
    query, response = session.query, session.outbox.answer
    if query is None:
        return ""
    if session.dispute is not None:
        return f"better: {people_words.sides(session.dispute.conflict)[number]}"
    if response is None:
        ranks = {place: rank for rank, group in enumerate(session.order.groups, 1) for place in group}
        return f"\u2713 number {ranks[number]}" if number in ranks else ""
    if isinstance(response, Skip):
        return "\u2713 skipped"
    if not isinstance(response, Ranking):
        return f"\u2713 {said(query, response)}"
    rank = response.ranks[query.order[number]]
    if query.kind == "pair":
        return "\u2713 equal" if max(response.ranks) == 0 else "\u2713 better" if rank == 0 else ""
    return f"\u2713 number {rank + 1}"
