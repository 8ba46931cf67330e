"""Learning from play alone to see where a thing is that moves by itself.

    pictures at like poses of the body  --> what the pose does not explain --> its colours
    the camera at the hand, hand moving, thing standing --> where the thing lies on the table
    the camera that stands still        --> the same places, by regression; only this one is used then

Nothing of it is known beforehand: neither colour and shape of the thing, nor where the cameras are, nor which one the hand carries.
From standing things the places follow but for a constant. Where the thing *begins to move*, the hand is at it: that is the constant.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rewardbot.nets.encoders import to_tensors
from rewardbot.nets.optimisation import train
from rewardbot.nets.places import LEVELS, MOMENTS, UNIT_M, PlaceEncoder, Sight, colours, moments, opened
from rewardbot.types import Episode

Array = NDArray[np.floating]

FRAMES, ALIKE = 700, 9
"""Pictures of play that are explained, each by the median of so many from other episodes whose poses are most alike."""

DIFFERS = 40
"""Sum of the differences in red, green and blue from which a pixel is not explained."""

RARE = 30.0
"""Pixels that are taken for explained of each colour, so that one that is hardly ever there counts for nothing."""

GRIPPER_M = 0.03
"""How far the hand would have to move to be as much another pose as with the gripper open instead of closed."""

WHOLE_PX, AT_BORDER = 10, 0.02
"""A camera sees the thing whole from so many pixels on, no more than this share of which lie at its border."""

BEFORE, MOVED_M, SURE_M = 3, (0.03, 0.2), 0.006
"""A push: so many steps before and after it, the thing is sure to be at places this far apart; most of them must be this sure."""

SMALLEST = 10.0
"""How many times smaller than usual the thing is seen at least; a glimpse of less says nothing."""

STEPS_APART, PAIRS = 20, 200_000
"""Between two pictures in which the thing has mostly stood still; how many pairs are drawn."""

LEAST, LEAST_PUSHES = 200, 30
"""Pairs of pictures that tell the map of the camera at the hand, and pushes that tell where hand and thing meet."""

LIMIT_M = 0.025
"""How far the camera at the hand may be wrong in the median about a thing that stands still; else there is no such camera."""

FIRST_STEPS, STEPS, BATCH, RATE = 500, 1000, 256, 3e-3
"""Gradient steps on places of other moments, then on such that are surely its own."""

NEAR_STEPS, WITHIN_STEPS, SAME_M = 10, 25, 0.015
"""At first a place holds for pictures so many steps away. Then for those between two moments, no further apart, in which it is the
same."""


@dataclass(frozen=True)
class Play:
    """What all episodes of play show. They are of one length, T + 1 observations.

    Attributes:
        images: camera name -> uint8 (E, T + 1, H, W, 3).
        proprio: (E, T + 1, P).
    """

    images: Mapping[str, NDArray[np.uint8]]
    proprio: Array

    @property
    def hands(self) -> Array:
        """Where the hand is, (E, T + 1, 2) [UNIT_M]."""
        return self.proprio[..., :2] / UNIT_M


def learn_to_see(episodes: Sequence[Episode], cameras: Sequence[str], seed: int) -> PlaceEncoder | None:
    """An encoder that sees where one thing is, frozen; None where play does not show one, or no camera is at the hand.

    Args:
        episodes: of play.
        cameras: their names.
        seed: of everything drawn.
    """
    shortest = min(len(episode) for episode in episodes) + 1
    play = Play({name: np.stack([episode.images[name][:shortest] for episode in episodes]) for name in cameras},
                np.stack([episode.proprio[:shortest] for episode in episodes]).astype(np.float64))
    random, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    tables = {name: own_colours(images, play.proprio, random) for name, images in play.images.items()}
    seen = {name: _moments(play.images[name], table) for name, table in tables.items()}
    maps = {name: found for name in cameras if (found := hand_camera(seen[name], play, random)) is not None}
    if not maps or len(cameras) < 2:
        return None
    hand = min(maps, key=lambda name: maps[name].error)
    others = [name for name in cameras if name != hand]
    places, known = maps[hand].places, maps[hand].whole
    fits = {name: _plane(seen[name], places, known, random) for name in others}
    camera = min(others, key=lambda name: fits[name][1])
    encoder = PlaceEncoder(camera)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder.sights[camera] = Sight()
    sight = encoder.sight
    with torch.no_grad():
        sight.table.copy_(tables[camera])  # type: ignore[operator]
        sight.onto.copy_(torch.from_numpy(fits[camera][0].T))
        sight.least.fill_(float(np.median(seen[camera][..., 0])) - np.log(SMALLEST))  # type: ignore[operator]
    _regress(sight, seen[camera], places, known, random, generator)
    found = found_in(sight, seen[camera])
    beside = meeting(found, play.hands)
    if beside is None:
        return None
    sight.zero.copy_(torch.from_numpy(beside))  # type: ignore[operator]
    return encoder.eval().requires_grad_(False)


def found_in(sight: Sight, seen: Array) -> Array:
    """Places and their spreads, (E, T + 1, 3), from moments."""
    with torch.no_grad():
        flat = sight.place(torch.from_numpy(np.asarray(seen, np.float32).reshape(-1, MOMENTS)))
    return flat.numpy().reshape(*seen.shape[:2], 3)


def meeting(found: Array, hands: Array) -> Array | None:
    """Where a thing seems to be that the hand is at the middle of, (2,) from the hand [UNIT_M]; None if hardly anything was pushed.

    Midway through a push, the thing is on from the hand in the direction of the push, as far as it is wide: place - hand = beside +
    width * direction, for all pushes but those that only seemed to be some.
    """
    sure = np.exp(found[..., 2]) < SURE_M / UNIT_M
    apart, directions = list[Array](), list[Array]()
    low, high = (length / UNIT_M for length in MOVED_M)
    for index, step in itertools.product(range(len(found)), range(BEFORE, found.shape[1] - BEFORE)):
        spans = (slice(step - BEFORE, step), slice(step + 1, step + 1 + BEFORE))
        seen = [found[index, span, :2][sure[index, span]] for span in spans]
        if min(map(len, seen)) < 2:
            continue
        before, after = (np.median(places, axis=0) for places in seen)
        length = float(np.linalg.norm(after - before))
        if low < length < high:
            apart.append(0.5 * (before + after) - hands[index, step])
            directions.append((after - before) / length)
    if len(apart) < LEAST_PUSHES:
        return None
    return _one_constant(np.stack(apart), np.stack(directions))


def _one_constant(apart: Array, directions: Array) -> Array:
    """c of apart = c + r * direction, (2,), for as many of (N, 2) as possible: the scale on which one counts as wrong shrinks."""
    inputs = np.zeros((len(apart), 2, 3))
    inputs[:, [0, 1], [0, 1]], inputs[..., 2] = 1.0, directions
    weight, found = np.ones(len(apart)), np.zeros(3)
    for scale in np.linspace(1.5, 0.3, 20):
        matrix = np.einsum("nij,nik,n->jk", inputs, inputs, weight) + 1e-6 * np.eye(3)
        found = np.linalg.solve(matrix, np.einsum("nij,ni,n->j", inputs, apart, weight))
        weight = (1.0 + np.square(np.linalg.norm(apart - inputs @ found, axis=1) / scale)) ** -2
    return found[:2]


def own_colours(images: NDArray[np.uint8], proprio: Array, random: np.random.Generator) -> Tensor:
    """How certainly a pixel of each colour is of something that the body's pose does not explain, (LEVELS^3,) in [0, 1], where 0 is
    an even chance or less.
    """
    episodes, length = images.shape[:2]
    flat = images.reshape(-1, *images.shape[2:])
    poses = proprio.reshape(len(flat), -1) * np.array([*[1.0] * (proprio.shape[-1] - 1), GRIPPER_M])
    of = np.repeat(np.arange(episodes), length)
    drawn = random.choice(len(flat), min(FRAMES, len(flat)), replace=False)
    unexplained = np.zeros((len(drawn), *flat.shape[1:3]), bool)
    for row, index in enumerate(drawn):
        far = np.square(poses - poses[index]).sum(1)
        far[of == of[index]] = np.inf
        order = np.argsort(far)[: 7 * ALIKE]
        _, first = np.unique(of[order], return_index=True)  # one of each episode
        usual = np.median(flat[order[np.sort(first)[:ALIKE]]], axis=0)
        unexplained[row] = np.abs(flat[index] - usual).sum(-1) > DIFFERS
    which = colours(torch.from_numpy(flat[drawn]).permute(0, 3, 1, 2)).numpy()
    apart, all_of = (np.bincount(some, minlength=LEVELS**3) for some in (which[unexplained], which.ravel()))
    return torch.from_numpy(np.clip(2.0 * apart / (all_of + RARE) - 1.0, 0.0, 1.0)).float()


def _moments(images: NDArray[np.uint8], table: Tensor) -> Array:
    """Of all episodes, (E, T + 1, MOMENTS), see `places.moments`."""
    found = [moments(opened(table[colours(to_tensors({"": episode})[""])])) for episode in images]
    return torch.stack(found).numpy()


@dataclass(frozen=True)
class HandCamera:
    """What a camera at the hand says of the thing.

    Attributes:
        places: where it is on the table but for a constant, (E, T + 1, 2) [UNIT_M].
        whole: whether that counts, bool (E, T + 1).
        error: in the median [UNIT_M].
    """

    places: Array
    whole: NDArray[np.bool_]
    error: float


def hand_camera(seen: Array, play: Play, random: np.random.Generator) -> HandCamera | None:
    """The map from a picture to the table by which what the moving hand sees stands still; None if no map does that.

    With W linear in the point, its products (the camera may be tilted) and these times the hand's height, hand + W phi is the same
    in both pictures of a pair: a linear system for W.
    """
    whole = (seen[..., 0] > np.log(WHOLE_PX / 50.0 + 0.02)) & (seen[..., 7:].sum(-1) < AT_BORDER)
    x, y, height = seen[..., 1], seen[..., 2], play.proprio[..., 2] / UNIT_M
    flat = np.stack([x, y, x * y, y * y], axis=-1)
    phi = np.concatenate([flat, height[..., None] * flat, height[..., None]], axis=-1)
    episode, one, other = _pairs(whole, whole, STEPS_APART, random)
    if len(episode) < LEAST:
        return None
    hands = play.hands
    weights, error = robust_fit(phi[episode, one] - phi[episode, other], hands[episode, other] - hands[episode, one])
    return HandCamera(hands + phi @ weights, whole, error) if error < LIMIT_M / UNIT_M else None


def _plane(seen: Array, places: Array, whole: NDArray[np.bool_], random: np.random.Generator) -> tuple[Array, float]:
    """The affine map from centres in a still camera's pictures to places, (3, 2), and its error in the median [UNIT_M]."""
    large = seen[..., 0] > np.quantile(seen[..., 0], 0.5)
    episode, one, other = _pairs(large, whole, STEPS_APART, random)
    return robust_fit(np.c_[seen[episode, one, 1:3], np.ones(len(episode))], places[episode, other])


