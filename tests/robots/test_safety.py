"""Nothing that a policy, a teleop device or a message does passes the limits, for any sequence of commands."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewardbot.errors import ConfigError, RobotError
from rewardbot.robots.robot import load_contract
from rewardbot.robots.safety import STOP_AFTER_STALE, SafetyLimits

CONTRACT = load_contract("sim_arm")
LIMITS = CONTRACT.limits
LOW, HIGH = np.array(LIMITS.position_low), np.array(LIMITS.position_high)
SPEED, ACCELERATION = np.array(LIMITS.velocity), np.array(LIMITS.acceleration)
BOX_LOW, BOX_HIGH = np.array(LIMITS.workspace_low), np.array(LIMITS.workspace_high)
HOME = np.array([0.0, -0.6, 0.0, -2.4, 0.0, 1.8, 0.8])

anything = st.floats(allow_nan=True, allow_infinity=True)
mostly_sane = st.one_of(st.floats(-4.0, 4.0), anything)
joints = st.lists(mostly_sane, min_size=7, max_size=7)
actions = st.lists(st.one_of(st.floats(-1.5, 1.5), anything), min_size=4, max_size=4)
periods = st.one_of(st.floats(1e-4, 0.5), st.sampled_from([0.0, -1.0, math.nan, math.inf, 1e-300, 1e300]))
starts = st.lists(st.floats(0.0, 1.0), min_size=7, max_size=7).map(
    lambda share: np.clip(LOW + np.array(share) * (HIGH - LOW), LOW, HIGH))


@given(start=starts, commands=st.lists(st.tuples(joints, periods, st.booleans()), max_size=60))
@settings(max_examples=300, deadline=None)
def test_joints_never_leave_position_velocity_and_acceleration_limits(start, commands):
    safety = SafetyLimits(CONTRACT)
    safety.reset(start)
    q, v = start.copy(), np.zeros(7)
    for target, dt, stop in commands:
        if stop:
            safety.stop()
        else:
            safety.clear()
        after = safety.filter_joints(target, dt)
        assert np.all(after >= LOW) and np.all(after <= HIGH)
        if not 1e-6 <= dt <= 10.0:
            np.testing.assert_array_equal(after, q)
            continue
        velocity = (after - q) / dt
        assert np.all(np.abs(velocity) <= SPEED + 1e-9)
        assert np.all(np.abs(velocity - v) <= ACCELERATION * dt + 1e-9 + 1e-15 / dt)
        q, v = after, velocity


@given(start=starts, targets=st.lists(st.sampled_from([-10.0, 10.0]), min_size=1, max_size=40), dt=st.floats(0.002, 0.2))
@settings(max_examples=150, deadline=None)
def test_full_speed_towards_a_limit_is_braked_in_time(start, targets, dt):
    safety = SafetyLimits(CONTRACT)
    safety.reset(start)
    q, v = start.copy(), np.zeros(7)
    for target in targets:
        for _ in range(10):
            after = safety.filter_joints(np.full(7, target), dt)
            velocity = (after - q) / dt
            assert np.all((after >= LOW) & (after <= HIGH))
            assert np.all(np.abs(velocity - v) <= ACCELERATION * dt + 1e-9)
            q, v = after, velocity


@given(asked=actions, tool=st.lists(st.floats(-1.0, 1.5), min_size=3, max_size=3), stop=st.booleans())
@settings(max_examples=500, deadline=None)
def test_actions_stay_in_range_and_the_tool_in_its_box(asked, tool, stop):
    safety = SafetyLimits(CONTRACT)
    if stop:
        safety.stop()
    applied = safety.filter_action(asked, tool)
    assert applied.dtype == np.float32 and applied.shape == (4,)
    assert np.all(np.abs(applied) <= 1.0)
    target = np.array(tool) + applied[:3].astype(np.float64) * CONTRACT.action_scale
    assert np.all(target >= np.minimum(BOX_LOW, tool) - 1e-12)
    assert np.all(target <= np.maximum(BOX_HIGH, tool) + 1e-12)
    if stop or not np.all(np.isfinite(asked)):
        np.testing.assert_array_equal(applied, 0.0)
    else:  # Never further than asked, never the other way.
        clipped = np.clip(asked, -1, 1)
        assert np.all(np.abs(applied) <= np.abs(clipped)) and np.all(applied * clipped >= 0)


@given(commands=st.lists(actions, max_size=80))
@settings(max_examples=100, deadline=None)
def test_a_tool_that_follows_never_leaves_its_box(commands):
    safety, tool = SafetyLimits(CONTRACT), np.array([0.5, 0.0, 0.2])
    for asked in commands:
        tool = tool + safety.filter_action(asked, tool)[:3].astype(np.float64) * CONTRACT.action_scale
        assert np.all(tool >= BOX_LOW - 1e-12) and np.all(tool <= BOX_HIGH + 1e-12)


@given(events=st.lists(st.tuples(st.sampled_from(["accept", "watch", "stop", "reset", "joints", "action"]), anything),
                       max_size=60))
@settings(max_examples=200, deadline=None)
def test_only_clear_releases_a_stop(events):
    safety = SafetyLimits(CONTRACT)
    safety.reset(HOME)
    safety.stop("test")
    for event, number in events:
        match event:
            case "accept":
                safety.accept(number, number)
            case "watch":
                assert safety.watch(number) == "stop"
            case "stop":
                safety.stop("again")
            case "reset":
                safety.reset(HOME)
            case "joints":
                np.testing.assert_array_equal(safety.filter_joints(HOME + 0.1, 0.1), HOME)
            case _:
                np.testing.assert_array_equal(safety.filter_action([1, 1, 1, 1], [0.5, 0, 0.2]), 0.0)
        assert safety.stopped and safety.reason == "test"
    safety.clear()
    assert not safety.stopped and safety.reason == ""
    assert safety.watch(0.0) == "hold", "after a clear, motion waits for a fresh command"


@given(times=st.lists(st.tuples(anything, anything), max_size=40))
@settings(max_examples=300, deadline=None)
def test_stale_commands_are_refused(times):
    safety, newest = SafetyLimits(CONTRACT), -math.inf
    for stamp, now in times:
        if safety.accept(stamp, now):
            assert abs(now - stamp) <= LIMITS.stale_s and stamp >= newest
            newest = stamp
            assert safety.watch(now) == "ok"


def test_an_ordinary_action_passes_unchanged_and_nan_holds_the_last_gripper():
    safety, asked = SafetyLimits(CONTRACT), np.array([0.5, -0.25, 0.125, -0.75], np.float32)
    np.testing.assert_array_equal(safety.filter_action(asked, [0.5, 0.0, 0.2]), asked)
    np.testing.assert_array_equal(safety.filter_action([math.nan, 1, 1, 1], [0.5, 0, 0.2]), [0, 0, 0, np.float32(-0.75)])
    np.testing.assert_array_equal(safety.filter_action([1, 1, 1, 1], [math.nan, 0, 0.2]), [0, 0, 0, np.float32(-0.75)])
    safety.stop()
    np.testing.assert_array_equal(safety.filter_action([1, 1, 1, 1], [0.5, 0, 0.2]), [0, 0, 0, np.float32(-0.75)])


def test_the_workspace_cuts_only_the_entry_that_would_leave_it():
    step = CONTRACT.action_scale
    tool = [BOX_HIGH[0] - 0.25 * step, 0.0, BOX_LOW[2] + 0.5 * step]
    applied = SafetyLimits(CONTRACT).filter_action([1.0, 1.0, -1.0, 0.0], tool)
    np.testing.assert_allclose(applied, [0.25, 1.0, -0.5, 0.0], atol=1e-6)


@pytest.mark.parametrize("dt", [0.004, 0.02, 0.1])
def test_joints_reach_their_target_without_overshoot(dt):
    safety, target = SafetyLimits(CONTRACT), HOME + np.array([0.4, 0.3, -0.4, 0.3, -0.2, 0.1, 0.05])
    safety.reset(HOME)
    for _ in range(round(1.0 / dt)):
        q = safety.filter_joints(target, dt)
        assert np.all((q - target) * np.sign(target - HOME) <= 1e-9)
    np.testing.assert_allclose(q, target, atol=1e-6)


def test_a_small_step_is_reached_in_one_period():
    safety = SafetyLimits(CONTRACT)
    safety.reset(HOME)
    np.testing.assert_allclose(safety.filter_joints(HOME + 0.05, 0.1), HOME + 0.05, atol=1e-12)


def test_a_start_outside_the_limits_moves_inwards_only():
    safety, outside = SafetyLimits(CONTRACT), HOME.copy()
    outside[0] = HIGH[0] + 0.01
    safety.reset(outside)
    assert safety.filter_joints(outside + 1.0, 0.001)[0] <= outside[0]
    assert safety.filter_joints(HOME, 0.1)[0] < HIGH[0]


def test_the_watchdog_holds_and_then_stops():
    safety = SafetyLimits(CONTRACT)
    assert safety.watch(0.0) == "hold" and safety.watch(1e6) == "hold", "without a first command nothing has moved"
    assert safety.accept(10.0, 10.1)
    assert safety.watch(10.1 + LIMITS.stale_s) == "ok"
    assert safety.watch(10.2 + LIMITS.stale_s) == "hold" and not safety.stopped
    assert not safety.accept(9.9, 10.2), "older than the newest"
    assert safety.accept(10.2 + LIMITS.stale_s, 10.2 + LIMITS.stale_s) and safety.watch(10.3 + LIMITS.stale_s) == "ok"
    assert safety.watch(10.3 + (STOP_AFTER_STALE + 1) * LIMITS.stale_s) == "stop"
    assert safety.stopped and "no fresh command" in safety.reason
    assert safety.accept(20.0, 20.0) and safety.watch(20.0) == "stop", "a fresh command does not release it"


def test_a_clock_that_jumps_back_or_breaks_is_not_fresh():
    safety = SafetyLimits(CONTRACT)
    safety.accept(100.0, 100.0)
    assert safety.watch(100.0 - 2 * LIMITS.stale_s) == "hold"
    assert safety.watch(math.nan) == "stop"


@pytest.mark.parametrize(("change", "named"), [
    ({"position_low": ()}, "position_low"),
    ({"velocity": (1.0,) * 6}, "velocity"),
    ({"acceleration": (0.0,) * 7}, "acceleration"),
    ({"velocity": (math.nan,) * 7}, "velocity"),
    ({"workspace_low": (0.9, 0.0, 0.0)}, "workspace_low"),
    ({"position_high": (-9.0,) * 7}, "position_low"),
])
def test_an_arm_without_sound_limits_is_refused(change, named):
    with pytest.raises(ConfigError, match=named):
        SafetyLimits(dataclasses.replace(CONTRACT, limits=dataclasses.replace(LIMITS, **change)))


def test_wrong_use_is_named():
    with pytest.raises(ConfigError, match="lacks z"):
        SafetyLimits(dataclasses.replace(CONTRACT, action_names=("x", "y", "gripper")))
    safety = SafetyLimits(CONTRACT)
    with pytest.raises(RobotError, match=r"\(3,\)"):
        safety.filter_action([0, 0, 0], [0.5, 0, 0.2])
    with pytest.raises(RobotError, match="reset"):
        safety.filter_joints(HOME, 0.1)
    with pytest.raises(RobotError, match="nan"):
        safety.reset([math.nan] * 7)
    safety.reset(HOME)
    with pytest.raises(RobotError, match="shape"):
        safety.filter_joints([0.0], 0.1)
