"""Late words are on the disk, whole, and the last one counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from rewardbot.data.verdicts import FILE, READ, read_verdicts, write_verdict
from rewardbot.errors import DataError


def test_the_last_word_on_each_episode_counts(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    assert read_verdicts(folder) == {}
    for name, verdict in (("a", True), ("b", None), ("a", False)):
        write_verdict(folder, name, verdict)
    assert read_verdicts(folder) == {"a": False, "b": None}


def test_a_line_that_was_cut_off_spoils_no_other(tmp_path: Path) -> None:
    write_verdict(tmp_path, "a", True)
    with (tmp_path / FILE).open("a") as file:
        file.write('\n["b", tr')
    write_verdict(tmp_path, "c", False)
    with (tmp_path / FILE).open("ab") as file:
        file.write(b'\n["d", 1]\n[1, true]\n7\n{}\n["e"]\n\xff\xfe\n')
    assert read_verdicts(tmp_path) == {"a": True, "c": False}


def test_old_words_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("".join(f'\n["e{number}", true]\n' for number in range(READ + 5)))
    assert list(read_verdicts(tmp_path)) == [f"e{number}" for number in range(5, READ + 5)]


def test_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"verdicts\.jsonl"):
        write_verdict(tmp_path / "file", "a", True)
