"""Feedback as tensors: the clips it is about, padded to one length, and the order in which each answer puts some of them."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rewardbot.data.replay import Batch
from rewardbot.data.transitions import Transitions
from rewardbot.errors import DataError, unknown_name
from rewardbot.feedback.feedback import Ranking, Rating
from rewardbot.rewards.base import Context
from rewardbot.rewards.plackett_luce import NONE
from rewardbot.types import Segment

Set = tuple[tuple[Segment, ...], tuple[int, ...], float]
"""Options, their places and the weight of the answer."""


@dataclass(frozen=True)
class Clips:
    """C clips of up to T steps.

    Attributes:
        steps: what the reward sees of each step, float (C, T, D), 0 after a clip's end.
        mask: where there is a step, bool (C, T).
    """

    steps: Tensor
    mask: Tensor

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def lengths(self) -> Tensor:
        """Steps of each clip, int64 (C,)."""
        return self.mask.sum(-1)

    def windows(self, which: Tensor, lengths: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """A random part of each clip, as steps (..., L, D) and mask (..., L), where L is the longest of them.

        Args:
            which: numbers of clips, int64 (...).
            lengths: of the parts, 1 to their clip's, int64 (...).
            generator: draws where they begin.
        """
        starts = random_starts(self.lengths[which] - lengths, generator)
        along = torch.arange(int(lengths.max()), device=which.device)
        mask = along < lengths.unsqueeze(-1)
        at = (starts.unsqueeze(-1) + along).clamp(max=self.steps.shape[1] - 1)
        return self.steps[which.unsqueeze(-1), at] * mask.unsqueeze(-1), mask


@dataclass(frozen=True)
class Comparisons:
    """B answers, each an order of up to K clips.

    Attributes:
        clips: what is compared.
        options: numbers of clips, int64 (B, K); 0 where there is none.
        place: of each option, int64 (B, K): 0 the best, equal ones a tie, `plackett_luce.NONE` where there is none.
        weight: of each answer, float32 (B,).
    """

    clips: Clips
    options: Tensor
    place: Tensor
    weight: Tensor

    def __len__(self) -> int:
        return len(self.options)


def inputs(batch: Batch | Transitions, sees: Sequence[str]) -> Tensor:
    """What a reward sees of transitions: the named attributes of the batch beside each other, (N, D).

    Raises:
        ConfigError: the batch has no such attribute.
    """
    for name in sees:
        if not isinstance(getattr(batch, name, None), Tensor):
            raise unknown_name("part of a transition", name, [
                known for known in dir(batch) if known[0] != "_" and isinstance(getattr(batch, known), Tensor)])
    return torch.cat([getattr(batch, name) for name in sees], dim=-1)


def random_starts(latest: Tensor, generator: torch.Generator) -> Tensor:
    """Whole numbers from 0 to `latest`, int64 (...), each equally likely."""
    share = torch.rand(latest.shape, generator=generator, device=latest.device)
    return (share * (latest + 1)).long().minimum(latest)  # a share may be rounded up to 1


def pad(clips: Sequence[Tensor], names: Sequence[str] = ()) -> Clips:
    """Clips of any lengths, each float (T_i, D), as one array.

    Args:
        clips: at least one.
        names: what an error calls each of them; their numbers otherwise.

    Raises:
        DataError: none, one without a step, of another D than the first, or with NaN.
    """
    if not clips:
        raise DataError("There is no clip to learn from.")
    for name, clip in itertools.zip_longest(names or map(str, range(len(clips))), clips):
        if not len(clip):
            raise DataError(f"Clip {name} has no step.")
        if clip.shape[1:] != clips[0].shape[1:]:
            raise DataError(f"Clip {name} has {clip.shape[-1]} numbers in each step, the first has {clips[0].shape[-1]}.",
                            next_step="Compare clips of one robot, with the same cameras, only.")
        if not bool(torch.isfinite(clip).all()):
            raise DataError(f"Clip {name} holds NaN or infinite numbers.", next_step="Withdraw the answers about it.")
    lengths = torch.tensor([len(clip) for clip in clips], device=clips[0].device)
    steps = torch.nn.utils.rnn.pad_sequence(list(clips), batch_first=True)
    return Clips(steps, torch.arange(steps.shape[1], device=steps.device) < lengths[:, None])


def clips_of(segments: Sequence[Segment], context: Context, sees: Sequence[str], device: torch.device) -> Clips:
    """The steps of `segments`.

    Raises:
        ConfigError: see `inputs`.
        DataError: see `pad`.
    """
    return pad([inputs(context.transitions(segment), sees).to(device) for segment in segments],
               [f"{segment.episode_id} [{segment.start}, {segment.stop})" for segment in segments])


def compare(
    feedback: Iterable[Ranking | Rating], context: Context, sees: Sequence[str], *, pairs: bool = False,
    device: torch.device | str = "cpu",
) -> Comparisons:
    """Rankings as they are, and ratings as the pairs of clips that one annotator put on different levels.

    Ratings by pairs are ordinal: nothing is assumed of how far levels lie apart, nor that two people mean the same by one (Herbrich,
    Graepel and Obermayer 2000). Clips on one level are no tie, since a level is coarse.

    Args:
        feedback: answers; the same in another order give the same reward only up to the order of minibatches.
        context: where the steps come from, and what each answer weighs.
        sees: see `inputs`.
        pairs: also take each ranking of k as its k (k - 1) / 2 pairs.
        device: of the tensors.

    Raises:
        ConfigError: see `inputs`.
        DataError: no answer prefers anything to anything, or a clip cannot be used, see `pad`.
    """
    feedback = list(feedback)
    sets: list[Set] = [(answer.segments, answer.ranks, context.weight(answer)) for answer in feedback
                       if isinstance(answer, Ranking)]
    if pairs:
        sets = [pair for options in sets for pair in as_pairs(options)]
    sets += rated_pairs([answer for answer in feedback if isinstance(answer, Rating)], context)
    if not any(len(set(places)) > 1 for _, places, _ in sets):
        raise DataError(f"None of {len(feedback)} answers prefers one clip to another: there is nothing to learn from.",
                        next_step="Ask about clips that differ more.")
    numbers = {segment: n for n, segment in enumerate(dict.fromkeys(s for segments, _, _ in sets for s in segments))}
    widest = max(len(segments) for segments, _, _ in sets)
    options = [[*(numbers[s] for s in segments), *[0] * (widest - len(segments))] for segments, _, _ in sets]
    place = [[*places, *[NONE] * (widest - len(places))] for _, places, _ in sets]
    device = torch.device(device)
    return Comparisons(clips_of(list(numbers), context, sees, device), torch.tensor(options, device=device),
                       torch.tensor(place, device=device), torch.tensor([weight for _, _, weight in sets], device=device))


def as_pairs(options: Set) -> list[Set]:
    """All k (k - 1) / 2 pairs of a ranking, which weigh as much as the k - 1 choices it was made in."""
    segments, places, weight = options
    return [((segments[i], segments[j]), (places[i], places[j]), weight * 2.0 / len(segments))
            for i, j in itertools.combinations(range(len(segments)), 2)]


def rated_pairs(ratings: Sequence[Rating], context: Context) -> list[Set]:
    """All pairs on different levels of each annotator; those of n ratings weigh as much as an order of n, which is n - 1 choices."""
    by_annotator: dict[str, list[Rating]] = defaultdict(list)
    for rating in ratings:
        by_annotator[rating.given.annotator].append(rating)
    sets: list[Set] = []
    for given in by_annotator.values():
        pairs = [(a, b) if a.level > b.level else (b, a) for a, b in itertools.combinations(given, 2)
                 if a.level != b.level and a.segment != b.segment]
        sets += [((better.segment, worse.segment), (0, 1),
                  (context.weight(better) * context.weight(worse)) ** 0.5 * (len(given) - 1) / len(pairs)) for better, worse in pairs]
    return sets
