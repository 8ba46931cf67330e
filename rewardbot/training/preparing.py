"""Everything that can be known before a long job begins: resolved settings, usable demonstrations, the run folder.

What imports torch is imported inside, so that a wrong name is answered at once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rewardbot import registry
from rewardbot.config import from_mapping, merge, names_in, read_yaml, settings_files, to_mapping, user_path
from rewardbot.data.demonstrations import read_demonstrations, read_judged
from rewardbot.data.episodes import DEMONSTRATIONS, list_episodes
from rewardbot.data.success_images import (
    NOT,
    SUCCESS_IMAGES,
    read_other_images,
    read_success_images,
    write_success_images,
)
from rewardbot.errors import ConfigError, DataError, unknown_name
from rewardbot.robots.rendering import check_rendering
from rewardbot.robots.robot import RobotContract, load_contract
from rewardbot.robots.tasks import load_task
from rewardbot.training.files import storing, write_atomic
from rewardbot.training.options import (
    FILTERED,
    IMITATORS,
    ROUNDS,
    SETTINGS_FILES,
    TAKEOVERS,
    WITHOUT_DEMONSTRATIONS,
    JobOptions,
)
from rewardbot.training.run import LEARNER, RunFolder, learner_yaml

if TYPE_CHECKING:
    from rewardbot.training.learner_config import LearnerConfig


def prepare(
    options: JobOptions, command: str = "demo", last_check: Callable[[], None] = lambda: None
) -> tuple[JobOptions, RunFolder]:
    """Checks everything that can be checked before a long job, `last_check` when all else is well, and makes its run folder.

    The resolved settings of the learner are in `learner.yaml` there, which the returned options name as their `config`.
    Recorded demonstrations that were named are linked to `demonstrations/` there.

    Raises:
        ConfigError: unknown task, robot or algorithm, or a wrong setting.
        MissingSystemLibrary: nothing can be drawn here.
        DataError: demonstrations that cannot be used.
        StorageError: the run folder cannot be made.
    """
    _check_policy(options, command)
    _check_sources(options)
    if options.takeovers and command != "train":
        raise ConfigError("--takeovers is for `rewardbot train`.",
                          next_step="Over ROS, take over yourself: with teleop_node beside the graph.")
    horizon = load_task(options.task).horizon
    if not options.demos:
        _check_play(options, horizon)
    contract = load_contract(options.robot)
    config = learner_config(options)
    check_rendering()
    shown = user_path(options.success_images) if options.success_images else None
    images = read_success_images(shown, contract) if shown else {}
    others = read_other_images(shown, contract) if shown else {}
    bags: list[Path] = []
    if options.demonstrations:
        bags = _usable_demonstrations(user_path(options.demonstrations), options, contract)
        options = dataclasses.replace(options, demos=len(bags))
    last_check()
    settings = {"command": command, "options": to_mapping(options), "robot": to_mapping(contract), "learner": to_mapping(config)}
    run = RunFolder.create(Path(options.run_dir), options.task, options.seed, settings)
    write_atomic(run.path / LEARNER, learner_yaml(to_mapping(config)))
    if images:
        with storing(run.path):
            write_success_images(run.path / SUCCESS_IMAGES, images)
            write_success_images(run.path / SUCCESS_IMAGES / NOT, others)
    if bags:
        with storing(run.path):
            (run.path / DEMONSTRATIONS).mkdir()
            for bag in bags:
                (run.path / DEMONSTRATIONS / bag.name).symlink_to(bag.resolve(), target_is_directory=True)
        options = dataclasses.replace(options, demonstrations=str(run.path / DEMONSTRATIONS))
    return dataclasses.replace(options, config=str(run.path / LEARNER)), run


def learner_config(options: JobOptions) -> LearnerConfig:
    """The learner's settings: its defaults, then each of `SETTINGS_FILES`.

    Raises:
        ConfigError: unknown reward, unreadable file, wrong key, type or value.
    """
    if options.reward and options.reward not in (rewards := names_in("rewards")):
        raise unknown_name("reward algorithm", options.reward, rewards)
    from rewardbot.training.learner_config import LearnerConfig

    values: dict[str, Any] = {}
    ours, of_the_user = SETTINGS_FILES[:2], SETTINGS_FILES[2:]
    special = [name for name, asked in ((WITHOUT_DEMONSTRATIONS, not options.demos), (TAKEOVERS, options.takeovers)) if asked]
    given = to_mapping(options) | ({"policy": ""} if options.policy in IMITATORS else {})  # they have no file
    for path in settings_files((*ours, *special, *of_the_user), given):
        settings = read_yaml(path)
        from_mapping(LearnerConfig, settings, where=path.name)  # so that a mistake is reported with its file
        values = merge(values, settings)
    return from_mapping(LearnerConfig, values)


def _check_policy(options: JobOptions, command: str) -> None:
    """Refuses a policy algorithm that does not learn in this way, and options that it has no use for."""
    learners, policy = names_in("policies"), registry.check("policy", options.policy)
    valid = f"--policy takes: {', '.join(learners)}; of `rewardbot train` also {', '.join(IMITATORS)}."
    if policy not in (*learners, *IMITATORS):
        raise ConfigError(f"Policy algorithm '{policy}' does not learn from images.", valid=valid,
                          next_step=f"rewardbot train --env NAME --policy {policy} --help is about state vectors.")
    if policy not in IMITATORS:
        if options.rounds:
            raise ConfigError(f"--rounds is not for '{policy}'.", valid=f"{' and '.join(ROUNDS)} go in rounds.",
                              next_step="Leave it out.")
        return
    if command != "train":
        raise ConfigError(f"'{policy}' learns in one process only.", valid=valid,
                          next_step=f"rewardbot train --task {options.task} --policy {policy}")
    useless = {"--demos 0": not options.demos, "--success-images": options.success_images, "--reward": options.reward,
               "--compare": options.compare, "--takeovers": options.takeovers,
               "--rounds": options.rounds and policy not in ROUNDS}
    if named := [name for name, given in useless.items() if given]:
        takes = "demonstrations and takeovers" if policy == "hg_dagger" else "demonstrations"
        raise ConfigError(f"'{policy}' imitates an operator: {' and '.join(named)} cannot be used.",
                          valid=f"It learns from {takes}. --policy {', '.join(learners)} learns from rewards and success images.",
                          next_step="Leave them out, or name another policy.")


def _check_sources(options: JobOptions) -> None:
    """Refuses options that contradict each other about what the goal is learned from."""
    if not options.demos and not options.success_images:
        raise ConfigError("--demos is 0.",
                          valid="It must be at least 2 (--demonstrations DIR takes recorded ones), or 0 with --success-images DIR.",
                          next_step="rewardbot success-images DIR takes such images in simulation.")
    if options.demos == 1:
        raise ConfigError("--demos is 1.", valid="It must be at least 2: one to learn the goal from and one to check it.")
    if not options.demos and options.compare:
        raise ConfigError("--compare needs demonstrations: its rewards are made from them.", next_step="Leave it out.")
    if not options.demos and options.demonstrations:
        raise ConfigError("--demonstrations and --demos 0 contradict each other.", next_step="Leave one of them out.")


def _check_play(options: JobOptions, horizon: int) -> None:
    """Refuses less play than the learner takes; episodes have `horizon` steps."""
    from rewardbot.rewards.vice import MINIMUM

    if options.play * horizon < MINIMUM:
        steps = f"{options.play * horizon} steps of '{options.task}'"
        raise ConfigError(f"--play is {options.play}: {steps}, too few to learn to see from.",
                          valid=f"At least {-(-MINIMUM // horizon)} episodes, {MINIMUM} steps; {JobOptions.play} are good.")


def _usable_demonstrations(folder: Path, options: JobOptions, contract: RobotContract) -> list[Path]:
    """The bags of the folder's episodes that the learner uses, all read once, so that a broken one shows now."""
    if not folder.is_dir():
        raise DataError(f"There is no folder {folder}.", next_step="--demonstrations names a folder of recorded episodes.")
    read, what = read_demonstrations, "successful demonstrations"
    if options.policy == FILTERED:
        read, what = read_judged, "judged episodes"
    used = {episode.info.id for episode in read(folder, contract, options.task)}
    bags = [path for path in list_episodes(folder) if path.name in used]
    if len(bags) < 2:
        raise DataError(f"{folder} holds {len(bags)} {what} of '{options.task}'.",
                        valid="At least 2 are needed, 30 are good.")
    return bags
