"""The library: which bags are in it, when they come and go."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from rewardbot.data.episodes import write_episode
from rewardbot.data.library import Library
from rewardbot.errors import DataError
from rewardbot.robots.robot import RobotContract
from rewardbot.types import Episode

Make = Callable[..., Episode]


def test_episodes_of_a_run_folder_come_and_go(tmp_path: Path, contract: RobotContract, make_episode: Make) -> None:
    library = Library([tmp_path / "run"])
    assert library.refresh() == 0 and len(library) == 0, "the folder need not be there yet"
    bag = write_episode(tmp_path / "run" / "episodes", make_episode("b"), contract)
    older = write_episode(tmp_path / "run" / "demonstrations", make_episode("a", steps=7), contract)
    os.utime(older, (1.0, 1.0))
    assert library.refresh() == 2 and library.refresh() == 0
    assert library.ids == ["a", "b"] and library.steps("a") == 7 and library.path("b") == bag.resolve()
    assert library.task == "reach" and library.contract == contract
    os.utime(write_episode(tmp_path / "run" / "play", make_episode("c"), contract), (0.0, 0.0))
    library.refresh()
    assert library.ids == ["a", "b", "c"], "new ones come last"
    bag.rename(bag.with_name("b.discarded"))
    assert library.path("b") is None
    library.refresh()
    assert "b" not in library and library.ids == ["a", "c"]


def test_what_is_left_out(tmp_path: Path, contract: RobotContract, make_episode: Make) -> None:
    said: list[str] = []
    for episode in (make_episode("a"), make_episode("other", task="push"), make_episode("judged", source="evaluation"),
                    make_episode("broken"), make_episode("bad")):
        write_episode(tmp_path, episode, contract)
    (tmp_path / "broken" / "metadata.yaml").write_text("no: [yaml")
    (tmp_path / "bad").rename(tmp_path / "bad.rejected")
    (tmp_path / "notes").mkdir()
    library = Library([tmp_path], warn=said.append)
    library.refresh()
    library.refresh()
    assert library.ids == ["a"] and len(said) == 2
    assert any("broken is left out" in line for line in said) and any("task 'push'" in line for line in said)
    for _ in range(2):
        library.forget("a", "of no use")
    assert not library.ids and said[2:] == ["Episode a is left out: of no use"], "once"
    other = Library([tmp_path], "push", warn=said.append)
    other.refresh()
    assert other.ids == ["other"]


def test_reading(
    tmp_path: Path, contract: RobotContract, make_episode: Make, assert_same: Callable[[Episode, Episode], None]
) -> None:
    episode = make_episode("a")
    bag = write_episode(tmp_path, episode, contract)
    said: list[str] = []
    library = Library([bag], warn=said.append)
    library.refresh()
    assert_same(library.read("a"), episode)
    assert library.read("a", pixels=False).images == {}
    with pytest.raises(DataError, match="no bag of episode 'z'"):
        library.read("z")
    library.forget("a", "it is dull")
    assert len(library) == 0 and "it is dull" in said[0]


def test_a_robot_that_is_named(tmp_path: Path, contract: RobotContract, make_episode: Make) -> None:
    write_episode(tmp_path, make_episode("a"), contract)
    library = Library([tmp_path], contract=replace(contract, name="other"), warn=lambda said: None)
    assert library.refresh() == 0
