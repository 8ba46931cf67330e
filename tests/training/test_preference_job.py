"""`rewardbot train --env NAME --reward preference`: what is its own, beside the loop."""

from __future__ import annotations

from pathlib import Path

import pytest

from rewardbot import cli
from rewardbot.feedback.alarm import RewardFrozen
from rewardbot.training.preference_job import resolve
from rewardbot.training.preferences import PreferenceLoop
from rewardbot.training.state_options import StateOptions

SETTINGS = """loop: {start_steps: 50, sac: {hidden: 8, batch: 16}}
asking: {steps: 5}
reward: {hidden: 8, steps: 5}
every: 50
evaluations: 1
"""


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
