"""The model of what an action does: what it takes and gives, what its loss is, and that it learns a push."""

from __future__ import annotations

import torch
from torch import Tensor

from rewardbot.nets.motion import JUMP_M, THING, Moment, Motion, actions_of, together
from rewardbot.nets.optimisation import train
from rewardbot.nets.places import UNIT_M


def moments(members: int, count: int, thing: tuple[float, float] = (1.0, 0.0)) -> Moment:
    """The hand at the origin, and so many times the same thing."""
    return Moment(torch.zeros(members, count, 3), torch.zeros(members, count, 1), torch.tensor(thing).expand(members, count, 2),
                  torch.zeros(members, count, 3), torch.zeros(members, count, 4))


def pushed(action: Tensor) -> tuple[Moment, Moment]:
    """A hand at random about a thing, that goes as `action` (M, N, 4) says, and takes the thing along where it touches it."""
    now = moments(*action.shape[:2], thing=(0.0, 0.0))
    now.hand = torch.cat([1.5 * torch.rand(*action.shape[:2], 2) - 0.75, torch.zeros(*action.shape[:2], 1)], dim=-1)
    change = 0.5 * action[..., :3]
    touches = (now.hand[..., :2].norm(dim=-1, keepdim=True) < 0.4).float()
    return now, Moment(now.hand + change, now.gripper, now.thing + touches * change[..., :2], change, action)


def test_each_member_predicts_six_changes() -> None:
    motion = Motion(3, 4, 16)
    now = moments(3, 5)
    assert motion(now, torch.zeros(3, 5, 4)).shape == (3, 5, 6) and motion.members == 3
    after = motion.after(now, torch.ones(3, 5, 4))
    torch.testing.assert_close(after.velocity, after.hand - now.hand)
    assert torch.equal(after.before, torch.ones(3, 5, 4))
    assert actions_of(motion.weights[0].shape[1]) == 4


def test_members_are_computed_apart() -> None:
    torch.manual_seed(0)
    motion = Motion(2, 4, 8)
    first = motion(moments(2, 3), torch.ones(2, 3, 4))
    with torch.no_grad():
        motion.weights[2][1] += 1.0
    second = motion(moments(2, 3), torch.ones(2, 3, 4))
    assert torch.equal(first[0], second[0]) and not torch.equal(first[1], second[1])


def test_the_loss_by_hand() -> None:
    motion = Motion(1, 4, 8)
    with torch.no_grad():
        motion.weights[2].zero_()  # nothing moves
    now, after = moments(1, 2), moments(1, 2, thing=(1.1, 0.0))
    after.hand = torch.tensor([[[0.2, 0.0, 0.0], [0.0, 0.0, 0.0]]])
    jump = 0.1**2 / (2 * JUMP_M / UNIT_M)
    loss = motion.loss(now, torch.zeros(1, 2, 4), after, torch.tensor([[1.0, 0.0]]))
    torch.testing.assert_close(loss, torch.tensor((0.04 + THING * jump) / 2))


def test_batches_are_joined() -> None:
    both = together([moments(2, 3), moments(2, 4, thing=(5.0, 5.0))])
    assert both.hand.shape == (2, 7, 3) and both.thing[0, :, 0].tolist() == [1.0] * 3 + [5.0] * 4


def test_it_learns_what_a_push_does() -> None:
    torch.manual_seed(0)
    motion = Motion(2, 4, 32)

    def loss() -> Tensor:
        action = 2.0 * torch.rand(2, 128, 4) - 1.0
        now, after = pushed(action)
        return motion.loss(now, action, after, torch.ones(2, 128))

    train(motion, loss, steps=600, rate=5e-3, weight_decay=0.0, progress=lambda share: None)
    action = 2.0 * torch.rand(2, 500, 4) - 1.0
    now, after = pushed(action)
    with torch.no_grad():
        found = motion.after(now, action)
    wrong = (found.thing - after.thing).norm(dim=-1).median()
    moved = (after.thing - now.thing).norm(dim=-1)
    assert wrong < 0.2 * moved[moved > 0].median()
    assert (found.hand - after.hand).norm(dim=-1).median() < 0.05
