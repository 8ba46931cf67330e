"""What has been measured of each algorithm, for `rewardbot list`: a sentence, and the command that measures it again.

Only figures that stand in README.md, docs/ or CHANGELOG.md stand here, and a test sees to it. Whoever changes one there changes it
here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Measured:
    """A result.

    Attributes:
        result: a sentence without its full stop.
        command: what measures it.
    """

    result: str
    command: str


NOT_MEASURED = "not measured"


def _grid(share: str) -> Measured:
    return Measured(f"on 8 x 8 grids, mean of seeds 0, 1 and 2, of the expert's value above chance {share}; cloning .688",
                    "rewardbot bench library")


MEASURED: Mapping[tuple[str, str], Measured] = {
    ("reward", "vice"): Measured(
        "untrained policy on `lift`, true success on seeds 0, 1, 2: 1.00, 1.00, 1.00, with negatives of what the policy visits",
        "rewardbot bench exploit"),
    ("reward", "goal_classifier"): Measured(
        "frozen, the same policy comes to 1.00, .22, .00 (mean .41), and the classifier believes 1.00 each time",
        "rewardbot bench exploit"),
    ("reward", "t_rex"): Measured(
        "HalfCheetah, 12 ranked demonstrations, seeds 0, 1 and 2: true return 2.55, 2.38 and 2.49 times the best demonstration's",
        "rewardbot bench rankings"),
    ("reward", "d_rex"): Measured(
        "HalfCheetah, 12 demonstrations, seeds 0, 1 and 2: true return .76, 2.40 and 2.23 times the best demonstration's",
        "rewardbot bench rankings"),
    ("reward", "gail"): Measured(
        "from 10 episodes of an expert, mean of seeds 0, 1 and 2, .990 of its return on HalfCheetah; true success on the arm's "
        "`push` .90, .98 and 1.00", "rewardbot bench library"),
    ("reward", "airl"): Measured(
        "from 10 episodes of an expert, mean of seeds 0, 1 and 2, .954 of its return on HalfCheetah; true success on the arm's "
        "`push` .62, .44 and .32; under reversed actions 1.00 of the best plan's worth", "rewardbot bench library"),
    ("reward", "gcl"): Measured(
        "from 10 episodes of an expert, mean of seeds 0, 1 and 2, .963 of its return on Pendulum", "rewardbot bench library"),
    ("tabular", "feature_matching"): _grid(".899 with projections, .893 with multiplicative weights"),
    ("tabular", "maxent_irl"): _grid(".978"),
    ("tabular", "deep_maxent_irl"): _grid(".959"),
    ("tabular", "bayesian_irl"): _grid(".982"),
    ("tabular", "sufficiency"): _grid(".997, asking where it matters"),
    ("tabular", "learning_from_learner"): _grid(".992, seeing a learner before and after he improves"),
    ("training", "self_play"): Measured(
        "true success on the arm's `reach`, of which nobody told it, .92, .86 and .98 on seeds 0, 1 and 2; with a setter that acts "
        "by chance .94, .80 and .94", "rewardbot bench self_play"),
    ("training", "shield"): Measured(
        "on `reach`, seeds 6, 7 and 8, beside no shield: .253 of the policy's unsafe steps, .512 of those of learning (promised .5), "
        ".875 of its success", "rewardbot bench shield"),
    ("policy", "rlpd"): Measured(
        "from 30 demonstrations on seeds 0, 1 and 2: `lift` 99%, 100%, 98%, where tuned behaviour cloning comes to 31%, 28%, 10%",
        "rewardbot bench tasks"),
    ("policy", "bc"): Measured(
        "from 30 demonstrations of `lift` 0%, 7% and 1% on seeds 0, 1 and 2, untuned, since the operator hesitates before he grasps",
        "rewardbot bench tasks"),
    ("policy", "hg_dagger"): Measured(
        "`lift` from 3 demonstrations to 95% in 0.37 and 1.94 minutes on seeds 1 and 2, not in 0.51 on seed 0",
        "rewardbot bench takeover"),
}
"""(kind, name) -> its result; what is not here has not been measured."""
