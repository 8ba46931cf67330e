"""What a comparison says of how long it takes."""

from __future__ import annotations

import pytest

from rewardbot.bench import _pace
from rewardbot.bench._pace import seconds_per_step, spoken, with_time_left
from rewardbot.policies.sac import SACConfig
from rewardbot.training.state_loop import StateLoopConfig


@pytest.mark.parametrize(("seconds", "said"), [
    (0.4, "0 s"), (80.0, "80 s"), (90.0, "2 min"), (3540.0, "59 min"), (3600.0, "1 h 00 min"), (11_100.0, "3 h 05 min")])
def test_times_as_people_say_them(seconds: float, said: str) -> None:
    assert spoken(seconds) == said


def test_what_has_passed_corrects_what_was_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    now, said = 100.0, []
    monkeypatch.setattr(_pace.time, "monotonic", lambda: now)
    told = with_time_left(lambda share, detail: said.append((share, detail)), 1200.0)
    told(0.0, "a")
    now = 110.0
    told(0.04, "b")
    now = 700.0
    told(0.25, "c")
    assert said == [(0.0, "a; about 20 min in all"), (0.04, "b; about 19 min left"), (0.25, "c; about 30 min left")]


def test_more_updates_take_longer() -> None:
    """Without any, a step is the environment's alone."""
    small = SACConfig(hidden=8, batch=8)
    few, many = (seconds_per_step("Pendulum-v1", StateLoopConfig(updates_per_step=n, sac=small)) for n in (0.0, 2.0))
    assert 0.0 < few < many