def _pairs(one: NDArray[np.bool_], other: NDArray[np.bool_], apart: int, random: np.random.Generator) -> tuple[NDArray[np.intp], ...]:
    """Two moments of an episode, less than `apart` steps apart, at which the masks (E, T + 1) hold: episode, first, second moment."""
    episodes, length = one.shape
    of, first, second = (random.integers(0, top, PAIRS) for top in (episodes, length, length))
    good = one[of, first] & other[of, second] & (np.abs(first - second) < apart) & (first != second)
    return of[good], first[good], second[good]


def robust_fit(inputs: Array, targets: Array, *, scale: float = 0.2, rounds: int = 12) -> tuple[Array, float]:
    """Least squares in which what is far off counts little (Cauchy's weights): inputs (N, K) and targets (N, 2) to the weights (K, 2)
    and the median distance that remains.
    """
    weight = np.ones(len(inputs))
    found, left = np.zeros((inputs.shape[1], targets.shape[1])), np.zeros(len(inputs))
    for _ in range(rounds):
        weighted = (inputs * weight[:, None]).T
        found = np.linalg.solve(weighted @ inputs + 1e-4 * weight.sum() * np.eye(inputs.shape[1]), weighted @ targets)
        left = np.linalg.norm(inputs @ found - targets, axis=1)
        weight = 1.0 / (1.0 + np.square(left / scale))
    return found, float(np.median(left))


