"""Six walks through a park, of which `examples/07_inverse_rl.py` tells: what is known, what is not, and where to ask."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from rewardbot.tabular.mdp import plan
from tests.tabular.worlds import value_lost

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "07_inverse_rl.py"


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("inverse_rl", EXAMPLE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    module.SHORT = replace(module.SAMPLER, burn_in=300, steps=500)
    return module


def test_what_the_walks_tell_and_what_they_do_not(example: ModuleType) -> None:
    found = example.learn(example.SHORT)
    kinds = list(example.KINDS.values())
    truth = found.park.rewards(found.features @ found.truth)
    for weights in (found.maxent, found.posterior.mean):
        assert value_lost(found.park, truth, plan(found.park, found.park.rewards(found.features @ weights)).policy) < 0.1
    spread = dict(zip(kinds, example.relative(found.posterior.samples).std(axis=0), strict=True))
    assert max(spread, key=lambda kind: spread[kind]) == "sand" and spread["sand"] > 1.5 * spread["grass"]
    low, high = np.quantile(example.relative(found.posterior.samples)[:, kinds.index("sand")], [0.05, 0.95])
    assert low < found.truth[kinds.index("sand")] < high
    row, column = divmod(int(found.risk.argmax()), example.SIDE)
    assert row <= 3 and column >= 4, "by the sand"


def test_the_picture(
    example: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    learn = example.learn
    monkeypatch.setattr(example, "learn", lambda: learn(replace(example.SHORT, burn_in=40, steps=80)))
    example.main(str(tmp_path / "there" / "picture.png"))
    assert (tmp_path / "there" / "picture.png").read_bytes()[:4] == b"\x89PNG"
    said = capsys.readouterr().out
    assert "sand" in said and "R-hat" in said
