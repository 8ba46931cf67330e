"""Pretraining from what a run folder holds: demonstrations, success images beside them, or these and play. And what of it a learner
still needs that was restored.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

from rewardbot.config import user_path
from rewardbot.data.demonstrations import read_demonstrations, read_play
from rewardbot.data.episodes import DEMONSTRATIONS, PLAY, list_episodes, read_episode
from rewardbot.data.success_images import SUCCESS_IMAGES, read_other_images, read_success_images
from rewardbot.errors import DataError
from rewardbot.policies.placing import Placing
from rewardbot.training.checkpoint import CHECKPOINT, VISITED
from rewardbot.training.from_images import Aimed
from rewardbot.training.learner import Learner, Progress
from rewardbot.types import Episode, Metrics

_log = logging.getLogger(__name__)


def pretrain(learner: Learner, run: Path, progress: Progress, *, demonstrations: str = "") -> Metrics:
    """Pretrains in the way that the learner is configured for.

    Args:
        learner: a new one.
        run: the run folder.
        progress: told of each stage.
        demonstrations: folder of demonstrations; that of the run folder if not given.

    Raises:
        DataError: what is needed is missing, damaged or does not fit.
    """

    def reading(share: float) -> None:
        progress("reading", share)

    reading(0.0)
    folder, contract = run / SUCCESS_IMAGES, learner.contract
    images = read_success_images(folder, contract) if folder.is_dir() or learner.config.prior == "play" else {}
    others = read_other_images(folder, contract) if images else {}
    if learner.config.prior == "play":
        metrics = learner.pretrain_from_images(images, _played(learner, run, reading), progress, others=others)
        if learner.aimed is not None:
            learner.aimed.folder = _aimed(learner, run)
        return metrics
    shown = read_demonstrations(user_path(demonstrations or run / DEMONSTRATIONS), contract, learner.task, reading)
    shown.sort(key=lambda episode: episode.info.seed or 0)
    return {**learner.pretrain(shown, progress, shown=images, others=others), "demonstrations": float(len(shown))}


def take_up(learner: Learner, run: Path) -> None:
    """Gives a learner that was restored in the midst of aimed play what it is going to learn anew from.

    Raises:
        DataError: what was pretrained from is missing or damaged.
    """
    if not isinstance(learner.agent, Placing) or not learner.config.placing.aimed or learner.played_steps:
        return
    images, contract, folder = run / SUCCESS_IMAGES, learner.contract, _aimed(learner, run)
    learner.aimed = Aimed(
        read_success_images(images, contract), _played(learner, run, lambda share: None), read_other_images(images, contract),
        folder=folder)
    for part in folder.glob("*.part"):  # that episode was not taken, and is played again
        shutil.rmtree(part)
    for path in list_episodes(folder) if folder.is_dir() else []:
        try:
            learner.aimed.episodes.append(read_episode(path, contract, learner.task))
        except DataError as error:
            _log.warning("%s It is left out.", error.what)


def _played(learner: Learner, run: Path, progress: Callable[[float], None]) -> list[Episode]:
    played = read_play(run / PLAY, learner.contract, learner.task, progress)
    return sorted(played, key=lambda episode: episode.info.seed or 0)


def _aimed(learner: Learner, run: Path) -> Path:
    """With what was visited before all is learned anew, it goes when that is forgotten."""
    return run / CHECKPOINT / VISITED / learner.lineage / "aimed"
