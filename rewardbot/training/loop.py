"""Learning in one process, without ROS: collect an episode, then update until the updates have caught up."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

import numpy as np

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
from rewardbot.training.rates import JUDGED, RECENT, error_rates
from rewardbot.types import EpisodeInfo, Metrics

UPDATES_PER_STEP = 1.0
CHECKPOINT_EVERY_S = 10.0

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
        report: told the metrics after each episode.
    """
    curve, episode_index = Curve(), max(0, learner.last_seed - start_seed(stream, 0) + 1) + parallel.rank()
    now = saved_at = time.monotonic()
    while steps is None or learner.env_steps < steps:
        over = learner.learn_s >= seconds or (until_converged and learner.converged)
        if parallel.any_of(over, learner.device):
            break
        policy = DeployedPolicy(learner.policy_weights())
        seed = start_seed(stream, episode_index)
        policy.begin_episode(seed)
        info = EpisodeInfo(f"{learner.task}-policy-{stream}-{episode_index}", learner.task, robot.contract.name, "policy",
                           seed=seed, policy_version=policy.version)
        episode, truth = run_episode(robot, lambda o, policy=policy: policy.act(o, explore=True), info, operator)
        if isinstance(learner, OracleLearner):
            learner.add_scored(episode, truth)
        else:
            learner.add_episode(episode)
        if checkpoints is not None:
            checkpoints.keep(learner, episode.info)
        episode_index += parallel.processes()
        metrics: Metrics = {}
        while learner.agent.updates < updates_per_step * learner.env_steps:
            metrics = learner.update()
            if metrics["waiting"]:
                break
        before, now = now, time.monotonic()
        learner.learn_s += now - before
        if checkpoints is not None and now - saved_at >= CHECKPOINT_EVERY_S and checkpoints.snapshot(learner):
            saved_at = now
        curve.takeovers.append(len(episode.info.extra.get(TAKEOVERS, ())))
        curve.truth.append(bool(truth[-1]) and not curve.takeovers[-1])
        curve.judged.append(bool(learner.judged[-1] > THRESHOLD))
        if len(curve.truth) % 5 == 0:
            recent = float(np.mean(curve.truth[-RECENT:]))
            curve.points.append((round(learner.learn_s, 1), learner.env_steps, recent))
            alone = [(judged, true) for judged, true, helped in zip(curve.judged, curve.truth, curve.takeovers, strict=True)
                     if not helped]
            rates = asdict(error_rates(alone[-JUDGED:]))
            known = {name: rate for name, rate in rates.items() if rate is not None}
            if operator is not None:
                minutes = len(curve.takeovers[-RECENT:]) * len(episode) / robot.contract.control_hz / 60.0
                known["takeovers_per_minute"] = sum(curve.takeovers[-RECENT:]) / minutes
            report({**metrics, "true_success": recent, **known}, learner.env_steps)
    return curve
