"""Pretraining from what a run folder holds: demonstrations, success images beside them, or these and play."""

from __future__ import annotations

from pathlib import Path

from rewardbot.config import user_path
from rewardbot.data.demonstrations import read_demonstrations, read_play
from rewardbot.data.episodes import DEMONSTRATIONS, PLAY
from rewardbot.data.success_images import SUCCESS_IMAGES, read_other_images, read_success_images
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

    def reading(share: float) -> None:
        progress("reading", share)

    reading(0.0)
    folder, contract = run / SUCCESS_IMAGES, learner.contract
    images = read_success_images(folder, contract) if folder.is_dir() or learner.config.prior == "play" else {}
    others = read_other_images(folder, contract) if images else {}
    if learner.config.prior == "play":
        played = read_play(run / PLAY, contract, learner.task, reading)
        played.sort(key=lambda episode: episode.info.seed or 0)
        return learner.pretrain_from_images(images, played, progress, others=others)
    shown = read_demonstrations(user_path(demonstrations or run / DEMONSTRATIONS), contract, learner.task, reading)
    shown.sort(key=lambda episode: episode.info.seed or 0)
    return {**learner.pretrain(shown, progress, shown=images, others=others), "demonstrations": float(len(shown))}
