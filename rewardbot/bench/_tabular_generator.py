"""An on-policy generator for tables: policies over a small MDP, with one-hot steps, whose improvement is exact."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from rewardbot.data.transitions import Transitions
from rewardbot.tabular.mdp import MDP, Array, evaluate, occupancy, uniform


class TabularGenerator:
    """Natural policy gradient with an entropy bonus, pi <- softmax(log pi + eta (Q - log pi)): soft policy iteration at eta 1.

    Attributes:
        policy: (S, A).
    """

    def __init__(self, mdp: MDP, *, rate: float) -> None:
        self.mdp, self.rate, self.policy = mdp, rate, uniform(mdp)

    def occupancy(self) -> Array:
        """Share of all steps in each state and with each action, (S, A), its sum is 1."""
        found = occupancy(self.mdp, self.policy)
        return found / found.sum()

    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        """Steps drawn from the occupancy."""
        return sample(self.mdp, self.occupancy(), n, rng)

    def log_pi(self, batch: Transitions) -> Tensor:
        """Of one-hot transitions, (N,)."""
        states, actions = batch.state.argmax(-1), batch.state_action[:, batch.states :].argmax(-1)
        return torch.from_numpy(self.policy).float().log()[states, actions]

    def improve(self, reward: Array, *, entropy: bool = True) -> None:
        """A step towards what is best for rewards (S, A) and, unless they hold -log pi already, for entropy."""
        log_pi = np.log(self.policy)
        gains = reward - log_pi if entropy else reward
        value = evaluate(self.mdp, self.policy, gains)
        q = gains + self.mdp.discount * self.mdp.after(value)
        new = log_pi + self.rate * (q - value[:, None])
        new = np.exp(new - new.max(axis=1, keepdims=True))
        self.policy = new / new.sum(axis=1, keepdims=True)


def sample(mdp: MDP, share: Array, n: int, rng: np.random.Generator) -> Transitions:
    """One-hot transitions of states and actions drawn from `share`, (S, A)."""
    state, action = np.divmod(rng.choice(share.size, n, p=share.ravel()), mdp.actions)
    ahead = np.cumsum(mdp.transitions.toarray(), axis=1)[action * mdp.states + state]
    after = (rng.random((n, 1)) * ahead[:, -1:] >= ahead).sum(axis=1)
    return one_hot(mdp, state, action, after)


def one_hot(mdp: MDP, state: NDArray[np.intp], action: NDArray[np.intp], after: NDArray[np.intp]) -> Transitions:
    """Transitions of these numbers, (N,) each."""
    hot = [F.one_hot(torch.as_tensor(of), size) for of, size in ((state, mdp.states), (action, mdp.actions), (after, mdp.states))]
    rest = torch.tensor([[0.0, 1.0]]).expand(len(state), 2)
    return Transitions(torch.cat([hot[0], hot[1], rest, hot[2]], dim=-1).float(), mdp.states, mdp.actions)


def every_step(mdp: MDP) -> Transitions:
    """Each state and action once, in the order of (S, A); each goes to where it is likeliest to go."""
    state, action = (index.ravel() for index in np.indices((mdp.states, mdp.actions)))
    after = mdp.transitions[action * mdp.states + state].toarray().argmax(axis=1)
    return one_hot(mdp, state, action, after)
