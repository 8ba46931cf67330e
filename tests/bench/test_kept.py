"""Parts of a comparison that are kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from rewardbot.bench import _kept
from rewardbot.bench._kept import Kept
from rewardbot.training.files import StorageError


def test_a_part_is_made_once_for_its_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_kept, "revision", lambda: "one")
    made: list[int] = []

    def part(settings: object) -> dict:
        return Kept(tmp_path / "deep").part("a", settings, lambda: made.append(1) or {"share": 0.5, "of": None, "times": len(made)})

    assert part({"steps": 5}) == part({"steps": 5}) == {"share": 0.5, "of": None, "times": 1}
    assert part({"steps": 6})["times"] == 2
    assert Kept(tmp_path / "deep").has("a", {"steps": 6}) and not Kept(tmp_path / "deep").has("b", {"steps": 6})
    monkeypatch.setattr(_kept, "revision", lambda: "two")
    assert part({"steps": 5}) == {"share": 0.5, "of": None, "times": 1, "commit": "one"}, "made by other code, and says so"


def test_several_lines_each_say_who_made_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_kept, "revision", lambda: "one")
    lines = [{"arm": "a", "x": 1}, {"arm": "b", "x": None}]
    assert Kept(tmp_path).rows("both", 0, lambda: lines) == lines == Kept(tmp_path).rows("both", 0, list)
    monkeypatch.setattr(_kept, "revision", lambda: "two")
    assert Kept(tmp_path).rows("both", 0, list) == [{**line, "commit": "one"} for line in lines]


@pytest.mark.parametrize("content", ["", "{", "[1, 2]", "5"])
def test_a_damaged_part_is_made_anew(tmp_path: Path, content: str) -> None:
    kept = Kept(tmp_path)
    kept.part("a", 0, lambda: {"x": 1})
    (file,) = tmp_path.iterdir()
    file.write_text(content)
    assert not kept.has("a", 0)
    assert kept.part("a", 0, lambda: {"x": 2}) == {"x": 2} == kept.part("a", 0, lambda: {"x": 3})


def test_what_cannot_be_kept_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="Cannot write"):
        Kept(tmp_path / "file").part("a", 0, lambda: {"x": 1})
