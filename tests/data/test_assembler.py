"""Messages -> episodes, in whatever order they arrive."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewardbot.data.assembler import EpisodeAssembler
from rewardbot.data.encode import StampedMessage, episode_messages
from rewardbot.errors import DataError
from rewardbot.robots.robot import RobotContract
from rewardbot.types import Episode

PERIOD_NS = 100_000_000
FRONT = "camera/front/image_raw"
TOPICS = ["joint_states", "tool_pose", FRONT, "camera/wrist/image_raw", "requested_action", "applied_action"]
Make = Callable[..., Episode]
Same = Callable[[Episode, Episode], None]


def feed(assembler: EpisodeAssembler, messages: Iterable[StampedMessage]) -> list[Episode]:
    return [done for m in messages if (done := assembler.add(m.topic, m.message)) is not None]


def three(make_episode: Make, reset_ns: int = PERIOD_NS) -> list[Episode]:
    """Episodes as a lockstep run makes them: a reset adds one period. In real time it may be over sooner."""
    starts = [PERIOD_NS + k * (4 * PERIOD_NS + reset_ns) for k in range(3)]
    return [make_episode(f"e{k}", start_ns=start, seed=k, terminated=k == 1) for k, start in enumerate(starts)]


def without(messages: Iterable[StampedMessage], topic: str, stamp_ns: int) -> list[StampedMessage]:
    return [m for m in messages if (m.topic, m.stamp_ns) != (topic, stamp_ns)]


def shifted(message: StampedMessage, ns: int, **changes: Any) -> StampedMessage:
    """The same message under a later stamp."""
    stamp = message.stamp_ns + ns
    time = replace(message.message.header.stamp, sec=stamp // 10**9, nanosec=stamp % 10**9)
    content = replace(message.message, header=replace(message.message.header, stamp=time), **changes)
    return message._replace(stamp_ns=stamp, message=content)


@settings(max_examples=40, deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from([PERIOD_NS, PERIOD_NS // 3]))
def test_the_order_of_arrival_across_topics_does_not_matter(
    contract: RobotContract, make_episode: Make, assert_same: Same, order: random.Random, reset_ns: int
) -> None:
    episodes = three(make_episode, reset_ns)
    queues: dict[str, list[StampedMessage]] = defaultdict(list)
    for episode in episodes:
        for message in episode_messages(episode, contract):
            queues[message.topic].append(message)
    turns = [topic for topic, queue in queues.items() for _ in queue]
    order.shuffle(turns)
    assembler = EpisodeAssembler(contract)
    found = feed(assembler, [queues[topic].pop(0) for topic in turns])
    assert assembler.rejected == []
    assert len(found) == 3
    for one, other in zip(found, episodes, strict=True):
        assert_same(one, other)


def test_an_episode_comes_with_its_last_message_and_not_before(contract: RobotContract, make_episode: Make) -> None:
    assembler = EpisodeAssembler(contract)
    *before, last = episode_messages(make_episode(), contract)
    assert feed(assembler, before) == []
    assert len(feed(assembler, [last])) == 1


def test_repeated_observations_and_unknown_topics_are_ignored(
    contract: RobotContract, make_episode: Make, assert_same: Same
) -> None:
    episode = make_episode()
    twice = [m for message in episode_messages(episode, contract) for m in (message, message)]
    assembler = EpisodeAssembler(contract)
    (found,) = feed(assembler, [*(m._replace(topic="teleop/gripper") for m in twice), *twice])
    assert_same(found, episode)
    assert assembler.rejected == []


@pytest.mark.parametrize("topic", TOPICS)
@pytest.mark.parametrize("step", [0, 2, 4])
def test_a_missing_message_rejects_its_episode_only(
    contract: RobotContract, make_episode: Make, topic: str, step: int
) -> None:
    first, second, _ = three(make_episode)
    stamp = (1 + min(step, 3 if "action" in topic else 4)) * PERIOD_NS
    messages = without(episode_messages(first, contract), topic, stamp)
    assembler = EpisodeAssembler(contract)
    found = feed(assembler, [*messages, *episode_messages(second, contract)])
    assert [episode.info.id for episode in found] == ["e1"]
    ((rejected, reason),) = assembler.rejected
    assert rejected == "e0"
    assert reason.startswith("3 applied actions of 4" if topic == "applied_action" else f"{topic} has no message")


def test_a_start_while_another_is_open_rejects_the_first(contract: RobotContract, make_episode: Make) -> None:
    first, second, _ = three(make_episode)
    *unfinished, end = episode_messages(first, contract)
    assembler = EpisodeAssembler(contract)
    found = feed(assembler, [*unfinished, *episode_messages(second, contract), end])
    assert [episode.info.id for episode in found] == ["e1"]
    assert assembler.rejected == [("e0", "not ended when episode e1 started")]


def test_an_end_without_a_start_is_rejected(contract: RobotContract, make_episode: Make) -> None:
    assembler = EpisodeAssembler(contract)
    assert feed(assembler, list(episode_messages(make_episode(), contract))[1:]) == []
    assert assembler.rejected == [("e1", "its start was not seen")]


def test_a_wrong_event_is_rejected(contract: RobotContract, make_episode: Make) -> None:
    start, *_ = episode_messages(make_episode(), contract)
    start.message.status[0].name = "pause"
    assembler = EpisodeAssembler(contract)
    assert feed(assembler, [start]) == []
    assert assembler.rejected[0][0] == "(unknown)"


def test_an_episode_of_another_robot_is_rejected(contract: RobotContract, make_episode: Make) -> None:
    assembler = EpisodeAssembler(replace(contract, name="other"))
    assert feed(assembler, episode_messages(make_episode(), contract)) == []
    assert assembler.rejected == [("e1", "of robot 'sim_arm', the contract is 'other'")]


@pytest.mark.parametrize("topic", ["joint_states", "tool_pose", "requested_action", "applied_action"])
def test_nan_rejects(contract: RobotContract, make_episode: Make, topic: str) -> None:
    messages = list(episode_messages(make_episode(), contract))
    bad = [m for m in messages if m.topic == topic][2].message
    if topic == "tool_pose":
        bad.pose.position.y = float("nan")
    else:
        bad.position[-1] = float("nan")
    assembler = EpisodeAssembler(contract)
    assert feed(assembler, messages) == []
    ((_, reason),) = assembler.rejected
    assert reason.startswith(f"{topic}: ")
    assert reason.endswith("(step 2 of 4)")
    assert "not finite" in reason


def test_an_image_of_another_size_rejects(contract: RobotContract, make_episode: Make) -> None:
    messages = list(episode_messages(make_episode(), contract))
    next(m for m in messages if m.topic == FRONT).message.width = 8
    assembler = EpisodeAssembler(contract)
    assert feed(assembler, messages) == []
    assert "8x8" in assembler.rejected[0][1]


@pytest.mark.parametrize(("late_ns", "whole"), [(0, True), (PERIOD_NS // 2, True), (PERIOD_NS // 2 + 1, False)])
def test_a_free_camera_gives_the_newest_past_frame_within_half_a_period(
    contract: RobotContract, make_episode: Make, assert_same: Same, late_ns: int, whole: bool
) -> None:
    episode = make_episode()
    messages: list[StampedMessage] = []
    for message in episode_messages(episode, contract):
        if message.topic != FRONT:
            messages.append(message)
            continue
        # The right frame, a still older one and one from the future, all with other pixels.
        other = np.zeros_like(message.message.data)
        messages += [shifted(message, -late_ns - 1, data=other), shifted(message, -late_ns)]
        messages.append(shifted(message, 1, data=other))
    assembler = EpisodeAssembler(contract)
    found = feed(assembler, sorted(messages, key=lambda m: m.stamp_ns))
    assert len(found) == whole
    if whole:
        assert_same(found[0], episode)
    else:
        assert assembler.rejected[0][1].startswith(f"{FRONT} has no message")


def held(assembler: EpisodeAssembler) -> int:
    return sum(len(track.stamps) for track in assembler._tracks.values())


def test_messages_outside_an_episode_are_forgotten(contract: RobotContract, make_episode: Make) -> None:
    assembler = EpisodeAssembler(contract, keep_s=1.0)
    for message in list(episode_messages(make_episode(steps=300), contract))[1:-1]:
        assembler.add(message.topic, message.message)
        assert held(assembler) <= 6 * 12
    sizes = [16, 12, 16, 16, *(c.width * c.height * 3 for c in contract.cameras.values())]
    assert assembler._bytes <= 12 * sum(sizes)


def test_a_fast_camera_does_not_fill_the_memory_within_an_episode(
    contract: RobotContract, make_episode: Make, assert_same: Same
) -> None:
    episode = make_episode(steps=50)
    messages: list[StampedMessage] = []
    for message in episode_messages(episode, contract):
        many = 20 if message.topic == FRONT else 1
        messages += [shifted(message, -k * PERIOD_NS // 25) for k in reversed(range(many))]
    assembler = EpisodeAssembler(contract)
    *before, last = sorted(messages, key=lambda m: m.stamp_ns)
    feed(assembler, before)
    assert held(assembler) < 6 * 51 + 45 + 20 * 10  # the first and last tick keep their frames, and those of the last second
    assert_same(feed(assembler, [last])[0], episode)


def test_an_episode_that_never_ends_is_given_up(contract: RobotContract, make_episode: Make) -> None:
    assembler = EpisodeAssembler(contract, max_bytes=10_000)
    feed(assembler, list(episode_messages(make_episode(steps=50), contract))[:-1])
    assert assembler.rejected[0][0] == "e1"
    assert assembler.rejected[0][1].endswith("without an end")
    assert assembler._bytes <= 10_000


def test_a_dead_topic_does_not_fill_the_memory(contract: RobotContract, make_episode: Make) -> None:
    assembler = EpisodeAssembler(contract, wait_s=1.0, keep_s=1.0)
    for k in range(8):
        episode = make_episode(f"e{k}", start_ns=(1 + 5 * k) * PERIOD_NS)
        feed(assembler, [m for m in episode_messages(episode, contract) if m.topic != FRONT])
    assert assembler.rejected[0] == ("e0", f"{FRONT} did not reach its end")
    assert held(assembler) < 5 * 40
    assembler.flush()
    assert [id for id, _ in assembler.rejected] == [f"e{k}" for k in range(8)]
    assert held(assembler) == 0


def test_memory_goes_to_the_newest_when_a_topic_is_dead(contract: RobotContract, make_episode: Make) -> None:
    assembler = EpisodeAssembler(contract, max_bytes=5_000)
    for k in range(8):
        episode = make_episode(f"e{k}", start_ns=(1 + 5 * k) * PERIOD_NS)
        feed(assembler, [m for m in episode_messages(episode, contract) if m.topic != FRONT])
    assert assembler.rejected[0] == ("e0", f"more than 0 MiB of messages; {FRONT} did not reach its end")


@pytest.mark.parametrize("id", ["new", "old"])
@pytest.mark.parametrize("topic", ["episode", "joint_states"])
def test_a_robot_that_starts_again_is_followed(
    contract: RobotContract, make_episode: Make, assert_same: Same, id: str, topic: str
) -> None:
    assembler = EpisodeAssembler(contract)
    feed(assembler, list(episode_messages(make_episode("old", start_ns=10**12), contract))[:-1])
    after = make_episode(id)
    if topic != "episode":  # an observation before the episode tells it first
        feed(assembler, [shifted(m, -PERIOD_NS) for m in episode_messages(after, contract) if m.topic == topic][:1])
    (found,) = feed(assembler, episode_messages(after, contract))
    assert_same(found, after)
    assert [id for id, _ in assembler.rejected] == ["old"]


def test_flush_tells_why(contract: RobotContract, make_episode: Make) -> None:
    assembler = EpisodeAssembler(contract)
    feed(assembler, list(episode_messages(make_episode(), contract))[:-1])
    assembler.flush()
    assert assembler.rejected == [("e1", "not ended")]


def test_what_is_not_an_episode_is_not_written_as_messages(contract: RobotContract, make_episode: Make) -> None:
    good = make_episode()
    wrong = [
        replace(good, stamps=good.stamps[::-1]), replace(good, stamps=good.stamps - 100),
        replace(good, stamps=good.stamps * np.nan), replace(good, proprio=good.proprio * np.inf),
        replace(good, actions=good.actions.astype(np.float64)), replace(good, applied=good.applied[:, :3]),
        replace(good, images={"front": good.images["front"]}), replace(good, info=replace(good.info, robot="other")),
        replace(good, images={**good.images, "front": good.images["front"].transpose(0, 2, 1, 3)}),
        make_episode(steps=0),
    ]
    for episode in wrong:
        with pytest.raises(DataError, match="e1"):
            list(episode_messages(episode, contract))


@settings(max_examples=100, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(0, 3), st.sampled_from([0.5, 5.0, 200.0]), st.sampled_from([10, 1000, 10**6]))
def test_when_the_clock_goes_back_only_what_was_open_is_lost(
    contract: RobotContract, make_episode: Make, assert_same: Same, order: random.Random, killed: int, keep_s: float, before: int
) -> None:
    """A robot dies in its second episode and begins at 0 again; its topics are read in any order, as after a pause."""
    finished, interrupted = (make_episode(f"e{k}", start_ns=(before + 5 * k) * PERIOD_NS, seed=k) for k in range(2))
    after = [make_episode(f"n{k}", start_ns=(1 + 5 * k) * PERIOD_NS, seed=10 + k) for k in range(3)]
    assembler = EpisodeAssembler(contract, keep_s=keep_s)
    found = feed(assembler, episode_messages(finished, contract))
    *messages, _ = episode_messages(interrupted, contract)
    dies_ns = (before + 5 + killed) * PERIOD_NS
    queues: dict[str, list[StampedMessage]] = defaultdict(list)
    for message in [*(m for m in messages if m.stamp_ns <= dies_ns), *episode_messages(after[0], contract)]:
        queues[message.topic].append(message)
    turns = [topic for topic in order.sample(sorted(queues), len(queues)) for _ in queues[topic]]  # topic by topic, or mixed
    if order.random() < 0.5:
        order.shuffle(turns)
    found += feed(assembler, [queues[topic].pop(0) for topic in turns])
    for episode in after[1:]:
        found += feed(assembler, episode_messages(episode, contract))
    assert [episode.info.id for episode in found] == ["e0", "n0", "n1", "n2"], assembler.rejected
    for episode, expected in zip(found, [finished, *after], strict=True):
        assert_same(episode, expected)
    assert [id for id, _ in assembler.rejected] == ["e1"]


@pytest.mark.parametrize("topic", ["episode", "joint_states"])
def test_messages_in_disorder_cost_a_few_episodes_and_no_more(
    contract: RobotContract, make_episode: Make, assert_same: Same, topic: str
) -> None:
    """A reader that looked away for long may find the newest message of a topic before older ones, and others lost."""
    episodes = [make_episode(f"e{k}", start_ns=(1 + 5 * k) * PERIOD_NS, seed=k) for k in range(6)]
    messages = [list(episode_messages(episode, contract)) for episode in episodes]
    assembler = EpisodeAssembler(contract)
    found = feed(assembler, messages[0])
    strayed = next(m for m in reversed(messages[3]) if m.topic == topic)
    found += feed(assembler, [strayed, *(m for of in messages[2:] for m in of if m is not strayed)])
    assert [episode.info.id for episode in found][-2:] == ["e4", "e5"], assembler.rejected
    assert_same(found[-1], episodes[-1])
