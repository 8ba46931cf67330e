from __future__ import annotations

import numpy as np
import pytest
from scipy.stats.qmc import Halton

from rewardbot.robots.mujoco import MujocoRobot
from rewardbot.robots.start_states import (
    MOST_DRAWS,
    STREAMS,
    EvenlySpread,
    demonstration_stream,
    evaluation_stream,
    is_of_demonstrations,
    start_seed,
)


def places(stream: int, count: int = 32) -> np.ndarray:
    return np.array([EvenlySpread(start_seed(stream, index)).uniform(-0.08, 0.08, size=2) for index in range(count)])


@pytest.mark.parametrize("stream", [0, 3, 300])
def test_demonstrations_leave_no_corner_out(stream: int) -> None:
    """Of the 16 squares of a square, 32 points leave one empty at most; drawn independently, two."""
    cells = ((places(stream) + 0.08) // 0.04).astype(int)
    assert cells.min() == 0 and cells.max() == 3
    assert len({tuple(cell) for cell in cells}) >= 15


def test_other_streams_are_spread_in_another_way_and_the_same_one_in_the_same() -> None:
    assert np.array_equal(places(3), places(3))
    assert not np.isclose(places(0), places(3)).any()


@pytest.mark.parametrize("stream", [0, 3, 300])
def test_an_episode_has_the_point_of_its_number(stream: int) -> None:
    points = Halton(MOST_DRAWS, rng=np.random.default_rng(stream)).random(2000)
    for index in (0, 1, 39, 1999):
        np.testing.assert_array_equal(EvenlySpread(start_seed(stream, index)).uniform(size=MOST_DRAWS), points[index])


def test_it_draws_within_its_bounds_in_the_shapes_of_a_generator() -> None:
    spread = EvenlySpread(0)
    assert 1.0 <= spread.uniform(1.0, 2.0) < 2.0
    low, high = np.array([0.0, 10.0]), np.array([1.0, 20.0])
    drawn = spread.uniform(low, high)
    assert drawn.shape == (2,) and (low <= drawn).all() and (drawn < high).all()
    assert spread.uniform(size=(2, 3)).shape == (2, 3)
    with pytest.raises(ValueError, match="MOST_DRAWS"):
        spread.uniform(size=MOST_DRAWS)


def test_only_demonstrations_are_spread() -> None:
    assert [is_of_demonstrations(start_seed(stream, 5)) for stream in range(2 * STREAMS)] == 2 * [True, False, False]
    assert not is_of_demonstrations(None)
    robot = MujocoRobot("reach", render=False)
    at = {}
    demonstrated, evaluated = demonstration_stream(0), evaluation_stream(0)
    for stream in (demonstrated, evaluated):
        for index in range(32):
            robot.reset(start_seed(stream, index))
            at[stream, index] = tuple(((robot.data.mocap_pos[0][:2] - (0.5, 0.0) + 0.08) // 0.04).astype(int))
    squares = [len({place for (of, _), place in at.items() if of == stream}) for stream in (demonstrated, evaluated)]
    assert squares[0] > squares[1]
