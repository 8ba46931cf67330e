"""Which message goes into which bag, when topics run ahead of each other. Messages are made by the data layer, without DDS."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rewardbot.data import cdr, decode
from rewardbot.data.bags import summarise
from rewardbot.data.compression import Compressor
from rewardbot.data.decode import EpisodeEvent
from rewardbot.data.encode import StampedMessage, episode_messages
from rewardbot.data.episodes import list_episodes, read_episode, read_header, write_episode
from rewardbot.data.repair import damaged, mend, repair, repair_bag
from rewardbot.robots.robot import CameraContract
from rewardbot.ros import recording
from rewardbot.ros.keeping import catch_up
from rewardbot.ros.recording import EpisodeRecorder
from rewardbot.types import EpisodeInfo
from tests.full_disk import full_disk
from tests.ros.feeding import (
    CONTRACT,
    FRONT,
    STEPS,
    WRIST,
    data_first,
    events_first,
    feed,
    later_event,
    make_episode,
    messages_in,
    order_as_sent,
    play,
    recorder_in,
    topic_by_topic,
    without,
)


@pytest.mark.parametrize("order", [order_as_sent, events_first, topic_by_topic, data_first])
def test_episodes_come_out_as_they_went_in_whatever_the_order_of_topics(tmp_path: Path, order: Any) -> None:
    recorder = recorder_in(tmp_path)
    episodes = [make_episode(0), make_episode(1, "policy"), make_episode(2)]
    messages = [item for episode in episodes for item in episode_messages(episode, CONTRACT)]
    play(recorder, order(messages))
    assert (recorder.saved, recorder.rejected) == (2, 0), recorder.last_rejection
    assert [path.name for path in list_episodes(tmp_path)] == ["episode-0", "episode-2"]
    for expected in (episodes[0], episodes[2]):
        got = read_episode(tmp_path / expected.info.id, CONTRACT, "lift")
        np.testing.assert_array_equal(got.applied, expected.applied)
        np.testing.assert_array_equal(got.images["front"], expected.images["front"])


def test_repeated_messages_are_written_once(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    for item in episode_messages(make_episode(0), CONTRACT):
        play(recorder, [item] if item.topic == decode.EPISODE else [item, item])
    assert len(read_episode(tmp_path / "episode-0", CONTRACT)) == STEPS


def test_an_episode_with_a_lost_image_is_put_aside(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    play(recorder, without(episode_messages(make_episode(0), CONTRACT), WRIST, 1_300_000_000))
    assert (recorder.saved, recorder.rejected) == (0, 1)
    assert recorder.last_rejection == f"episode-0: {WRIST} has no message (step 3 of 6)" == recorder.last_problem
    assert list_episodes(tmp_path) == []
    info = read_header(tmp_path / "episode-0.rejected").info
    assert info.extra["problems"] == [f"{WRIST}: 1 dropped frame", f"{WRIST} has no message (step 3 of 6)"] and info.success is None


def test_an_episode_whose_rest_never_comes_is_given_up(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path, wait_s=0.0)
    play(recorder, [item for item in episode_messages(make_episode(0), CONTRACT) if item.topic != decode.TOOL_POSE])
    assert recorder.rejected == 1 and recorder.last_rejection == "episode-0: tool_pose did not reach its end"
    assert [path.name for path in tmp_path.iterdir()] == ["episode-0.rejected"]
    problems = read_header(tmp_path / "episode-0.rejected").info.extra["problems"]
    assert problems == ["tool_pose: nothing came", "tool_pose did not reach its end"]


def test_an_episode_that_another_one_interrupts_is_given_up(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    play(recorder, list(episode_messages(make_episode(0), CONTRACT))[:10])
    play(recorder, episode_messages(make_episode(1), CONTRACT))
    assert (recorder.saved, recorder.rejected, recorder.abandoned) == (1, 0, 1), "who broke it off meant to"
    recorder.close()
    assert [path.name for path in tmp_path.iterdir()] == ["episode-1"]


@pytest.mark.parametrize("restarted", [False, True])
def test_a_later_verdict_is_written_into_the_bag(tmp_path: Path, restarted: bool) -> None:
    recorder, episode = recorder_in(tmp_path), make_episode(0)
    play(recorder, episode_messages(episode, CONTRACT))
    recorder = recorder_in(tmp_path) if restarted else recorder
    for success in (False, None, True):
        recorder.event(later_event("verdict", episode, success), b"")
        recorder.wait()
        assert read_header(tmp_path / "episode-0").info == replace(episode.info, success=success)
        assert read_episode(tmp_path / "episode-0").info.success is success
    assert recorder.last_problem == "" and recorder.open == 0


def test_what_was_said_while_nobody_recorded_is_done_later(tmp_path: Path) -> None:
    episodes = [make_episode(number) for number in range(4)]
    for episode in episodes:
        write_episode(tmp_path, episode, CONTRACT)
    said = {"episode-0": False, "episode-1": None, "episode-2": episodes[2].info.success, "elsewhere": True, "../x": None}
    done = catch_up(tmp_path, said)
    assert [(kept.id, kept.fate) for kept in done] == [("episode-0", "judged"), ("episode-1", "discarded")]
    assert [read_header(path).info.success for path in list_episodes(tmp_path)] == [False, True, True]
    assert (tmp_path / "episode-1.discarded").is_dir() and catch_up(tmp_path, said) == []


@pytest.mark.parametrize("kind", ["verdict", "discard"])
def test_what_is_said_while_an_ended_episode_waits_for_its_rest(tmp_path: Path, kind: Any) -> None:
    recorder, episode = recorder_in(tmp_path), make_episode(0)
    last_pose = (decode.TOOL_POSE, 1_600_000_000)
    play(recorder, without(episode_messages(episode, CONTRACT), *last_pose))
    recorder.event(later_event(kind, episode, success=False), b"")
    assert recorder.open == 1 and list_episodes(tmp_path) == []
    play(recorder, [item for item in episode_messages(episode, CONTRACT) if (item.topic, item.stamp_ns) == last_pose])
    (bag,) = tmp_path.iterdir()
    assert bag.name == ("episode-0" if kind == "verdict" else "episode-0.discarded") and recorder.saved == 1
    assert read_header(bag).info.success is (kind == "discard")


def test_a_discarded_episode(tmp_path: Path) -> None:
    """A running one is dropped, a finished one is put aside; one that was never recorded is nobody's business."""
    recorder, finished, running = recorder_in(tmp_path), make_episode(0), make_episode(1)
    play(recorder, [*episode_messages(finished, CONTRACT), *list(episode_messages(running, CONTRACT))[:20]])
    for episode in (running, finished, make_episode(2, "policy")):
        recorder.event(later_event("discard", episode), b"")
    recorder.wait()
    assert [path.name for path in tmp_path.iterdir()] == ["episode-0.discarded"]
    assert (recorder.abandoned, recorder.discarded, recorder.open) == (1, 1, 0)
    play(recorder, episode_messages(make_episode(3), CONTRACT))
    assert [path.name for path in list_episodes(tmp_path)] == ["episode-3"], "and again"


