"""The smoke version of `rewardbot bench learner` runs both sides, and its clock compares what it should."""

from __future__ import annotations

import builtins
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from rewardbot import cli
from rewardbot.bench import _end_to_end, learner
from rewardbot.errors import ConfigError


def test_quick_bench_writes_what_is_promised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    baselines = pytest.importorskip("stable_baselines3", reason="the extra 'bench' is not installed")
    trained: list[int] = []
    original = baselines.SAC.train
    monkeypatch.setattr(baselines.SAC, "train", lambda self, gradient_steps, batch_size: trained.append(gradient_steps)
                        or original(self, gradient_steps, batch_size))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    file = tmp_path / "learner.json"
    cli.run(["bench", "learner", "--json", str(file), "--quick"])
    result = json.loads(file.read_text())
    assert result["name"] == "learner" and result["seeds"] == [0]
    assert sum(trained) == 4 * 3, "three windows of three updates, and one that warms up"
    rows = result["rows"]
    assert [row["what"] for row in rows] == ["SAC", "RLPD", "critics", "critics", "critics"]
    for row in rows:
        assert row["device"] == "cpu" and row["first updates/s"] > 0 and row["second updates/s"] > 0
        assert row["ratio"] == pytest.approx(row["first updates/s"] / row["second updates/s"])
    targets = {target["name"]: target for target in result["targets"]}
    assert [target["target"] for target in targets.values()] == [">= 1.3", ">= 5", ">= 8"]
    assert targets["SAC beside Stable-Baselines3, CPU"]["value"] == rows[0]["ratio"]
    unmeasured = targets["SAC beside Stable-Baselines3, GPU (no GPU here)"]
    assert unmeasured["value"] is None and unmeasured["met"] is False


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("stable_baselines3"):
            raise ModuleNotFoundError(f"No module named '{name}'")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigError, match=r"No module named 'stable_baselines3'(.|\n)*pip install rewardbot\[bench\]"):
        cli.run(["bench", "learner", "--quick"])


def test_windows_take_turns_and_the_median_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """One side takes 1 s per update and is interrupted once; the other takes 4 s. The first window warms up and is not counted."""
    now, order = [0.0], ""
    monkeypatch.setattr(learner.time, "perf_counter", lambda: now[0])

    def first(updates: int) -> None:
        nonlocal order
        order += "a"
        now[0] += updates * (1000.0 if len(order) in (1, 5) else 1.0)

    def second(updates: int) -> None:
        nonlocal order
        order += "b"
        now[0] += updates * 4.0

    assert learner.interleaved(first, second, learner.Windows(3, 10), "cpu") == (1.0, 0.25)
    assert order == "abababab"


def test_loop_and_batched_critics_are_the_same_function() -> None:
    torch.manual_seed(0)
    loop, batched = learner.StateCritics(3, 5, 8), learner._BatchedCritics(3, 5, 8)
    with torch.no_grad():
        for member, critic in enumerate(loop):
            for linear, layer in zip(critic[::2], batched.layers, strict=True):  # type: ignore[index, arg-type]
                layer.weight[member].copy_(linear.weight.T)
                layer.bias[member].copy_(linear.bias)
    x = torch.randn(7, 5)
    torch.testing.assert_close(loop(x), batched(x))


def test_only_the_end_to_end_update_trains_an_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    original = _end_to_end.Adam
    monkeypatch.setattr(_end_to_end, "Adam", lambda parameters, rate: made.extend(found := list(parameters)) or original(found, rate))
    cached, trained = _end_to_end.cached_and_end_to_end("cpu", seed=0)
    before = [parameter.clone() for parameter in made]

    def moved() -> list[bool]:
        return [not torch.equal(old, new) for old, new in zip(before, made, strict=True)]

    cached(1)
    assert not any(moved())
    trained(2)
    assert all(moved())
