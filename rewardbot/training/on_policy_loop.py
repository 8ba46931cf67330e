"""On-policy reinforcement learning from state vectors with whatever reward, by proximal policy optimisation.

The counterpart of `state_loop` for rewards that need what the present policy does: `collect` steps, fit the reward to them if you
like, and `update`, which asks for their reward only then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rewardbot.config import setting
from rewardbot.data.transitions import Transitions
from rewardbot.errors import DataError
from rewardbot.policies.ppo import PPO, PPOConfig
from rewardbot.robots.start_states import learning_stream, start_seed
from rewardbot.training.kept_state import restore, state_of
from rewardbot.training.state_loop import Env, Reward, Spaces, name_of, vector


@dataclass(frozen=True)
class OnPolicyConfig:
    """How much of what."""

    steps: int = setting(200_000, "environment steps", min=1)
    rollout: int = setting(2048, "steps of the present policy for each update", min=2)
    longest: int = setting(1_000, "longest episode [steps]; it is cut off then, which is a timeout", min=1)
    ppo: PPOConfig = setting(PPOConfig(), "of the policy")


class OnPolicyLoop:
    """See the module.

    Args:
        env: what to learn in; the caller closes it.
        config: see `OnPolicyConfig`.
        reward: see `state_loop.Reward`; None: the environment's own. May be changed at any time.
        seed: of everything.

    Attributes:
        agent: proximal policy optimisation.
        steps: how many there were.
        fresh: the steps of the last rollout, episodes one after another; None before the first.
        terminated: whether any episode so far ended otherwise than by a timeout.

    Raises:
        ConfigError: see `Spaces.of`.
    """

    def __init__(self, env: Env, config: OnPolicyConfig, *, reward: Reward | None = None, seed: int = 0) -> None:
        self.env, self.config, self.reward, self.seed = env, config, reward, seed
        self.spaces = Spaces.of(env)
        self.agent = PPO(config.ppo, self.spaces.states, self.spaces.actions, seed=seed)
        self.steps = self.episodes = 0
        self.fresh: Transitions | None = None
        self.terminated = False
        self.metrics: dict[str, Tensor] = {}
        self._last = torch.zeros(0, dtype=torch.bool)
        self._state: NDArray[np.float32] | None = None
        self._length = 0

    def collect(self) -> Transitions:
        """A rollout of the present policy.

        Raises:
            DataError: the environment gave NaN or infinite numbers.
        """
        rows, last = [], []
        for _ in range(self.config.rollout):
            if self._state is None:
                observation, _ = self.env.reset(seed=start_seed(learning_stream(self.seed), self.episodes))
                self._state, self._length = vector(observation), 0
                self.episodes += 1
            action = self.agent.act(self._state, explore=True)
            observation, reward, terminated, truncated, _ = self.env.step(self.spaces.action(action))
            after = vector(observation)
            rows.append(np.concatenate([self._state, action, [float(reward), 1.0 - terminated], after], dtype=np.float32))
            self._length += 1
            over = terminated or truncated or self._length >= self.config.longest
            last.append(over)
            self._state = None if over else after
            self.terminated |= terminated
        self.steps += len(rows)
        steps = torch.from_numpy(np.stack(rows))
        if not bool(torch.isfinite(steps).all()):
            raise DataError(f"{name_of(self.env)} gave NaN or infinite numbers.", next_step="Mend the environment.")
        last[-1] = True
        self._last = torch.tensor(last)
        self.fresh = Transitions(steps, self.spaces.states, self.spaces.actions)
        return self.fresh

    def update(self) -> None:
        """Learns from the last rollout, with the present reward."""
        assert self.fresh is not None
        batch = Transitions(self.fresh.rows.clone(), self.fresh.states, self.fresh.actions)
        if self.reward is not None:
            batch.reward.copy_(self.reward(batch))
        self.metrics = self.agent.update(batch, self._last)

    def advance(self) -> None:
        """A rollout, and what is learned from it."""
        self.collect()
        self.update()

    def state(self) -> dict[str, Any]:
        """All that learning goes on from, between rollouts. An episode under way is not part of it: another begins."""
        return {"agent": state_of(self.agent), "counters": [self.steps, self.episodes], "terminated": self.terminated,
                "random": torch.get_rng_state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Goes on from what `state` of a loop with the same configuration gave."""
        restore(self.agent, state["agent"])
        self.steps, self.episodes = state["counters"]
        self.terminated, self._state = state["terminated"], None
        torch.set_rng_state(state["random"])

    @property
    def lengths(self) -> list[int]:
        """Steps of each episode, or part of one, in `fresh`."""
        return torch.diff(torch.cat([torch.tensor([-1]), self._last.nonzero().flatten()])).tolist()

    def best(self, state: NDArray[np.float32]) -> NDArray[np.float32]:
        """The most likely action."""
        return self.agent.act(state, explore=False)
