"""`rewardbot train --unsafe ...`: the shield of a job from state vectors, whatever it learns from, and where it is kept.

`--unsafe LEDGER` learns it beforehand from unsafe intervals that are in a ledger; `--unsafe simulated` on the way, from a simulated
person. It is stored beside the policy, and whoever evaluates the policy does so behind it.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rewardbot.config import overlaid, user_path
from rewardbot.training.files import write_atomic
from rewardbot.training.marked import read_marked
from rewardbot.training.safe_learning import Guarded, SafeLearning, SafetyConfig, check
from rewardbot.training.shield import Shield
from rewardbot.training.shield_fitting import fit_shield
from rewardbot.training.state_loop import Env, Spaces
from rewardbot.types import Metrics

_log = logging.getLogger(__name__)

SIMULATED = "simulated"
SETTINGS = "shield"
"""Group of the settings file."""

SHIELD, FOLDER = "shield.safetensors", "shield"
"""In a run folder: the shield, and what it was learned from on the way."""


def settings_of(changes: Mapping[str, Any], *, where: str = SETTINGS) -> SafetyConfig:
    """The settings, with `changes` as a YAML file has them, which errors call `where`.

    Raises:
        ConfigError: an unknown setting, or a wrong type or value.
    """
    return overlaid(SafetyConfig(), changes, where=where)


def check_unsafe(unsafe: str, config: SafetyConfig, env: Env) -> None:
    """Checks what can be known before a run begins, and warns of labels that are left out.

    Args:
        unsafe: see `StateOptions`.

    Raises:
        ConfigError: a simulated person who does not know what is unsafe, or is never asked.
        DataError: a ledger in which there is nothing to learn from; see `read_marked` and `fit_shield`.
    """
    if unsafe == SIMULATED:
        check(config, Spaces.of(env))
    else:
        _, gone = _from_ledger(unsafe, config, env, 0)
        if gone:
            _log.warning("%d answers in %s are left out: no bag beside it is of the episodes %s, which were discarded, deleted or of "
                         "an evaluation.", sum(gone.values()), unsafe, ", ".join(sorted(gone)))


@dataclass
class Guards:
    """Of a run.

    Attributes:
        env: to learn in.
        judge: to evaluate in, behind the shield of that moment.
    """

    env: Env
    judge: Env
    learning: SafeLearning | None = None

    def metrics(self) -> Metrics:
        """What became of questions and steps so far."""
        return self.learning.metrics() if self.learning else {}


@contextlib.contextmanager
def guarding(unsafe: str, config: SafetyConfig, env: Env, judge: Env, folder: Path, *, steps: int, seed: int) -> Iterator[Guards]:
    """Around learning: stores the shield at the end, if there is one.

    Args:
        unsafe: see `StateOptions`; empty: no shield.
        config: see `SafetyConfig`.
        env, judge: to learn and to evaluate in; the caller closes them.
        folder: of the run.
        steps: of the run.
        seed: of the network.

    Raises:
        StorageError: it cannot be stored.
    """
    if not unsafe:
        yield Guards(env, judge)
        return
    if unsafe != SIMULATED:
        shield, _ = _from_ledger(unsafe, config, env, seed)
        write_atomic(folder / SHIELD, shield.to_bytes())
        yield Guards(Guarded(env, lambda: shield), Guarded(judge, lambda: shield))
        return
    learning = SafeLearning(env, config, folder / FOLDER, steps=steps, seed=seed)
    try:
        yield Guards(learning.env, Guarded(judge, lambda: learning.shield), learning)
        if learning.shield is not None:
            write_atomic(folder / SHIELD, learning.shield.to_bytes())
    finally:
        learning.close()


def guarded(env: Env, folder: Path) -> Env:
    """An environment behind the shield that lies in a folder, if there is one.

    Raises:
        DataError: it is damaged.
    """
    if not (folder / SHIELD).is_file():
        return env
    shield = Shield.read((folder / SHIELD).read_bytes())
    return Guarded(env, lambda: shield)


def _from_ledger(unsafe: str, config: SafetyConfig, env: Env, seed: int) -> tuple[Shield, Mapping[str, int]]:
    """The shield, and `Marked.gone`."""
    found = read_marked(user_path(unsafe), env, lead=config.shield.lead)
    return fit_shield(config.shield, found.steps, found.unsafe, seed=seed), found.gone
