"""`rewardbot train --unsafe`: what a run behind a shield leaves behind, what was marked used again, evaluating, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import yaml

from rewardbot import cli
from rewardbot.data.bag_changes import delete
from rewardbot.data.episodes import discard
from rewardbot.data.library import Library
from rewardbot.errors import RewardbotError
from rewardbot.feedback.feedback import Given, Query, Skip, UnsafeInterval
from rewardbot.feedback.ledger import Ledger
from rewardbot.training.marked import read_marked
from rewardbot.training.safety import check_unsafe, guarded, settings_of
from rewardbot.training.shield import Shield
from rewardbot.training.state_loop import make_env
from rewardbot.types import Segment
from tests.ros.recorded import record
from tests.training.point import Point

ENV = "tests/Point-v0"
ZONE = {"entries": [0], "low": [0.6], "high": [1.0]}


@pytest.fixture(autouse=True)
def _env() -> None:
    if ENV not in gymnasium.registry:
        gymnasium.register(ENV, entry_point=Point)


def train(tmp_path: Path, unsafe: str, *arguments: str, **shield: Any) -> Path:
    path = tmp_path / "settings.yaml"
    shield = {"shield": {"shield": {"steps": 60, "lead": 0}, **shield}} if unsafe else shield
    path.write_text(yaml.safe_dump({"loop": {"start_steps": 110, "sac": {"batch": 16, "hidden": 8}}, **shield}))
    cli.run(["train", "--env", ENV, "--reward", "true", "--steps", "120", "--episodes", "2", "--unsafe", unsafe, "--config",
             str(path), "--run-dir", str(tmp_path / "runs"), *arguments])
    return (tmp_path / "runs" / "latest").resolve()


def test_a_simulated_person_teaches_a_shield_which_others_can_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = train(tmp_path, "simulated", zone=ZONE, schedule={"budget": 6})
    shield = Shield.read((run / "shield.safetensors").read_bytes())
    beyond, back = np.array([[0.5]], np.float32), np.array([[-1.0]], np.float32)
    assert shield.filter(beyond[0], np.array([1.0], np.float32))[0] < 0.6 and shield.filter(beyond[0], back[0]).tolist() == [-1.0]
    logged = (run / "metrics.csv").read_text()
    assert all(name in logged for name in ("unsafe_questions", "refused_per_1000", "true_unsafe_per_1000"))
    assert "shield.safetensors" in capsys.readouterr().out
    behind = guarded(make_env(ENV), run)
    behind.reset(seed=0)
    for _ in range(9):
        state, *_ = behind.step(np.array([1.0], np.float32))
    assert state[0] < 0.9
    cli.run(["eval", str(run), "--episodes", "2"])
    again = train(tmp_path, str(run / "shield" / "ledger.sqlite"), "--seed", "1")
    assert again != run and (again / "shield.safetensors").is_file() and not (again / "shield").exists()


def test_a_run_that_was_stopped_goes_on_behind_its_shield(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from rewardbot.training import state_job

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(state_job, "judge_policy", stopped)
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path, "simulated", zone=ZONE)
    run = (tmp_path / "runs" / "latest").resolve()
    assert not (run / "shield.safetensors").exists()
    cli.run(["train", "--resume", str(run)])
    assert (run / "shield.safetensors").is_file() and (run / "summary.json").is_file()


def test_what_an_operator_marked_in_recorded_episodes_of_the_arm(tmp_path: Path) -> None:
    """Moving the tool up is marked, in bags, by nobody but us; the shield knows it of states."""
    record(tmp_path / "bags", 3, steps=20)
    library = Library([tmp_path / "bags"])
    library.refresh()
    with Ledger(tmp_path / "bags" / "feedback.db") as ledger:
        for id in library.ids:
            ledger.ask(Query(f"i-{id}", "interval", (Segment(id, 0, 20),), (0,)))
            for step in np.flatnonzero(library.read(id, pixels=False).applied[:, 2] > 0.0):
                ledger.answer(UnsafeInterval(Segment(id, int(step), int(step) + 1), "up", Given("ann")))
    env = make_env("rewardbot/LiftState-v0")
    found = read_marked(tmp_path / "bags" / "feedback.db", env)
    states = env.observation_space.shape[0]
    assert found.steps.state_action.shape == (60, states + 4)
    assert (found.unsafe == (found.steps.state_action[:, states + 2] > 0.0)).all()
    start, _ = env.reset(options={"start": 0})
    np.testing.assert_allclose(found.steps.state[0], start, atol=1e-4)
    check_unsafe(str(tmp_path / "bags" / "feedback.db"), settings_of({"shield": {"steps": 5}}), env)
    env.close()


def test_labels_of_episodes_that_were_given_up_later(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Left out and counted, as long as any is left."""
    bags = record(tmp_path / "bags", 3, steps=8)
    path, settings = tmp_path / "bags" / "feedback.db", settings_of({"shield": {"steps": 5}})
    with Ledger(path) as ledger:
        for bag in bags:
            ledger.ask(Query(f"i-{bag.name}", "interval", (Segment(bag.name, 0, 8),), (0,)))
        for bag in (bags[0], bags[1], bags[1]):
            ledger.answer(UnsafeInterval(Segment(bag.name, 4, 6), "the operator pressed Stop", Given("ann")))
        ledger.answer(Skip(Given("ann", f"i-{bags[2].name}")))
    env = make_env("rewardbot/LiftState-v0")
    check_unsafe(str(path), settings, env)
    assert not caplog.messages
    discard(bags[1])
    delete([bags[2]])
    check_unsafe(str(path), settings, env)
    assert caplog.messages[0].startswith(f"3 answers in {path} are left out") and f"{bags[1].name}, {bags[2].name}" in caplog.text
    found = read_marked(path, env)
    assert found.unsafe.tolist() == [False] * 4 + [True] * 2 + [False] * 2 and found.gone == {bags[1].name: 2, bags[2].name: 1}
    discard(bags[0])
    record(tmp_path / "bags", 1, steps=8, first=7)
    with pytest.raises(RewardbotError, match=rf"None of .* {bags[0].name}, {bags[1].name}\.(.|\n)*in another folder"):
        check_unsafe(str(path), settings, env)
    env.close()


@pytest.mark.parametrize(("unsafe", "settings", "said"), [
    ("simulated", {}, r"What is unsafe is where the entries \[\](.|\n)*shield: \{zone"),
    ("simulated", {"zone": ZONE, "schedule": {"budget": 0}}, "is shown 0 episodes"),
    ("simulated", {"zones": ZONE}, "shield: .*no setting of SafetyConfig named 'zones'"),
    ("none.sqlite", {}, "There is no ledger none.sqlite"),
    ("", {"shield": {"zone": ZONE}}, r"settings of a shield, and there is none(.|\n)*--unsafe LEDGER"),
])
def test_what_cannot_be_is_refused_at_the_start(unsafe: str, settings: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(RewardbotError, match=said):
        train(tmp_path, unsafe, **settings)
    assert not (tmp_path / "runs").exists()


def test_self_play_has_no_shield(tmp_path: Path) -> None:
    with pytest.raises(RewardbotError, match="'self_play' has no shield"):
        cli.run(["train", "--task", "reach", "--state", "--reward", "self_play", "--unsafe", "simulated", "--run-dir",
                 str(tmp_path / "runs")])
