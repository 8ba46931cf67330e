"""What a reward sees of clips in bags: each episode is read and embedded once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import torch
from torch import Tensor

from rewardbot.data.library import Library
from rewardbot.data.replay import Batch
from rewardbot.errors import DataError
from rewardbot.types import Episode, Segment

KEPT = 1000
"""Episodes that are kept, without their images: about 50 MB."""


class BagClips:
    """Clips as transitions, with the features of a frozen encoder.

    Args:
        library: where the episodes are.
        embed: an episode with images -> features of its observations, float32 (T + 1, F).
    """

    def __init__(self, library: Library, embed: Callable[[Episode], Tensor]) -> None:
        self._library, self._embed = library, embed
        self._episodes: OrderedDict[str, Batch] = OrderedDict()

    def transitions(self, segment: Segment) -> Batch:
        """The steps of a clip, on the device of the features; `rows` count in the episode.

        Raises:
            DataError: its bag is missing, damaged or of another robot; the episode is shorter.
        """
        whole, rows = self._whole(segment.episode_id), slice(segment.start, segment.stop)
        if segment.stop > len(whole.rows):
            raise DataError(f"A clip of '{segment.episode_id}' holds steps {segment.start} to {segment.stop}, its bag has "
                            f"{len(whole.rows)}.", next_step="Bring the whole bag back, or undo the answers about this clip.")
        return Batch(*(getattr(whole, name)[rows] for name in Batch.__dataclass_fields__))

    def _whole(self, id: str) -> Batch:
        if (known := self._episodes.get(id)) is not None:
            self._episodes.move_to_end(id)
            return known
        episode = self._library.read(id)
        features = self._embed(episode)
        device, steps = features.device, len(episode)
        proprio = torch.as_tensor(episode.proprio, device=device)
        continues = torch.ones(steps, device=device)
        continues[-1] = 1.0 - float(episode.terminated)
        batch = self._episodes[id] = Batch(
            features=features[:-1], next_features=features[1:], proprio=proprio[:-1], next_proprio=proprio[1:],
            actions=torch.as_tensor(episode.applied, device=device), continues=continues, rows=torch.arange(steps, device=device))
        if len(self._episodes) > KEPT:
            self._episodes.popitem(last=False)
        return batch
