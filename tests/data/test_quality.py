"""What is wrong with a recording is found from its stamps, and nothing else is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardbot.data import decode
from rewardbot.data.quality import PROBLEMS, judged, marked, problems
from rewardbot.robots.robot import CameraContract, RobotContract
from rewardbot.types import EpisodeInfo

CONTRACT = RobotContract(cameras={"front": CameraContract(8, 8)}, control_hz=10.0)
PERIOD = 100_000_000
FRONT = decode.camera_topic("front")
START, STEPS = 5 * 10**9, 20
END = START + STEPS * PERIOD
INFO = EpisodeInfo("e1", "reach", "sim_arm", "demonstration", success=True)

Stamps = dict[str, list[int]]


def every(period: int, first: int = START, last: int = END) -> list[int]:
    return list(range(first, last + 1, period))


def recording(**changes: list[int]) -> Stamps:
    """Everything at its time, with joints ten times as fast as the control rate."""
    joints = every(PERIOD // 10, START - 10 * PERIOD, END + PERIOD)
    topics = {"joint_states": joints, "tool_pose": every(PERIOD), FRONT: every(PERIOD),
              "requested_action": every(PERIOD)[:-1], "applied_action": every(PERIOD)[:-1]}
    return {**topics, **{{"front": FRONT, "joints": "joint_states", "applied": "applied_action"}[k]: v for k, v in changes.items()}}


def found(stamps: Stamps, *, contract: RobotContract = CONTRACT, end: int = END) -> list[tuple[str, str]]:
    return [(problem.topic, problem.kind) for problem in problems(stamps, contract, START, end)]


def texts(stamps: Stamps) -> list[str]:
    return [problem.text for problem in problems(stamps, CONTRACT, START, END)]


def test_nothing_is_wrong_with_a_good_one() -> None:
    assert found(recording()) == []
    assert found(recording(front=every(PERIOD // 3, START - PERIOD // 4))) == [], "cameras may be faster than the control rate"


@given(st.integers(0, 2**31 * 10**9), st.floats(1.0, 200.0), st.integers(1, 50))
def test_nothing_is_wrong_at_any_rate_and_time(start: int, control_hz: float, steps: int) -> None:
    """Such as today's, in nanoseconds, which are more than a float can hold."""
    period = round(10**9 / control_hz)
    end = start + steps * period
    ticks = every(period, start, end)
    stamps = recording(front=ticks, applied=ticks[:-1], joints=every(period // 3, start - 2 * period, end + period))
    stamps |= {"tool_pose": ticks, "requested_action": ticks[:-1]}
    assert problems(stamps, replace(CONTRACT, control_hz=control_hz), start, end) == []


@given(st.lists(st.integers(-20_000_000, 0), min_size=STEPS + 1, max_size=STEPS + 1), st.integers(0, 30_000_000))
def test_jitter_within_half_a_period_is_no_problem(jitter: list[int], lag: int) -> None:
    front = [stamp - lag + shift for stamp, shift in zip(every(PERIOD), jitter, strict=True)]
    assert found(recording(front=front)) == []


@given(st.sets(st.integers(1, STEPS - 1), min_size=1, max_size=STEPS // 3), st.integers(0, PERIOD // 2))
def test_each_dropped_frame_counts_once(lost: set[int], lag: int) -> None:
    front = [stamp - lag for k, stamp in enumerate(every(PERIOD)) if k not in lost]
    if np.median(np.diff(front)) > PERIOD:
        return
    assert texts(recording(front=front)) == [f"{FRONT}: {len(lost)} dropped frame{'s' if len(lost) > 1 else ''}"]


@given(st.integers(2, STEPS))
def test_a_topic_that_stops_is_told_with_the_time(steps: int) -> None:
    (text,) = texts(recording(front=every(PERIOD)[: STEPS + 1 - steps]))
    lost = f"{steps / 10:.3g} s" if steps >= 10 else f"{steps * 100} ms"
    assert text == f"{FRONT} stopped {lost} before the end"


def test_a_topic_that_comes_late_or_never() -> None:
    assert texts(recording(front=every(PERIOD)[3:])) == [f"{FRONT}: 3 dropped frames"]
    assert texts(recording(front=[])) == [f"{FRONT}: nothing came"]
    assert texts(recording(front=every(PERIOD, END + PERIOD, END + 5 * PERIOD))) == [f"{FRONT}: nothing came"]


def test_a_camera_of_another_rate_names_both() -> None:
    assert texts(recording(front=every(2 * PERIOD))) == [f"{FRONT} came at 5 Hz; the robot contract's control_hz is 10"]


@pytest.mark.parametrize(("lag", "wrong"), [(0, False), (50_000_000, False), (51_000_000, True), (90_000_000, True)])
def test_a_camera_further_from_the_joints_than_half_a_period(lag: int, wrong: bool) -> None:
    stamps = recording(front=[stamp - lag for stamp in every(PERIOD, START, END + PERIOD)])
    assert found(stamps) == ([(FRONT, "unsynchronised")] if wrong else [])
    if wrong:
        (text,) = texts(stamps)
        assert text.startswith(f"{FRONT} and joint_states are up to {lag // 10**6} ms apart (21 of 21 ticks)") and "50 ms" in text


def test_a_camera_that_drifts_is_out_of_step_part_of_the_time() -> None:
    (problem,) = problems(recording(front=every(101_000_000, START - PERIOD, END + PERIOD)), CONTRACT, START, END)
    assert problem.kind == "unsynchronised"


@given(st.integers(1, STEPS - 1), st.integers(1_100_000_000, 10**12))
def test_a_clock_that_jumps_forward_is_no_dropped_frame(step: int, jump: int) -> None:
    stamps = {topic: [stamp if stamp < START + step * PERIOD else stamp + jump for stamp in values]
              for topic, values in recording().items()}
    assert found(stamps, end=END + jump) == [("applied_action", "clock")]


@given(st.data(), st.integers(1, STEPS - 2))
def test_a_clock_that_jumps_back(data: st.DataObject, step: int) -> None:
    periods, front = data.draw(st.integers(1, step)), every(PERIOD)
    front = front[: step + 1] + [stamp - (periods + 1) * PERIOD for stamp in front[step + 1 :]]
    (problem,) = [problem for problem in problems(recording(front=front), CONTRACT, START, END) if problem.kind == "clock"]
    size = f"{periods / 10:.3g} s" if periods >= 10 else f"{periods * 100} ms"
    assert problem.text == f"{FRONT}: the clock jumped back by {size}"


def test_a_robot_that_stalls_for_less_than_a_second_drops_nothing() -> None:
    """Its loop was late: no tick is without a frame."""
    stamps = {topic: [stamp for stamp in values if not START + 500_000_000 < stamp < START + 1_400_000_000]
              for topic, values in recording().items()}
    assert found(stamps) == []


@given(st.dictionaries(st.sampled_from([*recording(), "camera/none"]), st.lists(st.integers(0, 2 * END), max_size=30)),
       st.floats(0.1, 1000.0), st.integers(0, 10**10), st.integers(0, 10**10))
def test_whatever_comes_is_judged(stamps: Any, control_hz: float, start: int, length: int) -> None:
    for problem in problems(stamps, replace(CONTRACT, control_hz=control_hz), start, start + length):
        assert problem.text


def test_an_episode_of_no_step_and_of_one() -> None:
    at_once = {topic: [START] if topic != "applied_action" else [] for topic in recording()}
    assert problems(at_once, CONTRACT, START, START) == []
    one = {topic: [START, START + PERIOD][: 1 if "action" in topic else 2] for topic in recording()}
    assert problems(one, CONTRACT, START, START + PERIOD) == []


def test_what_has_problems_is_never_a_success() -> None:
    assert marked(INFO, []) is INFO and judged(INFO, False).success is False
    bad = marked(replace(INFO, extra={"run": 3}), ["a"])
    assert bad.success is None and bad.extra == {"run": 3, PROBLEMS: ["a"]}
    worse = marked(bad, ["b", "a"])
    assert worse.extra[PROBLEMS] == ["a", "b"]
    assert judged(worse, True).success is None and judged(worse, False).success is False
    assert marked(replace(INFO, success=False), ["a"]).success is False, "a failure stays one"
