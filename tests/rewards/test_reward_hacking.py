"""`examples/06_reward_hacking.py` shows what it says: two rewards are hacked unawares, a posterior gives the hacker away."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "06_reward_hacking.py"


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reward_hacking", EXAMPLE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module", params=range(2))
def lesson(request: pytest.FixtureRequest, example: ModuleType) -> Any:
    return example.teach(request.param)


def test_the_lesson(lesson: Any, example: ModuleType) -> None:
    courses = lesson.courses
    for name in (example.CLASSIFIER, example.T_REX, example.B_REX):
        hacked = courses[name]
        assert hacked.believed[-1] > 1.2 and hacked.true[-1] < 0.0, f"{name}: better than the best, and worse than the worst"
        assert hacked.true.max() > hacked.true[-1] + 0.5, "it was better before"
    for name in (example.CLASSIFIER, example.T_REX):
        assert courses[name].alarm is None, "a point estimate has nothing to give it away by"
    hacked, careful = courses[example.B_REX], courses[example.BOUND]
    assert hacked.alarm is not None and hacked.true[hacked.alarm :].max() < 0.3
    assert careful.alarm is None and careful.true[-1] > 0.9


def test_progress_and_glare_by_hand(example: ModuleType) -> None:
    pusher, tilter = example.episodes(torch.tensor([[0.0, -99.0, -99.0], [99.0, 99.0, 99.0]]))
    assert pusher[-1].tolist() == pytest.approx([20 * 0.05 / 2] * 2), "half the effort; glare goes with progress"
    assert tilter[-1].tolist() == pytest.approx([0.0, 20 * 0.15])
    assert example.true_returns(pusher[None]).item() == pytest.approx(0.025 * 210)


def test_the_picture(
    lesson: Any, example: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(example, "teach", lambda seed: lesson)
    example.main(str(tmp_path / "there" / "picture.png"))
    assert (tmp_path / "there" / "picture.png").read_bytes()[:4] == b"\x89PNG"
    assert "Bayesian REX, bound" in capsys.readouterr().out
