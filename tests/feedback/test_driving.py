"""`examples/04_driving.py` prints its tables and draws its picture; what they say is tested in tests/bench/test_driving.py."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "04_driving.py"


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("driving", EXAMPLE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


def test_the_picture(
    example: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(example, "QUESTIONS", 3)
    monkeypatch.setattr(example, "SHOWN", (1, 3))
    example.main(str(tmp_path / "there" / "picture.png"), 1)
    assert (tmp_path / "there" / "picture.png").read_bytes()[:4] == b"\x89PNG"
    assert "volume removal, inverted" in capsys.readouterr().out
