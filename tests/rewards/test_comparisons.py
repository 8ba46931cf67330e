"""From answers to tensors: clips of any length, rankings whole or as pairs, ratings by level; what teaches nothing is refused."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from rewardbot.data.replay import Batch
from rewardbot.data.transitions import Transitions
from rewardbot.errors import ConfigError, DataError
from rewardbot.feedback.feedback import Given, Ranking, Rating
from rewardbot.rewards.base import Context
from rewardbot.rewards.comparisons import Comparisons, compare, inputs, pad, random_starts
from rewardbot.types import Segment
from tests.rewards.synthetic import episodes

EPISODES = {"a": torch.arange(12.0).view(6, 2), "b": 100 + torch.arange(8.0).view(4, 2), "c": 200 + torch.arange(20.0).view(10, 2)}
CONTEXT = episodes(EPISODES)
A, B, C = Segment("a", 0, 3), Segment("b", 1, 3), Segment("c", 2, 7)
SEES = ("features",)


def rows(data: Comparisons) -> list[tuple[list[list[list[float]]], list[int], float]]:
    """Each answer with the steps of its clips."""
    return [([data.clips.steps[c][data.clips.mask[c]].tolist() for c in options], place.tolist(), float(weight))
            for options, place, weight in zip(data.options, data.place, data.weight, strict=True)]


def test_rankings_of_clips_of_unequal_length() -> None:
    data = compare([Ranking((A, B, C), (1, 0, 1)), Ranking((C, A), (0, 1))], CONTEXT, SEES)
    assert data.clips.steps.shape == (3, 5, 2) and data.clips.lengths.tolist() == [3, 2, 5], "each clip once"
    assert data.clips.steps[1].tolist() == [[102.0, 103.0], [104.0, 105.0], [0, 0], [0, 0], [0, 0]]
    assert data.options.tolist() == [[0, 1, 2], [2, 0, 0]] and data.place.tolist() == [[1, 0, 1], [0, 1, -1]]
    assert data.weight.tolist() == [1.0, 1.0] and len(data) == 2


def test_a_ranking_as_its_pairs_weighs_as_much_as_its_choices() -> None:
    data = compare([Ranking((A, B, C), (1, 0, 1))], CONTEXT, SEES, pairs=True)
    assert data.options.tolist() == [[0, 1], [0, 2], [1, 2]] and data.place.tolist() == [[1, 0], [1, 1], [0, 1]]
    assert data.weight.tolist() == pytest.approx([2 / 3] * 3) and float(data.weight.sum()) == pytest.approx(2.0)
    assert compare([Ranking((A, B), (1, 0))], CONTEXT, SEES, pairs=True).weight.tolist() == [1.0]


def test_ratings_are_pairs_of_one_annotators_levels() -> None:
    anna, ben = Given("anna"), Given("ben")
    data = compare([Rating(A, 2, anna), Rating(B, 7, anna), Rating(C, 7, anna), Rating(A, 6, ben), Rating(C, 1, ben)], CONTEXT, SEES)
    a, b, c = EPISODES["a"][:3].tolist(), EPISODES["b"][1:3].tolist(), EPISODES["c"][2:7].tolist()
    assert rows(data) == [([b, a], [0, 1], 1.0), ([c, a], [0, 1], 1.0), ([a, c], [0, 1], 1.0)], "none of one level or two people"


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(1, 7), min_size=2, max_size=10))
def test_n_ratings_weigh_as_much_as_an_order_of_n(levels: list[int]) -> None:
    ratings = [Rating(Segment("c", n, n + 1), level) for n, level in enumerate(levels)]
    if len(set(levels)) == 1:
        with pytest.raises(DataError, match=f"None of {len(levels)} answers prefers"):
            compare(ratings, CONTEXT, SEES)
        return
    data = compare(ratings, CONTEXT, SEES)
    assert float(data.weight.sum()) == pytest.approx(len(levels) - 1)
    pairs = Counter((levels[a] - levels[b] > 0) for a, b in itertools.combinations(range(len(levels)), 2) if levels[a] != levels[b])
    assert len(data) == pairs.total() and (data.place == torch.tensor([0, 1])).all()


def test_answers_weigh_what_the_context_says() -> None:
    context = Context(CONTEXT.transitions, weight=lambda answer: {"anna": 1.0, "ben": 0.25}[answer.given.annotator])
    data = compare([Ranking((A, B), (0, 1), Given("ben")), Ranking((A, C), (0, 1), Given("anna")), Rating(A, 1, Given("ben")),
                    Rating(C, 2, Given("ben"))], context, SEES)
    assert data.weight.tolist() == pytest.approx([0.25, 1.0, 0.25])


def test_what_a_reward_sees_is_named() -> None:
    batch = CONTEXT.transitions(A)
    assert isinstance(batch, Batch)
    assert inputs(batch, ("next_features", "actions")).tolist() == [[2, 3, 0], [4, 5, 0], [6, 7, 0]]
    states = Transitions(torch.arange(16.0).view(2, 8), 2, 2)
    assert inputs(states, ("state_action",)).tolist() == [[0, 1, 2, 3], [8, 9, 10, 11]]
    with pytest.raises(ConfigError, match=r"no part of a transition named 'feature'(.|\n)*Did you mean 'features'"):
        inputs(batch, ("feature",))
    with pytest.raises(ConfigError, match="named 'states'"):
        inputs(states, ("states",))


@pytest.mark.parametrize("answers", [[], [Ranking((A, B), (0, 0))], [Ranking((A, B, C), (0, 0, 0)), Rating(A, 3)]])
def test_without_a_preference_there_is_nothing_to_learn_from(answers: list[Ranking | Rating]) -> None:
    with pytest.raises(DataError, match=rf"None of {len(answers)} answers prefers(.|\n)*differ more"):
        compare(answers, CONTEXT, SEES)


def test_a_tie_beside_a_preference_counts() -> None:
    data = compare([Ranking((A, B), (0, 0)), Ranking((A, C), (0, 1))], CONTEXT, SEES)
    assert data.place.tolist() == [[0, 0], [0, 1]]


@pytest.mark.parametrize(("steps", "said"), [
    (torch.full((3, 2), torch.nan), r"Clip d \[0, 3\) holds NaN(.|\n)*Withdraw"),
    (torch.full((3, 2), torch.inf), r"Clip d \[0, 3\) holds NaN or infinite"),
    (torch.zeros(3, 5), r"Clip d \[0, 3\) has 5 numbers in each step, the first has 2(.|\n)*same cameras"),
    (torch.zeros(0, 2), r"Clip d \[0, 3\) has no step")])
def test_a_clip_that_cannot_be_used_is_named(steps: Tensor, said: str) -> None:
    with pytest.raises(DataError, match=said):
        compare([Ranking((A, Segment("d", 0, 3)), (0, 1))], episodes({**EPISODES, "d": steps}), SEES)


def test_a_clip_of_one_step_is_a_clip() -> None:
    data = compare([Ranking((Segment("a", 4, 5), B), (0, 1))], CONTEXT, SEES)
    assert data.clips.lengths.tolist() == [1, 2] and data.clips.steps[0, 0].tolist() == [8.0, 9.0]


def test_no_clips_are_not_padded() -> None:
    with pytest.raises(DataError, match="no clip"):
        pad([])


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=4), st.data())
def test_windows_are_parts_of_their_clips(lengths: list[int], data: st.DataObject) -> None:
    clips = pad([torch.arange(float(length)).unsqueeze(-1) + 1 for length in lengths])
    which = torch.arange(len(lengths)).expand(3, -1)
    wanted = torch.tensor([[data.draw(st.integers(1, length)) for length in lengths] for _ in range(3)])
    steps, mask = clips.windows(which, wanted, torch.Generator().manual_seed(data.draw(st.integers(0, 99))))
    assert mask.sum(-1).tolist() == wanted.tolist() and (steps[~mask] == 0).all()
    for row, column in itertools.product(range(3), range(len(lengths))):
        part = steps[row, column][mask[row, column]].flatten().tolist()
        assert part == [part[0] + i for i in range(len(part))] and part[0] >= 1 and part[-1] <= lengths[column]


def test_every_start_is_equally_likely() -> None:
    drawn = random_starts(torch.tensor([2, 0]).repeat(6000, 1), torch.Generator().manual_seed(0))
    assert (drawn[:, 1] == 0).all()
    assert torch.bincount(drawn[:, 0], minlength=3).div(6000).tolist() == pytest.approx([1 / 3] * 3, abs=0.03)
