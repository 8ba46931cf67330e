"""Which recorded episodes learning begins from."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from rewardbot.data.demonstrations import read_demonstrations, read_judged
from rewardbot.data.episodes import reject, write_episode
from rewardbot.errors import DataError
from rewardbot.robots.robot import RobotContract
from rewardbot.types import Episode

Make = Callable[..., Episode]
Same = Callable[[Episode, Episode], None]


def test_demonstrations(
    tmp_path: Path, contract: RobotContract, make_episode: Make, assert_same: Same, caplog: pytest.LogCaptureFixture
) -> None:
    failures = [make_episode("failed", success=False), make_episode("unjudged", success=None)]
    others = [make_episode("rl", source="policy", task="push"), make_episode("seen", source="evaluation")]
    for episode in [*failures, *others]:
        write_episode(tmp_path, episode, contract)
    with pytest.raises(DataError, match=r"failed \(it was called a failure\), unjudged \(nobody"):
        read_demonstrations(tmp_path, contract, "reach")
    good = [make_episode(f"good{k}", seed=k) for k in range(2)]
    for episode in reversed(good):
        write_episode(tmp_path, episode, contract)
    reject(write_episode(tmp_path, make_episode("good2"), contract))
    with caplog.at_level(logging.WARNING):
        caplog.clear()
        found = read_demonstrations(tmp_path, contract, "reach")
    assert len(found) == 2
    for one, other in zip(found, good, strict=True):
        assert_same(one, other)
    assert [r.getMessage().split(" is skipped: ")[1] for r in caplog.records] == [
        "it was called a failure.", "nobody called it a success."]


def test_a_demonstration_with_problems_is_skipped_with_them(
    tmp_path: Path, contract: RobotContract, make_episode: Make
) -> None:
    bad = make_episode(success=None)
    write_episode(tmp_path, replace(bad, info=replace(bad.info, extra={"problems": ["front: 3 dropped frames", "b"]})), contract)
    with pytest.raises(DataError, match=r"e1 \(it has problems: front: 3 dropped frames; b\)"):
        read_demonstrations(tmp_path, contract, "reach")


def test_judged_episodes_are_those_with_a_verdict_whoever_acted(
    tmp_path: Path, contract: RobotContract, make_episode: Make
) -> None:
    broken = make_episode("broken", success=False)
    broken = replace(broken, info=replace(broken.info, extra={"problems": ["front: 3 dropped frames"]}))
    for episode in (make_episode("a", success=False), make_episode("b", success=None), broken):
        write_episode(tmp_path, episode, contract)
    with pytest.raises(DataError, match=r"no episode of 'reach' that was called a success(.|\n)*3 episodes, 1 of them whole"):
        read_judged(tmp_path, contract, "reach")
    write_episode(tmp_path, make_episode("c", source="policy", success=True), contract)
    assert [(episode.info.id, episode.info.success) for episode in read_judged(tmp_path, contract, "reach")] == [
        ("a", False), ("c", True)]
