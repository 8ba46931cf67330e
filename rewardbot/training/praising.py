"""TAMER in a loop: a trainer watches a robot act and says good or bad, and the robot does what it thinks will be praised.

The trainer here is simulated. It says good when the environment's own reward rises, also when it is as high as it has ever been, and
bad when it falls; not at each step, and late, as people do. So it can teach what gets better all the way, such as the arm's tasks,
and no detour: for that a trainer would have to know the task.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rewardbot.config import setting
from rewardbot.policies.myopic import Myopic, MyopicConfig
from rewardbot.rewards.tamer import Signal, Tamer, TamerConfig
from rewardbot.robots.start_states import learning_stream, start_seed
from rewardbot.training.kept_state import restore, state_of
from rewardbot.training.state_loop import Env, Spaces
from rewardbot.training.visiting import visit
from rewardbot.types import Metrics


@dataclass(frozen=True)
class TrainerConfig:
    """How a simulated trainer talks."""

    signals: int = setting(1000, "words that they have to say in all", min=1)
    often: float = setting(0.3, "probability of a word at a step", min=0.0, max=1.0)
    shortest: float = setting(0.2, "shortest time until it is said [s]", min=0.0)
    longest: float = setting(0.8, "longest time until it is said [s]", min=0.0)
    mistakes: float = setting(0.0, "probability of the wrong word", min=0.0, max=1.0)


@dataclass(frozen=True)
class PraisingConfig:
    """How robot and trainer go on."""

    steps: int = setting(20_000, "environment steps", min=1)
    start_steps: int = setting(250, "of them with actions drawn uniformly", min=1)
    every: int = setting(250, "steps between two fits", min=1)
    noise: float = setting(0.3, "standard deviation of the noise on later actions, in [-1, 1]", min=0.0)
    held: int = setting(5, "steps for which a drawn action, and noise, stay: nobody can judge a tremble", min=1)
    longest: int = setting(1_000, "longest episode [steps]", min=1)
    period: float = setting(0.1, "duration of a step [s]", min=0.001)
    trainer: TrainerConfig = setting(TrainerConfig(), "of the simulated trainer")
    tamer: TamerConfig = setting(TamerConfig(), "of H^")
    policy: MyopicConfig = setting(MyopicConfig(), "of the policy")


class SimulatedTrainer:
    """See the module.

    Args:
        config: see `TrainerConfig`.
        period: duration of a step [s].
        seed: of when and how late they talk.

    Attributes:
        said: how many words.
    """

    def __init__(self, config: TrainerConfig, period: float, *, seed: int = 0) -> None:
        self.config, self.period, self.said = config, period, 0
        self._draw, self._best = np.random.default_rng(seed), -np.inf

    def watch(self, rewards: NDArray[np.floating]) -> list[Signal]:
        """What they say of an episode whose steps had these true rewards, (T,). Step t begins at t times the period."""
        self._best = max(self._best, float(rewards.max(initial=-np.inf)))
        change = np.sign(np.diff(rewards, prepend=rewards[:1]))
        change[(change == 0.0) & (rewards >= self._best)] = 1.0
        change[0] = 0.0  # it was not seen what was before
        speaks = (change != 0.0) & (self._draw.random(len(change)) < self.config.often)
        said = np.flatnonzero(speaks)[: self.config.signals - self.said]
        late = self._draw.uniform(self.config.shortest, self.config.longest, len(said))
        wrong = self._draw.random(len(said)) < self.config.mistakes
        self.said += len(said)
        return [Signal(float((step + 0.5) * self.period + delay), float(-change[step] if slip else change[step]))
                for step, delay, slip in zip(said, late, wrong, strict=True)]

    def state(self) -> dict[str, Any]:
        """What they go on from, as plain values."""
        return {"said": self.said, "best": self._best, "random": self._draw.bit_generator.state}

    def restore(self, state: dict[str, Any]) -> None:
        """Goes on from that."""
        self.said, self._best, self._draw.bit_generator.state = state["said"], state["best"], state["random"]


class PraisingLoop:
    """See the module.

    Args:
        env: what to act in; the caller closes it.
        config: see `PraisingConfig`.
        seed: of everything.

    Attributes:
        model: H^.
        agent: what acts on it.
        steps: in the environment.
        metrics: of the last fit, empty before the first.

    Raises:
        ConfigError: see `Spaces.of` and `Tamer`.
    """

    def __init__(self, env: Env, config: PraisingConfig, *, seed: int = 0) -> None:
        self.env, self.config, self.seed, sizes = env, config, seed, Spaces.of(env)
        self.model = Tamer(config.tamer, sizes.states + sizes.actions, seed=seed)
        self.agent = Myopic(config.policy, sizes.states, sizes.actions, seed=seed)
        self.trainer = SimulatedTrainer(config.trainer, config.period, seed=seed)
        self.steps, self.metrics = 0, Metrics()
        self._sizes, self._random, self._visited = sizes, np.random.default_rng(seed), list[torch.Tensor]()
        self._left, self._drawn = 0, np.zeros(sizes.actions, np.float32)

    def advance(self) -> None:
        """An episode, and the fit that is due."""
        self._left = 0
        due = (self.steps // self.config.every + 1) * self.config.every
        episode = visit(self.env, self._act, start_seed(learning_stream(self.seed), len(self._visited)), longest=self.config.longest)
        done = episode.transitions().state_action
        stamps = torch.arange(len(done) + 1, dtype=torch.float64) * self.config.period
        self.model.add(done, stamps, self.trainer.watch(episode.rewards))
        self._visited.append(done[:, : self._sizes.states])
        self.steps += len(done)
        if self.steps >= due and self.model.signals:
            self.metrics = self.model.fit()
            self.metrics["praise"] = self.agent.improve(self.model.score, torch.cat(self._visited))

    def best(self, state: NDArray[np.float32]) -> NDArray[np.float32]:
        """What would be praised most."""
        return self.agent.act(state)

    def state(self) -> dict[str, Any]:
        """See `advancing.Learning`."""
        return {"model": self.model.state(), "agent": state_of(self.agent), "trainer": self.trainer.state(), "steps": self.steps,
                "visited": self._visited, "random": self._random.bit_generator.state, "batches": self.agent.generator.get_state()}

    def restore(self, state: dict[str, Any]) -> None:
        """See `advancing.Learning`."""
        self.model.restore(state["model"])
        restore(self.agent, state["agent"])
        self.trainer.restore(state["trainer"])
        self.steps, self._visited = state["steps"], list(state["visited"])
        self._random.bit_generator.state = state["random"]
        self.agent.generator.set_state(state["batches"])

    def _act(self, state: NDArray[np.float32]) -> NDArray[np.float32]:
        knows = bool(self.model.version) and self.steps >= self.config.start_steps
        if not self._left:
            self._left = self.config.held
            drawn = self._random.normal(0.0, self.config.noise, self._sizes.actions) if knows else self._random.uniform(
                -1.0, 1.0, self._sizes.actions)
            self._drawn = drawn.astype(np.float32)
        self._left -= 1
        return np.clip(self.agent.act(state) + self._drawn, -1.0, 1.0) if knows else self._drawn
