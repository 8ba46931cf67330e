"""What a demonstrator did in an MDP: made by a policy or given, checked, and counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rewardbot.errors import DataError
from rewardbot.tabular.mdp import MDP, Array

END = -1
"""Stands for state and action after an episode's end, where episodes of different lengths lie in one array."""


@dataclass(frozen=True)
class Demonstrations:
    """N episodes of up to T steps.

    Attributes:
        states: int (N, T), `END` after the end. A terminal state is the last one.
        actions: what was done there, int (N, T); anything in terminal states, which count as action 0.

    Raises:
        DataError: none, an empty one, or arrays of other shapes.
    """

    states: NDArray[np.intp]
    actions: NDArray[np.intp]

    def __post_init__(self) -> None:
        states, actions = np.asarray(self.states), np.asarray(self.actions)
        if states.ndim != 2 or states.shape != actions.shape:
            raise DataError(f"The demonstrations have states {states.shape} and actions {actions.shape}.", valid="(N, T) both.")
        if not states.size:
            raise DataError("There are no demonstrations.", next_step="Show at least one, of at least one step.")
        if not (np.issubdtype(states.dtype, np.integer) and np.issubdtype(actions.dtype, np.integer)):
            raise DataError("States and actions of demonstrations are not whole numbers.", valid="Indices.")
        there = states != END
        if not there[:, 0].all() or (there[:, 1:] & ~there[:, :-1]).any():
            raise DataError("A demonstration has gaps or no first step.", valid=f"Steps, then {END} to the end.")
        object.__setattr__(self, "states", states)
        object.__setattr__(self, "actions", np.where(there, actions, END))

    def __len__(self) -> int:
        return len(self.states)

    @property
    def steps(self) -> int:
        """Of all episodes together."""
        return int((self.states != END).sum())

    def __getitem__(self, chosen: slice | NDArray[np.intp]) -> Demonstrations:
        """Some of the episodes."""
        return Demonstrations(self.states[chosen], self.actions[chosen])

    def check(self, mdp: MDP) -> None:
        """Checks that they happened in this MDP.

        Raises:
            DataError: a state or an action that it lacks, a step that it does not allow, or more steps than its horizon.
        """
        there = self.states != END
        for name, found, count in (("state", self.states, mdp.states), ("action", self.actions, mdp.actions)):
            wrong = there & ((found < 0) | (found >= count))
            if wrong.any():
                raise DataError(f"A demonstration has {name} {found[wrong][0]}.", valid=f"0 to {count - 1}.",
                                next_step="Were they recorded in another MDP?")
        if mdp.horizon is not None and self.states.shape[1] > mdp.horizon and there[:, mdp.horizon].any():
            raise DataError(f"A demonstration is longer than the horizon, {mdp.horizon} steps.")
        episodes, steps = np.nonzero(there[:, 1:])
        before, action, after = self.states[episodes, steps], self.actions[episodes, steps], self.states[episodes, steps + 1]
        impossible = np.asarray(mdp.transitions[action * mdp.states + before, after]) <= 0.0 if len(before) else np.zeros(0, bool)
        if impossible.any():
            index = int(np.flatnonzero(impossible)[0])
            raise DataError(f"Demonstration {episodes[index]} goes from state {before[index]} by action {action[index]} to state "
                            f"{after[index]} in step {steps[index]}, which is impossible.",
                            next_step="Were they recorded in another MDP?")


def join(some: Sequence[Demonstrations]) -> Demonstrations:
    """All of them as one set."""
    steps = max(one.states.shape[1] for one in some)

    def padded(array: NDArray[np.intp]) -> NDArray[np.intp]:
        return np.pad(array, ((0, 0), (0, steps - array.shape[1])), constant_values=END)

    return Demonstrations(np.concatenate([padded(one.states) for one in some]), np.concatenate([padded(one.actions) for one in some]))


