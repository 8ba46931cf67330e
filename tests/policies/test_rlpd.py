"""The losses of RLPD against numbers worked out by hand, and how its weights move."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from rewardbot.data.replay import Batch, concatenate
from rewardbot.nets.heads import SquashedGaussianPolicy
from rewardbot.policies.rlpd import RLPD, RLPDConfig, to_floats

FEATURES, PROPRIO, ACTIONS = 3, 2, 2
CONFIG = RLPDConfig(batch=4, critics=2, hidden=8, latent=4, discount=0.9, actor_after=0, actor_every=1)


def bc_policy(seed: int = 0) -> SquashedGaussianPolicy:
    torch.manual_seed(seed)
    policy = SquashedGaussianPolicy(FEATURES, PROPRIO, ACTIONS, latent=4, hidden=8, dropout=0.5)
    policy.proprio_std.fill_(2.0)  # type: ignore[operator]
    return policy


def agent(**changes: Any) -> RLPD:
    policy = bc_policy()
    return RLPD(RLPDConfig(**{**vars(CONFIG), **changes}), policy, FEATURES, PROPRIO, ACTIONS)


def random_batch(n: int = 4, seed: int = 0) -> Batch:
    draw = torch.Generator().manual_seed(seed)

    def numbers(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=draw)

    return Batch(numbers(n, FEATURES), numbers(n, FEATURES), numbers(n, PROPRIO), numbers(n, PROPRIO),
                 torch.tanh(numbers(n, ACTIONS)), torch.ones(n), torch.arange(n))


class HandActor:
    """Acts as it is told; its log-probability is a number that can be read off."""

    def __init__(self, action: list[list[float]], log_prob: list[float], mode: list[list[float]] | None = None) -> None:
        self.action, self.log_prob = torch.tensor(action), torch.tensor(log_prob)
        self._mode = torch.tensor(mode if mode is not None else action)

    def sample(self, features: Tensor, proprio: Tensor) -> tuple[Tensor, Tensor]:
        return self.action, self.log_prob

    def mode(self, features: Tensor, proprio: Tensor) -> Tensor:
        return self._mode

    def normalise(self, proprio: Tensor) -> Tensor:
        return proprio / 2.0


def hand_critic(*gains: float) -> Any:
    """Q_e = gain_e (first feature + first proprio + first action): linear, to be worked out in the head."""

    def q(features: Tensor, proprio: Tensor, actions: Tensor) -> Tensor:
        return torch.tensor(gains)[:, None] * (features[:, 0] + proprio[:, 0] + actions[:, 0])

    return q


def hand_batch() -> Batch:
    """Two transitions of one-number worlds; the second ends."""
    return Batch(
        features=torch.tensor([[1.0], [2.0]]), next_features=torch.tensor([[3.0], [4.0]]),
        proprio=torch.tensor([[2.0], [0.0]]), next_proprio=torch.tensor([[1.0], [2.0]]),
        actions=torch.tensor([[0.5], [-1.0]]), continues=torch.tensor([1.0, 0.0]), rows=torch.arange(2))


def by_hand(actor: HandActor, critic: Any, target: Any = None, **changes: Any) -> RLPD:
    found = agent(**changes)
    found.actor, found.critic, found.target = actor, critic, target  # type: ignore[assignment]
    return found


def test_critic_loss() -> None:
    """Target: r + 0.9 continues min_e Q'_e(s', a'); proprioception standardised (halved), no entropy in the backup.

    Q' sums: 3 + 1/2 + 0.5 = 4 and 4 + 2/2 + 0.5 = 5.5; gains 2 and 1, so the minimum is 4 and 5.5.
    Targets: 1 + 0.9 * 4 = 4.6, and 0.25 at the end.
    Q sums: 1 + 2/2 + 0.5 = 2.5 and 2 + 0 - 1 = 1; Q = (5, 2) of gain 2 and (7.5, 3) of gain 3.
    """
    found = by_hand(HandActor([[0.5], [0.5]], [-9.0, -9.0]), hand_critic(2.0, 3.0), hand_critic(2.0, 1.0))
    loss = found.critic_loss(hand_batch(), torch.tensor([1.0, 0.25]))
    squares = [(5 - 4.6) ** 2, (2 - 0.25) ** 2, (7.5 - 4.6) ** 2, (3 - 0.25) ** 2]
    assert float(loss) == pytest.approx(sum(squares) / 4, rel=1e-6)


def test_the_target_takes_the_smaller_of_two_random_critics() -> None:
    """Of three with gains 1, 2 and 3 the smaller of a pair is 1 in two thirds of all pairs and 2 in one third."""
    found = by_hand(HandActor([[0.0], [0.0]], [0.0, 0.0]), hand_critic(0.0, 0.0, 0.0), hand_critic(1.0, 2.0, 3.0),
                    critics=3, discount=1.0)
    batch = hand_batch()
    torch.manual_seed(0)
    losses = torch.stack([found.critic_loss(batch, torch.zeros(2)) for _ in range(600)])
    values, counts = losses.unique(return_counts=True)
    assert values.tolist() == pytest.approx([3.5**2 / 2, 7.0**2 / 2])  # only the first continues: (3.5 gain)^2 / 2
    assert counts[0] / 600 == pytest.approx(2 / 3, abs=0.06)


def test_no_gradient_flows_into_target_or_actor_from_the_critic_loss() -> None:
    found = agent()
    found.critic_loss(random_batch(), torch.zeros(4)).backward()
    assert all(parameter.grad is None for parameter in [*found.actor.parameters(), *found.target.parameters()])
    assert all(parameter.grad is not None for parameter in found.critic.parameters())


def test_actor_loss() -> None:
    """E[alpha log pi - Q / |Q|] + w E_demo (mode - a)^2.

    Q is the mean over critics: gain 2.5 times the sums 1 + 2/2 + 0.5 = 2.5 and 2 + 0 - 3 = -1, that is 6.25 and -2.5;
    the mean of |Q| is 4.375. log pi: 2 and -1. Imitation: ((0.5 - 0.5)^2 + (-1 + 2)^2) / 2 = 0.5.
    """
    found = by_hand(HandActor([[0.5], [-3.0]], [2.0, -1.0], mode=[[0.5], [-2.0]]), hand_critic(2.0, 3.0), bc_weight=3.0)
    with torch.no_grad():
        found.log_temperature.fill_(math.log(0.2))
    loss, log_prob = found.actor_loss(hand_batch(), hand_batch())
    assert log_prob.tolist() == [2.0, -1.0] and not log_prob.requires_grad
    expected = (0.2 * 2.0 - 6.25 / 4.375 + 0.2 * -1.0 + 2.5 / 4.375) / 2 + 3.0 * 0.5
    assert float(loss) == pytest.approx(expected, rel=1e-6)


def test_it_stays_near_what_behaviour_cloning_does_if_it_is_to() -> None:
    """On the whole batch, whatever was demonstrated: ((0.5 - 0)^2 + (-2 + 1)^2) / 2 = 0.625 more."""
    losses = []
    for stay in (0.0, 2.0):
        found = by_hand(HandActor([[0.5], [-3.0]], [2.0, -1.0], mode=[[0.5], [-2.0]]), hand_critic(2.0, 3.0), stay=stay)
        found.clone = HandActor([[9.0], [9.0]], [0.0, 0.0], mode=[[0.0], [-1.0]])  # type: ignore[assignment]
        losses.append(float(found.actor_loss(hand_batch(), hand_batch())[0]))
    assert losses[1] - losses[0] == pytest.approx(2.0 * 0.625, rel=1e-6)


def test_what_it_stays_near_is_the_clone_it_began_from_and_does_not_move() -> None:
    found = agent(stay=1.0)
    before = [parameter.clone() for parameter in found.clone.parameters()]
    for _ in range(3):
        found.update(random_batch(), concatenate([random_batch(), random_batch(seed=1)]), torch.ones(8))
    assert all(torch.equal(old, new) for old, new in zip(before, found.clone.parameters(), strict=True))
    assert not found.clone.training and not all(
        torch.equal(old, new) for old, new in zip(before, found.actor.parameters(), strict=True))


def test_the_scale_of_values_does_not_matter_to_the_actor_but_values_of_zero_do_not_blow_up() -> None:
    actor = HandActor([[0.5], [-3.0]], [2.0, -1.0])
    small, large = (float(by_hand(actor, hand_critic(gain, gain)).actor_loss(hand_batch(), hand_batch())[0]) for gain in (1, 50))
    assert small == pytest.approx(large, rel=1e-5)
    none = by_hand(actor, hand_critic(0.0, 0.0), bc_weight=0.0, bc_final=0.0)
    assert float(none.actor_loss(hand_batch(), hand_batch())[0]) == pytest.approx(0.05 * 0.5, rel=1e-5)  # entropy alone


def test_temperature_loss() -> None:
    """-log alpha E[log pi + target]: its gradient is -(mean log pi + target)."""
    found = agent(target_entropy=-2.0)
    with torch.no_grad():
        found.log_temperature.fill_(0.5)
    loss = found.temperature_loss(torch.tensor([3.0, 4.0]))
    assert loss.item() == pytest.approx(-0.5 * 1.5)
    loss.backward()
    assert found.log_temperature.grad is not None and float(found.log_temperature.grad) == pytest.approx(-1.5)


@pytest.mark.parametrize(("log_prob", "rises"), [(5.0, True), (-5.0, False)])
def test_the_temperature_rises_when_the_entropy_is_below_its_target(log_prob: float, rises: bool) -> None:
    found = agent(target_entropy=-2.0)
    before = found.log_temperature.item()
    found.temperature_loss(torch.full((4,), log_prob)).backward()
    found.temperature_optimiser.step()
    assert (found.log_temperature.item() > before) == rises


def test_the_weight_of_behaviour_cloning_falls_linearly_and_then_stays() -> None:
    found = agent(bc_weight=2.0, bc_final=0.5, bc_updates=100)
    for updates, weight in ((0, 2.0), (50, 1.25), (100, 0.5), (1000, 0.5)):
        found.updates = updates
        assert found.bc_weight == pytest.approx(weight)


def test_target_and_average_move_a_step_towards_their_sources() -> None:
    found = agent(target_step=0.25, average_step=0.125)

    def state(module: torch.nn.Module) -> list[Tensor]:
        return [parameter.detach().clone() for parameter in module.parameters()]

    target, average = state(found.target), state(found.average)
    found.update(random_batch(), random_batch(8), torch.rand(8))
    for before, now, source in zip(target, found.target.parameters(), found.critic.parameters(), strict=True):
        torch.testing.assert_close(now, before + 0.25 * (source.detach() - before))
    for before, now, source in zip(average, found.average.parameters(), found.actor.parameters(), strict=True):
        torch.testing.assert_close(now, before + 0.125 * (source.detach() - before))
    assert any(not torch.equal(*pair) for pair in zip(target, state(found.target), strict=True))
    assert not any(parameter.requires_grad for parameter in [*found.target.parameters(), *found.average.parameters()])


def test_the_actor_waits_and_then_learns_every_so_often() -> None:
    found = agent(actor_after=3, actor_every=2)
    learned = []
    for _ in range(8):
        before = [parameter.detach().clone() for parameter in found.actor.parameters()]
        metrics = found.update(random_batch(), random_batch(8), torch.rand(8))
        moved = any(not torch.equal(*pair) for pair in zip(before, found.actor.parameters(), strict=True))
        assert moved == ("actor_loss" in metrics)
        learned.append(moved)
    assert learned == [False, False, False, True, False, True, False, True]  # updates 1 to 8
    assert found.updates == 8
    assert all(parameter.requires_grad for parameter in found.critic.parameters())


def test_the_actors_update_leaves_the_critic_alone() -> None:
    critics = []
    for actor_after in (0, 1000):
        found = agent(actor_after=actor_after)
        torch.manual_seed(0)
        found.update(random_batch(), random_batch(8), torch.linspace(0.0, 1.0, 8))
        critics.append([(parameter, parameter.grad) for parameter in found.critic.parameters()])
    for (with_actor, gradient), (without, its_gradient) in zip(*critics, strict=True):
        assert gradient is not None and its_gradient is not None
        assert torch.equal(with_actor, without) and torch.equal(gradient, its_gradient)


def test_metrics() -> None:
    metrics = to_floats(agent().update(random_batch(), random_batch(8), torch.full((8,), 0.25)))
    assert metrics.keys() == {"critic_loss", "reward", "actor_loss", "entropy", "temperature"}
    assert metrics["reward"] == 0.25 and metrics["temperature"] == pytest.approx(0.05, rel=0.01)
    assert all(math.isfinite(value) for value in metrics.values())


def test_it_starts_from_a_copy_of_the_cloned_policy_without_its_dropout() -> None:
    policy = bc_policy().train()
    found = RLPD(CONFIG, policy, FEATURES, PROPRIO, ACTIONS)
    assert policy.training and not found.actor.training
    state, given = found.actor.state_dict(), policy.state_dict()
    assert all(torch.equal(state[name], given[name]) for name in given)
    found.update(random_batch(), random_batch(8), torch.rand(8))
    assert all(torch.equal(given[name], value) for name, value in bc_policy().state_dict().items()), "the given one is untouched"


def test_it_can_start_from_an_untrained_policy() -> None:
    found = agent(from_bc=False)
    given = bc_policy()
    assert not torch.equal(found.actor.mean.weight, given.mean.weight)
    assert torch.equal(found.actor.mean.weight, found.average.mean.weight)
    assert found.actor.mean.weight.abs().max() <= 0.01
    assert torch.equal(found.actor.proprio_std, given.proprio_std)  # type: ignore[arg-type]


def test_it_learns_which_action_pays() -> None:
    """One state, reward 1 - (a - 0.5)^2, no future: the critic learns the reward and the actor goes where it is highest."""
    torch.manual_seed(0)
    found = agent(discount=0.0, bc_weight=0.0, bc_final=0.0, critic_rate=5e-3, actor_rate=5e-3, target_entropy=-6.0,
                  hidden=32, average_step=0.05)
    for _ in range(400):
        batch = random_batch(32)
        batch = Batch(**{**vars(batch), "features": torch.zeros(32, FEATURES), "proprio": torch.zeros(32, PROPRIO),
                         "actions": torch.rand(32, ACTIONS) * 2 - 1})
        reward = 1.0 - (batch.actions - 0.5).square().mean(-1)
        found.update(batch, concatenate([batch, batch]), torch.cat([reward, reward]))
    best = found.average.mode(torch.zeros(1, FEATURES), torch.zeros(1, PROPRIO))[0]
    assert best.tolist() == pytest.approx([0.5, 0.5], abs=0.2)
