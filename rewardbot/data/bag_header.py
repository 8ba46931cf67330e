"""What a bag says about itself, as JSON in its custom data."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from rewardbot.config import from_mapping, to_mapping
from rewardbot.errors import ConfigError, DataError
from rewardbot.robots.robot import RobotContract
from rewardbot.types import EpisodeInfo

_FORMAT = 1


@dataclass(frozen=True)
class BagHeader:
    """The episode, the robot it was recorded with, and the namespace of its topics.

    Attributes:
        steps: of the episode; None: as many as the bag has applied actions.
    """

    info: EpisodeInfo
    contract: RobotContract
    namespace: str = "rewardbot"
    steps: int | None = None

    def to_json(self) -> str:
        """One JSON object."""
        steps = {} if self.steps is None else {"steps": self.steps}
        return json.dumps({"format": _FORMAT, "namespace": self.namespace, "info": to_mapping(self.info),
                           "contract": to_mapping(self.contract), **steps})

    @classmethod
    def from_json(cls, text: str, where: Path) -> BagHeader:
        """The inverse of `to_json`.

        Raises:
            DataError: not ours, or of another version of the format; names `where`.
        """
        try:
            values = json.loads(text)
            if values["format"] != _FORMAT:
                raise DataError(f"{where} has format {values['format']}.", valid=f"This version reads {_FORMAT}.")
            steps = values.get("steps")
            return cls(from_mapping(EpisodeInfo, values["info"]), from_mapping(RobotContract, values["contract"]),
                       values["namespace"], None if steps is None else int(steps))
        except (ValueError, KeyError, TypeError, ConfigError) as error:
            raise DataError(f"What {where} says about itself cannot be read: {' '.join(str(error).split())}") from None
