"""Imitation with a reward that is learned against the policy, from state vectors: reward and policy take turns.

    gail, airl   a discriminator of the expert's steps and the policy's, whose logit is the reward
    gcl          a reward network, normalised by what the policy does
    vice         a classifier of the states at which the expert ends, and of those that the policy visits

The policy is soft actor-critic, which learns from all steps there were, each with the present reward, or proximal policy
optimisation, which learns from those of the present policy only. Beside the former a discriminator sees all steps there were,
too: with the newest alone it forgets that where the policy began is not where the expert ends, and the policy goes back there.
Guided cost learning needs the density of its samples, and so the newest. Of the environment's own reward nothing that learns sees
anything.

Half of each batch of soft actor-critic are the expert's steps, with the present reward: the critics know where it is good long before
the policy finds the way there (Ren et al. 2024, Hybrid Inverse Reinforcement Learning).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from rewardbot.config import setting
from rewardbot.data.state_demonstrations import StateDemonstrations, draw
from rewardbot.data.transitions import Transitions
from rewardbot.errors import ConfigError, DataError, unknown_name
from rewardbot.policies.ppo import PPO
from rewardbot.policies.sac import SAC, SACConfig
from rewardbot.rewards.airl import AIRL, AIRLConfig
from rewardbot.rewards.discriminator import check_horizon
from rewardbot.rewards.gail import GAIL, GAILConfig
from rewardbot.rewards.gcl import GCL, GCLConfig
from rewardbot.rewards.goal_states import GoalStates, GoalStatesConfig
from rewardbot.training.advancing import advance_to
from rewardbot.training.kept_state import restore, state_of
from rewardbot.training.on_policy_loop import OnPolicyConfig, OnPolicyLoop
from rewardbot.training.state_loop import Env, Spaces, StateLoop, StateLoopConfig, evaluate, name_of, start_seeds
from rewardbot.types import Metrics

REWARDS = ("gail", "airl", "gcl", "vice")
POLICIES = ("sac", "ppo")

PROBES = 3
"""Episodes with random actions that show whether episodes can end early."""


@dataclass(frozen=True)
class AdversarialConfig:
    """How a policy and a reward learn against each other."""

    loop: StateLoopConfig = setting(StateLoopConfig(shown=0.5, sac=SACConfig(norm=True)), "of soft actor-critic")
    on_policy: OnPolicyConfig = setting(OnPolicyConfig(), "of proximal policy optimisation")
    gail: GAILConfig = setting(GAILConfig(), "of GAIL")
    airl: AIRLConfig = setting(AIRLConfig(), "of AIRL")
    gcl: GCLConfig = setting(GCLConfig(), "of guided cost learning")
    vice: GoalStatesConfig = setting(GoalStatesConfig(), "of VICE")
    batch: int = setting(128, "demonstrated steps, and as many of the policy, in a step of the reward", min=1)
    airl_temperature: float = setting(0.2, "airl with sac: temperature, which stays, so that f and log pi fit together", min=1e-3)
    fresh: int = setting(1000, "gcl with sac: newest steps, which are taken for the present policy's", min=1)
    every: int = setting(2, "updates of sac for each step of the reward", min=1)
    reward_steps: int = setting(50, "steps of the reward for each rollout of ppo", min=1)
    report_every: int = setting(1000, "environment steps between two reports", min=1)
    evaluations: int = setting(5, "episodes behind each point of the curve", min=1)


class Learned(Protocol):
    """A reward that learns against the policy."""

    version: int

    def step(self, expert: Transitions, visited: Transitions) -> dict[str, Tensor]:
        """One gradient step."""
        ...

    def reward(self, batch: Transitions) -> Tensor:
        """(N,), without gradient."""
        ...


def check(reward: str, policy: str) -> None:
    """Checks a combination.

    Raises:
        ConfigError: unknown names, or a reward that is not of this kind.
    """
    if reward not in REWARDS:
        raise unknown_name("reward that is learned against the policy", reward, REWARDS)
    if policy not in POLICIES:
        raise unknown_name(f"policy that learns from the reward {reward}", policy, POLICIES)


class AdversarialLoop:
    """See the module.

    Args:
        env: what to learn in; the caller closes it.
        reward, policy: of `REWARDS` and `POLICIES`.
        config: see `AdversarialConfig`.
        demonstrations: of this environment.
        seed: of everything.

    Attributes:
        loop: policy and its steps.
        model: the reward.
        metrics: of the reward's last step.

    Raises:
        ConfigError: see `check` and `Spaces.of`; a reward head that early ends would break.
        DataError: demonstrations of other sizes or bounds.
    """

    def __init__(
        self, env: Env, reward: str, policy: str, config: AdversarialConfig, demonstrations: StateDemonstrations, *, seed: int = 0
    ) -> None:
        check(reward, policy)
        sizes = Spaces.of(env)
        demonstrations.check(name_of(env), sizes.states, sizes.low, sizes.high)
        self.config, self.seed = config, seed
        check_ends(reward, config, demonstrations, env, seed)
        self._reward_name = reward
        self._expert = demonstrations.transitions()
        self._lengths = [len(episode.actions) for episode in demonstrations.episodes]
        self._generator = torch.Generator().manual_seed(seed)
        # exp(R) / Z is the policy of temperature 1; a sharper one would have no tails, and a few samples in them all the weight.
        temperature = {"gcl": 1.0, "airl": config.airl_temperature}.get(reward, config.loop.sac.temperature)
        off_policy = replace(config.loop, sac=replace(config.loop.sac, temperature=temperature))
        self.loop: StateLoop | OnPolicyLoop = (
            StateLoop(env, off_policy, reward=self.reward, seed=seed, shown=self._expert) if policy == "sac"
            else OnPolicyLoop(env, config.on_policy, reward=self.reward, seed=seed))
        self.model = self._made(reward, self.loop.agent, demonstrations)
        self._clip = config.gcl.length if reward == "gcl" else 1
        self.metrics: dict[str, Tensor] = {}

    def _made(self, name: str, agent: SAC | PPO, shown: StateDemonstrations) -> Learned:
        def log_pi(batch: Transitions) -> Tensor:
            with torch.no_grad():
                return agent.actor.log_prob(batch.state, batch.state_action[:, batch.states :])

        config, expert, soft = self.config, self._expert, isinstance(agent, SAC)
        if name == "vice":
            return GoalStates(config.vice, [torch.from_numpy(one.states) for one in shown.episodes], seed=self.seed)
        if name == "gail":
            return GAIL(config.gail, expert, seed=self.seed)
        if name == "gcl":
            return GCL(config.gcl, expert, log_pi, soft=soft, seed=self.seed)
        temperature = config.airl_temperature if soft else None
        return AIRL(config.airl, expert, log_pi, discount=agent.config.discount, temperature=temperature, seed=self.seed)

    def reward(self, batch: Transitions) -> Tensor:
        """What the policy learns from now, (N,).

        Raises:
            DataError: it is not finite.
        """
        found = self.model.reward(batch)
        if not bool(torch.isfinite(found).all()):
            raise DataError("The learned reward is NaN or infinite.",
                            next_step="Lower its learning rate, or look at the demonstrations.")
        return found

    @property
    def steps(self) -> int:
        """Environment steps so far."""
        return self.loop.steps

    @property
    def over(self) -> bool:
        """Whether all steps are done."""
        return self.steps >= self._total

    @property
    def _total(self) -> int:
        return (self.config.loop if isinstance(self.loop, StateLoop) else self.config.on_policy).steps

    def advance(self) -> None:
        """An episode of sac, or a rollout of ppo, and all that is learned with it.

        Raises:
            ConfigError: an episode ended early, which breaks the reward head.
            DataError: the environment or the reward gave NaN.
        """
        if isinstance(self.loop, StateLoop):
            clip = self.loop.episode(self._after_update)
            ended = self.loop.replay.newest(1).continues[-1] == 0.0 if clip.stop else False
            self._early(bool(ended))
            return
        self.loop.collect()
        self._early(self.loop.terminated)
        for _ in range(self.config.reward_steps):
            self._learn()
        self.loop.update()

    def run(
        self, report: Callable[[Metrics], object] = lambda metrics: None, *, judge: Env | None = None, checkpoint: Path | None = None
    ) -> None:
        """Learns until the steps are over; see `advance`.

        Args:
            report: told the metrics every so often, with `true_return` if there is a `judge`.
            judge: another environment of the same kind, to evaluate the policy in.
            checkpoint: see `advancing.advance_to`.
        """
        advance_to(self, self._total, lambda: report(self._measured(judge)), every=self.config.report_every, checkpoint=checkpoint)

    def state(self) -> dict[str, Any]:
        """Policy, replay and reward with their optimisers, and all chance, as tensors and plain values."""
        return {"loop": self.loop.state(), "reward": state_of(self.model), "draw": self._generator.get_state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Goes on from what `state` of a loop with the same configuration and demonstrations gave."""
        self.loop.restore(state["loop"])
        restore(self.model, state["reward"])
        self._generator.set_state(state["draw"])

    def _after_update(self, batch: Transitions) -> None:
        assert isinstance(self.loop, StateLoop)
        if self.loop.updates % self.config.every == 0:
            self._learn()

    def _learn(self) -> None:
        """One step of the reward."""
        self.metrics = self.model.step(
            draw(self._expert, self.config.batch, self._generator, length=self._clip, lengths=self._lengths), self._visited())

    def _visited(self) -> Transitions:
        """A batch of what the policy did."""
        n, length, random = self.config.batch, self._clip, self._generator
        if isinstance(self.loop, OnPolicyLoop):
            assert self.loop.fresh is not None
            return draw(self.loop.fresh, n, random, length=length, lengths=self.loop.lengths)
        if not isinstance(self.model, GCL):
            return self.loop.replay.sample(n)
        fresh = self.config.fresh
        return draw(self.loop.replay.newest(fresh), n, random, length=length, lengths=newest_lengths(self.loop, fresh))

    def _early(self, ends: bool) -> None:
        if ends:
            _check_sign(self._reward_name, self.config)

    def _measured(self, judge: Env | None) -> Metrics:
        found = {name: float(value) for name, value in {**self.metrics, **self.loop.metrics}.items()}
        if judge is not None:
            seeds = start_seeds(self.seed, self.config.evaluations)
            found["true_return"] = float(np.mean(evaluate(judge, self.loop.best, seeds)))
        return found


