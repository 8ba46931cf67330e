"""The steps of unsafe intervals, and what is safe beside them: from a ledger and the clips that it is about.

Each step of an interval is unsafe. Each other step of the clip in which it was marked is not: whoever marks a part of a clip has
looked at the rest. Where somebody was asked what is unsafe in a clip and skipped, nothing is: without that, the arm's cost held most
of a world for unsafe of which it had only been told the worst.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from rewardbot.data.transitions import Transitions
from rewardbot.errors import DataError
from rewardbot.feedback.feedback import Query, Skip, UnsafeInterval
from rewardbot.feedback.ledger import Ledger
from rewardbot.feedback.records import History
from rewardbot.training.kept_clips import KeptClips
from rewardbot.training.state_loop import Env, Spaces, name_of
from rewardbot.types import Segment

CLIPS = "clips"


@dataclass(frozen=True)
class Marked:
    """Steps that somebody looked at.

    Attributes:
        steps: states and actions, float32 (N, S + A).
        unsafe: which of them are, bool (N,).
    """

    steps: Tensor
    unsafe: Tensor


def marked(history: History, transitions: Callable[[Segment], Transitions], *, lead: int = 0) -> Marked | None:
    """All that counts in a ledger now; None if nobody marked anything.

    Args:
        transitions: the steps of a clip.
        lead: steps before each interval that count as unsafe, too.

    Raises:
        DataError: a clip is missing or damaged.
    """
    intervals = [answer for answer in history.active().values() if isinstance(answer, UnsafeInterval)]
    if not intervals:
        return None
    clips = dict.fromkeys(_clip(interval, history.queries) for interval in intervals)
    skipped = (history.queries[answer.given.query] for answer in history.responses.values() if isinstance(answer, Skip))
    clips |= dict.fromkeys(query.options[0] for query in skipped if query.kind == "interval")
    steps, unsafe = list[Tensor](), list[Tensor]()
    for clip in clips:
        of = torch.zeros(clip.stop - clip.start, dtype=torch.bool)
        for one in (interval.segment for interval in intervals if interval.segment.episode_id == clip.episode_id):
            of[max(0, one.start - lead - clip.start) : max(0, one.stop - clip.start)] = True
        found = transitions(clip)
        if not bool(torch.isfinite(found.rows).all()):
            raise DataError(f"Clip {clip} holds NaN or infinite numbers.",
                            next_step="Undo the answers about it: rewardbot ledger undo.")
        steps.append(found.state_action)
        unsafe.append(of)
    return Marked(torch.cat(steps), torch.cat(unsafe))


def read_marked(path: Path, env: Env, *, lead: int = 0) -> Marked:
    """What a ledger says of unsafe steps in an environment.

    Args:
        path: the ledger. The clips that it is about are beside it, in `CLIPS`, or it is beside bags of the environment's task.
        env: where they are to be avoided.
        lead: see `marked`.

    Raises:
        LedgerError: there is no such ledger, or it cannot be read.
        DataError: nobody marked anything; clips are missing, damaged or of another environment.
    """
    with Ledger(path, read_only=True) as ledger:
        history = ledger.history()
        found = marked(history, _clips_beside(path, env), lead=lead)
    if found is None:
        raise DataError(f"Nobody marked anything unsafe in {path}: it holds {len(history.active())} answers of other kinds.",
                        next_step="In rewardbot label, B marks where an unsafe interval begins, and B where it ends.")
    sizes = Spaces.of(env)
    if found.steps.shape[1] != sizes.states + sizes.actions:
        raise DataError(f"The clips of {path} are of another environment than {name_of(env)}: {found.steps.shape[1]} numbers a step.",
                        valid=f"Here: {sizes.states} of state and {sizes.actions} of action.")
    return found


def _clip(interval: UnsafeInterval, queries: Mapping[str, Query]) -> Segment:
    """The clip in which it was marked; nobody knows which of several, so the shortest. The interval itself where nobody asked."""
    inner = interval.segment
    around = [clip for query in queries.values() for clip in query.options
              if clip.episode_id == inner.episode_id and clip.start <= inner.start and inner.stop <= clip.stop]
    return min(around, key=lambda clip: clip.stop - clip.start, default=inner)


def _clips_beside(path: Path, env: Env) -> Callable[[Segment], Transitions]:
    if (path.parent / CLIPS).is_dir():
        return KeptClips(path.parent / CLIPS).transitions
    from rewardbot.training.bag_states import BagStates  # MuJoCo

    return BagStates(path.parent, env).transitions
