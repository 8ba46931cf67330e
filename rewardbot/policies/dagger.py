"""DAgger (Ross, Gordon and Bagnell 2011, algorithm 3.1): behaviour cloning on the states that the learner itself brings about.

Behaviour cloning errs ever more often once it has erred, because nobody showed it the states that follow: J <= J* + eps T^2. Here
the expert says what he would have done in them, so that they are learned too: J <= J* + u eps T.

Learns from: demonstrations, and what the expert would have done elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

D = TypeVar("D")
P = TypeVar("P")


def geometric(share: float, rounds: int) -> list[float]:
    """beta_i = p^i for i = 1 to N. Round 0, in which the expert alone acts (beta = 1), gave the demonstrations."""
    return [share**i for i in range(1, rounds + 1)]


def aggregate(
    demonstrations: Sequence[D], fit: Callable[[Sequence[D]], P], collect: Callable[[P, float], Sequence[D]], betas: Iterable[float]
) -> Iterator[P]:
    """pi_hat_i = fit(D_0 + ... + D_i): the policies, from that of the demonstrations alone to that of all rounds.

    Args:
        demonstrations: D_0.
        fit: behaviour cloning.
        collect: runs pi_i = beta_i pi* + (1 - beta_i) pi_hat_i: in each step the expert acts with probability beta_i. Returns
            the visited states, with what the expert would have done in each.
        betas: beta_1, beta_2, ...
    """
    data = list(demonstrations)
    policy = fit(data)
    yield policy
    for beta in betas:
        data += collect(policy, beta)
        policy = fit(data)
        yield policy


def dagger(
    demonstrations: Sequence[D], fit: Callable[[Sequence[D]], P], collect: Callable[[P, float], Sequence[D]],
    validate: Callable[[P], float], betas: Iterable[float],
) -> P:
    """The best of the policies of `aggregate` by their loss on states of their own that nobody trained on, `validate`."""
    return min(aggregate(demonstrations, fit, collect, betas), key=validate)
