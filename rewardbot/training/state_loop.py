"""Reinforcement learning from state vectors with whatever reward: soft actor-critic on any gymnasium environment whose observations
are flat and whose actions are bounded.

    loop = StateLoop(gymnasium.make("Pendulum-v1"), StateLoopConfig(steps=10_000), reward=model.reward)
    while loop.steps < loop.config.steps:
        clip = loop.episode()       # one episode: a step, then the updates that are due, and so on
        ...                         # here whoever calls fits the reward, if it likes: loop.replay holds everything raw
    returns = evaluate(gymnasium.make("Pendulum-v1"), loop.best, seeds=range(100, 120))

- *The reward is computed when a batch is sampled.* The replay holds what happened: state, action, the environment's own reward, next
  state. `loop.reward`, which may be changed at any time, is asked anew for each batch, so that no transition has a reward of
  yesterday. Without one, the environment's own is learned from, which is for comparisons.
- *A timeout is not a termination.* Where the environment says `terminated` the future is worth nothing; where it says `truncated`, or
  an episode is cut off here, it goes on in the critics' eyes.
- *Actions* are in [-1, 1] in the replay, in the policy and in the reward, and are scaled to the environment's bounds on their way.
- *Episodes have names*, `replay.episodes()` lists them, and `replay.transitions(Segment(name, start, stop))` are a clip's steps.
- *It can be repeated*: episode n starts from the environment's seed `start_seed(learning_stream(seed), n)`, networks, actions and
  batches from `seed`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from torch import Tensor

from rewardbot.config import setting
from rewardbot.data.episode_replay import EpisodeReplay
from rewardbot.data.transitions import Transitions
from rewardbot.errors import ConfigError, DataError
from rewardbot.policies.sac import SAC, SACConfig
from rewardbot.robots.start_states import evaluation_stream, learning_stream, start_seed
from rewardbot.types import Segment

_MODULES, _OPTIMISERS = ("actor", "critic", "target"), ("critic_optimiser", "actor_optimiser")

WANDER_TAIL, WANDER_LONGEST = 1.6, 30
"""Of how long that is: n steps with a probability that falls as 1/n^1.6, at most so many. The paper's 2 has fewer of more than three,
in which an arm gets nowhere."""

DONE = "done action"
"""Where an environment does something else than it was asked, its `info` says what: float32 (A,) in [-1, 1]."""

Env = gymnasium.Env[Any, Any]
Reward = Callable[[Transitions], Tensor]
"""The reward of each of N transitions, float32 (N,), without gradient."""
Act = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""The action, (A,) in [-1, 1], for a state (S,)."""


@dataclass(frozen=True)
class StateLoopConfig:
    """How much of what."""

    steps: int = setting(20_000, "environment steps", min=1)
    start_steps: int = setting(1_000, "of them with actions drawn uniformly, before the first update", min=1)
    wander: float = setting(0.0, "probability in each step of doing one action, drawn uniformly, for a while, to get somewhere; the "
                                 "first steps do nothing else then (epsilon z-greedy, Dabney et al. 2021)", min=0.0, max=1.0)
    updates_per_step: float = setting(1.0, "updates of the policy for each later step", min=0.0)
    capacity: int = setting(1_000_000, "newest transitions that are learned from", min=1)
    longest: int = setting(1_000, "longest episode [steps]; it is cut off then, which is a timeout", min=1)
    shown: float = setting(0.0, "share of demonstrated steps in a batch, where there are demonstrations", min=0.0, max=1.0)
    sac: SACConfig = setting(SACConfig(), "of the policy")


def patient(config: StateLoopConfig) -> StateLoopConfig:
    """For a reward of about 1 a step at a goal, and of next to nothing before. At a first temperature of 1 entropy pays more, and
    target critics that follow slowly take most of the steps to say at the start what the goal is worth.
    """
    return replace(config, sac=replace(config.sac, first_temperature=0.05, target_step=0.02))


