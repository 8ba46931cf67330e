"""A driver's five weights from thirty answers, as `examples/04_driving.py` tells; the sign of volume removal, and its weakness."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "04_driving.py"
SEEDS = range(3)


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("driving", EXAMPLE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


def test_chosen_questions_find_the_weights_and_the_sign_matters(example: ModuleType) -> None:
    last = {strategy: np.mean([example.ask(strategy, seed)[-1] for seed in SEEDS]) for strategy in example.STRATEGIES}
    assert last["volume removal"] >= 0.98 and last["mutual information"] >= 0.98
    assert last["random"] < last["volume removal"] - 0.01
    assert last["volume removal, inverted"] < last["random"] - 0.05


def test_of_an_unsure_driver_volume_removal_asks_what_nobody_can_answer(example: ModuleType) -> None:
    def last(strategy: str, left_out: float = 0.0) -> float:
        return float(np.mean([example.ask(strategy, seed, example.UNSURE, left_out)[-1] for seed in SEEDS]))

    plain = last("volume removal")
    assert last("mutual information") > plain and last("volume removal", left_out=0.5) > plain


def test_the_picture(
    example: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(example, "QUESTIONS", 3)
    monkeypatch.setattr(example, "SHOWN", (1, 3))
    example.main(str(tmp_path / "there" / "picture.png"), "1")
    assert (tmp_path / "there" / "picture.png").read_bytes()[:4] == b"\x89PNG"
    assert "volume removal, inverted" in capsys.readouterr().out