def act(mdp: MDP, policy: ArrayLike, count: int, rng: np.random.Generator, *, steps: int | None = None,
        start: ArrayLike | None = None) -> Demonstrations:
    """Episodes of a policy, (S, A), or (T, S, A) with a horizon.

    Args:
        count: how many.
        steps: longest episode; the horizon if not given.
        start: first state of each, (count,); drawn from the MDP's if not given.
    """
    steps = mdp.horizon if steps is None else steps
    if steps is None:
        raise DataError("An episode without a horizon has no end.", next_step="Say how many steps to act.")
    policy = mdp.policy(policy)
    policies = policy if policy.ndim == 3 else np.broadcast_to(policy, (steps, *policy.shape))
    here = rng.choice(mdp.states, count, p=mdp.start) if start is None else np.asarray(start).copy()
    states, actions = np.full((count, steps), END), np.full((count, steps), END)
    running = np.arange(count)
    # One line of probabilities end to end, so that one search draws from many rows.
    ends = np.concatenate([[0.0], np.cumsum(mdp.transitions.data)])
    first, last = mdp.transitions.indptr[:-1], mdp.transitions.indptr[1:]
    for step in range(steps):
        states[running, step] = here
        chances = policies[step][here]
        chosen = (rng.random((len(here), 1)) > np.cumsum(chances, axis=1)[:, :-1]).sum(axis=1)
        actions[running, step] = chosen
        goes_on = ~mdp.terminal[here]
        running, row = running[goes_on], (chosen * mdp.states + here)[goes_on]
        drawn = ends[first[row]] + rng.random(len(row)) * (ends[last[row]] - ends[first[row]])
        entry = np.clip(np.searchsorted(ends, drawn, side="right") - 1, first[row], last[row] - 1)
        here = mdp.transitions.indices[entry]
    return Demonstrations(states, actions)


def choices(mdp: MDP, demonstrations: Demonstrations) -> Array:
    """How often each action was chosen in each state, (S, A); in terminal states nothing was.

    Raises:
        DataError: see `Demonstrations.check`.
    """
    counts = _count(mdp, demonstrations, np.ones(demonstrations.states.shape))
    counts[mdp.terminal] = 0.0
    return counts


def demonstrated(mdp: MDP, demonstrations: Demonstrations) -> Array:
    """What `mdp.occupancy` is, as the demonstrations have it on average: sum_t gamma^t [s_t = s, a_t = a], (S, A).

    Without a horizon an episode that just breaks off after T steps stands for one that goes on: it counts 1 / (1 - gamma^T) times,
    because no reward explains that the expert was nowhere afterwards.

    Raises:
        DataError: see `Demonstrations.check`.
    """
    weights = mdp.discount ** np.arange(demonstrations.states.shape[1])
    lengths = (demonstrations.states != END).sum(axis=1)
    scale = np.ones(len(demonstrations))
    if mdp.horizon is None:
        demonstrations.check(mdp)
        breaks_off = ~mdp.terminal[demonstrations.states[np.arange(len(scale)), lengths - 1]]
        scale[breaks_off] = 1.0 / (1.0 - mdp.discount ** lengths[breaks_off])
    return _count(mdp, demonstrations, weights * scale[:, None]) / len(demonstrations)


def as_shown(mdp: MDP, demonstrations: Demonstrations) -> MDP:
    """The MDP with the first states as often as the demonstrations have them: where they begin says nothing about the reward."""
    shown = np.bincount(demonstrations.states[:, 0], minlength=mdp.states) / len(demonstrations)
    return MDP(mdp.transitions, discount=mdp.discount, horizon=mdp.horizon, start=shown, terminal=np.flatnonzero(mdp.terminal))


def _count(mdp: MDP, demonstrations: Demonstrations, weight: Array) -> Array:
    demonstrations.check(mdp)
    there = demonstrations.states != END
    states = demonstrations.states[there]
    actions = np.where(mdp.terminal[states], 0, demonstrations.actions[there])
    counts = np.bincount(states * mdp.actions + actions, weight[there], mdp.states * mdp.actions)
    return counts.astype(float).reshape(mdp.states, mdp.actions)
