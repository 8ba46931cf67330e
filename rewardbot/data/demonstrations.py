"""What learning begins from: the recorded episodes of a folder that are demonstrations, or play."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from rewardbot.data.episodes import list_episodes, read_episode, read_header
from rewardbot.data.quality import PROBLEMS
from rewardbot.errors import DataError
from rewardbot.robots.robot import RobotContract
from rewardbot.types import Episode

_log = logging.getLogger(__name__)


def read_demonstrations(
    folder: Path, contract: RobotContract, task: str, progress: Callable[[float], None] = lambda share: None, *, pixels: bool = True
) -> list[Episode]:
    """The successful demonstrations of `task` in `folder`, by name. Episodes from other sources are left out.

    A demonstration that the operator did not call a success is skipped with a warning. `progress` is told the share before each.
    Without `pixels` their images are left out.

    Raises:
        DataError: no such folder, no successful demonstration, or a demonstration that `read_episode` refuses.
    """
    demonstrations: list[Episode] = []
    skipped: list[str] = []
    paths = list_episodes(folder)
    for number, path in enumerate(paths):
        progress(number / len(paths))
        info = read_header(path).info
        if info.source != "demonstration":
            continue
        if info.success is not True:
            verdict = "nobody called it a success" if info.success is None else "it was called a failure"
            verdict = f"it has problems: {'; '.join(problems)}" if (problems := info.extra.get(PROBLEMS)) else verdict
            skipped.append(f"{path.name} ({verdict})")
            _log.warning("Demonstration %s is skipped: %s.", path, verdict)
            continue
        demonstrations.append(read_episode(path, contract, task, pixels=pixels))
    if not demonstrations:
        raise DataError(f"{folder} holds no successful demonstration of '{task}'.",
                        valid=f"Skipped: {', '.join(skipped)}." if skipped else "It holds no demonstrations at all.",
                        next_step="Record demonstrations and mark them as successes.")
    return demonstrations


def read_judged(folder: Path, contract: RobotContract, task: str) -> list[Episode]:
    """The episodes of `task` in `folder` that an operator called a success or a failure, whoever acted in them, by name.

    Recordings with problems are left out.

    Raises:
        DataError: no such folder, no success among them, or an episode that `read_episode` refuses.
    """
    heads = [(path, read_header(path).info) for path in list_episodes(folder)]
    judged = [(path, info) for path, info in heads if info.success is not None and not info.extra.get(PROBLEMS)]
    if not any(info.success for _, info in judged):
        raise DataError(f"{folder} holds no episode of '{task}' that was called a success.",
                        valid=f"It holds {len(heads)} episodes, {len(judged)} of them whole and with a verdict.",
                        next_step="Record episodes and say of each how it went.")
    return [read_episode(path, contract, task) for path, _ in judged]


def read_play(
    folder: Path, contract: RobotContract, task: str, progress: Callable[[float], None] = lambda share: None
) -> list[Episode]:
    """The episodes of random motion in `folder`, by name. `progress` is told the share before each.

    Raises:
        DataError: no such folder, or an episode that `read_episode` refuses.
    """
    paths = [path for path in list_episodes(folder) if read_header(path).info.source == "play"]
    played: list[Episode] = []
    for number, path in enumerate(paths):
        progress(number / len(paths))
        played.append(read_episode(path, contract, task))
    return played
