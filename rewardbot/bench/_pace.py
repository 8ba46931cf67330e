"""How long a comparison takes on this machine, said before it begins and while it runs."""

from __future__ import annotations

import dataclasses
import time

from rewardbot.training.bench import Report
from rewardbot.training.state_loop import StateLoop, StateLoopConfig, make_env

WARM, TIMED = 40, 80
"""Steps that are learned first, and then with the clock running."""

TELLING = 0.05
"""Share of the whole after which what has passed tells more of what is left than what was expected."""


def seconds_per_step(env: str, config: StateLoopConfig) -> float:
    """What a step and its updates take here [s], by learning for a moment.

    Raises:
        ConfigError: see `make_env` and `Spaces.of`.
    """
    made = make_env(env)
    short = dataclasses.replace(config, steps=WARM + TIMED, start_steps=WARM // 2, longest=min(config.longest, WARM // 2))
    loop = StateLoop(made, short)
    while loop.steps < WARM:
        loop.episode()
    began, first = time.monotonic(), loop.steps
    while loop.steps < short.steps:
        loop.episode()
    made.close()
    return (time.monotonic() - began) / (loop.steps - first)


def with_time_left(report: Report, seconds: float) -> Report:
    """`report`, whose details say how long it takes in all and then how long still, `seconds` being what is expected."""
    began = time.monotonic()

    def told(share: float, detail: str) -> None:
        passed = time.monotonic() - began
        whole = passed / share if share > TELLING else seconds
        left = spoken(seconds) + " in all" if share == 0.0 else spoken((1.0 - share) * whole) + " left"
        report(share, f"{detail}; about {left}")

    return told


def spoken(seconds: float) -> str:
    """A time as people say it: 40 s, 12 min, 3 h 05 min."""
    minutes = round(seconds / 60.0)
    if minutes < 2:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
