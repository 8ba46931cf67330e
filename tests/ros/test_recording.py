"""Which message goes into which bag, when topics run ahead of each other. Messages are made by the data layer, without DDS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rewardbot.data import cdr, decode
from rewardbot.data.decode import EpisodeEvent
from rewardbot.data.encode import StampedMessage, episode_messages
from rewardbot.data.episodes import list_episodes, read_episode
from rewardbot.robots.robot import load_contract
from rewardbot.ros import recording
from rewardbot.ros.recording import EpisodeRecorder
from rewardbot.types import Episode, EpisodeInfo

CONTRACT = load_contract()
STEPS = 6


def make_episode(number: int, source: Any = "demonstration") -> Episode:
    random = np.random.default_rng(number)
    images = {name: random.integers(0, 256, (STEPS + 1, c.height, c.width, 3), np.uint8) for name, c in CONTRACT.cameras.items()}
    actions = random.uniform(-1, 1, (STEPS, CONTRACT.action_dim)).astype(np.float32)
    first = 1.0 + number * (STEPS + 1) * 0.1
    stamps = np.round(first + 0.1 * np.arange(STEPS + 1), 3)
    return Episode(
        EpisodeInfo(f"episode-{number}", "lift", CONTRACT.name, source, success=True), stamps, images,
        random.uniform(0, 1, (STEPS + 1, 4)).astype(np.float32), actions, actions)


def feed(recorder: EpisodeRecorder, item: StampedMessage) -> None:
    data = bytes(cdr.serialize(item.message, item.msgtype))
    if item.topic == decode.EPISODE:
        recorder.event(decode.episode_event(item.message), data)
    else:
        recorder.add(item.topic, data)


def only_demonstrations(folder: Path) -> Any:
    def choose(event: EpisodeEvent) -> Path | None:
        return folder if event.info.source == "demonstration" else None

    return choose


def order_as_sent(messages: list[StampedMessage]) -> list[StampedMessage]:
    return messages


def events_first(messages: list[StampedMessage]) -> list[StampedMessage]:
    return sorted(messages, key=lambda m: m.topic != decode.EPISODE)


def topic_by_topic(messages: list[StampedMessage]) -> list[StampedMessage]:
    return sorted(messages, key=lambda m: m.topic)


def data_first(messages: list[StampedMessage]) -> list[StampedMessage]:
    return sorted(messages, key=lambda m: m.topic == decode.EPISODE)


@pytest.mark.parametrize("order", [order_as_sent, events_first, topic_by_topic, data_first])
def test_episodes_come_out_as_they_went_in_whatever_the_order_of_topics(tmp_path: Path, order: Any) -> None:
    recorder = EpisodeRecorder(CONTRACT, only_demonstrations(tmp_path))
    episodes = [make_episode(0), make_episode(1, "policy"), make_episode(2)]
    messages = [item for episode in episodes for item in episode_messages(episode, CONTRACT)]
    for item in order(messages):
        feed(recorder, item)
    assert (recorder.saved, recorder.rejected) == (2, 0), recorder.last_rejection
    assert [path.name for path in list_episodes(tmp_path)] == ["episode-0", "episode-2"]
    for expected in (episodes[0], episodes[2]):
        got = read_episode(tmp_path / expected.info.id, CONTRACT, "lift")
        np.testing.assert_array_equal(got.applied, expected.applied)
        np.testing.assert_array_equal(got.images["front"], expected.images["front"])


def test_repeated_messages_are_written_once(tmp_path: Path) -> None:
    recorder = EpisodeRecorder(CONTRACT, only_demonstrations(tmp_path))
    for item in episode_messages(make_episode(0), CONTRACT):
        feed(recorder, item)
        if item.topic != decode.EPISODE:
            feed(recorder, item)
    assert len(read_episode(tmp_path / "episode-0", CONTRACT)) == STEPS


def test_an_episode_with_a_lost_image_is_put_aside(tmp_path: Path) -> None:
    recorder = EpisodeRecorder(CONTRACT, only_demonstrations(tmp_path))
    lost = False
    for item in episode_messages(make_episode(0), CONTRACT):
        if not lost and item.topic == decode.camera_topic("wrist") and item.stamp_ns > 1_200_000_000:
            lost = True
            continue
        feed(recorder, item)
    assert (recorder.saved, recorder.rejected) == (0, 1) and "wrist" in recorder.last_rejection
    assert list_episodes(tmp_path) == []


def test_an_episode_whose_rest_never_comes_is_given_up(tmp_path: Path) -> None:
    recorder = EpisodeRecorder(CONTRACT, only_demonstrations(tmp_path), wait_s=0.0)
    for item in episode_messages(make_episode(0), CONTRACT):
        if item.topic != decode.TOOL_POSE:
            feed(recorder, item)
    recorder.finish()
    assert recorder.rejected == 1 and "tool_pose" in recorder.last_rejection
    assert list(tmp_path.iterdir()) == [], "nothing is left of it"


def test_an_episode_that_another_one_interrupts_is_given_up(tmp_path: Path) -> None:
    recorder = EpisodeRecorder(CONTRACT, only_demonstrations(tmp_path))
    for item in list(episode_messages(make_episode(0), CONTRACT))[:10]:
        feed(recorder, item)
    for item in episode_messages(make_episode(1), CONTRACT):
        feed(recorder, item)
    assert (recorder.saved, recorder.rejected, recorder.abandoned) == (1, 0, 1), "who broke it off meant to"
    recorder.close()
    assert [path.name for path in tmp_path.iterdir()] == ["episode-1"]


def sooner(episode: Episode, seconds: float) -> Episode:
    return Episode(**{**vars(episode), "stamps": np.round(episode.stamps - seconds, 3)})


@pytest.mark.parametrize("order", [order_as_sent, events_first, topic_by_topic])
def test_a_clock_that_jumps_back_costs_the_episode_that_was_open_and_no_other(
    tmp_path: Path, order: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The robot is started anew: its time begins again, some seconds of silence later."""
    now = [1000.0]
    monkeypatch.setattr(recording.time, "monotonic", lambda: now[0])
    recorder = EpisodeRecorder(CONTRACT, only_demonstrations(tmp_path))
    first, broken = make_episode(10), make_episode(11)
    for item in order(list(episode_messages(first, CONTRACT))):
        feed(recorder, item)
    messages = list(episode_messages(broken, CONTRACT))
    for item in messages[: len(messages) // 2]:
        feed(recorder, item)
    now[0] += 3.0
    after = [sooner(make_episode(number), 0.9) for number in (0, 1)]
    for item in order([item for episode in after for item in episode_messages(episode, CONTRACT)]):
        feed(recorder, item)
    assert [path.name for path in list_episodes(tmp_path)] == ["episode-0", "episode-1", "episode-10"]
    assert recorder.saved == 3 and recorder.rejected + recorder.abandoned == 1 and recorder.open == 0
    np.testing.assert_array_equal(read_episode(tmp_path / "episode-0").images["front"], after[0].images["front"])


def test_a_clock_that_jumps_back_while_an_ended_episode_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(recording.time, "monotonic", lambda: now[0])
    recorder = EpisodeRecorder(CONTRACT, only_demonstrations(tmp_path))
    for item in episode_messages(make_episode(10), CONTRACT):
        if item.topic != decode.camera_topic("wrist") or item.stamp_ns < 8_300_000_000:
            feed(recorder, item)
    assert recorder.open == 1
    now[0] += 3.0
    for item in episode_messages(sooner(make_episode(0), 0.9), CONTRACT):
        feed(recorder, item)
    assert recorder.rejected == 1 and "clock jumped back" in recorder.last_rejection
    assert [path.name for path in list_episodes(tmp_path)] == ["episode-0"]
