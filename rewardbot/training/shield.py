"""A shield in front of a policy of state vectors: a cost that was learned from unsafe intervals, and which actions it lets through.

    c(s, a) = P(unsafe | s, a)      what was asked, if c <= limit; else of some actions around it, and its opposite, the nearest with
                                    c <= limit; else hold: the action in the middle of its bounds, which for the arm is no motion

Where nothing is within the limit, the place itself is unsafe, or so the cost says: to hold is then to stay there. What is clearly
safer than that is the way out, and is done; where nothing is, it holds.

The cost is no reward model and is added into none: a reward that outweighs it would buy the accident. The limits of the arm itself
stand behind all this, see `robots/safety.py`, and nothing that is learned touches them. That a person's interventions are learned by
a blocker, which then stands in for them, is from Saunders, Sastry, Stuhlmueller and Evans 2018, Trial without Error.

Learns from: unsafe intervals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rewardbot.config import setting
from rewardbot.errors import DataError
from rewardbot.nets.optimisation import train
from rewardbot.nets.weights import from_bytes, load_into, named, reading, to_bytes
from rewardbot.rewards.discriminator import Discriminator, DiscriminatorConfig

KIND = "shield of state vectors"
# Smooth: a few clips of the same people and places are easily learned by heart.
NETWORK = DiscriminatorConfig(hidden=64, dropout=0.0, noise=0.3, smoothing=0.02, mixup=False, weight_decay=1.0)

CLEARLY = 0.1
"""How much less likely to be unsafe the way out must be than holding."""


@dataclass(frozen=True)
class ShieldConfig:
    """Hyper-parameters."""

    network: DiscriminatorConfig = setting(NETWORK, "of the cost")
    lead: int = setting(2, "steps before an interval that count as unsafe, too: what moves cannot stop at once", min=0)
    steps: int = setting(300, "gradient steps of each fit", min=1)
    limit: float = setting(0.3, "largest probability of being unsafe that an action may have", min=0.0, max=1.0)
    around: int = setting(64, "actions that are tried instead of one that is refused", min=0)


class Shield:
    """See the module.

    Args:
        config: see `ShieldConfig`.
        states, actions: lengths S and A.

    Attributes:
        network: the logit of the cost.
    """

    def __init__(self, config: ShieldConfig, states: int, actions: int) -> None:
        self.config, self.states, self.actions = config, states, actions
        self.network = Discriminator(config.network, states + actions)
        # The same at all times, so that the world behind the shield is always the same world; the nearest first.
        spread = np.random.default_rng(0).uniform(-1.0, 1.0, (config.around, actions)) * 2.0
        self._around = (spread * np.linspace(0.0, 1.0, config.around + 1)[1:, None]).astype(np.float32)

    @torch.no_grad()
    def cost(self, state_action: Tensor) -> Tensor:
        """P(unsafe | s, a), (N, S + A) -> (N,)."""
        return torch.sigmoid(self.network(state_action))

    def filter(self, state: NDArray[np.floating], asked: NDArray[np.floating]) -> NDArray[np.float32]:
        """What may be done in a state (S,) instead of an action, float32 (A,) in [-1, 1].

        A state or an action with NaN is answered with holding.
        """
        asked = np.asarray(asked, np.float32)
        if self._costs(state, asked[None])[0] <= self.config.limit:
            return asked
        hold = np.zeros_like(asked)
        others = np.concatenate([np.clip(asked + self._around, -1.0, 1.0), -asked[None], hold[None]])
        costs = self._costs(state, others)
        if len(safe := np.flatnonzero(costs <= self.config.limit)):
            return others[safe[0]]
        least = int(costs.argmin())
        return others[least] if costs[-1] - costs[least] > CLEARLY else hold

    def to_bytes(self) -> bytes:
        """For `read`."""
        config = self.config
        return to_bytes(named("cost", self.network), kind=KIND, description={
            "states": self.states, "actions": self.actions, "hidden": config.network.hidden, "limit": config.limit,
            "around": config.around})

    @staticmethod
    def read(data: bytes) -> Shield:
        """What `to_bytes` gave.

        Raises:
            DataError: other or damaged bytes.
        """
        tensors, description = from_bytes(data, kind=KIND)
        with reading(KIND):
            states, actions, hidden, around = (int(description[name]) for name in ("states", "actions", "hidden", "around"))
            network = DiscriminatorConfig(hidden=hidden, dropout=0.0)
            shield = Shield(ShieldConfig(network=network, limit=float(description["limit"]), around=around), states, actions)
        load_into(shield.network, tensors, "cost")
        return shield

    def _costs(self, state: NDArray[np.floating], actions: NDArray[np.float32]) -> NDArray[np.float32]:
        states = np.repeat(np.asarray(state, np.float32)[None], len(actions), axis=0)
        return self.cost(torch.from_numpy(np.concatenate([states, actions], axis=1))).numpy()


def fit_shield(config: ShieldConfig, steps: Tensor, unsafe: Tensor, *, states: int, seed: int = 0) -> Shield:
    """A shield whose cost was learned from what somebody looked at.

    Args:
        config: see `ShieldConfig`.
        steps: states and actions, float32 (N, S + A).
        unsafe: which of them were marked, bool (N,).
        states: S.
        seed: of the network.

    Raises:
        DataError: none or all of them are unsafe, or they are not finite.
    """
    if not bool(torch.isfinite(steps).all()):
        raise DataError("Steps that were marked hold NaN or infinite numbers.", next_step="Undo the answers about those clips.")
    if not bool(unsafe.any()) or bool(unsafe.all()):
        raise DataError(f"{int(unsafe.sum())} of {len(unsafe)} steps that were looked at are unsafe: there is nothing to tell apart.",
                        next_step="Mark only what is unsafe, in clips in which not everything is.")
    bad, good = steps[unsafe], steps[~unsafe]
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        shield = Shield(config, states, steps.shape[1] - states)
        network = shield.network
        network.set_scale(steps)

        def loss() -> Tensor:
            n = network.config.batch
            return network.bce_loss(*(of[torch.randint(len(of), (n,), generator=generator)] for of in (bad, good)))

        train(network, loss, steps=config.steps, rate=network.config.learning_rate * 10, weight_decay=network.config.weight_decay,
              progress=lambda share: None)
    return shield