def test_an_id_that_leads_elsewhere_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    recorder = recorder_in(tmp_path / "bags")
    episode = make_episode(0)
    recorder.event(later_event("discard", replace(episode, info=replace(episode.info, id="../mine"))), b"")
    recorder.wait()
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


# Topics that run freely


def test_joints_that_do_not_meet_the_end_are_recorded_up_to_the_next(tmp_path: Path) -> None:
    """Only then is it known that none is missing."""
    recorder, episode = recorder_in(tmp_path), make_episode(0)
    others = [item for item in episode_messages(episode, CONTRACT) if item.topic != decode.JOINT_STATES]
    joint = next(item for item in episode_messages(episode, CONTRACT) if item.topic == decode.JOINT_STATES)
    free = [stamped(joint, stamp) for stamp in range(970_000_000, 2_000_000_000, 30_000_000)]
    play(recorder, sorted([*others, *free], key=lambda item: item.stamp_ns))
    assert recorder.saved == 1, recorder.last_rejection
    assert len(read_episode(tmp_path / "episode-0")) == STEPS and recorder.last_problem == ""
    assert max(messages_in(tmp_path / "episode-0")[decode.JOINT_STATES]) == 1_600_000_000
    recorder = recorder_in(tmp_path / "other")
    free = [stamped(joint, stamp) for stamp in range(985_000_000, 2_000_000_000, 30_000_000)]
    play(recorder, sorted([*others, *free], key=lambda item: item.stamp_ns))
    assert max(messages_in(tmp_path / "other" / "episode-0")[decode.JOINT_STATES]) == 1_615_000_000


