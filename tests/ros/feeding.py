"""Messages of episodes, made by the data layer, in whatever order, for a recorder."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from rewardbot.data import cdr, decode
from rewardbot.data.decode import EpisodeEvent
from rewardbot.data.encode import StampedMessage
from rewardbot.data.episodes import raw_messages
from rewardbot.robots.robot import load_contract
from rewardbot.ros.recording import EpisodeRecorder
from rewardbot.types import Episode, EpisodeInfo

CONTRACT = load_contract()
STEPS = 6
FRONT, WRIST = decode.camera_topic("front"), decode.camera_topic("wrist")


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


def play(recorder: EpisodeRecorder, messages: Iterable[StampedMessage]) -> None:
    """Feeds all, and waits for the bags that become of it."""
    for item in messages:
        feed(recorder, item)
    recorder.wait()


def recorder_in(folder: Path, **options: Any) -> EpisodeRecorder:
    """One that records demonstrations only."""
    return EpisodeRecorder(CONTRACT, lambda event: folder, wanted=lambda event: event.info.source == "demonstration", **options)


def without(messages: Iterable[StampedMessage], topic: str, stamp_ns: int) -> list[StampedMessage]:
    return [item for item in messages if (item.topic, item.stamp_ns) != (topic, stamp_ns)]


def later_event(kind: Literal["verdict", "discard"], episode: Episode, success: bool | None = None) -> EpisodeEvent:
    return EpisodeEvent(kind, 0, replace(episode.info, success=success))


def messages_in(bag: Path) -> dict[str, list[int]]:
    """Topic -> stamps [ns]."""
    found: dict[str, list[int]] = {}
    for topic, _, stamp, _ in raw_messages(bag):
        found.setdefault(topic, []).append(stamp)
    return found


def order_as_sent(messages: list[StampedMessage]) -> list[StampedMessage]:
    return messages


def events_first(messages: list[StampedMessage]) -> list[StampedMessage]:
    return sorted(messages, key=lambda m: m.topic != decode.EPISODE)


def topic_by_topic(messages: list[StampedMessage]) -> list[StampedMessage]:
    return sorted(messages, key=lambda m: m.topic)


def data_first(messages: list[StampedMessage]) -> list[StampedMessage]:
    return sorted(messages, key=lambda m: m.topic == decode.EPISODE)
