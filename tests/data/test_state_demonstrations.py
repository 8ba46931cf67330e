"""Demonstrations from state vectors: what is written is read, what does not fit is refused, and clips do not cross episodes."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from rewardbot.data.state_demonstrations import StateDemonstrations, StateEpisode, draw
from rewardbot.errors import DataError

LOW, HIGH = np.array([-2.0, -1.0]), np.array([2.0, 3.0])


def episode(steps: int, *, terminated: bool = False, first: float = 0.0) -> StateEpisode:
    """States count up from `first` on; each action is a tenth of the step's number."""
    states = first + np.arange(3 * (steps + 1), dtype=np.float32).reshape(steps + 1, 3)
    actions = np.repeat(np.arange(steps, dtype=np.float32)[:, None] / 10.0, 2, axis=1)
    return StateEpisode(states, actions, np.ones(steps, np.float32), terminated, seed=7)


def demonstrations(*episodes: StateEpisode) -> StateDemonstrations:
    return StateDemonstrations("Pendulum-v1", LOW, HIGH, episodes)


def test_a_file_holds_all_of_it(tmp_path: Path) -> None:
    given = demonstrations(episode(4, terminated=True), episode(2, first=100.0))
    (tmp_path / "demos.safetensors").write_bytes(given.to_bytes())
    read = StateDemonstrations.read(tmp_path / "demos.safetensors")
    assert (read.env, read.low.tolist(), read.high.tolist()) == ("Pendulum-v1", LOW.tolist(), HIGH.tolist())
    for ours, theirs in zip(given.episodes, read.episodes, strict=True):
        assert all(np.array_equal(getattr(ours, field.name), getattr(theirs, field.name)) for field in dataclasses.fields(ours))
    assert read.returns == [4.0, 2.0]


def test_their_steps() -> None:
    """State, action, no reward, 1 but where the task ended, next state."""
    steps = demonstrations(episode(2, terminated=True), episode(1, first=100.0)).transitions()
    assert steps.state.tolist() == [[0, 1, 2], [3, 4, 5], [100, 101, 102]]
    assert steps.next_state.tolist() == [[3, 4, 5], [6, 7, 8], [103, 104, 105]]
    assert steps.continues.tolist() == [1.0, 0.0, 1.0] and steps.reward.tolist() == [0.0, 0.0, 0.0]


def test_no_demonstrations() -> None:
    with pytest.raises(DataError, match="There are no demonstrations"):
        demonstrations()


def test_one_demonstration_of_one_step_is_enough() -> None:
    assert len(demonstrations(episode(1)).transitions().rows) == 1


@pytest.mark.parametrize(("change", "message"), [
    ({"states": np.zeros((4, 3), np.float32)}, r"shapes \(\(4, 3\), \(4, 2\), \(4,\)\)"),
    ({"states": np.full((5, 3), np.nan, np.float32)}, "NaN"),
    ({"actions": np.full((4, 2), 1.5, np.float32)}, r"reach 1\.5"),
    ({"actions": np.zeros((0, 2), np.float32)}, "shapes"),
])
def test_bad_episodes(change: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(DataError, match=message):
        demonstrations(episode(4), dataclasses.replace(episode(4), **change))


def test_another_environment() -> None:
    given = demonstrations(episode(2))
    given.check("Pendulum-v1", 3, LOW, HIGH)
    with pytest.raises(DataError, match=r"states and actions of \(3, 2\) numbers(.|\n)*Hopper-v5 has \(11, 2\)"):
        given.check("Hopper-v5", 11, LOW, HIGH)
    with pytest.raises(DataError, match=r"bounds \[-2, -1\] to \[2, 3\](.|\n)*\[-1, -1\] to \[1, 1\]"):
        given.check("Reacher-v5", 3, np.array([-1.0, -1.0]), np.array([1.0, 1.0]))


@pytest.mark.parametrize("content", [b"", b"no such thing", b"\x08\0\0\0\0\0\0\0{}      "])
def test_other_files(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(DataError, match="holds no state demonstrations"):
        StateDemonstrations.read(path)
    with pytest.raises(DataError, match="Cannot read"):
        StateDemonstrations.read(tmp_path / "nowhere")


def test_damaged_lengths(tmp_path: Path) -> None:
    from safetensors.numpy import load, save

    data = demonstrations(episode(4)).to_bytes()
    path = tmp_path / "file"
    note = data[8 : 8 + int.from_bytes(data[:8], "little")]
    import json

    path.write_bytes(save({**load(data), "lengths": np.array([5])}, metadata=json.loads(note)["__metadata__"]))
    with pytest.raises(DataError, match="lengths"):
        StateDemonstrations.read(path)


def test_clips_stay_within_episodes() -> None:
    steps = demonstrations(episode(4), episode(2, first=100.0), episode(3, first=200.0)).transitions()
    clips = draw(steps, 3 * 200, torch.Generator().manual_seed(0), length=3, lengths=[4, 2, 3]).state[:, 0].view(-1, 3)
    assert {tuple(clip) for clip in clips.tolist()} == {(0.0, 3.0, 6.0), (3.0, 6.0, 9.0), (200.0, 203.0, 206.0)}
    with pytest.raises(DataError, match=r"No episode has 5 steps(.|\n)*longest has 4"):
        draw(steps, 10, torch.Generator(), length=5, lengths=[4, 2, 3])
