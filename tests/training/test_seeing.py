"""From play alone: where a thing is, to the centimetre, where nobody said how it looks and where the cameras are."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rewardbot.nets.encoders import to_tensors
from rewardbot.nets.places import UNIT_M, PlaceEncoder
from rewardbot.training.seeing import learn_to_see, meeting, robust_fit, standing
from rewardbot.types import Episode
from tests.toy_table import RADIUS, play

PLAYED = 40


@pytest.fixture(scope="module")
def episodes() -> list[tuple[Episode, np.ndarray]]:
    return [play(number) for number in range(PLAYED)]


@pytest.fixture(scope="module")
def encoder(episodes: list[tuple[Episode, np.ndarray]]) -> PlaceEncoder:
    found = learn_to_see([episode for episode, _ in episodes], ["front", "wrist"], 0)
    assert found is not None
    return found


def seen(encoder: PlaceEncoder, episode: Episode) -> tuple[np.ndarray, np.ndarray]:
    """Places [m] and spreads [m]."""
    found = encoder(to_tensors({"front": episode.images["front"]})).numpy()
    return found[:, :2] * UNIT_M, np.exp(found[:, 2]) * UNIT_M


def test_the_place_of_a_thing_from_play_alone(encoder: PlaceEncoder) -> None:
    errors = list[np.ndarray]()
    for number in range(100, 110):  # not those that it learned from
        episode, things = play(number)
        places, spreads = seen(encoder, episode)
        errors.append(np.linalg.norm(places - things, axis=1)[spreads < 0.01])
    error = np.concatenate(errors)
    assert encoder.names == ("front",), "the one that stands still"
    assert len(error) > 0.7 * 10 * 41, "sure most of the time"
    assert np.median(error) < 0.015 and np.quantile(error, 0.9) < 0.03


def test_the_same_play_and_seed_give_the_same(episodes: list[tuple[Episode, np.ndarray]], encoder: PlaceEncoder) -> None:
    torch.manual_seed(123)
    again = learn_to_see([episode for episode, _ in episodes], ["front", "wrist"], 0)
    assert again is not None
    assert all(torch.equal(one, other) for one, other in zip(encoder.state_dict().values(), again.state_dict().values(), strict=True))


def test_no_place_without_a_camera_at_the_hand(episodes: list[tuple[Episode, np.ndarray]]) -> None:
    assert learn_to_see([episode for episode, _ in episodes], ["front"], 0) is None


def test_no_place_where_nothing_moves_by_itself() -> None:
    draw = np.random.default_rng(0)
    noise = [Episode(episode.info, episode.stamps,
                     {name: draw.integers(0, 256, images.shape, dtype=np.uint8) for name, images in episode.images.items()},
                     episode.proprio, episode.actions, episode.applied) for episode, _ in map(play, range(6))]
    assert learn_to_see(noise, ["front", "wrist"], 0) is None


def test_what_is_far_off_hardly_pulls() -> None:
    draw = np.random.default_rng(0)
    inputs, true = np.c_[draw.normal(size=(500, 2)), np.ones(500)], np.array([[1.0, 2.0], [-0.5, 0.3], [0.1, 0.2]])
    targets = inputs @ true + 0.01 * draw.normal(size=(500, 2))
    targets[:100] += 5.0
    found, left = robust_fit(inputs, targets)
    np.testing.assert_allclose(found, true, atol=0.02)
    assert left < 0.05


def test_a_moment_between_two_of_one_place_was_there_too() -> None:
    places = np.zeros((1, 6, 2))
    places[0, 4:] = 1.0  # it was moved in the middle
    seen = np.arange(6.0)[None, :, None]
    inputs, targets = standing(seen, places, np.array([[True, False, True, False, True, True]]))
    assert inputs.ravel().tolist() == [1.0] and targets.tolist() == [[0.0, 0.0]]


def test_where_hand_and_thing_meet() -> None:
    """Pushes in all directions, and as many things that only seem to move while the hand is elsewhere."""
    draw, beside, width = np.random.default_rng(0), np.array([0.6, -0.2]), RADIUS / UNIT_M
    found, hands = np.zeros((120, 7, 3)), np.zeros((120, 7, 2))
    found[..., 2] = np.log(0.003 / UNIT_M)
    for row in range(120):
        direction = draw.normal(size=2)
        direction /= np.linalg.norm(direction)
        places = draw.normal(size=2) + np.linspace(-0.6, 0.6, 7)[:, None] * direction
        found[row, :, :2] = places
        hands[row] = places - beside - width * direction if row % 2 else draw.normal(scale=2.0, size=2)
    constant = meeting(found, hands)
    assert constant is not None and np.linalg.norm(constant - beside) < 0.1
    assert meeting(found[:10], hands[:10]) is None, "too few to say"
