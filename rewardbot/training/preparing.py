"""Everything that can be known before a long job begins: resolved settings, usable demonstrations, the run folder."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from rewardbot import registry
from rewardbot.config import from_mapping, merge, names_in, read_yaml, settings_files, to_mapping
from rewardbot.data.episodes import list_episodes, read_demonstrations
from rewardbot.errors import ConfigError, DataError, unknown_name
from rewardbot.robots.rendering import check_rendering
from rewardbot.robots.robot import RobotContract, load_contract
from rewardbot.robots.tasks import load_task
from rewardbot.training.files import storing, write_atomic
from rewardbot.training.learner import LearnerConfig
from rewardbot.training.options import SETTINGS_FILES, JobOptions
from rewardbot.training.run import LEARNER, RunFolder, learner_yaml


def prepare(options: JobOptions, command: str = "demo") -> tuple[JobOptions, RunFolder]:
    """Checks everything that can be checked before a long job, and makes its run folder.

    The resolved settings of the learner are in `learner.yaml` there, which the returned options name as their `config`.
    Recorded demonstrations that were named are linked to `demonstrations/` there.

    Raises:
        ConfigError: unknown task, robot or algorithm, or a wrong setting.
        MissingSystemLibrary: nothing can be drawn here.
        DataError: demonstrations that cannot be used.
        StorageError: the run folder cannot be made.
    """
    load_task(options.task)
    contract = load_contract(options.robot)
    config = learner_config(options)
    check_rendering()
    bags: list[Path] = []
    if options.demonstrations:
        bags = _usable_demonstrations(Path(options.demonstrations).expanduser(), options, contract)
        options = dataclasses.replace(options, demos=len(bags))
    settings = {"command": command, "options": to_mapping(options), "robot": to_mapping(contract), "learner": to_mapping(config)}
    run = RunFolder.create(Path(options.run_dir), options.task, options.seed, settings)
    write_atomic(run.path / LEARNER, learner_yaml(to_mapping(config)))
    if bags:
        with storing(run.path):
            (run.path / "demonstrations").mkdir()
            for bag in bags:
                (run.path / "demonstrations" / bag.name).symlink_to(bag.resolve(), target_is_directory=True)
        options = dataclasses.replace(options, demonstrations=str(run.path / "demonstrations"))
    return dataclasses.replace(options, config=str(run.path / LEARNER)), run


def learner_config(options: JobOptions) -> LearnerConfig:
    """The learner's settings: its defaults, then each of `SETTINGS_FILES`. Algorithms that can be named here have a file there.

    Raises:
        ConfigError: unknown algorithm, unreadable file, wrong key, type or value.
    """
    if registry.check("policy", options.policy) not in (learners := names_in("policies")):
        raise ConfigError(f"Policy algorithm '{options.policy}' does not learn from images and a learned reward.",
                          valid=f"--policy takes: {', '.join(learners)}.",
                          next_step="bc is evaluated beside it in any case; sac, from state vectors, is for programs of yours.")
    if options.reward and registry.check("reward", options.reward) not in (rewards := names_in("rewards")):
        raise unknown_name("reward algorithm for this job", options.reward, rewards)
    values: dict[str, Any] = {}
    for path in settings_files(SETTINGS_FILES, to_mapping(options)):
        settings = read_yaml(path)
        from_mapping(LearnerConfig, settings, where=path.name)  # so that a mistake is reported with its file
        values = merge(values, settings)
    return from_mapping(LearnerConfig, values)


def _usable_demonstrations(folder: Path, options: JobOptions, contract: RobotContract) -> list[Path]:
    """The bags of the folder's successful demonstrations, all read once, so that a broken one shows now."""
    if not folder.is_dir():
        raise DataError(f"There is no folder {folder}.", next_step="--demonstrations names a folder of recorded episodes.")
    used = {episode.info.id for episode in read_demonstrations(folder, contract, options.task)}
    bags = [path for path in list_episodes(folder) if path.name in used]
    if len(bags) < 2:
        raise DataError(f"{folder} holds {len(bags)} successful demonstrations of '{options.task}'.",
                        valid="At least 2 are needed, 30 are good.")
    return bags