def stamped(item: StampedMessage, stamp: int) -> StampedMessage:
    """The same message at another time [ns]."""
    time = replace(item.message.header.stamp, sec=stamp // 10**9, nanosec=stamp % 10**9)
    return item._replace(stamp_ns=stamp, message=replace(item.message, header=replace(item.message.header, stamp=time)))


# Before the start


def test_the_pre_roll_is_in_the_bag_and_the_episode_is_the_same(tmp_path: Path) -> None:
    before, episode = make_episode(0, "policy"), make_episode(1)
    for name, pre_roll_s in (("without", 0.0), ("with", 0.5)):
        recorder = recorder_in(tmp_path / name, pre_roll_s=pre_roll_s)
        play(recorder, [*episode_messages(before, CONTRACT), *episode_messages(episode, CONTRACT)])
        assert recorder.saved == 1
        found = read_episode(tmp_path / name / "episode-1", CONTRACT)
        np.testing.assert_array_equal(found.images["front"], episode.images["front"])
        np.testing.assert_array_equal(found.applied, episode.applied)
        stamps = messages_in(tmp_path / name / "episode-1")
        assert min(stamps[FRONT]) == (1_200_000_000 if pre_roll_s else 1_700_000_000)
        assert min(stamps[decode.APPLIED_ACTION]) == (1_200_000_000 if pre_roll_s else 1_700_000_000)
        path = tmp_path / name / "episode-1"
        assert summarise(path).steps == STEPS, "those of the episode alone"
        (path / "metadata.yaml").unlink()
        repair_bag(path, damaged(path)[path])
        assert summarise(path).steps == STEPS


def test_actions_of_the_pre_roll_do_not_count_for_the_episode(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path, pre_roll_s=0.5)
    play(recorder, episode_messages(make_episode(0, "policy"), CONTRACT))
    late = (decode.APPLIED_ACTION, 1_700_000_000 + (STEPS - 1) * 100_000_000)
    play(recorder, without(episode_messages(make_episode(1), CONTRACT), *late))
    assert recorder.open == 1, "it waits for the last one"


# Compressed images


@pytest.mark.parametrize("pre_roll_s", [0.0, 0.3])
def test_compressed_images_come_back_bit_for_bit(tmp_path: Path, pre_roll_s: float) -> None:
    recorder = recorder_in(tmp_path, compressor=Compressor("png", workers=2), pre_roll_s=pre_roll_s)
    episodes = [make_episode(0), make_episode(1)]
    for episode in episodes:
        play(recorder, episode_messages(episode, CONTRACT))
    recorder.close()
    assert recorder.saved == 2, recorder.last_rejection
    for episode in episodes:
        found = read_episode(tmp_path / episode.info.id, CONTRACT)
        for name, images in episode.images.items():
            np.testing.assert_array_equal(found.images[name], images)
    assert decode.compressed(FRONT) in messages_in(tmp_path / "episode-0")


def test_what_cannot_be_compressed_in_time_is_written_as_it_came(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compressor, turn = Compressor("png", workers=8), iter(range(1000))
    submit = compressor.submit
    monkeypatch.setattr(compressor, "submit", lambda *image: submit(*image) if next(turn) % 2 else None)
    recorder = recorder_in(tmp_path, compressor=compressor)
    episode = make_episode(0)
    play(recorder, episode_messages(episode, CONTRACT))
    stamps = messages_in(tmp_path / "episode-0")
    both = stamps[FRONT] + stamps[decode.compressed(WRIST)]
    assert len(both) == 2 * (STEPS + 1) and len(stamps.get(WRIST, [])) == 0
    np.testing.assert_array_equal(read_episode(tmp_path / "episode-0").images["wrist"], episode.images["wrist"])
    recorder.close()


# A kill


@pytest.mark.parametrize("kind", [None, "png"])
def test_a_kill_at_any_moment_loses_at_most_a_second(tmp_path: Path, kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the operating system has been given survives a kill -9: a copy of the folder is what would be left."""
    now = [1000.0]
    monkeypatch.setattr(recording.time, "monotonic", lambda: now[0])
    recorder = recorder_in(tmp_path / "bags", pre_roll_s=0.5, compressor=Compressor(kind, workers=1) if kind else None)
    for stamp in range(9):
        now[0] += 0.1
        play(recorder, [item for item in episode_messages(make_episode(0, "policy"), CONTRACT) if item.stamp_ns == stamp * 10**8])
    long = [make_episode(number) for number in range(6)]
    start, *_ = episode_messages(long[0], CONTRACT)
    data = [item for episode in long for item in episode_messages(episode, CONTRACT) if item.topic != decode.EPISODE]
    feed(recorder, start)
    for tick in range(10, 45):
        now[0] += 0.1
        for item in data:
            if item.stamp_ns == tick * 10**8:
                feed(recorder, item)
        for *_, packed in recorder._open[0].packing:  # a tenth of a second would be time enough
            packed.exception()
        recorder.finish()
        if tick % 9 == 0:
            copy = tmp_path / f"killed-{tick}"
            shutil.copytree(tmp_path / "bags", copy)
            stamps = messages_in(repair(copy / "episode-0.part"))
            newest = {decode.uncompressed(topic): max(values) for topic, values in stamps.items() if topic != decode.EPISODE}
            assert len(newest) == 6 and tick * 10**8 - min(newest.values()) <= 10**9


def test_a_kill_after_the_end_costs_no_episode(tmp_path: Path) -> None:
    recorder, episode = recorder_in(tmp_path / "bags"), make_episode(0)
    last = list(episode_messages(episode, CONTRACT))
    pose = next(item for item in last if (item.topic, item.stamp_ns) == (decode.TOOL_POSE, 1_600_000_000))
    play(recorder, [item for item in last if item is not pose])
    assert recorder.open == 1
    content = bytes(cdr.serialize(pose.message, pose.msgtype))
    recorder._write(recorder._open[0], pose.topic, recording._Message(pose.stamp_ns, 0, content))  # and then it is killed
    shutil.copytree(tmp_path / "bags", tmp_path / "killed")
    assert "the episode is whole" in mend(tmp_path / "killed")[0]
    assert read_episode(tmp_path / "killed" / "episode-0").info == episode.info


def test_a_recorder_that_is_stopped_keeps_what_it_has(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    play(recorder, list(episode_messages(make_episode(0), CONTRACT))[:20])
    recorder.close()
    assert [path.name for path in tmp_path.iterdir()] == ["episode-0.rejected"]
    info = read_header(tmp_path / "episode-0.rejected").info
    assert info.extra["problems"] == ["the recorder was stopped"] and info.success is None


# What is wrong with a recording


def test_a_whole_episode_with_a_problem_is_kept_and_is_no_success(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The robot stands still for three seconds. Nobody can call it a success later either."""
    recorder, episode = recorder_in(tmp_path), make_episode(0)
    still = replace(episode, stamps=np.round(episode.stamps + np.where(np.arange(STEPS + 1) > 3, 3.0, 0.0), 3))
    play(recorder, episode_messages(still, CONTRACT))
    said = "the clock jumped forward, or the robot stood still, by 3.1 s"
    assert (recorder.saved, recorder.rejected) == (1, 0) and recorder.last_problem == f"episode-0: {said}" and said in caplog.text
    info = read_header(tmp_path / "episode-0").info
    assert info.success is None and info.extra["problems"] == [said]
    recorder.event(later_event("verdict", episode, True), b"")
    recorder.wait()
    assert read_header(tmp_path / "episode-0").info == info and "is not called a success" in recorder.last_problem
    recorder.event(later_event("verdict", episode, False), b"")
    recorder.wait()
    assert read_header(tmp_path / "episode-0").info.success is False


def test_what_is_wrong_is_told_while_it_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(recording.time, "monotonic", lambda: now[0])
    recorder = recorder_in(tmp_path)
    start, *rest = (item for number in range(5) for item in episode_messages(make_episode(number), CONTRACT))
    feed(recorder, start)
    for tick in range(10, 44):
        now[0] += 0.1
        for item in rest:
            if item.stamp_ns == tick * 10**8 and item.topic != decode.EPISODE and not (item.topic == WRIST and tick > 20):
                feed(recorder, item)
    assert recorder.last_problem.startswith(f"episode-0: {WRIST} stopped ") and recorder.open == 1


def test_a_camera_of_another_size_is_told_at_once(tmp_path: Path) -> None:
    contract = replace(CONTRACT, cameras={**CONTRACT.cameras, "wrist": CameraContract(32, 16)})
    recorder = EpisodeRecorder(contract, lambda event: tmp_path)
    messages = list(episode_messages(make_episode(0), CONTRACT))
    play(recorder, messages[:10])
    said = "camera/wrist/image_raw: The image is 64x64. The robot contract says 32x16 (width x height)."
    assert recorder.last_problem == f"episode-0: {said}" and recorder.open == 1
    play(recorder, messages[10:])
    assert recorder.rejected == 1 and said in recorder.last_rejection
    assert said in read_header(tmp_path / "episode-0.rejected").info.extra["problems"][-1]


@pytest.mark.parametrize("compressed", [False, True])
def test_an_image_of_another_size_is_never_compressed(tmp_path: Path, compressed: bool) -> None:
    contract = replace(CONTRACT, cameras={**CONTRACT.cameras, "wrist": CameraContract(32, 16)})
    recorder = EpisodeRecorder(contract, lambda event: tmp_path, compressor=Compressor("jpeg") if compressed else None)
    play(recorder, episode_messages(make_episode(0), CONTRACT))
    recorder.close()
    assert set(messages_in(tmp_path / "episode-0.rejected")) >= {WRIST, decode.compressed(FRONT) if compressed else FRONT}


def test_a_camera_of_another_rate_is_told_with_both(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    messages = episode_messages(make_episode(0), CONTRACT)
    play(recorder, [item for item in messages if item.topic != WRIST or item.stamp_ns % 200_000_000 == 0])
    said = f"{WRIST} came at 5 Hz; the robot contract's control_hz is 10"
    assert said in read_header(tmp_path / "episode-0.rejected").info.extra["problems"]


def with_joints(names: Callable[[list[str]], list[str]]) -> list[StampedMessage]:
    """Joint states of the whole arm, with these of all names; only the gripper's position matters."""
    messages = list(episode_messages(make_episode(0), CONTRACT))
    for item in messages:
        if item.topic == decode.JOINT_STATES:
            gripper = float(item.message.position[0])
            item.message.name = names([*CONTRACT.joint_names, CONTRACT.gripper_joint])
            item.message.position = np.array([gripper if name == CONTRACT.gripper_joint else 9.0 for name in item.message.name])
    return messages


def test_joints_in_another_order(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    play(recorder, with_joints(lambda names: names[::-1]))
    np.testing.assert_allclose(read_episode(tmp_path / "episode-0").proprio[:, 3], make_episode(0).proprio[:, 3], rtol=1e-6)


@pytest.mark.parametrize("missing", [["arm_joint2", "arm_joint5"], ["finger_joint1"]])
def test_missing_joints_are_named(tmp_path: Path, missing: list[str]) -> None:
    recorder = recorder_in(tmp_path)
    play(recorder, with_joints(lambda names: [name for name in names if name not in missing]))
    quoted = "', '".join(missing)
    assert recorder.saved == 0 and recorder.last_rejection.startswith(f"episode-0: joint_states: '{quoted}' ")
    assert "The message holds: arm_joint1" in recorder.last_rejection


@pytest.mark.parametrize(("steps", "saved"), [(0, 0), (1, 1)])
def test_an_episode_of_no_step_and_of_one(tmp_path: Path, steps: int, saved: int) -> None:
    recorder, episode = recorder_in(tmp_path), make_episode(0)
    info = replace(episode.info, id="short")
    play(recorder, list(episode_messages(episode, CONTRACT))[1:-1])
    first = 1_300_000_000
    recorder.event(EpisodeEvent("start", first, info), event_bytes("start", info, first))
    end = first + steps * 100_000_000
    recorder.event(EpisodeEvent("end", end, info, steps=steps), event_bytes("end", info, end, steps))
    recorder.wait()
    assert (recorder.saved, recorder.rejected) == (saved, 1 - saved)
    if steps:
        np.testing.assert_array_equal(read_episode(tmp_path / "short").applied, episode.applied[3:4])
    else:
        assert recorder.last_rejection == "short: it has no steps" and list_episodes(tmp_path) == []


def event_bytes(kind: str, info: EpisodeInfo, stamp: int, steps: int | None = None) -> bytes:
    """A serialised event, made of another one."""
    item = next(iter(episode_messages(make_episode(0), CONTRACT)))
    types = cdr.typestore().types
    values = decode.event_values(info, steps=steps)
    pairs = [types["diagnostic_msgs/msg/KeyValue"](key=key, value=value) for key, value in values.items()]
    status = replace(item.message.status[0], name=kind, values=pairs)
    time = types["builtin_interfaces/msg/Time"](sec=stamp // 10**9, nanosec=stamp % 10**9)
    return bytes(cdr.serialize(replace(item.message, header=replace(item.message.header, stamp=time), status=[status]), item.msgtype))


# The disk


def test_low_disk_before_an_episode_and_while_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now, free = [1000.0], [1.5e9]
    monkeypatch.setattr(recording.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(recording.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**12, 0, free[0]))
    recorder = recorder_in(tmp_path, least_free_gb=1.0)
    play(recorder, episode_messages(make_episode(0), CONTRACT))
    assert recorder.saved == 1
    messages = list(episode_messages(make_episode(1), CONTRACT))
    play(recorder, messages[:20])
    now[0], free[0] = now[0] + 2.0, 0.7e9
    play(recorder, messages[20:])
    said = f"the disk is nearly full: 0.70 GB are free in {tmp_path}, 1 GB must be"
    assert recorder.last_rejection == f"episode-1: {said}" and recorder.open == 0
    info = read_header(tmp_path / "episode-1.rejected").info
    assert info.extra["problems"] == [said] and info.success is None
    assert len(messages_in(tmp_path / "episode-1.rejected")[FRONT]) == 3, "what was stored is whole"
    play(recorder, episode_messages(make_episode(2), CONTRACT))
    assert recorder.last_rejection.startswith("episode-2: the disk is nearly full") and recorder.rejected == 2
    free[0] = 2e9
    play(recorder, episode_messages(make_episode(3), CONTRACT))
    assert [path.name for path in list_episodes(tmp_path)] == ["episode-0", "episode-3"]


def test_a_disk_that_is_full_costs_the_present_episode_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count()  # a second at each look, so that every message is written at once
    monkeypatch.setattr(recording.time, "monotonic", lambda: next(clock))
    recorder = recorder_in(tmp_path, wait_s=1000.0)
    play(recorder, episode_messages(make_episode(0), CONTRACT))
    with full_disk(50_000):
        play(recorder, episode_messages(make_episode(1), CONTRACT))
        assert "Cannot write episode" in recorder.last_rejection and recorder.open == 0 and recorder.rejected == 1
    play(recorder, episode_messages(make_episode(2), CONTRACT))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["episode-0", "episode-2"]
    assert all(len(read_episode(path)) == STEPS for path in list_episodes(tmp_path))


def test_an_episode_that_has_ended_when_the_disk_is_full_waits_for_space(tmp_path: Path) -> None:
    recorder, episode = recorder_in(tmp_path), make_episode(0)
    last = (decode.TOOL_POSE, 1_600_000_000)
    play(recorder, without(episode_messages(episode, CONTRACT), *last))
    with full_disk(1000):
        play(recorder, [item for item in episode_messages(episode, CONTRACT) if (item.topic, item.stamp_ns) == last])
    assert recorder.rejected == 1 and [path.name for path in tmp_path.iterdir()] == ["episode-0.part"]
    assert "not all of the episode is there" in mend(tmp_path)[0], "its last message was lost"
