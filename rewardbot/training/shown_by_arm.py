"""Demonstrations of the arm's tasks as state vectors: by the simulated operator, or recorded over cameras, by whomever."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rewardbot.data.demonstrations import read_demonstrations
from rewardbot.data.state_demonstrations import StateDemonstrations, StateEpisode
from rewardbot.errors import ConfigError, RewardbotError
from rewardbot.robots.demonstrators import ScriptedDemonstrator
from rewardbot.robots.resimulation import Resimulator
from rewardbot.robots.start_states import demonstration_stream, start_seed
from rewardbot.robots.state_env import StateEnv
from rewardbot.training.state_loop import Env, Spaces, make_env, name_of
from rewardbot.training.visiting import visit

MOST = 10_000
"""Demonstrations that one asks an operator for."""


def by_operator(count: int, env: Env, *, seed: int = 0) -> StateDemonstrations:
    """What the simulated operator shows; what did not succeed is done again, as an operator would.

    Args:
        count: how many.
        env: the task's, from its state; it is left as it is.
        seed: of hand and start states, none of which a learner with the same seed begins from.

    Raises:
        ConfigError: none or too many, or an environment that is not the arm's.
        RewardbotError: hardly any succeeds.
    """
    if not 0 < count <= MOST:
        raise ConfigError(f"--demos is {count}.", valid=f"1 to {MOST} demonstrations of the simulated operator.")
    _arm(env)
    own = make_env(name_of(env))
    arm = _arm(own)
    operator = ScriptedDemonstrator(arm.robot, seed=seed)
    shown: list[StateEpisode] = []
    tried = 0
    while len(shown) < count:
        if tried > 3 * count + 10:
            raise RewardbotError(f"The operator succeeded in {len(shown)} of {tried} demonstrations of '{arm.robot.task_name}'.",
                                 next_step="Look at the task's script, or name recorded demonstrations: --demos FOLDER.")
        start = start_seed(demonstration_stream(seed), tried)
        operator.begin_episode(start)
        episode = visit(own, lambda state: operator.act(), start)
        tried += 1
        if arm.robot.true_success():
            shown.append(episode)
    own.close()
    return _of(env, shown)


def recorded(folder: Path, env: Env) -> StateDemonstrations:
    """The successful demonstrations in a folder of bags, simulated again.

    Raises:
        ConfigError: an environment that is not the arm's.
        DataError: no successful demonstration of the task, a damaged one, or one that does not go as it was recorded.
    """
    robot = _arm(env).robot
    own, again = StateEnv(robot.task_name), Resimulator(robot.task_name, robot.contract)
    shown: list[StateEpisode] = []
    for episode in read_demonstrations(folder, robot.contract, robot.task_name, pixels=False):
        truth = again.run(episode)
        assert episode.info.seed is not None, "otherwise it cannot be simulated"
        shown.append(StateEpisode(own.seen(truth.states), np.asarray(episode.applied, np.float32),
                                  truth.rewards.astype(np.float32), False, episode.info.seed))
    own.close()
    again.close()
    return _of(env, shown)


def _arm(env: Env) -> StateEnv:
    arm = env.unwrapped
    if not isinstance(arm, StateEnv):
        raise ConfigError(f"Nobody shows {name_of(env)}, and no bags are of it.", valid="--demos FILE.",
                          next_step="rewardbot eval RUN --demos FILE makes one of a trained policy. A number of demonstrations, or a "
                                    "folder of recorded ones, goes with --task NAME.")
    return arm


def _of(env: Env, episodes: list[StateEpisode]) -> StateDemonstrations:
    sizes = Spaces.of(env)
    return StateDemonstrations(name_of(env), sizes.low.astype(float), sizes.high.astype(float), episodes)
