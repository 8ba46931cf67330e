"""The smoke version of the continuous part of `rewardbot bench library`."""

from __future__ import annotations

from rewardbot.bench._library_control import ENOUGH, control


def test_every_method_has_its_row_and_every_promise_its_target() -> None:
    told: list[float] = []
    rows, targets = control([0], True, lambda share, detail: told.append(share))
    by_world = {world: {row["method"] for row in rows if row["world"] == world} for world in ("Pendulum-v1", "push from state")}
    assert by_world == {"Pendulum-v1": {"expert", "random", "bc", "gail", "airl"},
                        "push from state": {"bc", "gail", "airl", "vice", "goal_classifier"}}
    assert all(0.0 <= row["true success"] <= 1.0 for row in rows if "true success" in row)
    shares = {row["method"]: row["share of the expert"] for row in rows if "share of the expert" in row}
    assert shares["expert"] == 1.0 and shares["random"] == 0.0
    assert [target.name.split(":")[0] for target in targets] == ["Pendulum-v1"] * 2
    assert all(target.target == f">= {ENOUGH:g}" for target in targets)
    assert told == sorted(told) and told[-1] == 1.0
