"""The steps of unsafe intervals, and what is safe beside them: from a ledger and the clips that it is about.

Each step of an interval is unsafe. Each other step of the clip in which it was marked is not: whoever marks a part of a clip has
looked at the rest. Where somebody was asked what is unsafe in a clip and skipped, nothing is: without that, the arm's cost held most
of a world for unsafe of which it had only been told the worst.

Of an episode that was discarded or deleted later, nobody knows the states any more: what was said of it is left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
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
        steps: N of them.
        unsafe: which of them are, bool (N,).
        gone: episodes that are not there any more -> answers about them, which are left out.
    """

    steps: Transitions
    unsafe: Tensor
    gone: Mapping[str, int] = field(default_factory=dict)


def marked(
    history: History, transitions: Callable[[Segment], Transitions], *, lead: int = 0,
    there: Callable[[str], bool] = lambda episode: True,
) -> Marked | None:
    """All that counts in a ledger now; None if nobody marked anything in an episode that is there.

    Args:
        transitions: the steps of a clip.
        lead: steps before each interval that count as unsafe, too.
        there: whether an episode is.

    Raises:
        DataError: a clip is missing or damaged.
    """
    intervals = [interval for interval in _intervals(history) if there(interval.segment.episode_id)]
    if not intervals:
        return None
    looked_at = [_clip(interval, history.queries) for interval in _intervals(history)]
    skipped = (history.queries[answer.given.query] for answer in history.responses.values() if isinstance(answer, Skip))
    looked_at += [query.options[0] for query in skipped if query.kind == "interval"]
    gone = Counter(clip.episode_id for clip in looked_at if not there(clip.episode_id))
    clips = dict.fromkeys(clip for clip in looked_at if clip.episode_id not in gone)
    steps, unsafe = list[Transitions](), list[Tensor]()
    for clip in clips:
        of = torch.zeros(clip.stop - clip.start, dtype=torch.bool)
        for one in (interval.segment for interval in intervals if interval.segment.episode_id == clip.episode_id):
            of[max(0, one.start - lead - clip.start) : max(0, one.stop - clip.start)] = True
        found = transitions(clip)
        if not bool(torch.isfinite(found.rows).all()):
            raise DataError(f"Clip {clip} holds NaN or infinite numbers.",
                            next_step="Undo the answers about it: rewardbot ledger undo.")
        steps.append(found)
        unsafe.append(of)
    rows = torch.cat([one.rows for one in steps])
    return Marked(Transitions(rows, steps[0].states, steps[0].actions), torch.cat(unsafe), gone)


def read_marked(path: Path, env: Env, *, lead: int = 0) -> Marked:
    """What a ledger says of unsafe steps in an environment.

    Args:
        path: the ledger. The clips that it is about are beside it, in `CLIPS`, or it is beside bags of the environment's task.
        env: where they are to be avoided.
        lead: see `marked`.

    Raises:
        LedgerError: there is no such ledger, or it cannot be read.
        DataError: nobody marked anything, or in no episode that is there; clips are missing, damaged or of another environment.
    """
    with Ledger(path, read_only=True) as ledger:
        history = ledger.history()
        transitions, there = _clips_beside(path, env)
        found = marked(history, transitions, lead=lead, there=there)
    if found is None and (episodes := sorted({interval.segment.episode_id for interval in _intervals(history)})):
        raise DataError(f"None of the episodes in which {path} marks something unsafe has a bag beside it: {', '.join(episodes)}.",
                        valid="They were discarded, deleted or of an evaluation, or the ledger is in another folder than its bags.",
                        next_step="Name the ledger in the folder of the bags, or mark other episodes: rewardbot label.")
    if found is None:
        raise DataError(f"Nobody marked anything unsafe in {path}: it holds {len(history.active())} answers of other kinds.",
                        next_step="In rewardbot label, B marks where an unsafe interval begins, and B where it ends.")
    sizes = Spaces.of(env)
    if (found.steps.states, found.steps.actions) != (sizes.states, sizes.actions):
        raise DataError(f"The clips of {path} are of another environment than {name_of(env)}: {found.steps.states} numbers of state "
                        f"and {found.steps.actions} of action.",
                        valid=f"Here: {sizes.states} of state and {sizes.actions} of action.")
    return found


def _intervals(history: History) -> list[UnsafeInterval]:
    return [answer for answer in history.active().values() if isinstance(answer, UnsafeInterval)]


def _clip(interval: UnsafeInterval, queries: Mapping[str, Query]) -> Segment:
    """The clip in which it was marked; nobody knows which of several, so the shortest. The interval itself where nobody asked."""
    inner = interval.segment
    around = [clip for query in queries.values() for clip in query.options
              if clip.episode_id == inner.episode_id and clip.start <= inner.start and inner.stop <= clip.stop]
    return min(around, key=lambda clip: clip.stop - clip.start, default=inner)


def _clips_beside(path: Path, env: Env) -> tuple[Callable[[Segment], Transitions], Callable[[str], bool]]:
    """The steps of a clip, and whether an episode is there: bags can be given up, what a run kept of clips cannot."""
    if (path.parent / CLIPS).is_dir():
        return KeptClips(path.parent / CLIPS).transitions, lambda episode: True
    from rewardbot.training.bag_states import BagStates  # MuJoCo

    states = BagStates(path.parent, env)
    return states.transitions, states.__contains__
