"""`rewardbot ledger`: what its actions do."""

from __future__ import annotations

import getpass
import math
from argparse import Namespace
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
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
    for one in annotators.Annotators(given).people.values():
        same, of = again.get(one.name, (0, 0))
        listed.add_row(escape(one.name), f"{one.judgements:g}", f"{one.rationality:.2f}", f"{one.error:.0%}", f"{one.bias:+.2f}",
                       f"{same} of {of}" if of else "-", f"{one.weight:.2f}")
    console = tables.console()
    console.print(listed)
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
    if not places.answer.isdecimal():
        raise ConfigError(f"ANSWER is '{places.answer}'.", valid="The number of an answer, see `rewardbot ledger show`.")
    with _existing(places.ledger) as ledger:
        ledger.undo(int(places.answer), _who(options))
        print(f"Answer {places.answer} counts no more; {len(ledger.active())} do.")


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
    "withdraw": Action("let no answer of an annotator count any more", withdraw,
                       (_LEDGER, ("annotator", None, "name of the annotator")), ByOptions),
}


def _existing(text: str) -> Ledger:
    path = user_path(text)
    if not path.exists():
        raise ConfigError(f"There is no ledger {path}.", next_step="Name one that is there.")
    return Ledger(path)


def _who(options: ByOptions) -> str:
    return options.by or getpass.getuser()
