"""A replay of state vectors: one preallocated array whose rows are whole transitions, so that a batch is one gather."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rewardbot.errors import DataError


@dataclass(frozen=True)
class Transitions:
    """N transitions as views of one array, float32 (N, 2 S + A + 2): state, action, reward, continues, next state.

    Args:
        rows: the array.
        states: S.
        actions: A.
    """

    rows: Tensor
    states: int
    actions: int

    @property
    def state(self) -> Tensor:
        """(N, S)."""
        return self.rows[:, : self.states]

    @property
    def state_action(self) -> Tensor:
        """What a critic takes, (N, S + A)."""
        return self.rows[:, : self.states + self.actions]

    @property
    def reward(self) -> Tensor:
        """(N,)."""
        return self.rows[:, self.states + self.actions]

    @property
    def continues(self) -> Tensor:
        """1 - terminated, (N,). A timeout continues."""
        return self.rows[:, self.states + self.actions + 1]

    @property
    def next_state(self) -> Tensor:
        """(N, S)."""
        return self.rows[:, self.states + self.actions + 2 :]


class TransitionReplay:
    """The newest `capacity` transitions; uniform batches of them.

    Args:
        capacity: number of transitions it holds.
        states, actions: lengths S of a state and A of an action.
        device: where they live and are sampled.
        seed: seed of the sampling.
    """

    def __init__(
        self, capacity: int, states: int, actions: int, *, device: torch.device | str = "cpu", seed: int = 0
    ) -> None:
        self.states, self.actions = states, actions
        self.rows = torch.zeros(capacity, 2 * states + actions + 2, device=device)
        self.generator = torch.Generator(device=device).manual_seed(seed)
        # On the device: a captured graph reads the present size there, and nothing waits for it.
        self._size = torch.zeros((), dtype=torch.int64, device=device)
        self._added = 0

    def __len__(self) -> int:
        return min(self._added, len(self.rows))

    def add(
        self, state: NDArray[np.floating], action: NDArray[np.floating], reward: float, next_state: NDArray[np.floating], *,
        terminated: bool,
    ) -> None:
        """Stores one transition: (S,), (A,), reward, (S,), and whether the task ended there (a timeout is no end).

        Raises:
            DataError: other sizes, or NaN.
        """
        parts = (state, action, (reward, 1.0 - terminated), next_state)
        row = np.concatenate(parts, dtype=np.float32, casting="same_kind")
        if state.shape != (self.states,) or action.shape != (self.actions,) or next_state.shape != (self.states,):
            raise DataError(f"A transition of sizes {state.shape}, {action.shape}, {next_state.shape}.",
                            valid=f"({self.states},), ({self.actions},), ({self.states},) fit this replay.")
        if not np.isfinite(row).all():
            raise DataError("A transition holds NaN or infinite numbers.")
        self.rows[self._added % len(self.rows)] = torch.from_numpy(row)
        self._added += 1
        self._size.fill_(len(self))

    def sample(self, n: int) -> Transitions:
        """`n` transitions, uniformly with replacement.

        Raises:
            DataError: the replay is empty.
        """
        if not self._added:
            raise DataError("The replay is empty.", next_step="Add a transition before sampling.")
        # A remainder of 62 random bits is uniform but for one part in 2^62 / size, and the bound may lie on the device.
        drawn = torch.randint(1 << 62, (n,), generator=self.generator, device=self.rows.device) % self._size
        return Transitions(self.rows.index_select(0, drawn), self.states, self.actions)
