"""`rewardbot ledger`, action by action; mistakes end with exit code 2 and change nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from rewardbot import cli, ledger_commands
from rewardbot.errors import RewardbotError
from rewardbot.feedback.feedback import Given, Query, UnsafeInterval, answer_pair
from rewardbot.feedback.ledger import Ledger
from rewardbot.feedback.teachers.model import AUDIT
from rewardbot.types import Segment

CLIPS = (Segment("e1", 0, 25), Segment("e2", 5, 30))


@pytest.fixture(autouse=True)
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    with Ledger(Path("l.db")) as made:
        queries = [Query(f"q{number}", "pair", CLIPS, (0, 1)) for number in range(3)]
        made.ask(*queries)
        for query, annotator, side in zip(queries, ("anna", "anna", "ben"), ("left", "skip", "right"), strict=True):
            made.answer(answer_pair(query, side, Given(annotator, query.id, 1.0, 3.0, 2.0)))  # type: ignore[arg-type]
        made.answer(UnsafeInterval(CLIPS[0], "[red]too fast[/]", Given("ben")))
    return Path("l.db")


def answers(path: Path) -> list[int]:
    with Ledger(path, read_only=True) as found:
        return list(found.active())


def test_show(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.run(["ledger", "show", "l.db"])
    lines = [line.split("│") for line in capsys.readouterr().out.splitlines()]
    cells = [[cell.strip() for cell in line if cell.strip()] for line in lines]
    assert ["anna", "2", "2", "1", "2.0"] in cells and ["ben", "2", "2", "0", "1.0"] in cells
    assert ["3 queries, 0 of them wait for an answer; 7 records"] in cells
    assert any(row[:1] == ["4"] and row[2:] == ["anna", "q0", "pair", "left", "e1:0-25 e2:5-30"] for row in cells)
    assert any("[red]too fast[/]" in " ".join(row) for row in cells), "what people write is text"
    cli.run(["ledger", "show", "l.db", "--last", "0"])
    assert "q0" not in capsys.readouterr().out


def test_people(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Ledger(ledger) as made:
        for number, (annotator, side) in enumerate([("ben", "left"), ("anna", "left"), ("[b]x[/]", "right")], 3):
            query = Query(f"q{number}", "pair", CLIPS, (0, 1))
            made.ask(query)
            made.answer(answer_pair(query, side, Given(annotator, query.id)))  # type: ignore[arg-type]
    cli.run(["ledger", "people", "l.db"])
    said = capsys.readouterr().out
    cells = [[cell.strip() for cell in line.split("│") if cell.strip()] for line in said.splitlines()]
    people = {row[0]: row[1:] for row in cells if len(row) == 7}
    assert people["anna"][0] == "2" and people["ben"][4] == "0 of 1" and people["anna"][4] == "1 of 1" and people["[b]x[/]"][4] == "-"
    # Last answers: anna and ben the first, x the second; both ways round 3 of each: observed 4 of 6, expected 9 * 2 / (6 * 5).
    assert "Krippendorff's alpha of comparisons: -0.11" in said and "alpha of ratings: not defined" in said
    assert "1 pairs of clips were answered both ways" in said
    assert ["e1:0-25 e2:5-30", "anna (4), ben (9), anna (11)", "ben (6), [b]x[/] (13)", "ben"] in cells
    cli.run(["ledger", "people", "l.db", "--conflicts", "0"])
    assert "with oneself" not in capsys.readouterr().out


def test_undo_and_withdraw(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert answers(ledger) == [4, 6, 7]
    cli.run(["ledger", "undo", "l.db", "4", "--by", "chief"])
    assert answers(ledger) == [6, 7] and "Answer 4 counts no more; 2 do." in capsys.readouterr().out
    cli.run(["ledger", "withdraw", "l.db", "ben"])
    assert answers(ledger) == [] and "No answer of ben's counts any more" in capsys.readouterr().out
    with Ledger(ledger, read_only=True) as found:
        undone, withdrawn = found.records()[-2:]
    assert undone.annotator == "chief" and withdrawn.annotator, "it is known who did it"


def test_amend(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.run(["ledger", "amend", "l.db", "5", "right"])  # which was skipped
    cli.run(["ledger", "amend", "l.db", "7", "unsafe 0-4: [red]much too fast[/]"])
    said = capsys.readouterr().out
    assert "Answer 5 of anna's says 'right' now; it said 'skip'." in said and "much too fast[/]' now" in said
    with Ledger(ledger, read_only=True) as found:
        history = found.history()
        assert answers(ledger) == [4, 5, 6, 7] and len(found.records()) == 9, "what was said before stays on record"
    assert history.responses[5] == answer_pair(history.queries["q1"], "right", history.responses[5].given)
    assert history.responses[5].given.answered > 1e9, "when it was amended"


def test_who_judges_alone_is_not_estimated(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Ledger(ledger) as made:
        for number in range(6):
            query = Query(f"own{number}", "pair", (Segment("e3", number, 25), Segment("e4", number, 30)), (0, 1))
            made.ask(query)
            made.answer(answer_pair(query, "left", Given("carl", query.id)))
    cli.run(["ledger", "people", "l.db"])
    said = capsys.readouterr().out
    rows = [[cell.strip() for cell in line.split("│") if cell.strip()] for line in said.splitlines()]
    people = {row[0]: row[1:] for row in rows if len(row) == 7}
    carl = people["carl"]
    assert (carl[0], carl[1], carl[2], carl[5]) == ("6", "-", "-", "-") and float(carl[3]) > 1.0, "that they press one key is known"
    assert "-" not in people["anna"][1:3] and "nobody else judged the same clips" in said


def test_a_persons_look_at_a_models_answers(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Ledger(ledger) as made:
        for name, side in (("q2" + AUDIT, "right"), ("q0" + AUDIT, "right")):
            query = Query(name, "pair", CLIPS, (0, 1))
            made.ask(query)
            made.answer(answer_pair(query, side, Given("chief", query.id)))  # type: ignore[arg-type]
    cli.run(["ledger", "people", "l.db"])
    assert "Of a model's answers, 2 were put to a person, who said the same of 1" in capsys.readouterr().out


def test_export_and_verify(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.run(["ledger", "export", "l.db", "out.jsonl"])
    cli.run(["ledger", "export", "l.db", "out.csv"])
    assert len(Path("out.jsonl").read_text().splitlines()) == 7 and len(Path("out.csv").read_text().splitlines()) == 5
    cli.run(["ledger", "verify", "l.db"])
    assert "l.db: 7 records are as they should be." in capsys.readouterr().out


@pytest.mark.parametrize(("argv", "said"), [
    (["shw", "l.db"], r"no action of ledger named 'shw'(.|\n)*Did you mean 'show'"),
    (["show", "nowhere.db"], r"no ledger nowhere.db"),
    (["show", "."], r"is a folder(.|\n)*Name the file of a ledger"),
    (["undo", ".", "4"], "is a folder"),
    (["undo", "nowhere.db", "4"], r"no ledger nowhere.db"),
    (["export", "l.db", "out.xlsx"], r"OUT is 'out.xlsx'(.|\n)*\.csv or \.jsonl"),
    (["export", "l.db", "/proc/out.csv"], r"Cannot write /proc"),
    (["undo", "l.db", "four"], r"ANSWER is 'four'"),
    (["amend", "l.db", "four", "left"], r"ANSWER is 'four'"),
    (["amend", "l.db", "1", "left"], r"no answer 1 that counts"),
    (["amend", "l.db", "4", "up"], r"'up' is no answer(.|\n)*left, right, equal or skip"),
    (["undo", "l.db", "1"], r"no answer 1 that counts"),
    (["withdraw", "l.db", "bne"], r"named 'bne'(.|\n)*Did you mean 'ben'"),
])
def test_mistakes(argv: list[str], said: str, ledger: Path) -> None:
    with pytest.raises(RewardbotError, match=said) as caught:
        cli.run(["ledger", *argv])
    assert caught.value.exit_code == 2 and answers(ledger) == [4, 6, 7] and not Path("nowhere.db").exists()


def test_help_lists_every_action(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.run(["ledger"])
    said = capsys.readouterr().out
    assert all(f"rewardbot ledger {action} " in said for action in ledger_commands.ACTIONS)
