"""Clips of recorded episodes of the simulated cell as steps of the task's state vectors, by simulating the episodes again: what an
operator says of them in a window is then known of states."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from rewardbot.data.library import Library
from rewardbot.data.transitions import Transitions
from rewardbot.errors import DataError
from rewardbot.robots.resimulation import Resimulator
from rewardbot.robots.state_env import StateEnv
from rewardbot.training.state_loop import Env, name_of
from rewardbot.types import Segment


class BagStates:
    """See the module. Rewards are 0.

    Args:
        folder: of the bags.
        env: the task's, from its state.

    Raises:
        DataError: no episodes there, or an environment that is none of the arm's.
    """

    def __init__(self, folder: Path, env: Env) -> None:
        arm = env.unwrapped
        library = Library([folder], task=arm.robot.task_name if isinstance(arm, StateEnv) else "")
        if not isinstance(arm, StateEnv) or not library.refresh():
            raise DataError(f"There are no clips of {name_of(env)} beside the ledger in {folder}.",
                            valid="Its folder `clips`, as a run leaves it; for --task NAME --state also bags of that task.",
                            next_step="Name the ledger of a run, or the one in the folder of the bags.")
        assert library.contract is not None
        self._arm, self._library = StateEnv(arm.robot.task_name), library
        self._again = Resimulator(library.task, library.contract)
        self._known: dict[str, Transitions] = {}

    def __contains__(self, episode: str) -> bool:
        return episode in self._library

    def transitions(self, segment: Segment) -> Transitions:
        """The steps of a clip.

        Raises:
            DataError: its episode is gone, shorter, or does not go as it was recorded.
        """
        whole = self._known.get(segment.episode_id)
        if whole is None or len(whole.rows) < segment.stop:
            whole = self._simulated(segment.episode_id, segment.stop)
        if segment.stop > len(whole.rows):
            raise DataError(f"{segment} has {segment.stop} steps or more, its episode {len(whole.rows)}.")
        return Transitions(whole.rows[segment.start : segment.stop], whole.states, whole.actions)

    def _simulated(self, id: str, steps: int) -> Transitions:
        """The first so many steps: an operator's Stop, which is no action, may have come after them."""
        episode = self._library.read(id, pixels=False)
        episode = replace(episode, applied=episode.applied[:steps], proprio=episode.proprio[: steps + 1])
        truth = self._again.run(episode)
        seen, steps = self._arm.seen(truth.states), len(episode.applied)
        parts = [seen[:-1], episode.applied, np.zeros((steps, 1)), np.ones((steps, 1)), seen[1:]]
        rows = torch.from_numpy(np.concatenate(parts, axis=1).astype(np.float32))
        found = self._known[id] = Transitions(rows, seen.shape[1], episode.applied.shape[1])
        return found
