"""`rewardbot ledger`: what its actions do."""

from __future__ import annotations

import getpass
import math
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from statistics import median

from rich.markup import escape

from rewardbot import actions, tables
from rewardbot.actions import Action, NoOptions
from rewardbot.arguments import Parser
from rewardbot.config import setting, user_path
from rewardbot.errors import ConfigError
from rewardbot.feedback import annotators
from rewardbot.feedback import export as forms
from rewardbot.feedback.feedback import Rating, Skip
from rewardbot.feedback.ledger import Ledger
from rewardbot.feedback.records import History
from rewardbot.feedback.teachers.model import agreement as audited
from rewardbot.training.files import write_atomic

FORMS = {".csv": forms.comma_separated, ".jsonl": forms.json_lines}


@dataclass(frozen=True)
class ShowOptions:
    """Of `show`."""

    last: int = setting(20, "answers that are listed, the last of those that count", min=0, max=1_000_000)


@dataclass(frozen=True)
class PeopleOptions:
    """Of `people`."""

    conflicts: int = setting(20, "conflicts that are listed, those with the most answers", min=0, max=1_000_000)


@dataclass(frozen=True)
class ByOptions:
    """Of what is written into a ledger."""

    by: str = setting("", "who does it (default: you, by your login)")


def run(parser: Parser, argv: Sequence[str]) -> bool:
    """Runs `rewardbot ledger ACTION ...`, see `actions.run`."""
    return actions.run("ledger", ACTIONS, parser, argv)


def show(places: Namespace, options: ShowOptions) -> None:
    """`rewardbot ledger show LEDGER`."""
    path = user_path(places.ledger)
    with Ledger(path, read_only=True) as ledger:
        records = ledger.records()
    history = History(records)
    given = Counter(record.annotator for record in records if record.kind == "answer")
    people = tables.table(path, "annotator", "#answers", "#that count", "#skipped", "#median seconds")
    for annotator, count in given.items():
        counting = [response for response in history.responses.values() if response.given.annotator == annotator]
        seconds = [response.given.seconds for response in counting]
        people.add_row(escape(annotator), str(count), str(len(counting)), str(sum(isinstance(one, Skip) for one in counting)),
                       f"{median(seconds):.1f}" if seconds else "-")
    console = tables.console()
    console.print(people)
    console.print(f"{len(history.queries)} queries, {len(history.waiting())} of them wait for an answer; {len(records)} records")
    if last := list(history.responses.items())[-options.last:] if options.last else []:
        answers = tables.table(None, "#answer", "when", "annotator", "query", "kind", "said", "clips")
        for id, response in last:
            query = history.queries.get(response.given.query)
            when = datetime.fromtimestamp(response.given.answered).strftime("%Y-%m-%d %H:%M:%S")
            answers.add_row(*map(escape, (
                str(id), when, response.given.annotator, query.id if query else "-", query.kind if query else "-",
                forms.in_words(response, query), forms.clips(forms.about(response, query)))))
        console.print(answers)


def people(places: Namespace, options: PeopleOptions) -> None:
    """`rewardbot ledger people LEDGER`."""
    path = user_path(places.ledger)
    with Ledger(path, read_only=True) as ledger:
        history = ledger.history()
    given = annotators.judgements(history)
    again = annotators.consistency(given)
    listed = tables.table(path, "annotator", "#comparisons", "#rationality", "#error", "#leans left", "#the same again", "#weight")
    known, alone = annotators.Annotators(given).people, annotators.alone(given)
    for one in known.values():
        same, of = again.get(one.name, (0, 0))
        estimated = [f"{one.rationality:.2f}", f"{one.error:.0%}", f"{one.weight:.2f}"]
        rationality, error, weight = ["-"] * 3 if one.name in alone else estimated
        listed.add_row(escape(one.name), f"{one.judgements:g}", rationality, error, f"{one.bias:+.2f}",
                       f"{same} of {of}" if of else "-", weight)
    console = tables.console()
    console.print(listed)
    if not alone.isdisjoint(known):
        console.print("-: nobody else judged the same clips. rewardbot reward card says how far somebody can be relied on by what a "
                      "reward holds of them.")
    agreed, asked = audited(history.queries, history.responses)
    if asked:
        console.print(f"Of a model's answers, {asked} were put to a person, who said the same of {agreed}")
    ratings = [answer for answer in history.active().values() if isinstance(answer, Rating)]
    for alpha, of in ((annotators.agreement(given), "comparisons"), (annotators.rating_agreement(ratings), "ratings")):
        said = "not defined (nothing was judged twice, or all alike)" if math.isnan(alpha) else f"{alpha:.2f}"
        console.print(f"Krippendorff's alpha of {of}: {said}")
    found = annotators.conflicts(given)
    console.print(f"{len(found)} pairs of clips were answered both ways")
    if shown := found[: options.conflicts]:
        both = tables.table(None, "clips", "the first is better", "the second is better", "with oneself")
        for one in shown:
            sides = [", ".join(f"{name} ({answer})" for name, answer in side) for side in (one.for_first, one.for_second)]
            both.add_row(*map(escape, (forms.clips(one.clips), *sides, ", ".join(one.with_oneself) or "-")))
        console.print(both)


