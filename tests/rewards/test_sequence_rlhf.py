"""`examples/10_sequence_rlhf.py`: what follows a reward, and what needs none, come to pi* ~ pi_ref exp(r / beta)."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "10_sequence_rlhf.py"


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("sequence_rlhf", EXAMPLE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def lesson(example: ModuleType) -> Any:
    return example.teach(0)


def test_a_writer_is_a_distribution(example: ModuleType) -> None:
    writer = example.Writer()
    for table in writer.tables:
        torch.nn.init.normal_(table)
    log_pi = writer().detach()
    assert float(log_pi.exp().sum()) == pytest.approx(1.0, abs=1e-5)
    first, second, third = (table.detach().softmax(-1) for table in writer.tables)
    place = example.SENTENCES.tolist().index([2, 0, 3])
    assert float(log_pi[place].exp()) == pytest.approx(float(first[0, 2] * second[2, 0] * third[8, 3]), rel=1e-5)


def test_it_imitates_what_was_written(example: ModuleType) -> None:
    torch.manual_seed(0)
    written = torch.randint(4, (500,))
    shares = torch.bincount(written, minlength=64) / 500.0
    assert example.apart(example.imitate(written), shares.log()) < 0.1


def test_following_a_reward_comes_to_the_best_there_is(example: ModuleType, lesson: Any) -> None:
    aim = example.best(lesson.r, lesson.reference)
    assert example.apart(lesson.followed, aim) < 0.01 and example.apart(lesson.reference, aim) > 0.3
    pi, reference, aim = lesson.followed.exp(), lesson.reference, aim.exp()
    worth = [float(of @ (lesson.r - example.BETA * (of.log() - reference))) for of in (pi, aim)]
    assert worth[0] == pytest.approx(worth[1], abs=0.01)


def test_preferring_comes_to_the_same_without_a_reward(example: ModuleType, lesson: Any) -> None:
    """Each pair as often as a person of that taste says so: then there is no chance in it."""
    every = torch.arange(len(example.SENTENCES))
    pairs = torch.cartesian_prod(every, every)
    says = torch.sigmoid(lesson.taste[pairs[:, 0]] - lesson.taste[pairs[:, 1]])
    aim = example.best(lesson.taste, lesson.reference)
    assert example.apart(example.prefer(pairs, lesson.reference, says), aim) < 0.01


def test_comparisons_tell_the_taste_and_both_writers_meet_it(lesson: Any) -> None:
    assert float(torch.corrcoef(torch.stack([lesson.r, lesson.taste]))[0, 1]) > 0.95
    before, followed, preferred = (float(of.exp() @ lesson.taste) for of in (lesson.reference, lesson.followed, lesson.preferred))
    assert followed > before + 0.5 and preferred > before + 0.5


def test_the_picture(
    lesson: Any, example: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(example, "teach", lambda seed: lesson)
    example.main(str(tmp_path / "there" / "picture.png"))
    assert (tmp_path / "there" / "picture.png").read_bytes()[:4] == b"\x89PNG"
    assert "prefers (DPO)" in capsys.readouterr().out