@dataclass(frozen=True)
class Spaces:
    """Sizes and bounds of an environment that can be learned from state vectors.

    Attributes:
        states, actions: lengths S and A.
        low, high: bounds of an action, float (A,).
    """

    states: int
    actions: int
    low: NDArray[np.floating]
    high: NDArray[np.floating]

    @staticmethod
    def of(env: Env) -> Spaces:
        """Those of `env`.

        Raises:
            ConfigError: observations that are no vector, or actions that are no bounded one.
        """
        name = name_of(env)
        seen, done = env.observation_space, env.action_space
        if not isinstance(seen, spaces.Box) or len(seen.shape) != 1:
            raise ConfigError(f"The observations of {name} are {seen}.", valid="A vector: a Box with one dimension.",
                              next_step="gymnasium.wrappers.FlattenObservation makes one of many spaces.")
        if not isinstance(done, spaces.Box) or len(done.shape) != 1:
            raise ConfigError(f"The actions of {name} are {done}.", valid="A vector: a Box with one dimension.",
                              next_step="Soft actor-critic needs continuous actions; choose another environment.")
        if not (np.isfinite(done.low).all() and np.isfinite(done.high).all() and (done.low < done.high).all()):
            raise ConfigError(f"The actions of {name} are {done}, without bounds.", valid="Finite low < high.",
                              next_step="gymnasium.wrappers.RescaleAction or your own wrapper can give them bounds.")
        return Spaces(seen.shape[0], done.shape[0], done.low, done.high)

    def action(self, action: NDArray[np.floating]) -> NDArray[np.floating]:
        """The environment's action for one in [-1, 1], (A,)."""
        return self.low + (np.clip(action, -1.0, 1.0).astype(self.low.dtype) + 1.0) / 2.0 * (self.high - self.low)


def name_of(env: Env) -> str:
    """What an environment is called."""
    return env.spec.id if env.spec is not None else type(env.unwrapped).__name__


def make_env(name: str) -> Env:
    """The gymnasium environment of that name; `rewardbot/ReachState-v0` and so on are the arm's tasks.

    Raises:
        ConfigError: there is none, or something that it needs is not installed.
    """
    if name.startswith("rewardbot/"):
        importlib.import_module("rewardbot.robots.goal_env")  # it makes them known, and those of `state_env`
    try:
        return gymnasium.make(name)
    except (gymnasium.error.Error, ImportError) as error:
        raise ConfigError(f"There is no environment '{name}': {' '.join(str(error).split())}",
                          next_step="python -c 'import gymnasium; gymnasium.pprint_registry()' lists those that are here.") from None


