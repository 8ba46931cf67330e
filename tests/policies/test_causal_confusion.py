"""Causal confusion, of which `examples/03_causal_confusion.py` tells: both signs, on several seeds, and what DAgger makes of it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "03_causal_confusion.py"


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("causal_confusion", EXAMPLE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("seed", range(4))
def test_the_last_action_lowers_the_loss_and_the_return_and_dagger_repairs_it(seed: int, example: ModuleType) -> None:
    found = example.confuse(seed)
    without, with_action = found.mistakes
    assert with_action < 0.2 * without, "on held-out demonstrations it is much the better one"
    assert found.rounds[0] < found.without - 0.1, "and much the worse when it drives"
    assert found.rounds[-1] > found.without + 0.05, "and the better one in truth with DAgger"


def test_the_picture(example: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example.main(str(tmp_path / "there" / "picture.png"), 1)
    assert (tmp_path / "there" / "picture.png").read_bytes()[:4] == b"\x89PNG"
    assert len(capsys.readouterr().out.splitlines()) == 4
