"""The record of a job: read back as it was, and a damaged one or a full disk stops nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rewardbot.training import record as module
from rewardbot.training.files import StorageError
from rewardbot.training.rates import Verdict
from rewardbot.training.record import JobRecord, RecordKeeper

FULL = JobRecord(total_s=12.5, pretrain_s=3.0, explored=41, learned={"version": 7, "env_steps": 600, "learn_s": 9.0},
                 curve=[[1.0, 20, 0.5]], evaluations={"bc": [True, False, None]}, verdicts=[Verdict(True, False, 0.75)],
                 restarts={"sim_node": 2}, unheard=3)


def test_it_is_read_as_it_was_written_but_for_the_time(tmp_path: Path) -> None:
    RecordKeeper(FULL, tmp_path, pytest.fail).keep()
    found = JobRecord.read(tmp_path, pytest.fail)
    assert found == FULL and found.total_s >= 12.5


def test_none_there_is_an_empty_one(tmp_path: Path) -> None:
    assert JobRecord.read(tmp_path, pytest.fail) == JobRecord()


@pytest.mark.parametrize("content", [
    "", "{", "[]", "null", "{}", json.dumps({**vars(FULL), "explored": "41"}), json.dumps({**vars(FULL), "evaluations": []}),
    json.dumps({**vars(FULL), "explored": True}), json.dumps({**vars(FULL), "verdicts": [[True, False]]})])
def test_a_damaged_one_is_told_and_begun_anew(tmp_path: Path, content: str) -> None:
    (tmp_path / module.NAME).write_text(content)
    said: list[str] = []
    assert JobRecord.read(tmp_path, said.append) == JobRecord()
    assert len(said) == 1 and "job.json cannot be read" in said[0] and "Evaluations are done again" in said[0]


def test_an_evaluation_is_over_when_every_start_state_is_known() -> None:
    record = JobRecord(evaluations={"bc": [True, False, None]})
    assert not record.evaluated("bc", 3) and not record.evaluated("rl", 3)
    record.evaluation("bc", 3)[2] = True
    assert record.evaluated("bc", 3) and not record.evaluated("bc", 4)
    assert record.evaluation("bc", 4) == [None] * 4, "of another number of episodes nothing is known"


def test_a_full_disk_is_told_once_and_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    keeper = RecordKeeper(JobRecord(), tmp_path, said.append)
    keeper.keep()
    before = (tmp_path / module.NAME).read_text()

    def full(path: Path, content: str) -> None:
        raise StorageError(f"Cannot write {path}: No space left on device.")

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_atomic", full)
        keeper.record.explored = 5
        keeper.keep()
        keeper.keep()
    assert len(said) == 1 and "job.json" in said[0] and "goes on" in said[0]
    assert (tmp_path / module.NAME).read_text() == before
    keeper.keep()
    assert JobRecord.read(tmp_path, pytest.fail).explored == 5


def test_it_is_not_written_more_often_than_asked(tmp_path: Path) -> None:
    keeper = RecordKeeper(JobRecord(), tmp_path, pytest.fail)
    keeper.keep()
    keeper.record.explored = 5
    keeper.keep(at_least_s=60.0)
    assert JobRecord.read(tmp_path, pytest.fail).explored == -1