class StateLoop:
    """See the module.

    Args:
        env: what to learn in; the caller closes it.
        config: see `StateLoopConfig`.
        reward: see `Reward`; None: the environment's own.
        device: where networks and replay are.
        seed: of everything.
        name: what the names of episodes begin with; the environment's and the seed if not given.
        shown: demonstrated steps, see `StateLoopConfig.shown`; their reward, too, is asked of `reward`.

    Attributes:
        agent: the soft actor-critic.
        replay: everything that was visited, raw.
        reward: may be changed at any time.
        steps, updates: how many there were.
        metrics: of the last update, as tensors; empty before the first.

    Raises:
        ConfigError: see `Spaces.of`.
    """

    def __init__(
        self, env: Env, config: StateLoopConfig, *, reward: Reward | None = None, device: torch.device | str = "cpu", seed: int = 0,
        name: str = "", shown: Transitions | None = None,
    ) -> None:
        self.env, self.config, self.reward, self.seed = env, config, reward, seed
        self.name = name or f"{name_of(env)}-{seed}"
        self.spaces = Spaces.of(env)
        self.agent = SAC(config.sac, self.spaces.states, self.spaces.actions, device=device, seed=seed)
        self.replay = EpisodeReplay(min(config.capacity, config.steps), self.spaces.states, self.spaces.actions, device=device,
                                    seed=seed)
        self.steps = self.updates = self.episodes = 0
        self.metrics: dict[str, Tensor] = {}
        self._shown = shown
        self._random = np.random.default_rng(seed)
        self._wandering, self._way = 0, np.zeros(self.spaces.actions, np.float32)  # steps left, and the action

    def episode(self, after_update: Callable[[Transitions], object] = lambda batch: None) -> Segment:
        """One episode: each step is followed by the updates that are due. It is cut off when `config.steps` are over.

        Args:
            after_update: told the batch of each update, with the reward that was learned from.

        Returns:
            The episode's name and length.

        Raises:
            DataError: the environment gave NaN or infinite numbers.
        """
        name = f"{self.name}-{self.episodes}"
        self.replay.begin(name)
        observation, _ = self.env.reset(seed=start_seed(learning_stream(self.seed), self.episodes))
        state, length, over = vector(observation), 0, False
        self.episodes += 1
        self._wandering = 0
        while not over and length < self.config.longest and self.steps < self.config.steps:
            action = self._explore(state)
            observation, reward, terminated, truncated, info = self.env.step(self.spaces.action(action))
            after = vector(observation)
            try:
                self.replay.add(state, info.get(DONE, action), float(reward), after, terminated=terminated)
            except DataError as error:
                raise DataError(f"Step {length} of episode {name}: {error.what}", valid=error.valid,
                                next_step="Mend the environment: it must give finite numbers of its own sizes.") from None
            state, over = after, terminated or truncated
            length += 1
            self.steps += 1
            while self.updates < self.config.updates_per_step * (self.steps - self.config.start_steps):
                after_update(self.update())
        return Segment(name, 0, length)

    def advance(self) -> None:
        """An episode."""
        self.episode()

    def sample(self) -> Transitions:
        """A batch with the present reward."""
        count = self.config.sac.batch
        some = round(self.config.shown * count) if self._shown is not None else 0
        batch = self.replay.sample(count - some)
        if self._shown is not None and some:
            drawn = torch.randint(len(self._shown.rows), (some,), generator=self.replay.generator, device=batch.rows.device)
            batch = Transitions(torch.cat([batch.rows, self._shown.rows[drawn]]), batch.states, batch.actions)
        if self.reward is not None:
            batch.reward.copy_(self.reward(batch))  # its rows are a copy
        return batch

    def update(self) -> Transitions:
        """One update of the policy; returns its batch."""
        batch = self.sample()
        self.metrics = self.agent.update(batch)
        self.updates += 1
        return batch

    def state(self) -> dict[str, Any]:
        """All that learning goes on from, between episodes, as tensors and plain values; `torch.save` writes it."""
        agent = self.agent
        modules = {name: getattr(agent, name).state_dict() for name in _MODULES}
        return {"modules": modules, "temperature": agent.log_temperature.detach(), "replay": self.replay.state(),
                "optimisers": {name: getattr(agent, name).state_dict() for name in _OPTIMISERS},
                "counters": [self.steps, self.updates, self.episodes],
                "random": {"torch": torch.get_rng_state(), "actions": self._random.bit_generator.state}}

    def restore(self, state: dict[str, Any]) -> None:
        """Goes on from what `state` of a loop with the same configuration gave."""
        agent = self.agent
        for name in _MODULES:
            getattr(agent, name).load_state_dict(state["modules"][name])
        for name in _OPTIMISERS:
            getattr(agent, name).load_state_dict(state["optimisers"][name])
        with torch.no_grad():
            agent.log_temperature.copy_(state["temperature"])
        self.replay.restore(state["replay"])
        self.steps, self.updates, self.episodes = state["counters"]
        torch.set_rng_state(state["random"]["torch"].cpu())
        self._random.bit_generator.state = state["random"]["actions"]

    def best(self, state: NDArray[np.float32]) -> NDArray[np.float32]:
        """The most likely action: what is evaluated and deployed, see `Act`."""
        return self.agent.act(state, explore=False)

    def _explore(self, state: NDArray[np.float32]) -> NDArray[np.float32]:
        starting, wander = self.steps < self.config.start_steps, self.config.wander
        if self._wandering:
            self._wandering -= 1
            return self._way
        if starting or (wander and self._random.random() < wander):
            self._way = self._random.uniform(-1.0, 1.0, self.spaces.actions).astype(np.float32)
            self._wandering = min(self._random.zipf(WANDER_TAIL), WANDER_LONGEST) - 1 if wander else 0
            return self._way
        return self.agent.act(state, explore=True)


@dataclass(frozen=True)
class Outcome:
    """What an episode truly came to.

    Attributes:
        total: return, the environment's own and without discount.
        success: whether the goal held at its end; None where the environment's `info` does not say so.
    """

    total: float
    success: bool | None


def outcomes(env: Env, act: Act, seeds: Iterable[int], *, longest: int = 1_000) -> list[Outcome]:
    """Of an episode from each seed.

    Args:
        env: not the one that is learned in, whose episode may be under way.
        act: such as `StateLoop.best`.
        seeds: of the start states; `start_seeds` gives those that learning does not see.
        longest: episodes are cut off then [steps].
    """
    scale, found = Spaces.of(env), list[Outcome]()
    for seed in seeds:
        observation, info = env.reset(seed=int(seed))
        total, length, over = 0.0, 0, False
        while not over and length < longest:
            observation, reward, terminated, truncated, info = env.step(scale.action(act(vector(observation))))
            total, length, over = total + float(reward), length + 1, terminated or truncated
        found.append(Outcome(total, bool(info["success"]) if "success" in info else None))
    return found


def evaluate(env: Env, act: Act, seeds: Iterable[int], *, longest: int = 1_000) -> list[float]:
    """True returns, see `outcomes`."""
    return [one.total for one in outcomes(env, act, seeds, longest=longest)]


def start_seeds(seed: int, episodes: int) -> list[int]:
    """Seeds of start states for evaluating what learned with `seed`."""
    return [start_seed(evaluation_stream(seed), episode) for episode in range(episodes)]


def vector(observation: Any) -> NDArray[np.float32]:
    """An observation as the replay holds it, float32 (S,)."""
    return np.asarray(observation, np.float32)
