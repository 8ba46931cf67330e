"""The learners that imitate an operator, by name: behaviour cloning, filtered behaviour cloning, DAgger and HG-DAgger."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import takewhile
from statistics import mean

import torch

from rewardbot.data.takeovers import TAKEOVERS
from rewardbot.policies.bc import BehaviourCloning, DemonstrationSet, demonstration_set, join
from rewardbot.policies.dagger import dagger, geometric
from rewardbot.policies.filtered_bc import top_share
from rewardbot.policies.hg_dagger import hg_dagger
from rewardbot.robots.mujoco import MujocoRobot
from rewardbot.robots.start_states import learning_stream
from rewardbot.training.device import choose, memory
from rewardbot.training.imitation import Imitation
from rewardbot.training.learner_config import LearnerConfig
from rewardbot.training.options import FILTERED, ROUNDS, JobOptions
from rewardbot.training.rates import RECENT, takeovers_per_minute
from rewardbot.types import PROPRIO_NAMES, Episode, Metrics

CLONED = "bc_tuned"
"""The actor that was cloned from all demonstrations alike."""

MOST_ROUNDS, ROUND_EPISODES, ROUND_UPDATES = 10, 5, 100

EXPERT = 0.5
"""p of DAgger: in round i the expert acts with probability p^i."""


class Imitator:
    """Learns what `options.policy` learns.

    Args:
        config: of behaviour cloning, of the device and, where the options do not say it, of the longest time.
        options: of the job.
        robot: the simulator, in which the simulated operator is at hand.
        progress: told what goes on, and the share of it that is done.
        report: told the metrics after each round, the environment steps, and the time of learning [s].

    Attributes:
        steps: in the environment so far.
        rounds, most_rounds: done, and those that it does when time allows; 0 of learners that do not go in rounds.
    """

    def __init__(
        self, config: LearnerConfig, options: JobOptions, robot: MujocoRobot, progress: Callable[[str, float], None],
        report: Callable[[Metrics, int, float], None],
    ) -> None:
        self._config, self._options, self._robot, self._progress, self._report = config, options, robot, progress, report
        self._device = choose(config.device)
        self._limit_s = 60.0 * (options.minutes or config.minutes)
        self._started = time.monotonic()
        self._takeovers: list[int] = []
        self.steps = self.rounds = 0
        self.most_rounds = (options.rounds or MOST_ROUNDS) if options.policy in ROUNDS else 0

    @property
    def seconds(self) -> float:
        """Time of learning so far [s]."""
        return time.monotonic() - self._started

    @memory("bc.batch")
    def learn(self, shown: Sequence[Episode]) -> dict[str, BehaviourCloning]:
        """The policy `rl`, which is what was learned, and `CLONED`, which comes of the same demonstrations without more ado.

        Args:
            shown: successful demonstrations; of filtered behaviour cloning also others, each with a verdict.
        """
        sets = [demonstration_set(episode, self._robot.contract.cameras, self._device) for episode in shown]
        cloned = self._clone(join(sets), CLONED)
        if self._options.policy == FILTERED:
            verdicts = torch.tensor([float(episode.info.success or 0.0) for episode in shown for _ in range(len(episode))])
            weights = top_share(verdicts, 1.0 / len(verdicts)).to(self._device)  # the best, and all as good: each success
            return {"rl": self._clone(replace(join(sets), weights=weights), FILTERED), CLONED: cloned}
        learned = self._in_rounds(cloned, sets) if self._options.policy in ROUNDS else cloned
        return {"rl": copy.deepcopy(learned), CLONED: cloned}  # DAgger's best may be the first

    def _clone(self, data: DemonstrationSet, stage: str) -> BehaviourCloning:
        torch.manual_seed(self._options.seed)
        contract, generator = self._robot.contract, torch.Generator(device=self._device).manual_seed(self._options.seed)
        cameras = {name: (camera.height, camera.width) for name, camera in contract.cameras.items()}
        cloning = BehaviourCloning(self._config.bc, cameras, len(PROPRIO_NAMES), contract.action_dim).to(self._device)
        cloning.fit(data, lambda share: self._progress(stage, share), generator)
        return cloning

    def _in_rounds(self, cloned: BehaviourCloning, sets: Sequence[DemonstrationSet]) -> BehaviourCloning:
        options = self._options
        cell = Imitation(
            replace(self._config.bc, steps=ROUND_UPDATES), cloned, self._robot, stream=learning_stream(options.seed),
            episodes=ROUND_EPISODES, noise=options.noise, hesitation=options.hesitation, seed=options.seed,
            take=lambda episode: self._takeovers.append(len(episode.info.extra.get(TAKEOVERS, ()))))
        self._tell(cell, 0, {})
        if options.policy == "dagger":
            rounds = iter(range(self.most_rounds + 1))

            def validate(policy: BehaviourCloning) -> float:
                loss = cell.loss(policy)
                self._tell(cell, next(rounds), {"validation_loss": loss})
                return loss

            betas = takewhile(lambda beta: self.seconds < self._limit_s, geometric(EXPERT, self.most_rounds))
            return dagger(sets, cell.fit, cell.collect, validate, betas)
        policies = hg_dagger(sets, cell.fit, cell.supervise)
        policy = next(policies)
        for number in range(1, self.most_rounds + 1):
            if self.seconds >= self._limit_s:
                break
            policy = next(policies)
            self._tell(cell, number, self._per_minute())
        return policy

    def _per_minute(self) -> Metrics:
        episode_s = self._robot.task.horizon / self._robot.contract.control_hz
        return {"takeovers_per_minute": takeovers_per_minute(self._takeovers, episode_s)} if self._takeovers else {}

    def _tell(self, cell: Imitation, number: int, found: Metrics) -> None:
        self.steps, self.rounds, most = cell.steps, number, self.most_rounds
        if cell.tried:
            self._report({"true_success": mean(cell.tried[-RECENT:]), **found}, self.steps, self.seconds)
        self._progress(f"round {number + 1} of {most}" if number < most else "the last round", number / most)
