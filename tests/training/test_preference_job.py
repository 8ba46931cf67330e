"""`rewardbot train --env NAME --reward preference`: what is its own, beside the loop."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rewardbot import cli
from rewardbot.errors import ConfigError
from rewardbot.feedback.alarm import RewardFrozen
from rewardbot.training.preference_job import resolve
from rewardbot.training.preferences import PreferenceLoop
from rewardbot.training.reward_file import read_reward
from rewardbot.training.state_options import StateOptions

SETTINGS = """loop: {start_steps: 50, sac: {hidden: 8, batch: 16}}
asking: {steps: 5}
reward: {hidden: 8, steps: 5}
every: 50
evaluations: 1
"""


def train(folder: Path, *arguments: str, settings: str = "") -> Path:
    (folder / "settings.yaml").write_text(SETTINGS + settings)
    cli.run(["train", "--env", "Pendulum-v1", "--steps", "450", "--answers", "12", "--episodes", "1", "--run-dir", str(folder),
             "--config", str(folder / "settings.yaml"), *arguments])
    return (folder / "latest").resolve()


@pytest.mark.parametrize(("reward", "again", "also"), [
    ("preference", True, ""), ("surf", False, "clips that nobody was asked about")])
def test_the_reward_and_its_card_are_left_behind(
    reward: str, again: bool, also: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    explore = "" if reward == "preference" else "explore_steps: 0\nunlabelled: 10\n"
    run = train(tmp_path, "--reward", reward, "--seed", "3", settings=explore)
    assert "reward.safetensors, card/card.md" in capsys.readouterr().out
    stored, card = read_reward(run / "reward.safetensors"), json.loads((run / "card" / "card.json").read_text())
    assert card["provenance"]["rebuilt_from_the_ledger"] is again and card["provenance"]["also"] == also
    assert card["reward"]["sha256"] == stored.digest and card["reward"]["seed"] == 3 and card["answers"]["learned_from"] == 12
    assert card["held_out"]["answers"] == 12 and 0.0 <= card["meter"]["bound"] <= 1.0 and (run / "card" / "calibration.png").exists()
    assert (f"depends on {also}" in (run / "card" / "card.md").read_text()) is not again


def test_without_a_reward_there_is_no_card(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = train(tmp_path, settings="simulated: {equal: 1.0e+9}\n")
    assert not (run / "reward.safetensors").exists() and not (run / "card").exists()
    assert "None of 12 answers prefers one clip to another" in capsys.readouterr().err


def test_several_kinds_of_questions_go_with_the_strategy_of_the_command_line() -> None:
    kinds = {"asking": {"kinds": ["pair", "rating"]}}
    found = resolve(StateOptions(env="Pendulum-v1", strategy="mutual_information"), kinds).asking
    assert found.kinds == ("pair", "rating") and found.strategy == "mutual_information" and found.schedule.budget == 100
    with pytest.raises(ConfigError, match="2 kinds, to be chosen by disagreement"):
        resolve(StateOptions(env="Pendulum-v1"), kinds)
    with pytest.raises(ConfigError, match="asking"):
        resolve(StateOptions(env="Pendulum-v1"), {"asking": [1]})


def test_who_watches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not resolve(StateOptions(env="Pendulum-v1"), {}).look, "what it takes are questions"
    assert resolve(StateOptions(env="Pendulum-v1", watch=True), {}).look and resolve(StateOptions(), {"look": True}).look
    (tmp_path / "settings.yaml").write_text(SETTINGS)
    frozen: list[bool] = [True]
    run = PreferenceLoop.run

    def run_until_the_alarm(self: PreferenceLoop, *args: object, **named: object) -> None:
        assert self.config.look
        if frozen:
            raise RewardFrozen("The policy has found a way.")
        run(self, *args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(PreferenceLoop, "run", run_until_the_alarm)
    with pytest.raises(RewardFrozen, match=r"found a way(.|\n)*rewardbot train --resume \S+Pendulum-v1-0$") as caught:
        cli.run(["train", "--env", "Pendulum-v1", "--watch", "--steps", "150", "--answers", "4", "--episodes", "1", "--run-dir",
                 str(tmp_path), "--config", str(tmp_path / "settings.yaml")])
    assert caught.value.exit_code == 2
    frozen.clear()
    cli.run(["train", "--resume", str(caught.value).split()[-1]])
    assert (Path(str(caught.value).split()[-1]) / "summary.json").exists()