def _regress(
    sight: Sight, seen: Array, places: Array, whole: NDArray[np.bool_], random: np.random.Generator, generator: torch.Generator
) -> None:
    """Trains the still camera's sight: first on what the hand's camera saw a little earlier or later, which is wrong where the thing
    has moved; then only where it has surely not, so that the spread tells how well it is seen, and not whether it is being moved.
    """
    everywhere = np.ones_like(whole)
    episode, one, other = _pairs(everywhere, whole, NEAR_STEPS, random)
    _descend(sight, seen[episode, one], places[episode, other], FIRST_STEPS, generator)
    found = found_in(sight, seen)
    sure = found[..., 2] <= np.median(found[..., 2])
    inputs, targets = standing(seen, np.where(sure[..., None], found[..., :2], places), sure | whole)
    _descend(sight, inputs, targets, STEPS, generator)


def standing(seen: Array, places: Array, known: NDArray[np.bool_]) -> tuple[Array, Array]:
    """What is seen at moments between two at which the thing is known to be in one place, (N, MOMENTS), and that place, (N, 2)."""
    inputs, targets = list[Array](), list[Array]()
    for index in range(len(known)):
        times = np.flatnonzero(known[index])
        moments = np.arange(known.shape[1])
        before, after = np.searchsorted(times, moments) - 1, np.searchsorted(times, moments + 1)
        inside = (before >= 0) & (after < len(times))
        left, right = times[before[inside]], times[after[inside]]
        one, other = places[index, left], places[index, right]
        good = (right - left <= WITHIN_STEPS) & (np.linalg.norm(one - other, axis=1) < SAME_M / UNIT_M)
        inputs.append(seen[index, inside][good])
        targets.append((0.5 * (one + other))[good])
    return np.concatenate(inputs), np.concatenate(targets)


def _descend(sight: Sight, seen: Array, places: Array, steps: int, generator: torch.Generator) -> None:
    """-log of Student's t in the plane with 3 degrees of freedom: what is quite wrong hardly pulls."""
    inputs, targets = (torch.from_numpy(np.asarray(some, np.float32)) for some in (seen, places))

    def loss_of_a_batch() -> Tensor:
        rows = torch.randint(len(inputs), (BATCH,), generator=generator)
        found = sight.place(inputs[rows])
        distance = (found[:, :2] - targets[rows]).square().sum(1) / (2.0 * found[:, 2]).exp()
        return (2.0 * found[:, 2] + 2.5 * torch.log1p(distance / 3.0)).mean()

    train(sight, loss_of_a_batch, steps=steps, rate=RATE, weight_decay=0.0, progress=lambda share: None)