def export(places: Namespace, options: NoOptions) -> None:
    """`rewardbot ledger export LEDGER OUT`."""
    out = user_path(places.out)
    if out.suffix not in FORMS:
        raise ConfigError(f"OUT is '{places.out}'.", valid=f"A file name that ends in {' or '.join(FORMS)}.")
    with Ledger(user_path(places.ledger), read_only=True) as ledger:
        text = FORMS[out.suffix](ledger.records())
    write_atomic(out, text)
    print(f"{out}: {len(text.splitlines())} lines")


def verify(places: Namespace, options: NoOptions) -> None:
    """`rewardbot ledger verify LEDGER`."""
    path = user_path(places.ledger)
    with Ledger(path, read_only=True) as ledger:
        print(f"{path}: {ledger.verify()} records are as they should be.")


def undo(places: Namespace, options: ByOptions) -> None:
    """`rewardbot ledger undo LEDGER ANSWER`."""
    answer = _number(places.answer)
    with _existing(places.ledger) as ledger:
        ledger.undo(answer, _who(options))
        print(f"Answer {places.answer} counts no more; {len(ledger.active())} do.")


def amend(places: Namespace, options: NoOptions) -> None:
    """`rewardbot ledger amend LEDGER ANSWER SAID`."""
    answer = _number(places.answer)
    with _existing(places.ledger) as ledger:
        history = ledger.history()
        before = history.counting(answer)
        query = history.queries.get(before.given.query)
        response = forms.from_words(places.said, before, query)
        ledger.amend(answer, replace(response, given=replace(before.given, answered=time.time())))
        print(f"Answer {answer} of {before.given.annotator}'s says '{forms.in_words(response, query)}' now; it said "
              f"'{forms.in_words(before, query)}'.")


def withdraw(places: Namespace, options: ByOptions) -> None:
    """`rewardbot ledger withdraw LEDGER ANNOTATOR`."""
    with _existing(places.ledger) as ledger:
        ledger.withdraw(places.annotator, _who(options))
        print(f"No answer of {places.annotator}'s counts any more; {len(ledger.active())} of others do.")


_LEDGER = ("ledger", None, "a ledger file")
ACTIONS = {
    "show": Action("who answered how much, and the last answers", show, (_LEDGER,), ShowOptions),
    "people": Action("how far each annotator can be relied on, how far they agree, and where they contradict each other", people,
                     (_LEDGER,), PeopleOptions),
    "export": Action("write it as .csv, a line per answer, or as .jsonl, every record as it is", export,
                     (_LEDGER, ("out", None, "file to write, .csv or .jsonl"))),
    "verify": Action("read everything, and say what is damaged", verify, (_LEDGER,)),
    "undo": Action("let an answer count no more", undo, (_LEDGER, ("answer", None, "its number, see show")), ByOptions),
    "amend": Action("let an answer of somebody's say something else, in their name", amend,
                    (_LEDGER, ("answer", None, "its number, see show"),
                     ("said", None, "what it says from now on, in the words of show: left, 'unsafe 3-8: too fast', ..."))),
    "withdraw": Action("let no answer of an annotator count any more", withdraw,
                       (_LEDGER, ("annotator", None, "name of the annotator")), ByOptions),
}


def _number(text: str) -> int:
    if not text.isdecimal():
        raise ConfigError(f"ANSWER is '{text}'.", valid="The number of an answer, see `rewardbot ledger show`.")
    return int(text)


def _existing(text: str) -> Ledger:
    path = user_path(text)
    if not path.exists():
        raise ConfigError(f"There is no ledger {path}.", next_step="Name one that is there.")
    return Ledger(path)


def _who(options: ByOptions) -> str:
    return options.by or getpass.getuser()
