"""What `policies/dagger.py` and `policies/hg_dagger.py` need of the simulator: behaviour cloning from images, rounds of episodes,
and an expert who labels each state, or who watches and takes over.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import count

import numpy as np
import torch
from numpy.typing import NDArray

from rewardbot.data.takeovers import steps_taken_over
from rewardbot.policies.base import DeployedPolicy, policy_to_bytes
from rewardbot.policies.bc import BCConfig, BehaviourCloning, DemonstrationSet, cloning_loss, demonstration_set, join
from rewardbot.robots.demonstrators import ScriptedDemonstrator
from rewardbot.robots.hand import HESITATION, NOISE
from rewardbot.robots.mujoco import MujocoRobot
from rewardbot.robots.start_states import start_seed
from rewardbot.robots.takeovers import WatchingOperator
from rewardbot.training.collect import run_episode
from rewardbot.types import Episode, EpisodeInfo, Observation


class Imitation:
    """The expert and the learner of DAgger in one simulated cell. Its methods are what the loops of `policies` ask for.

    Args:
        config: behaviour cloning of a later round, which goes on from the policy of the round before.
        cloning: the policy of round 0, trained on the demonstrations.
        robot: the simulator.
        stream: stream of start states; each is used once, also for validation.
        episodes: how many a round has.
        noise: tremor of the expert's hand.
        seed: of the tremor, of who acts, and of batches.
        take: gets each episode that `supervise` ran.

    Attributes:
        steps: of all episodes so far.
        tried: whether each episode that was the policy's own truly succeeded without help: for people, nothing learns from it.
    """

    def __init__(
        self, config: BCConfig, cloning: BehaviourCloning, robot: MujocoRobot, *, stream: int, episodes: int = 10,
        noise: float = NOISE, hesitation: float = HESITATION, seed: int = 0, take: Callable[[Episode], object] = lambda episode: None,
    ) -> None:
        self.config, self.robot, self.stream, self.episodes, self._take = config, robot, stream, episodes, take
        self._cloning, self._fitted, self._indices = cloning, False, count()
        self.steps, self.tried = 0, list[bool]()
        self._expert = ScriptedDemonstrator(robot, noise=noise, hesitation=0.0, seed=seed)  # he says what is right, and need not act
        self._operator = WatchingOperator(robot, noise=noise, hesitation=hesitation, seed=seed)
        self._device = next(cloning.parameters()).device
        self._rng = np.random.default_rng(seed)
        self._generator = torch.Generator(device=self._device).manual_seed(seed)

    def fit(self, data: Sequence[DemonstrationSet]) -> BehaviourCloning:
        """Behaviour cloning on all of `data`; at first, when there are the demonstrations only, that of round 0."""
        if self._fitted:
            self._cloning = copy.deepcopy(self._cloning)
            self._cloning.config = self.config
            self._cloning.fit(join(data), lambda share: None, self._generator)
        self._fitted = True
        return self._cloning

    def collect(self, cloning: BehaviourCloning, beta: float) -> list[DemonstrationSet]:
        """DAgger's episodes: in each step the expert acts with probability `beta`, and says what he would do in any case."""
        return [self._labelled(cloning, beta, self._start()) for _ in range(self.episodes)]

    def supervise(self, cloning: BehaviourCloning) -> list[DemonstrationSet]:
        """HG-DAgger's episodes: the steps in which the operator had taken over, of those in which he did."""
        policy, corrected = deployed(cloning, self.robot), []
        for _ in range(self.episodes):
            episode, truth = run_episode(self.robot, policy.act, self._start(), self._operator)
            self._take(episode)
            taken = steps_taken_over(episode.info, len(episode))
            self.steps += len(episode)
            self.tried.append(bool(truth[-1]) and not taken.any())
            if taken.any():
                corrected.append(demonstration_set(episode, cloning.encoder.names, self._device, taken))
        return corrected

    @torch.no_grad()
    def loss(self, cloning: BehaviourCloning) -> float:
        """How far the policy is from the expert in the states of its own episodes, which nobody trains on: DAgger's validation."""
        data = join([self._labelled(cloning, 0.0, self._start()) for _ in range(self.episodes)])
        return cloning_loss(cloning.policy.mode(cloning.encoder(data.images), data.proprio), data.actions).item()

    def _labelled(self, cloning: BehaviourCloning, beta: float, info: EpisodeInfo) -> DemonstrationSet:
        policy = deployed(cloning, self.robot)
        labels: list[NDArray[np.float32]] = []

        def act(observation: Observation) -> NDArray[np.float32]:
            labels.append(self._expert.act())
            return labels[-1] if self._rng.random() < beta else policy.act(observation)

        self._expert.begin_episode(info.seed or 0)
        episode, truth = run_episode(self.robot, act, info)
        self.steps += len(episode)
        if beta == 0.0:
            self.tried.append(bool(truth[-1]))
        return demonstration_set(replace(episode, applied=np.stack(labels)), cloning.encoder.names, self._device)

    def _start(self) -> EpisodeInfo:
        """The next episode."""
        task, index = self.robot.task_name, next(self._indices)
        seed = start_seed(self.stream, index)
        return EpisodeInfo(f"{task}-policy-{self.stream}-{index}", task, self.robot.contract.name, "policy", seed=seed)


def deployed(cloning: BehaviourCloning, robot: MujocoRobot) -> DeployedPolicy:
    """A cloned policy as it runs on a robot."""
    return DeployedPolicy(imitation_weights({"rl": cloning}, robot, "bc"))


def imitation_weights(actors: Mapping[str, BehaviourCloning], robot: MujocoRobot, learner: str) -> bytes:
    """Cloned policies by the names of their actors, for `DeployedPolicy`; `rl` is what `learner` has come to."""
    cameras = {name: (camera.height, camera.width) for name, camera in robot.contract.cameras.items()}
    description = {"version": 1, "task": robot.task_name, "cameras": cameras, "robot": robot.contract.name, "learner": learner}
    return policy_to_bytes({name: cloning.encoder for name, cloning in actors.items()},
                           {name: (name, cloning.policy) for name, cloning in actors.items()}, description)
