"""The model of what an action does: what it takes and gives, what its loss is, and that it learns a push."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from rewardbot.nets.motion import JUMP_M, SEEN, STILL_M, THING, Moment, Motion, actions_of, together
from rewardbot.nets.optimisation import train
from rewardbot.nets.places import UNIT_M


def moments(members: int, count: int, thing: tuple[float, float] = (1.0, 0.0)) -> Moment:
    """The hand at the origin, and so many times the same thing."""
    return Moment(torch.zeros(members, count, 3), torch.zeros(members, count, 1), torch.tensor(thing).expand(members, count, 2),
                  torch.zeros(members, count, 3), torch.zeros(members, count, 4), torch.zeros(members, count, 2),
                  torch.ones(members, count, 1))


def pushed(action: Tensor) -> tuple[Moment, Moment]:
    """A hand at random about a thing, that goes as `action` (M, N, 4) says, and takes the thing along where it touches it; going back
    it hides the thing.
    """
    now = moments(*action.shape[:2], thing=(0.0, 0.0))
    now.hand = torch.cat([1.5 * torch.rand(*action.shape[:2], 2) - 0.75, torch.zeros(*action.shape[:2], 1)], dim=-1)
    change = 0.5 * action[..., :3]
    touches = (now.hand[..., :2].norm(dim=-1, keepdim=True) < 0.4).float()
    drift = touches * change[..., :2]
    return now, Moment(now.hand + change, now.gripper, now.thing + drift, change, action, drift, (action[..., :1] > -0.5).float())


def test_each_member_predicts_six_changes_and_what_is_seen() -> None:
    motion = Motion(3, 4, 16)
    now = moments(3, 5)
    assert motion(now, torch.zeros(3, 5, 4)).shape == (3, 5, 7) and motion.members == 3
    after = motion.after(now, torch.ones(3, 5, 4))
    torch.testing.assert_close(after.velocity, after.hand - now.hand)
    assert torch.equal(after.before, torch.ones(3, 5, 4))
    torch.testing.assert_close(after.drift, after.thing - now.thing)
    assert bool((after.seen > 0.0).all() and (after.seen < 1.0).all())
    assert actions_of(motion.weights[0].shape[1]) == 4


def test_members_are_computed_apart() -> None:
    torch.manual_seed(0)
    motion = Motion(2, 4, 8)
    first = motion(moments(2, 3), torch.ones(2, 3, 4))
    with torch.no_grad():
        motion.weights[2][1] += 1.0
    second = motion(moments(2, 3), torch.ones(2, 3, 4))
    assert torch.equal(first[0], second[0]) and not torch.equal(first[1], second[1])


def standing(drift: float) -> Motion:
    """A model of nothing that moves but a thing, so far, whatever is done."""
    motion = Motion(1, 4, 8)
    with torch.no_grad():
        motion.weights[2].zero_()
        motion.biases[2][..., 4] = drift
    return motion


def test_nothing_is_moved_from_afar() -> None:
    motion = standing(0.1)
    for hand, moves in (((0.0, 0.0, 0.0), True), ((1.2, 0.0, 0.7), True), ((1.4, 0.0, 0.0), False), ((0.0, 0.0, 0.9), False)):
        now = moments(1, 1, thing=(0.0, 0.0))
        now.hand = torch.tensor([[hand]])
        assert motion.after(now, torch.zeros(1, 1, 4)).drift.flatten().tolist() == pytest.approx([0.1 if moves else 0.0, 0.0])


def test_what_hardly_moves_stands_still() -> None:
    now = moments(1, 1, thing=(0.0, 0.0))
    for drift, moved in ((0.9, 0.0), (1.1, 1.1)):
        drift, moved = drift * STILL_M / UNIT_M, moved * STILL_M / UNIT_M
        assert standing(drift).after(now, torch.zeros(1, 1, 4)).drift.flatten().tolist() == pytest.approx([moved, 0.0])


def test_the_loss_by_hand() -> None:
    motion = Motion(1, 4, 8)
    with torch.no_grad():
        motion.weights[2].zero_()  # nothing moves, and whether it is seen is a toss of a coin
    now, after = moments(1, 4), moments(1, 4, thing=(1.1, 0.0))
    after.hand[0, 0, 0] = 0.2
    now.seen[0, 1:3], after.seen[0, 2:] = 0.0, 0.0  # seen then, seen only afterwards, never seen, seen only before
    jump = 0.1**2 / (2 * JUMP_M / UNIT_M)
    loss = motion.loss(now, torch.zeros(1, 4, 4), after)
    torch.testing.assert_close(loss, torch.tensor((0.04 + THING * jump + 2 * SEEN * math.log(2.0)) / 4))


def test_batches_are_joined() -> None:
    both = together([moments(2, 3), moments(2, 4, thing=(5.0, 5.0))])
    assert both.hand.shape == (2, 7, 3) and both.thing[0, :, 0].tolist() == [1.0] * 3 + [5.0] * 4


def test_it_learns_what_a_push_does() -> None:
    torch.manual_seed(0)
    motion = Motion(2, 4, 32)

    def loss() -> Tensor:
        action = 2.0 * torch.rand(2, 128, 4) - 1.0
        now, after = pushed(action)
        return motion.loss(now, action, after)

    train(motion, loss, steps=600, rate=5e-3, weight_decay=0.0, progress=lambda share: None)
    action = 2.0 * torch.rand(2, 500, 4) - 1.0
    now, after = pushed(action)
    with torch.no_grad():
        found = motion.after(now, action)
    assert ((found.seen > 0.5) == (after.seen > 0.5)).float().mean() > 0.95
    wrong = (found.thing - after.thing).norm(dim=-1).median()
    moved = (after.thing - now.thing).norm(dim=-1)
    assert wrong < 0.2 * moved[moved > 0].median()
    assert (found.hand - after.hand).norm(dim=-1).median() < 0.05
