"""Goes on with the run in a folder: its recorded options, and nothing that has changed since."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

import rewardbot
from rewardbot.config import from_mapping, load, to_mapping
from rewardbot.errors import ConfigError, DataError
from rewardbot.robots.rendering import check_rendering
from rewardbot.robots.robot import load_contract
from rewardbot.robots.tasks import load_task
from rewardbot.training.files import write_atomic
from rewardbot.training.learner_config import LearnerConfig
from rewardbot.training.options import JobOptions
from rewardbot.training.run import CONFIG, LEARNER, RunFolder, learner_yaml
from rewardbot.training.summary import Summary

SUMMARY = "summary.json"
_EXPECTED = {"rewardbot": str, "options": dict, "robot": dict, "learner": dict}


def finished(path: Path, given: Mapping[str, Any]) -> Summary | None:
    """The summary of a run that is over; None for one that can go on.

    Args:
        path: the run folder.
        given: options that were named beside it, which cannot differ from what the run has.

    Raises:
        DataError: there is no run.
        ConfigError: other options than the run's.
    """
    saved = read_config(path, _EXPECTED)
    if given:  # an older version's run may have had other options
        check_given(path, from_mapping(JobOptions, saved["options"], where=CONFIG), given)
    summary = path / SUMMARY
    if not summary.is_file():
        return None
    found = Summary.read(summary)
    compared = len(found.success) > 3
    return None if saved["options"].get("compare") and not compared else found


def reopen(path: Path, given: Mapping[str, Any], command: str) -> tuple[JobOptions, RunFolder]:
    """The options of the run in `path`, and its folder, to go on with.

    Args:
        path: the run folder.
        given: options that were named beside it, which cannot differ from what the run has.
        command: demo or train, which must have begun it.

    Raises:
        DataError: no such run, or one of another version or command.
        ConfigError: other options than the run's, or a robot, settings or demonstrations that have changed since.
        MissingSystemLibrary: nothing can be drawn here.
    """
    saved = read_config(path, _EXPECTED)
    if saved["rewardbot"] != rewardbot.__version__:
        raise DataError(f"The run {path} is of rewardbot {saved['rewardbot']}.", valid=f"This is {rewardbot.__version__}.",
                        next_step=f"Use that version, or begin a new run with --demonstrations {path}/demonstrations.")
    if saved["command"] != command:
        raise DataError(f"The run {path} is one of `rewardbot {saved['command']}`.",
                        next_step=f"rewardbot {saved['command']} --resume {path}")
    options = from_mapping(JobOptions, saved["options"], where=CONFIG)
    check_given(path, options, given)
    load_task(options.task)
    _refuse_changes(path, "robot contract", saved["robot"], to_mapping(load_contract(options.robot)))
    if not (path / LEARNER).is_file():  # killed before it was written
        write_atomic(path / LEARNER, learner_yaml(saved["learner"]))
    _refuse_changes(path, LEARNER, saved["learner"], to_mapping(load(LearnerConfig, path / LEARNER)))
    check_rendering()
    if options.demonstrations:
        links = [link for link in (path / "demonstrations").glob("*") if (link / "metadata.yaml").is_file()]
        if len(links) < options.demos:
            raise DataError(f"Of {options.demos} demonstrations of the run {path}, {len(links)} are still there.",
                            valid=f"They were in {options.demonstrations}.", next_step="Bring them back, or begin a new run.")
        options = dataclasses.replace(options, demonstrations=str(path / "demonstrations"))
    return dataclasses.replace(options, config=str(path / LEARNER)), RunFolder(path)


def read_config(path: Path, expected: Mapping[str, type]) -> dict[str, Any]:
    """What config.yaml of a run holds.

    Args:
        path: the run folder.
        expected: what it must hold beside others, and of which type.

    Raises:
        DataError: there is no run, or that file is damaged.
    """
    try:
        saved = yaml.safe_load((path / CONFIG).read_text())
    except (FileNotFoundError, NotADirectoryError):
        others = sorted(found.parent.name for found in path.parent.glob(f"*/{CONFIG}")) if path.parent.is_dir() else []
        raise DataError(f"There is no run in {path}.", valid=f"A run folder holds {CONFIG}.",
                        next_step=f"In {path.parent} there are: {', '.join(others[-5:])}." if others else
                        "rewardbot demo or rewardbot train begins one.") from None
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise DataError(f"{path / CONFIG} cannot be read: {' '.join(str(error).split())[:200]}",
                        next_step="Begin a new run; its demonstrations can be used with --demonstrations.") from None
    if not isinstance(saved, dict) or any(not isinstance(saved.get(key), kind) for key, kind in expected.items()):
        raise DataError(f"{path / CONFIG} is not what a run begins with.", valid=f"It has: {', '.join(expected)}.",
                        next_step="Begin a new run; its demonstrations can be used with --demonstrations.")
    return {"command": "demo", **saved}


def _refuse_changes(path: Path, what: str, kept: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    # Through YAML, where a tuple is a list.
    plain = yaml.safe_load(yaml.safe_dump(dict(now)))
    different = sorted(name for name in kept.keys() | plain.keys() if kept.get(name) != plain.get(name))
    if different:
        raise ConfigError(f"The {what} has changed since the run {path} began: {', '.join(different)}.",
                          valid=f"What it began with stands in {path / CONFIG}.",
                          next_step="Put it back, or begin a new run; its demonstrations can be used with --demonstrations.")


def check_given(path: Path, options: object, given: Mapping[str, Any]) -> None:
    """Checks that what was named beside --resume is what the run has.

    Raises:
        ConfigError: it is something else.
    """
    for name, value in given.items():
        if value != (kept := getattr(options, name)):
            option = f"--{name.replace('_', '-')}"
            raise ConfigError(f"{option} is '{value}', but the run {path} has '{kept}'.",
                              next_step=f"Leave {option} out, or begin a new run without --resume.")
