"""How a shield learns: an ensemble of costs from what was marked, and a critic of what lies ahead from all steps; see `shield.py`."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rewardbot.data.transitions import Transitions
from rewardbot.errors import DataError
from rewardbot.nets.optimisation import train
from rewardbot.rewards.discriminator import Discriminator
from rewardbot.training.shield import Shield, ShieldConfig

BATCH, RATE = 256, 3e-3
"""Of the critic."""


def fit_shield(
    config: ShieldConfig, steps: Transitions, unsafe: Tensor, visited: Transitions | None = None, *, seed: int = 0
) -> Shield:
    """A shield that was learned from what somebody looked at.

    Args:
        config: see `ShieldConfig`.
        steps: that somebody looked at.
        unsafe: which of them were marked, bool (N,).
        visited: all steps that are known, from which the critic learns; None or none: `steps`.
        seed: of networks and batches.

    Raises:
        DataError: none or all of them are unsafe, or they are not finite.
    """
    if not bool(torch.isfinite(steps.rows).all()):
        raise DataError("Steps that were marked hold NaN or infinite numbers.", next_step="Undo the answers about those clips.")
    if not bool(unsafe.any()) or bool(unsafe.all()):
        raise DataError(f"{int(unsafe.sum())} of {len(unsafe)} steps that were looked at are unsafe: there is nothing to tell apart.",
                        next_step="Mark only what is unsafe, in clips in which not everything is.")
    draw = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        shield = Shield(config, steps.states, steps.actions)
        for member in shield.members:
            _fit_member(config, member, steps.next_state, unsafe, draw)
        _fit_critic(shield, visited if visited is not None and len(visited.rows) else steps, draw)
    return shield


def _fit_member(config: ShieldConfig, member: nn.Module, states: Tensor, unsafe: Tensor, draw: torch.Generator) -> None:
    """P_m(unsafe | s') of a bootstrap sample of states (N, S), of which as many count as unsafe (N,) and as safe."""
    assert isinstance(member, Discriminator)
    member.set_scale(states)
    bad, good = (_drawn(of, len(of), draw) for of in (states[unsafe], states[~unsafe]))
    batch = config.network.batch
    train(member, lambda: member.bce_loss(_drawn(bad, batch, draw), _drawn(good, batch, draw)), steps=config.steps,
          rate=config.network.learning_rate * 10, weight_decay=config.network.weight_decay, progress=lambda share: None)


def _fit_critic(shield: Shield, visited: Transitions, draw: torch.Generator) -> None:
    """Q of one step ahead, of two, and so on."""
    config, critic = shield.config, shield.critic
    critic.set_scale(visited.state_action)
    cost = shield.cost(visited.next_state)
    for sweep in range(config.ahead):
        ahead = shield.least_risk(visited.next_state) if sweep else torch.zeros_like(cost)
        steps = torch.cat([visited.state_action, (cost + config.discount * visited.continues * ahead)[:, None]], dim=1)

        def loss(steps: Tensor = steps) -> Tensor:
            batch = _drawn(steps, BATCH, draw)
            return F.mse_loss(critic(batch[:, :-1]), batch[:, -1])

        train(critic, loss, steps=config.steps, rate=RATE, weight_decay=0.0, progress=lambda share: None)


def _drawn(of: Tensor, count: int, draw: torch.Generator) -> Tensor:
    """Rows, with replacement."""
    return of[torch.randint(len(of), (count,), generator=draw)]
