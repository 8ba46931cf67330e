"""Pretraining from what a run folder holds: demonstrations, or play beside success images."""

from __future__ import annotations

from pathlib import Path

from rewardbot.data.episodes import DEMONSTRATIONS, PLAY, read_demonstrations, read_play
from rewardbot.data.success_images import SUCCESS_IMAGES, read_success_images
from rewardbot.training.learner import Learner, Progress
from rewardbot.types import Metrics


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
    progress("reading", 0.0)
    if learner.config.prior == "play":
        played = read_play(run / PLAY, learner.contract, learner.task)
        played.sort(key=lambda episode: episode.info.seed or 0)
        return learner.pretrain_from_images(read_success_images(run / SUCCESS_IMAGES, learner.contract), played, progress)
    shown = read_demonstrations(Path(demonstrations or run / DEMONSTRATIONS).expanduser(), learner.contract, learner.task)
    shown.sort(key=lambda episode: episode.info.seed or 0)
    return {**learner.pretrain(shown, progress), "demonstrations": float(len(shown))}
