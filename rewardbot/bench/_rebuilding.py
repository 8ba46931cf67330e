"""Rewards from the same answers, as digests of their weights. `python -m rewardbot.bench._rebuilding LEDGER SEED` prints those of the
rewards that a process finds which knows nothing but the ledger."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import torch

from rewardbot.data.transitions import Transitions
from rewardbot.feedback.feedback import Ranking, Rating
from rewardbot.feedback.ledger import Ledger
from rewardbot.rewards.b_rex import BayesianRex, BRexConfig
from rewardbot.rewards.base import Context
from rewardbot.rewards.preference import PreferenceConfig, PreferenceReward
from rewardbot.rewards.t_rex import TRex, TRexConfig
from rewardbot.types import Segment

EPISODES, LENGTH, STATES = 40, 60, 6
SEES = ("state",)


def episode(number: int, seed: int) -> Transitions:
    """A random walk, without actions."""
    walk = torch.randn(LENGTH + 1, STATES, generator=torch.Generator().manual_seed(1000 * seed + number)).cumsum(0)
    return Transitions(torch.cat([walk[:-1], torch.zeros(LENGTH, 1), torch.ones(LENGTH, 1), walk[1:]], dim=-1), STATES, 0)


def context(seed: int) -> Context:
    """Where the steps of episodes "0", "1" and so on come from."""

    def transitions(segment: Segment) -> Transitions:
        whole = episode(int(segment.episode_id), seed)
        return Transitions(whole.rows[segment.start : segment.stop], STATES, 0)

    return Context(transitions)


def digests(feedback: Iterable[object], seed: int) -> dict[str, str]:
    """SHA-256 of the weights of each reward that is learned from `feedback`."""
    torch.set_num_threads(1)
    answers = [answer for answer in feedback if isinstance(answer, (Ranking, Rating))]
    return {name: hashlib.sha256(weights(answers, seed)).hexdigest() for name, weights in _REWARDS.items()}


def _preference(answers: Sequence[Ranking | Rating], seed: int) -> bytes:
    reward = PreferenceReward(PreferenceConfig(sees=SEES, bootstrap=True, steps=100), STATES, seed=seed)
    reward.fit(answers, context(seed))
    return reward.to_bytes({})


def _t_rex(answers: Sequence[Ranking | Rating], seed: int) -> bytes:
    reward = TRex(TRexConfig(sees=SEES, steps=100), STATES, seed=seed)
    reward.fit(answers, context(seed))
    return reward.to_bytes({})


def _bayesian_rex(answers: Sequence[Ranking | Rating], seed: int) -> bytes:
    reward = BayesianRex(BRexConfig(sees=SEES, burn_in=100, steps=200), seed=seed)
    reward.fit(answers, context(seed))
    return reward.weights.numpy().tobytes()


_REWARDS: dict[str, Callable[[Sequence[Ranking | Rating], int], bytes]] = {
    "Bradley-Terry ensemble": _preference, "T-REX": _t_rex, "Bayesian REX": _bayesian_rex}


if __name__ == "__main__":
    with Ledger(Path(sys.argv[1]), read_only=True) as found:
        print(json.dumps(digests(found.active().values(), int(sys.argv[2]))))
