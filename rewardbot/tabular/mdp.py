"""A Markov decision process without its reward, and the one planner of all methods here: hard and soft value iteration, occupancy.

    hard:  V(s) = max_a Q(s, a)                            soft:  V(s) = tau log sum_a exp Q(s, a) / tau,  tau the temperature
    Q(s, a) = r(s, a) + gamma sum_s' P(s' | s, a) V(s')

S states, A actions. A terminal state gives its reward once, and nothing follows; it has nothing to choose either, which is written
as action 0. Rewards, policies and values may have leading axes, (..., S, A): many are planned for at once. With a horizon they are
sums over that many steps, and what depends on the step has an axis for it in front, (T, ..., S, A).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csc_array, csr_array, eye_array, issparse
from scipy.sparse.linalg import splu

from rewardbot.errors import ConfigError, DataError

Array = NDArray[np.float64]

DENSE_STATES = 300
"""Up to so many states a full matrix is quicker than a sparse one."""

DENSE_SWEEPS, SPARSE_SWEEPS = 10, 100
"""Of value iteration, before the policy that is best by then is evaluated exactly for the first time."""

ROUNDING = 1e-13
"""Values whose sweep changes them by less, as a share of the largest, do not become more exact."""

TIES = 1e-9
"""Actions that are worse than the best by this share of the largest value are as good."""


class MDP:
    """The dynamics: where each action leads, where one starts, and how long it goes on.

    Args:
        transitions: P(s' | s, a), (S, A, S), or sparse (A S, S) with the rows of all states for action 0 first.
        discount: gamma in [0, 1]; 1 only with a horizon.
        horizon: steps of an episode, or None for no end but the terminal states.
        start: probability of each first state, (S,); uniform if not given.
        terminal: states that end an episode. Their rows of `transitions` do not matter, and that nobody gets there is no error.

    Attributes:
        transitions: sparse float64 (A S, S), as above; the rows of terminal states are empty.
        start: float64 (S,).
        terminal: bool (S,).

    Raises:
        ConfigError: no discount or no horizon, or discount 1 without an end.
        DataError: no distribution, of another shape, or not finite; the message names the row.
    """

    def __init__(
        self, transitions: ArrayLike | csr_array, *, discount: float, horizon: int | None = None, start: ArrayLike | None = None,
        terminal: Collection[int] = (),
    ) -> None:
        if not 0.0 <= discount <= 1.0:
            raise ConfigError(f"The discount is {discount}.", valid="0 to 1.")
        if horizon is not None and horizon < 1:
            raise ConfigError(f"The horizon is {horizon}.", valid="1 step or more.")
        if discount == 1.0 and horizon is None:
            raise ConfigError("The discount is 1 and there is no horizon: a sum of rewards without end need not be a number.",
                              valid="A discount below 1, or a horizon.",
                              next_step="Terminal states do not help: a policy may never get there.")
        self.discount, self.horizon = float(discount), horizon
        self.transitions = _sparse(transitions)
        rows, self.states = self.transitions.shape  # type: ignore[misc]
        self.actions = rows // self.states
        self.terminal = np.zeros(self.states, bool)
        for state in terminal:
            if not 0 <= state < self.states:
                raise DataError(f"Terminal state {state} does not exist.", valid=f"0 to {self.states - 1}.")
            self.terminal[state] = True
        self._check_rows()
        self.start = _distribution(np.full(self.states, 1.0 / self.states) if start is None else start, self.states)

    def _check_rows(self) -> None:
        """Empties the rows of terminal states and checks the others."""
        goes_on = np.tile(~self.terminal, self.actions)
        matrix = self.transitions
        entries = np.repeat(goes_on, np.diff(matrix.indptr))
        matrix.data = np.where(entries, matrix.data, 0.0)
        matrix.eliminate_zeros()
        bad = ~np.isfinite(matrix.data) | (matrix.data < 0.0)
        wrong = goes_on & ~np.isclose(matrix.sum(axis=1), 1.0, atol=1e-8)
        wrong[np.repeat(np.arange(len(wrong)), np.diff(matrix.indptr))[bad]] = True
        if wrong.any():
            action, state = divmod(int(np.flatnonzero(wrong)[0]), self.states)
            total = float(matrix.sum(axis=1)[action * self.states + state])
            raise DataError(f"What follows action {action} in state {state} has probabilities that sum to {total:g}.",
                            valid="Each from 0 to 1, together 1.", next_step="Name the state terminal if nothing follows.")

    @cached_property
    def matrix(self) -> Array | csr_array:
        """`transitions`, as a full matrix where that is quicker."""
        return self.transitions.toarray() if self.states <= DENSE_STATES else self.transitions

    def rewards(self, reward: ArrayLike) -> Array:
        """The reward of states and actions, float64 (S, A), from that of states (S,), of both, or of the next state too, (S, A, S).

        Raises:
            DataError: another shape, or not finite.
        """
        given = np.asarray(reward, float)
        shape = (self.states, self.actions, self.states)
        if given.shape not in (shape[:1], shape[:2], shape):
            raise DataError(f"The reward has the shape {given.shape}.", valid=f"{shape[:1]}, {shape[:2]} or {shape}.")
        if not np.isfinite(given).all():
            raise DataError(f"The reward of state {int(np.argwhere(~np.isfinite(given))[0][0])} is not a finite number.",
                            next_step="Look for NaN and infinity in what it was computed from.")
        if given.ndim < 3:
            return np.broadcast_to(given[:, None], shape[:2]).copy() if given.ndim == 1 else given
        probability = self.transitions.toarray().reshape(self.actions, self.states, self.states).transpose(1, 0, 2)
        # Nothing follows a terminal state, but it has its own reward: that of staying there.
        probability[self.terminal, :, self.terminal] = 1.0
        return (probability * given).sum(axis=-1)

    def features(self, features: ArrayLike) -> Array:
        """Features of states (S, F), or of states and actions (S, A, F), as the latter.

        Raises:
            DataError: another shape, or not finite.
        """
        given = np.asarray(features, float)
        if given.ndim == 2:
            given = np.broadcast_to(given[:, None], (len(given), self.actions, given.shape[1]))
        if given.ndim != 3 or given.shape[:2] != (self.states, self.actions):
            raise DataError(f"The features have the shape {np.shape(features)}.",
                            valid=f"({self.states}, F) or ({self.states}, {self.actions}, F).")
        if not np.isfinite(given).all():
            raise DataError("The features are not all finite numbers.")
        return given

    def after(self, values: Array) -> Array:
        """What a value of states (..., S) is expected to be after each action, (..., S, A)."""
        flat = values.reshape(-1, self.states)
        expected = np.asarray(self.matrix @ flat.T).reshape(self.actions, self.states, len(flat))
        return np.moveaxis(expected, -1, 0).swapaxes(-1, -2).reshape(*values.shape, self.actions)

    def policy(self, policy: ArrayLike) -> Array:
        """A policy, (..., S, A), with action 0 in terminal states.

        Raises:
            DataError: another shape, or rows that are no distribution.
        """
        given = np.asarray(policy, float)
        if given.shape[-2:] != (self.states, self.actions):
            raise DataError(f"The policy has the shape {given.shape}.", valid=f"(..., {self.states}, {self.actions}).")
        given = np.where(self.terminal[:, None], np.eye(self.actions)[0], given)
        if not ((given >= 0.0).all() and np.allclose(given.sum(axis=-1), 1.0, atol=1e-8)):
            raise DataError("The policy is not a distribution over actions in each state.", valid="Each from 0 to 1, together 1.")
        return given


@dataclass(frozen=True)
class Plan:
    """What value iteration found; (T, ..., S, A) and (T, ..., S) with a horizon, row t for what is left from step t on.

    Attributes:
        q: value of each state and action, (..., S, A).
        v: value of each state, (..., S).
        policy: probability of each action, (..., S, A); the hard one shares it among the best, see `TIES`.
    """

    q: Array
    v: Array
    policy: Array


def plan(mdp: MDP, reward: Array, *, temperature: float = 0.0, guess: Array | None = None, tolerance: float = 1e-10) -> Plan:
    """Value iteration for rewards of states and actions (..., S, A), see `MDP.rewards`.

    Args:
        temperature: 0 for the hard maximum.
        guess: of V, (..., S), such as that of a reward nearby; the plan is the same, and found sooner. Of no use with a horizon.
        tolerance: largest error of a value, as a share of the largest value or of 1.

    Raises:
        DataError: a reward of another shape, or not finite.
        ConfigError: a temperature below 0.
    """
    reward = np.asarray(reward, float)
    if reward.shape[-2:] != (mdp.states, mdp.actions):
        raise DataError(f"The reward has the shape {reward.shape}.", valid=f"(..., {mdp.states}, {mdp.actions}); see MDP.rewards.")
    if not np.isfinite(reward).all():
        raise DataError("The reward is not a finite number everywhere.", next_step="Look for NaN and infinity.")
    if not temperature >= 0.0:
        raise ConfigError(f"The temperature is {temperature}.", valid="0 for the hard maximum, or more.")
    shape = reward.shape
    # States and actions first: then each step of the iteration runs over contiguous memory.
    by_action = np.ascontiguousarray(np.moveaxis(reward.reshape(-1, *shape[-2:]), (2, 1), (0, 1)))
    if mdp.horizon is None:
        first = np.zeros(by_action.shape[1:]) if guess is None else np.broadcast_to(guess, shape[:-1]).reshape(-1, shape[-2]).T
        found = [_iterate(mdp, by_action, first, temperature, tolerance)]
    else:
        found, v = [], np.zeros(by_action.shape[1:])
        for _ in range(mdp.horizon):
            found.append(_backup(mdp, by_action, v))
            v = _values(mdp, found[-1], temperature)
    q = np.stack([np.moveaxis(one, (0, 1), (2, 1)).reshape(shape) for one in reversed(found)])
    v = np.stack([_values(mdp, one, temperature).T.reshape(shape[:-1]) for one in reversed(found)])
    if mdp.horizon is None:
        q, v = q[0], v[0]
    return Plan(q, v, _choose(mdp, q, temperature))


def _iterate(mdp: MDP, reward: Array, v: Array, temperature: float, tolerance: float) -> Array:
    """The fixed point Q, (A, S, N), from (A, S, N) and a first V (S, N).

    Now and then the policy that is best by then is evaluated exactly, which is Newton's method on Bellman's equation (Puterman and
    Brumelle 1979) and spares most of the log(tolerance) / log(gamma) sweeps. Ever less often, so that sweeps alone would do, too.
    """
    gamma = mdp.discount
    enough = max(tolerance * (1.0 - gamma) / max(gamma, 1e-12), ROUNDING)
    sweep, newton = 0, DENSE_SWEEPS if isinstance(mdp.matrix, np.ndarray) else SPARSE_SWEEPS
    while True:
        q = _backup(mdp, reward, v)
        new = _values(mdp, q, temperature)
        if abs(new - v).max() <= enough * max(1.0, float(abs(new).max())):
            return q
        sweep, v = sweep + 1, new
        if sweep == newton:
            newton, v = 2 * newton, _value_of_best(mdp, reward, q, temperature)


def _value_of_best(mdp: MDP, reward: Array, q: Array, temperature: float) -> Array:
    """V (S, N) of the policy that is best for Q (A, S, N), its entropy included."""
    if temperature:
        policy = np.exp((q - q.max(axis=0)) / temperature)
        policy /= policy.sum(axis=0)
    else:
        policy = (np.arange(mdp.actions)[:, None, None] == q.argmax(axis=0)).astype(float)
    policy[:, mdp.terminal] = np.eye(mdp.actions)[0][:, None, None]
    # V - E[Q] is the temperature times the entropy.
    gain = _values(mdp, q, temperature) + (policy * (reward - q)).sum(axis=0)
    return _solve(mdp, policy.T, gain.T, transposed=False).T


def _backup(mdp: MDP, reward: Array, v: Array) -> Array:
    """Q (A, S, N) of r (A, S, N) and V (S, N)."""
    return reward + mdp.discount * np.asarray(mdp.matrix @ v).reshape(reward.shape)


def _values(mdp: MDP, q: Array, temperature: float) -> Array:
    """V (S, N) of Q (A, S, N)."""
    v = q.max(axis=0)
    if temperature:
        v = v + temperature * np.log(np.exp((q - v) / temperature).sum(axis=0))
    if mdp.terminal.any():
        v[mdp.terminal] = q[0, mdp.terminal]
    return v


def _choose(mdp: MDP, q: Array, temperature: float) -> Array:
    """The policy of Q (..., S, A)."""
    lead = q - q.max(axis=-1, keepdims=True)
    if temperature:
        weight = np.exp(lead / temperature)
    else:
        weight = (lead >= -TIES * max(1.0, float(abs(q).max()))).astype(float)
    weight[..., mdp.terminal, :] = np.eye(mdp.actions)[0]
    return weight / weight.sum(axis=-1, keepdims=True)


def uniform(mdp: MDP) -> Array:
    """The policy that takes any action, (S, A)."""
    return mdp.policy(np.full((mdp.states, mdp.actions), 1.0 / mdp.actions))


def occupancy(mdp: MDP, policy: ArrayLike) -> Array:
    """How often a policy is expected to be in each state and to do each action: sum_t gamma^t P(s_t, a_t), (..., S, A).

    Its sum with a reward is the policy's return.

    Args:
        policy: (..., S, A); with a horizon either (S, A), the same in every step, or (T, ..., S, A).
    """
    policy = mdp.policy(policy)
    if mdp.horizon is None:
        return policy * _solve(mdp, policy, mdp.start, transposed=True)[..., None]
    steps = _per_step(mdp, policy)
    here = np.broadcast_to(mdp.start, steps.shape[1:-1])
    total = np.zeros(steps.shape[1:])
    for step, chosen in enumerate(steps):
        visits = here[..., None] * chosen
        total += mdp.discount**step * visits
        here = _next(mdp, visits)
    return total


def evaluate(mdp: MDP, policy: ArrayLike, reward: Array) -> Array:
    """The return of a policy from each state, (..., S), for rewards (..., S, A)."""
    policy = mdp.policy(policy)
    if mdp.horizon is None:
        return _solve(mdp, policy, (policy * reward).sum(axis=-1), transposed=False)
    v = np.zeros(reward.shape[:-1])
    for chosen in _per_step(mdp, policy)[::-1]:
        v = (chosen * (reward + mdp.discount * mdp.after(v))).sum(axis=-1)
    return v


def _per_step(mdp: MDP, policy: Array) -> Array:
    assert mdp.horizon is not None
    steps = np.broadcast_to(policy, (mdp.horizon, *policy.shape)) if policy.ndim == 2 else policy
    if len(steps) != mdp.horizon:
        raise DataError(f"The policy has {len(steps)} steps.", valid=f"The horizon is {mdp.horizon}.")
    return steps


def _next(mdp: MDP, visits: Array) -> Array:
    """Where one is after visits (..., S, A): (..., S)."""
    flat = visits.swapaxes(-1, -2).reshape(-1, mdp.actions * mdp.states)
    return np.asarray(flat @ mdp.matrix).reshape(visits.shape[:-1])


def _solve(mdp: MDP, policy: Array, right: Array, *, transposed: bool) -> Array:
    """x of (I - gamma P_pi) x = right, or with P_pi transposed, (..., S)."""
    shape = np.broadcast_shapes(policy.shape[:-1], right.shape)
    right = np.broadcast_to(right, shape)
    if isinstance(mdp.matrix, np.ndarray):
        tensor = mdp.matrix.reshape(mdp.actions, mdp.states, mdp.states)
        system = np.eye(mdp.states) - mdp.discount * np.einsum("...sa,ast->...st", policy, tensor, optimize=True)
        return np.linalg.solve(system.swapaxes(-1, -2) if transposed else system, right[..., None])[..., 0]
    policies = np.broadcast_to(policy, (*shape, mdp.actions)).reshape(-1, mdp.states, mdp.actions)
    found = np.empty((len(policies), mdp.states))
    for index, (one, b) in enumerate(zip(policies, right.reshape(-1, mdp.states), strict=True)):
        rows = sum(mdp.transitions[a * mdp.states : (a + 1) * mdp.states].multiply(one[:, a, None]) for a in range(mdp.actions))
        system = csc_array(eye_array(mdp.states) - mdp.discount * csr_array(rows))
        found[index] = splu(csc_array(system.T) if transposed else system).solve(b)
    return found.reshape(shape)


def _sparse(transitions: ArrayLike | csr_array) -> csr_array:
    if issparse(transitions):
        rows, states = transitions.shape  # type: ignore[union-attr]
        if not states or rows % states or not rows:
            raise DataError(f"The sparse transitions have the shape {(rows, states)}.", valid="(A S, S).")
        return csr_array(transitions, dtype=float, copy=True)
    given = np.asarray(transitions, float)
    if given.ndim != 3 or given.shape[0] != given.shape[2] or 0 in given.shape:
        raise DataError(f"The transitions have the shape {given.shape}.", valid="(states, actions, states), none of them 0.")
    return csr_array(given.transpose(1, 0, 2).reshape(-1, given.shape[2]))


def _distribution(start: ArrayLike, states: int) -> Array:
    given = np.asarray(start, float)
    if given.shape != (states,) or not (given >= 0.0).all() or not np.isclose(given.sum(), 1.0, atol=1e-8):
        raise DataError("The first states are no distribution.", valid=f"{states} probabilities that sum to 1.")
    return given


UP, RIGHT, DOWN, LEFT = range(4)


def gridworld(
    rows: int, columns: int, *, slip: float = 0.0, discount: float = 0.95, horizon: int | None = None, start: Sequence[int] = (),
    terminal: Collection[int] = (),
) -> MDP:
    """A grid whose cell (row, column) is the state row * columns + column; actions go up, right, down and left.

    Args:
        slip: probability that chance chooses the direction, evenly among the four. Whoever leaves the grid stays where he is.
        start: first states, equally likely; all if empty.
    """
    states = rows * columns
    row, column = np.divmod(np.arange(states), columns)
    ahead = np.stack([np.maximum(row - 1, 0) * columns + column, row * columns + np.minimum(column + 1, columns - 1),
                      np.minimum(row + 1, rows - 1) * columns + column, row * columns + np.maximum(column - 1, 0)])
    probability = (1.0 - slip) * np.eye(4) + slip / 4.0
    index = np.arange(4 * states).reshape(4, states, 1)
    into = np.broadcast_to(ahead.T[None], (4, states, 4))
    likely = np.broadcast_to(probability[:, None], into.shape)
    # Entries of the same place are added up.
    matrix = csr_array((likely.ravel(), (np.broadcast_to(index, into.shape).ravel(), into.ravel())), shape=(4 * states, states))
    first = np.bincount(start, minlength=states) / len(start) if len(start) else None
    return MDP(matrix, discount=discount, horizon=horizon, start=first, terminal=terminal)
