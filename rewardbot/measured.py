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
    ("policy", "rlpd"): Measured(
        "from 30 demonstrations on seeds 0, 1 and 2: `lift` 97%, 100%, 100%, where tuned behaviour cloning comes to 27%, 38%, 7%",
        "rewardbot bench tasks"),
    ("policy", "bc"): Measured(
        "from 30 demonstrations of `lift` 0%, 9% and 3% on seeds 0, 1 and 2, untuned, since the operator hesitates before he grasps",
        "rewardbot bench tasks"),
    ("policy", "hg_dagger"): Measured("98% on `pencil_case` after 20 episodes, in a single run", "rewardbot bench takeover"),
}
"""(kind, name) -> its result; what is not here has not been measured."""
