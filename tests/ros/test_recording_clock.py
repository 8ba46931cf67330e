"""A robot that is started again begins a new clock: which messages are of which, and what that costs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rewardbot.data import decode
from rewardbot.data.encode import episode_messages
from rewardbot.data.episodes import list_episodes, read_episode, read_header
from rewardbot.types import Episode
from tests.ros.feeding import (
    CONTRACT,
    WRIST,
    events_first,
    make_episode,
    order_as_sent,
    play,
    recorder_in,
    topic_by_topic,
)


def sooner(episode: Episode, seconds: float) -> Episode:
    return Episode(**{**vars(episode), "stamps": np.round(episode.stamps - seconds, 3)})


@pytest.mark.parametrize("order", [order_as_sent, events_first, topic_by_topic])
def test_a_clock_that_jumps_back_costs_the_episode_that_was_open_and_no_other(tmp_path: Path, order: Any) -> None:
    """The robot is started anew, at once: its time begins again."""
    recorder = recorder_in(tmp_path)
    first, broken = make_episode(10), make_episode(11)
    play(recorder, order(list(episode_messages(first, CONTRACT))))
    messages = list(episode_messages(broken, CONTRACT))
    play(recorder, messages[: len(messages) // 2])
    after = [sooner(make_episode(number), 0.9) for number in (0, 1)]
    play(recorder, order([item for episode in after for item in episode_messages(episode, CONTRACT)]))
    assert [path.name for path in list_episodes(tmp_path)] == ["episode-0", "episode-1", "episode-10"]
    assert recorder.saved == 3 and recorder.rejected + recorder.abandoned == 1 and recorder.open == 0
    np.testing.assert_array_equal(read_episode(tmp_path / "episode-0").images["front"], after[0].images["front"])


def test_what_comes_late_of_the_clock_before_is_not_of_the_next_episode(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    messages = list(episode_messages(make_episode(11), CONTRACT))
    half = len(messages) // 2
    play(recorder, messages[:half])
    start, first, *others = order_as_sent(list(episode_messages(sooner(make_episode(0), 0.9), CONTRACT)))
    late = [item for item in messages[half:] if item.topic == WRIST]
    assert start.topic == decode.EPISODE and first.topic != WRIST and len(late) > 1
    play(recorder, [start, first, *late, *others])
    assert [path.name for path in list_episodes(tmp_path)] == ["episode-0"]
    assert recorder.saved == 1 and recorder.rejected == 1 and recorder.open == 0


def test_a_clock_that_jumps_back_while_an_ended_episode_waits(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    messages = episode_messages(make_episode(10), CONTRACT)
    play(recorder, [item for item in messages if item.topic != WRIST or item.stamp_ns < 8_300_000_000])
    assert recorder.open == 1
    play(recorder, episode_messages(sooner(make_episode(0), 0.9), CONTRACT))
    assert recorder.rejected == 1 and "clock jumped back" in recorder.last_rejection
    assert [path.name for path in list_episodes(tmp_path)] == ["episode-0"]
    problems = read_header(tmp_path / "episode-10.rejected").info.extra["problems"]
    assert problems == [f"{WRIST} stopped 400 ms before the end", "the robot's clock jumped back"]


# What is said of an episode later
