"""A sampled transition is always a step of one episode, whatever was overwritten; only terminations end the future."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rewardbot.data.replay import Batch, Replay, concatenate
from rewardbot.errors import DataError
from rewardbot.types import Episode, EpisodeInfo

CAPACITY = 40
FEATURES = 3
EVERYTHING = 400
"""Draws after which hardly any of forty transitions is left out."""


def episode(number: int, steps: int, *, terminated: bool = False) -> tuple[Episode, torch.Tensor]:
    """Every number in it tells its episode and its step: 1000 number + step."""
    tag = 1000.0 * number + np.arange(steps + 1, dtype=np.float32)
    found = Episode(
        info=EpisodeInfo(f"e{number}", "reach", "small", "policy"),
        stamps=np.arange(steps + 1) / 10.0,
        images={},
        proprio=np.repeat(tag[:, None], 4, axis=1),
        actions=np.zeros((steps, 2), np.float32),
        applied=np.repeat(tag[:-1, None], 2, axis=1),
        terminated=terminated,
    )
    return found, torch.from_numpy(np.repeat(tag[:, None], FEATURES, axis=1))


def empty(capacity: int = CAPACITY, seed: int = 0) -> Replay:
    return Replay(capacity, features=FEATURES, proprio=4, actions=2, seed=seed)


def check(batch: Batch, ends: dict[int, tuple[int, bool]]) -> None:
    """`ends`: episode number -> (steps, terminated)."""
    tag = batch.features[:, 0]
    numbers, steps = (tag // 1000).long(), (tag % 1000).long()
    assert torch.equal(batch.next_features, batch.features + 1), "the next observation of the same episode"
    for name in ("features", "proprio", "actions"):
        assert (getattr(batch, name) == tag[:, None]).all(), name
    assert torch.equal(batch.next_proprio, batch.proprio + 1)
    for number, step, continues in zip(numbers.tolist(), steps.tolist(), batch.continues, strict=True):
        count, terminated = ends[number]
        assert step < count
        assert continues == (0.0 if terminated and step == count - 1 else 1.0)


@given(st.lists(st.tuples(st.integers(1, CAPACITY - 1), st.booleans()), min_size=1, max_size=25))
@settings(max_examples=60, deadline=None)
def test_a_transition_is_a_step_of_one_episode(lengths: list[tuple[int, bool]]) -> None:
    replay = empty()
    ends: dict[int, tuple[int, bool]] = {}
    for number, (steps, terminated) in enumerate(lengths, start=1):
        rows = replay.add(*episode(number, steps, terminated=terminated))
        ends[number] = (steps, terminated)
        assert len(rows) == steps + 1 and 0 <= rows.start < rows.stop <= CAPACITY
        held = [(int(name[1:]), first, count) for name, first, count in replay.spans]
        assert held[-1] == (number, rows.start, steps + 1), "the newest is always held"
        assert [name for name, _, _ in held] == list(range(held[0][0], number + 1)), "the oldest go first"
        taken = [row for _, first, count in held for row in range(first, first + count)]
        assert len(taken) == len(set(taken)), "no row belongs to two episodes"
        assert len(replay) == sum(count - 1 for _, _, count in held)
        batch = replay.sample(EVERYTHING)
        check(batch, ends)
        assert set((batch.features[:, 0] // 1000).long().tolist()) <= {name for name, _, _ in held}


def test_sampling_is_uniform_over_transitions_and_reaches_all() -> None:
    replay = empty()
    replay.add(*episode(1, 4))
    replay.add(*episode(2, 16, terminated=True))
    rows, counts = replay.sample(20_000).rows.unique(return_counts=True)
    assert rows.tolist() == [*range(4), *range(5, 21)]
    assert counts.min() > 850 and counts.max() < 1150  # 1000 each, standard deviation 31


def test_a_timeout_continues_and_a_termination_does_not() -> None:
    replay = empty()
    replay.add(*episode(1, 3, terminated=True))
    assert replay.at(torch.arange(3)).continues.tolist() == [1.0, 1.0, 0.0]
    for number in range(2, 12):  # rows of the terminated one are used again
        replay.add(*episode(number, 3))
    assert replay.spans[0][0] != "e1" and replay.sample(EVERYTHING).continues.min() == 1.0


def test_features_of_visited_states_follow_an_action() -> None:
    replay = empty()
    replay.add(*episode(1, 3))
    replay.add(*episode(2, 2))
    assert set(replay.sample_features(EVERYTHING)[:, 0].tolist()) == {1001.0, 1002.0, 1003.0, 2001.0, 2002.0}


def test_the_seed_decides_what_is_sampled() -> None:
    def rows(seed: int) -> list[int]:
        replay = empty(seed=seed)
        replay.add(*episode(1, 30))
        return replay.sample(20).rows.tolist()

    assert rows(1) == rows(1) != rows(2)


def test_concatenate() -> None:
    replay = empty()
    replay.add(*episode(1, 5))
    one, other = replay.sample(3), replay.sample(2)
    both = concatenate([one, other])
    assert len(both) == 5
    for name in Batch.__dataclass_fields__:
        assert torch.equal(getattr(both, name), torch.cat([getattr(one, name), getattr(other, name)])), name


def broken(field: str, value: Any) -> tuple[Episode, torch.Tensor]:
    found, features = episode(9, 5)
    if field == "features":
        return found, value(features)
    return replace(found, **{field: value(getattr(found, field))}), features


def poked(value: float) -> Any:
    def change(numbers: Any) -> Any:
        copy = numbers.clone() if isinstance(numbers, torch.Tensor) else numbers.copy()
        copy[2, 1] = value
        return copy

    return change


REFUSED = [
    (("applied", poked(float("nan"))), "NaN"),
    (("proprio", poked(float("inf"))), "NaN"),
    (("features", poked(float("nan"))), "NaN"),
    (("applied", lambda a: a[:, :1]), "another robot"),
    (("proprio", lambda p: p[:, :3]), "another robot"),
    (("proprio", lambda p: p[:-1]), "another robot"),
    (("features", lambda f: f[:, :2]), r"features of shape \(6, 2\)"),
    (("features", lambda f: f[:-1]), r"features of shape \(5, 3\)"),
]


@pytest.mark.parametrize(("change", "said"), REFUSED)
def test_what_does_not_fit_is_refused_and_changes_nothing(change: tuple[str, Any], said: str) -> None:
    replay = empty(capacity=10)
    replay.add(*episode(1, 6))  # the refused one would have to overwrite it
    before = [tensor.clone() for tensor in (replay.features, replay.proprio, replay.actions, replay.continues)]
    with pytest.raises(DataError, match=f"Episode e9(.|\n)*{said}"):
        replay.add(*broken(*change))
    after = (replay.features, replay.proprio, replay.actions, replay.continues)
    assert all(torch.equal(*pair) for pair in zip(before, after, strict=True))
    assert len(replay) == 6 and list(replay.spans) == [("e1", 0, 7)]
    check(replay.sample(EVERYTHING), {1: (6, False)})


def test_lengths_that_do_not_fit_are_refused() -> None:
    replay = empty(capacity=5)
    replay.add(*episode(1, 4))
    for steps in (0, 5):
        with pytest.raises(DataError, match=f"has {steps} steps(.|\n)*1 to 4"):
            replay.add(*episode(2, steps))


def test_an_empty_replay_says_so() -> None:
    with pytest.raises(DataError, match="empty"):
        empty().sample(1)


@given(st.lists(st.integers(1, 15), min_size=1, max_size=12), st.lists(st.integers(1, 15), max_size=6))
@settings(max_examples=30, deadline=None)
def test_set_spans_goes_on_where_the_arrays_were_left(before: list[int], after: list[int]) -> None:
    """As a checkpoint does it: the same arrays and spans in a new replay give the same transitions, now and later."""
    replay, restored = empty(), empty()
    for number, steps in enumerate(before, start=1):
        replay.add(*episode(number, steps))
    for name in ("features", "proprio", "actions", "continues"):
        getattr(restored, name).copy_(getattr(replay, name))
    restored.set_spans(list(replay.spans))
    for number, steps in enumerate(after, start=100):
        assert replay.add(*episode(number, steps)) == restored.add(*episode(number, steps))
    assert replay.spans == restored.spans and len(replay) == len(restored)
    restored.generator.set_state(replay.generator.get_state())
    one, other = replay.sample(50), restored.sample(50)
    assert all(torch.equal(getattr(one, name), getattr(other, name)) for name in Batch.__dataclass_fields__)


def test_no_spans_is_an_empty_replay() -> None:
    replay = empty()
    replay.add(*episode(1, 4))
    replay.set_spans([])
    assert not len(replay)
    assert replay.add(*episode(2, 4)).start == 0
