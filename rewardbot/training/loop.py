"""Learning in one process, without ROS: collect an episode, then update until the updates have caught up."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

import numpy as np
from numpy.typing import NDArray

from rewardbot.data.takeovers import TAKEOVERS
from rewardbot.nets import parallel
from rewardbot.policies.base import DeployedPolicy
from rewardbot.rewards.goal_classifier import THRESHOLD
from rewardbot.robots.mujoco import MujocoRobot
from rewardbot.robots.start_states import start_seed
from rewardbot.robots.takeovers import WatchingOperator
from rewardbot.training.checkpoint import Checkpoints
from rewardbot.training.collect import run_episode
from rewardbot.training.learner import Learner
from rewardbot.training.oracle import OracleLearner
from rewardbot.training.rates import JUDGED, RECENT, error_rates, takeovers_per_minute
from rewardbot.types import Episode, EpisodeInfo, Metrics

UPDATES_PER_STEP = 1.0
CHECKPOINT_EVERY_S = 10.0
REPORT_EVERY = 5
"""Episodes between two reports."""

Report = Callable[[Metrics, int], None]


@dataclass
class Curve:
    """What learning looked like; true success is recorded beside, for people.

    Attributes:
        points: [seconds of learning, steps, true success of the last episodes].
        judged: the classifier's verdict on each episode.
        truth: whether the policy truly succeeded in each; not where it needed help.
        takeovers: how often an operator took over in each.
    """

    points: list[tuple[float, int, float]] = field(default_factory=list)
    judged: list[bool] = field(default_factory=list)
    truth: list[bool] = field(default_factory=list)
    takeovers: list[int] = field(default_factory=list)

    def add(self, episode: Episode, *, judged: bool, truth: bool) -> None:
        """Takes an episode that is over: the classifier's verdict, and true success at its last step."""
        self.takeovers.append(len(episode.info.extra.get(TAKEOVERS, ())))
        self.truth.append(truth and not self.takeovers[-1])
        self.judged.append(judged)

    def rates(self) -> Metrics:
        """True success of the last episodes, and the classifier's error rates in those that the policy went alone, where known."""
        alone = [(judged, true) for judged, true, helped in zip(self.judged, self.truth, self.takeovers, strict=True) if not helped]
        wrong = {name: rate for name, rate in asdict(error_rates(alone[-JUDGED:])).items() if rate is not None}
        return {"true_success": float(np.mean(self.truth[-RECENT:])), **wrong}


def learn(
    learner: Learner, robot: MujocoRobot, *, stream: int, seconds: float = float("inf"), steps: int | None = None,
    until_converged: bool = False, updates_per_step: float = UPDATES_PER_STEP, operator: WatchingOperator | None = None,
    checkpoints: Checkpoints | None = None, report: Report = lambda metrics, steps: None,
) -> Curve:
    """Collects an episode, then updates until the updates have caught up with the steps; until time or steps are over. What a
    learner that was restored has done already counts.

    Args:
        learner: pretrained.
        robot: the simulator.
        stream: stream of start states.
        seconds: longest time [s].
        steps: most environment steps.
        until_converged: end as soon as the learner has converged.
        updates_per_step: updates to catch up to.
        operator: who watches and takes over, if anybody does.
        checkpoints: where episodes go at once, and the learner every few seconds.
        report: told the metrics every few episodes, and the environment steps so far.
    """
    curve, index = Curve(), max(0, learner.last_seed - start_seed(stream, 0) + 1) + parallel.rank()
    now = saved_at = time.monotonic()
    while steps is None or learner.env_steps < steps:
        over = learner.learn_s >= seconds or (until_converged and learner.converged)
        if parallel.any_of(over, learner.device):
            break
        episode, truth = _explore(learner, robot, stream, index, operator)
        index += parallel.processes()
        _add(learner, episode, truth)
        if checkpoints is not None:
            checkpoints.keep(learner, episode.info)
        metrics = _catch_up(learner, updates_per_step)
        before, now = now, time.monotonic()
        learner.learn_s += now - before
        if checkpoints is not None and now - saved_at >= CHECKPOINT_EVERY_S and checkpoints.snapshot(learner):
            saved_at = now
        curve.add(episode, judged=bool(learner.judged[-1] > THRESHOLD), truth=bool(truth[-1]))
        if len(curve.truth) % REPORT_EVERY == 0:
            rates = curve.rates()
            if operator is not None:
                rates["takeovers_per_minute"] = takeovers_per_minute(curve.takeovers, len(episode) / robot.contract.control_hz)
            curve.points.append((round(learner.learn_s, 1), learner.env_steps, rates["true_success"]))
            report({**metrics, **rates}, learner.env_steps)
    return curve


def _explore(
    learner: Learner, robot: MujocoRobot, stream: int, index: int, operator: WatchingOperator | None
) -> tuple[Episode, NDArray[np.bool_]]:
    """An episode of the present policy, and true success at each of its T + 1 observations, bool (T + 1,)."""
    policy, seed = DeployedPolicy(learner.policy_weights()), start_seed(stream, index)
    policy.begin_episode(seed)
    info = EpisodeInfo(f"{learner.task}-policy-{stream}-{index}", learner.task, robot.contract.name, "policy",
                       seed=seed, policy_version=policy.version)
    return run_episode(robot, lambda observation: policy.act(observation, explore=True), info, operator)


def _add(learner: Learner, episode: Episode, truth: NDArray[np.bool_]) -> None:
    """Only the oracle of a comparison is told the truth."""
    if isinstance(learner, OracleLearner):
        learner.add_scored(episode, truth)
    else:
        learner.add_episode(episode)


def _catch_up(learner: Learner, updates_per_step: float) -> Metrics:
    """Updates until there were so many for each step, or until the learner waits; returns the metrics of the last, if any."""
    metrics: Metrics = {}
    while learner.agent.updates < updates_per_step * learner.learning_steps:
        metrics = learner.update()
        if metrics["waiting"]:
            break
    return metrics
