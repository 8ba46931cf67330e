"""Who is asked about clips in bags: people, a simulated teacher who knows how it truly went, or a model that is shown pictures."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rewardbot.config import setting
from rewardbot.data.library import Library
from rewardbot.errors import DataError
from rewardbot.feedback.ledger import Ledger
from rewardbot.feedback.teachers.base import Teacher
from rewardbot.feedback.teachers.endpoint import Endpoint, EndpointConfig
from rewardbot.feedback.teachers.model import Model, ModelConfig
from rewardbot.feedback.teachers.recorded import Human
from rewardbot.feedback.teachers.simulated import Simulated, SimulatedConfig
from rewardbot.training.options import TeacherName
from rewardbot.types import Segment

PICTURES = 4
"""Of each camera, evenly over a clip, that a model is shown."""


@dataclass(frozen=True)
class TeacherConfig:
    """Who is asked."""

    teacher: TeacherName = setting("human", "who answers: human (windows), simulated (knows the truth), model (an endpoint)")
    annotator: str = setting("", "with human: the only one who may answer; empty: anybody. Else the name in which answers come")
    simulated: SimulatedConfig = setting(SimulatedConfig(), "how imperfect the simulated teacher is")
    endpoint: EndpointConfig = setting(EndpointConfig(), "where the model is, and what it is told")
    model: ModelConfig = setting(ModelConfig(), "how the model is used")


def make_teacher(config: TeacherConfig, ledger: Ledger, library: Library, seed: int = 0) -> Teacher:
    """The teacher, for `feedback.asking`.

    Raises:
        ConfigError: an address that is none.
    """
    if config.teacher == "human":
        return Human(ledger, config.annotator)
    name = config.annotator or config.teacher
    if config.teacher == "simulated":
        return Simulated(TrueRewards(library), config.simulated, seed=seed, name=name)
    return Model(Endpoint(Pictures(library), config.endpoint), name, config.model, seed=seed)


class TrueRewards:
    """True reward of each step of a clip, float64 (T,), by simulating its episode again; each once.

    Args:
        library: where the episodes are; they must be simulated ones.
    """

    def __init__(self, library: Library) -> None:
        self._library = library
        self._simulator = None
        self._known: dict[str, NDArray[np.float64]] = {}

    def __call__(self, segment: Segment) -> NDArray[np.float64]:
        """See the class.

        Raises:
            DataError: the episode is gone, shorter, or does not go as it was recorded.
        """
        if (rewards := self._known.get(segment.episode_id)) is None:
            episode = self._library.read(segment.episode_id, pixels=False)
            if self._simulator is None:
                from rewardbot.robots.resimulation import Resimulator  # MuJoCo, which people and models do without

                assert self._library.contract is not None
                self._simulator = Resimulator(self._library.task, self._library.contract)
            rewards = self._known[segment.episode_id] = self._simulator.run(episode).rewards
        if segment.stop > len(rewards):
            raise DataError(f"{segment} has {segment.stop} steps or more, its episode {len(rewards)}.")
        return rewards[segment.start : segment.stop]


class Pictures:
    """What a model is shown of a clip, see `Endpoint`: pictures of each camera in turn, and what they are."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def __call__(self, segment: Segment) -> Sequence[str | bytes]:
        """See the class.

        Raises:
            DataError: the episode is gone or damaged.
        """
        episode = self._library.read(segment.episode_id)
        parts: list[str | bytes] = []
        for camera, images in episode.images.items():
            steps = np.unique(np.linspace(segment.start, segment.stop, PICTURES).round().astype(int))
            parts.append(f"Camera {camera}, {len(steps)} pictures from first to last:")
            parts += [_png(images[step]) for step in steps]
        return parts


def _png(pixels: NDArray[np.uint8]) -> bytes:
    from PIL import Image  # only for models

    packed = io.BytesIO()
    Image.fromarray(pixels).save(packed, "PNG")
    return packed.getvalue()
