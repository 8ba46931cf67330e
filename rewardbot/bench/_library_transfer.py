"""The part of `rewardbot bench library` on changed dynamics: which learned reward is still right when actions lead elsewhere.

AIRL and GAIL imitate an expert on a grid. What each has learned is planned for from scratch on the same grid in which each action
leads where its opposite did; what counts is what that plan is truly worth there, as a share of the best plan's. GAIL's D likes what
the expert did, and that now leads away; AIRL's g looks at states alone (Fu et al. 2018, section 7.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

import numpy as np
import torch
from scipy.sparse import csr_array

from rewardbot.bench._tabular_generator import TabularGenerator, every_step, sample
from rewardbot.data.transitions import Transitions
from rewardbot.rewards.airl import AIRL, AIRLConfig
from rewardbot.rewards.discriminator import DiscriminatorConfig
from rewardbot.rewards.gail import GAIL, GAILConfig
from rewardbot.tabular.mdp import MDP, Array, evaluate, gridworld, occupancy, plan
from rewardbot.training.bench import BenchOptions, Cell, Report, Target

WORLD = "3 x 3 grid, actions reversed"
HERE = gridworld(3, 3, slip=0.0, discount=0.9)
"""Deterministic, and every state can be reached from every other: under these two the paper's theorem holds."""

TRUE = np.zeros(HERE.states)
TRUE[8], TRUE[4] = 1.0, -1.0
EXPERT = plan(HERE, HERE.rewards(TRUE), temperature=1.0).policy
"""It has entropy, whose amount tells the scale of the reward."""

SHOWN, ROUNDS = 4000, 80
BATCH, STEPS = 1000, 10
"""Steps of expert and policy in each step of a reward, and how many of these there are in a round."""

_TABLE = DiscriminatorConfig(hidden=32, dropout=0.0, noise=0.0, smoothing=0.0, mixup=False)

ENOUGH, WRONG = 0.9, 0.5
"""Share of the best plan's worth that is right, and below which a plan is not."""


@dataclass(frozen=True)
class Learned:
    """Both rewards, and the policies that learned with them."""

    airl: AIRL
    gail: GAIL
    of_airl: TabularGenerator
    of_gail: TabularGenerator


def learn(seed: int, rounds: int = ROUNDS) -> Learned:
    """Both imitate the same demonstrations."""
    rng, share = np.random.default_rng(seed), occupancy(HERE, EXPERT)
    shown = sample(HERE, share / share.sum(), SHOWN, rng)
    torch.manual_seed(seed)
    of_airl, of_gail, table = TabularGenerator(HERE, rate=0.5), TabularGenerator(HERE, rate=0.5), every_step(HERE)
    airl = AIRL(AIRLConfig(penalty=0.0, rate=5e-3, discriminator=_TABLE), shown, of_airl.log_pi, discount=0.9, temperature=1.0,
                seed=seed)
    gail = GAIL(GAILConfig(penalty=0.0, rate=5e-3, discriminator=_TABLE), shown, seed=seed)
    for _ in range(rounds):
        for model, policy in ((airl, of_airl), (gail, of_gail)):
            visited = policy.sample(BATCH, rng)
            for _ in range(STEPS):
                model.step(Transitions(shown.rows[torch.randint(SHOWN, (BATCH,))], shown.states, shown.actions), visited)
            policy.improve(_table(model.reward(table)), entropy=model is airl)
    return Learned(airl, gail, of_airl, of_gail)


def of_states(airl: AIRL) -> Array:
    """g of each state, (S,)."""
    return _table(airl.transferable(every_step(HERE)))[:, 0]


def changed() -> MDP:
    """The same grid, in which each action leads where its opposite did."""
    blocks = HERE.transitions.toarray().reshape(HERE.actions, HERE.states, HERE.states)
    return MDP(csr_array(blocks[[2, 3, 0, 1]].reshape(-1, HERE.states)), discount=HERE.discount)


def worths(learned: Learned, there: MDP) -> dict[str, float]:
    """What plans for the learned rewards are truly worth in `there`, as a share of the best plan's."""
    truth = there.rewards(TRUE)
    rewards = {"expert": truth, "airl": there.rewards(of_states(learned.airl)),
               "gail": _table(learned.gail.reward(every_step(HERE)))}
    found = {name: float(there.start @ evaluate(there, plan(there, reward).policy, truth)) for name, reward in rewards.items()}
    return {name: value / found["expert"] for name, value in found.items()}


def transfer(seeds: Sequence[int], options: BenchOptions, report: Report) -> tuple[list[dict[str, Cell]], list[Target]]:
    """Rows and targets of this part.

    Args:
        seeds: of demonstrations and learners.
        options: of the comparison.
        report: told the share of this part that is done.
    """
    rows: list[dict[str, Cell]] = []
    found: dict[str, list[float]] = {"airl": [], "gail": []}
    for number, seed in enumerate(seeds):
        report(number / len(seeds), f"{WORLD}, seed {seed}")
        worth = worths(learn(seed, 2 if options.quick else ROUNDS), changed())
        rows += [{"world": WORLD, "seed": seed, "method": method, "share of the expert": share} for method, share in worth.items()]
        for method, shares in found.items():
            shares.append(worth[method])
    report(1.0, f"{WORLD}: done")
    return rows, [Target.at_least(f"{WORLD}: airl, share of the best plan's worth", mean(found["airl"]), ENOUGH),
                  Target.at_most(f"{WORLD}: gail, share of the best plan's worth", mean(found["gail"]), WRONG)]


def _table(of_steps: torch.Tensor) -> Array:
    return of_steps.double().numpy().reshape(HERE.states, HERE.actions)
