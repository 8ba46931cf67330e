"""The smoke version of `rewardbot bench rankings` runs, keeps its demonstrations, and keeps the contract of its file."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from rewardbot import cli
from rewardbot.bench import _kept
from rewardbot.bench._demonstrators import Demonstrations, demonstrations, rollout
from rewardbot.bench.rankings import QUICK, targets, unsure_of_glare
from rewardbot.feedback.feedback import Ranking
from rewardbot.training.state_loop import make_env
from rewardbot.types import Segment


def bench(folder: Path) -> dict:
    cli.run(["bench", "rankings", "--json", str(folder / "rankings.json"), "--run-dir", str(folder), "--quick"])
    return json.loads((folder / "rankings.json").read_text())


def test_quick_bench_writes_what_is_promised_and_can_be_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_kept, "revision", lambda: "one")  # somebody may commit meanwhile
    result = bench(tmp_path)
    assert result["name"] == "rankings" and [row["reward"] for row in result["rows"]] == ["T-REX", "D-REX"]
    assert all(row["mean demonstration"] <= row["best demonstration"] for row in result["rows"])
    assert [target["target"] for target in result["targets"]] == [">= 1.5", ">= 0"] * 2 + [">= 10"]
    (shown,) = (tmp_path / "rankings").glob("*.safetensors")
    done = sorted((tmp_path / "rankings").glob("*.json"))
    assert [file.name[:7] for file in done] == ["D-REX-0", "T-REX-0"]
    written = [file.stat().st_mtime_ns for file in (shown, done[1])]
    done[0].unlink()
    assert bench(tmp_path)["rows"] == result["rows"], "one line is made anew from the same demonstrations"
    assert [file.stat().st_mtime_ns for file in (shown, done[1])] == written and done[0].exists()


@pytest.mark.parametrize(("enough", "learned"), [(-math.inf, 4), (math.inf, 8)])
def test_a_demonstrator_learns_until_it_is_good_enough(tmp_path: Path, enough: float, learned: int) -> None:
    """Four stages at least, which are tried every 10 steps; it may learn for 80."""
    told: list[float] = []
    config = replace(QUICK.shown, steps=80, longest=10)
    shown = demonstrations("HalfCheetah-v5", config, 4, 0, tmp_path, told.append, enough=enough)
    assert len(told) == learned and len(shown.better) == len(shown.best) == 4
    assert all(rows.shape == (10, 2 * 17 + 6 + 2) for rows in shown.better + shown.best)
    assert len({float(rows.sum()) for rows in shown.better}) == 4, "of different stages"


def test_a_rollout_holds_what_happened() -> None:
    env = make_env("HalfCheetah-v5")
    push = torch.linspace(-1.0, 1.0, 6).numpy()
    rows = rollout(env, lambda state: push, 3, 5)
    first = torch.from_numpy(env.reset(seed=3)[0]).float()
    after, reward, *_ = env.step(push)
    env.close()
    steps = Demonstrations([rows], [], 17, 6).transitions(rows)
    assert rows.shape == (5, 2 * 17 + 6 + 2)
    torch.testing.assert_close(steps.state[0], first)
    torch.testing.assert_close(steps.next_state[0], torch.from_numpy(after).float())
    torch.testing.assert_close(steps.next_state[:-1], steps.state[1:])
    assert float(steps.reward[0]) == pytest.approx(float(reward), rel=1e-5) and steps.continues.tolist() == [1.0] * 5


def test_a_posterior_is_unsure_of_what_only_goes_with_speed() -> None:
    """Twelve runs, each faster than the one before."""
    episodes = {str(number): torch.zeros(20, 2 * 17 + 2) for number in range(12)}
    for number, rows in enumerate(episodes.values()):
        rows[:, 17 + 2 + 8] = number + torch.randn(20, generator=torch.Generator().manual_seed(number))
    ranking = Ranking(tuple(Segment(name, 0, 20) for name in episodes), tuple(range(12))[::-1])
    assert unsure_of_glare(Demonstrations([], [], 17, 0), [ranking], episodes, seed=0) > 10


def test_targets_are_means_over_seeds() -> None:
    row = {"best demonstration": 100.0, "BC": 90.0, "BC of the best": 120.0, "times as unsure of glare": 30.0}
    rows = [{**row, "reward": name, "policy": policy} for name, policies in (("T-REX", (100.0, 240.0)), ("D-REX", (60.0, 160.0)))
            for policy in policies]
    assert [(target.value, target.met) for target in targets(rows)] == [
        (pytest.approx(1.7), True), (pytest.approx(50.0), True), (pytest.approx(1.1), False), (pytest.approx(-10.0), False),
        (pytest.approx(30.0), True)]
