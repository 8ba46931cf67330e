"""Kills of processes that write to a ledger lose no acknowledged answer; the smoke version of `rewardbot bench ledger`."""

from __future__ import annotations

import json
import random
from pathlib import Path

from rewardbot import cli
from rewardbot.bench import _answering
from rewardbot.bench.ledger import Kills, Size, kill
from rewardbot.feedback.feedback import Query
from rewardbot.feedback.ledger import Ledger


def test_kills_at_random_moments_lose_no_acknowledged_answer(tmp_path: Path) -> None:
    """Twenty-one kills, of three writers at a time: each after some acknowledgements or none, and then anywhere."""
    (*_, found) = kill(tmp_path / "ledger.db", Size(kills=21, together=3, seen=6), random.Random(0))
    assert found.kills == 21 and found.lost == 0
    assert len({name for name, _ in found.acknowledged}) == 21 - found.early
    assert len(found.acknowledged) <= found.stored <= len(found.acknowledged) + 21, "at most one unheard answer of each"


def test_an_answer_that_is_gone_or_says_something_else_is_lost(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.db") as ledger:
        ledger.ask(*(Query(f"w-{number}", "rating", (_answering.answer_to("w", number).segment,), (0,)) for number in range(3)))
        ids = [ledger.answer(_answering.answer_to("w", number)) for number in range(3)]
    found = Kills(acknowledged={("w", number): id for number, id in enumerate(ids)})
    found.judge(tmp_path / "ledger.db")
    assert (found.lost, found.stored) == (0, 3)
    found.acknowledged |= {("w", 3): ids[2] + 1, ("w", 1): ids[2]}
    found.judge(tmp_path / "ledger.db")
    assert found.lost == 2
    found.judge(tmp_path / "another.db")
    assert found.lost == 4, "without a file all are"


def test_quick_bench_writes_what_is_promised(tmp_path: Path) -> None:
    file = tmp_path / "ledger.json"
    cli.run(["bench", "ledger", "--json", str(file), "--run-dir", str(tmp_path / "runs"), "--quick"])
    result = json.loads(file.read_text())
    measured = {row["what"]: row["value"] for row in result["rows"]}
    assert measured["kills"] == 6 and measured["answers lost"] == 0 and measured["1 writing: answers/s"] > 0
    for reward in ("Bradley-Terry ensemble", "T-REX", "Bayesian REX"):
        assert measured[f"{reward}: weights, SHA-256"] == measured[f"{reward}: rebuilt"]
    assert len({measured[f"{reward}: rebuilt"] for reward in ("Bradley-Terry ensemble", "T-REX", "Bayesian REX")}) == 3
    assert [(target["value"], target["met"]) for target in result["targets"]] == [(0, True), (0, True)]
    assert list((tmp_path / "runs").iterdir()) == []