def check_ends(reward: str, config: AdversarialConfig, shown: StateDemonstrations, env: Env, seed: int) -> None:
    """Checks that a reward bears early ends, if there are any, of demonstrations or of random actions.

    Raises:
        ConfigError: it does not.
    """
    if any(episode.terminated for episode in shown.episodes) or ends_early(env, seed):
        _check_sign(reward, config)


def _check_sign(reward: str, config: AdversarialConfig) -> None:
    """Refuses what has but one sign."""
    if reward == "gail":
        check_horizon(config.gail.head)
    if reward == "vice":
        raise ConfigError("The reward 'vice' is a probability, which is never negative: where episodes end early it rewards not to "
                          "come to an end.", valid="gail or airl, whose rewards take both signs.",
                          next_step="Choose one of them, or an environment without early ends.")


def newest_lengths(loop: StateLoop, count: int) -> list[int]:
    """Steps of each episode among the newest `count` steps, the oldest cut off at its beginning."""
    lengths, left = list[int](), count
    for episode in reversed(loop.replay.episodes()):
        lengths.insert(0, min(left, episode.stop - episode.start))
        left -= lengths[0]
        if not left:
            break
    return lengths


def ends_early(env: Env, seed: int) -> bool:
    """Whether an episode of random actions terminates; that none does proves nothing, so learning goes on looking."""
    sizes, draw = Spaces.of(env), np.random.default_rng(seed)
    for number in range(PROBES):
        env.reset(seed=seed + number)
        for _ in range(1_000):
            _, _, terminated, truncated, _ = env.step(sizes.action(draw.uniform(-1.0, 1.0, sizes.actions)))
            if terminated or truncated:
                break
        else:
            terminated = False
        if terminated:
            return True
    return False
