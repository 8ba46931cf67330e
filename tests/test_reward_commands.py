"""`rewardbot reward`, action by action: from bags and a ledger to a card; mistakes end with exit code 2."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from rewardbot import cli
from rewardbot.data.episodes import write_episode
from rewardbot.errors import RewardbotError
from rewardbot.feedback.feedback import Given, Query, UnsafeInterval, answer_pair
from rewardbot.feedback.ledger import Ledger
from rewardbot.nets.encoders import Encoder
from rewardbot.rewards.deployed_preference import reward_to_bytes
from rewardbot.rewards.preference import PreferenceConfig, PreferenceReward
from rewardbot.robots.robot import CameraContract, RobotContract
from rewardbot.training.reward_file import read_reward
from rewardbot.types import Episode, EpisodeInfo, Segment

CONTRACT = RobotContract(name="arm", joint_names=("j",), control_hz=10.0, cameras={"front": CameraContract(16, 16)})
STEPS = 8
HEIGHTS = np.linspace(0.0, 1.0, 14)
"""Of the hand in each episode e00 to e13: the higher, the better. The later ones are a policy's."""

SETTINGS = "members: 2\nlayers: 1\nhidden: 8\nsteps: 60\nrate: 0.05\n"
TESTS = """tests:
- name: up beats down
  better: [e13, e12:0-8]
  worse: e00:2-8
- better: e01
  worse: e12
"""
FIT = ["--ledger", "l.db", "--bags", "bags", "--config", "reward.yaml"]


def episode(number: int, height: float) -> Episode:
    draw = np.random.default_rng(number)
    still = np.tile([height, 1.0], (STEPS + 1, 1))
    proprio = np.concatenate([draw.normal(0.0, 0.05, (STEPS + 1, 2)), still], axis=1)
    actions = draw.uniform(-1, 1, (STEPS, len(CONTRACT.action_names))).astype(np.float32)
    info = EpisodeInfo(f"e{number:02d}", "reach", "arm", "policy" if number > 5 else "play", policy_version=number)
    return Episode(info, np.arange(10, 11 + STEPS) / 10, {"front": np.full((STEPS + 1, 16, 16, 3), 10 * number, np.uint8)},
                   proprio.astype(np.float32), actions, actions)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bags, and a ledger in which two look and one always says left."""
    folder = tmp_path_factory.mktemp("made")
    for number, height in enumerate(HEIGHTS):
        write_episode(folder / "bags", episode(number, float(height)), CONTRACT)
    draw = np.random.default_rng(0)
    with Ledger(folder / "l.db", clock=lambda: 1.0) as ledger:
        for n in range(48):
            i, j = map(int, draw.choice(14, 2, replace=False))
            options = (Segment(f"e{i:02d}", 0, STEPS), Segment(f"e{j:02d}", 0, STEPS))
            query = Query(f"q{n}", "pair", options, (0, 1), strategy="uniform", reward_version=1,
                          predicted=(0.9, 0.1) if i > j else (0.2, 0.8))
            ledger.ask(query)
            name = ("anna", "ben", "left|")[n % 3]
            ledger.answer(answer_pair(query, "left" if name == "left|" or i > j else "right", Given(name, query.id)))
        ledger.answer(UnsafeInterval(Segment("e03", 0, 3), "too fast", Given("ben")))
    (folder / "reward.yaml").write_text(SETTINGS)
    (folder / "tests.yaml").write_text(TESTS)
    return folder


@pytest.fixture(autouse=True)
def here(made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(made)
    return made


@pytest.fixture(scope="module")
def reward(made: Path) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made)
        cli.run(["reward", "fit", "r.safetensors", *FIT])
    return made / "r.safetensors"


def test_fit_gives_the_same_from_the_same_ledger(reward: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.run(["reward", "fit", "again.safetensors", *FIT])
    assert Path("again.safetensors").read_bytes() == reward.read_bytes()
    assert "again.safetensors: version 97, sees proprio, actions" in capsys.readouterr().out
    stored = read_reward(reward)
    assert stored.records == 97 and stored.description["ledger"] == "l.db" and stored.description["task"] == "reach"


def test_what_must_beat_what(reward: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.run(["reward", "test", str(reward), "--tests", "tests.yaml", "--bags", "bags"])
    rows = [[cell.strip() for cell in line.split("│") if cell.strip()] for line in capsys.readouterr().out.splitlines()]
    assert ended.value.code == 1
    passed = {row[1]: (row[0], row[2], row[-1]) for row in rows if len(row) == 7}
    assert passed == {"up beats down": ("2", "2", "yes"), "e01 beats e12": ("5", "1", "no")}
    assert ["1 of 2 tests passed by version 97: no policy should learn from it."] in rows
    Path("good.yaml").write_text(TESTS.partition("- better: e01")[0])
    cli.run(["reward", "test", str(reward), "--tests", "good.yaml", "--bags", "bags"])
    assert "1 of 1 tests passed by version 97." in capsys.readouterr().out


def test_the_card(reward: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.run(["reward", "card", str(reward), "card", "--ledger", "l.db", "--bags", "bags", "--tests", "tests.yaml"])
    assert "# Reward, version 97" in capsys.readouterr().out
    card = json.loads(Path("card/card.json").read_text())
    assert card["provenance"]["rebuilt_from_the_ledger"] is True and card["provenance"]["records"] == 97
    assert card["answers"]["learned_from"] == 48 and card["answers"]["by_kind"] == {"ranking": 48, "unsafeinterval": 1}
    people = {one["name"]: one for one in card["annotators"]}
    assert {name: one["answers"] for name, one in people.items()} == {"anna": 16, "ben": 17, "left|": 16}
    assert people["left|"]["weight"] < 0.3 < 0.8 < min(people["anna"]["weight"], people["ben"]["weight"])
    assert people["anna"]["held_out_accuracy"] > 0.8 and card["held_out"]["low"] < card["held_out"]["accuracy"]
    assert sum(one["count"] for one in card["held_out"]["bins"]) == 48
    assert 0.0 <= card["meter"]["bound"] <= 1.0 and card["alarm"]["state"] in ("sound", "doubtful", "ringing")
    assert [one["passed"] for one in card["tests"]] == [True, False]
    text = Path("card/card.md").read_text()
    assert "| left\\| | 16 |" in text and "1 of 2 passed." in text and "to the bit: yes" in text
    assert Path("card/calibration.png").read_bytes().startswith(b"\x89PNG")
    # Answers of later leave the card of this version alone.
    with Ledger(here / "l.db") as ledger:
        ledger.answer(UnsafeInterval(Segment("e04", 0, 3), "too near", Given("carl")))
    cli.run(["reward", "card", str(reward), "card2", "--ledger", "l.db", "--bags", "bags", "--tests", "tests.yaml"])
    assert Path("card2/card.json").read_text() == Path("card/card.json").read_text()


def test_a_reward_that_sees_pictures(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(0)
    encoder = Encoder({"front": (16, 16)}, channels=4).eval()
    other = reward_to_bytes(PreferenceReward(PreferenceConfig(), 1), encoder, {"cameras": {"front": (16, 16)}, "answers": 0})
    Path("eyes.safetensors").write_bytes(other)
    cli.run(["reward", "fit", "seeing.safetensors", *FIT, "--encoder", "eyes.safetensors"])
    assert "sees features, proprio, actions" in capsys.readouterr().out
    stored = read_reward(Path("seeing.safetensors"))
    assert stored.reward.size == encoder.features + 4 + 4 and stored.embed(episode(0, 0.0)).shape == (STEPS + 1, encoder.features)
    with pytest.raises(SystemExit):
        cli.run(["reward", "test", "seeing.safetensors", "--tests", "tests.yaml", "--bags", "bags"])


@pytest.mark.parametrize(("argv", "said"), [
    (["fit", "x.safetensors"], r"--ledger is missing"),
    (["fit", "x.safetensors", "--ledger", "l.db"], r"--bags is missing"),
    (["fit", "x.safetensors", "--ledger", "no.db", "--bags", "bags"], r"no ledger no.db"),
    (["fit", "x.safetensors", "--ledger", "l.db", "--bags", "nowhere"], r"nowhere: no finished episode"),
    (["fit", "x.safetensors", "--ledger", "l.db", "--bags", "bags", "--encoder", "l.db"], r"not the weights"),
    (["test", "no.safetensors", "--tests", "tests.yaml", "--bags", "bags"], r"Cannot read no.safetensors(.|\n)*reward fit"),
    (["test", "l.db", "--tests", "tests.yaml", "--bags", "bags"], r"not the weights of a rewardbot"),
    (["test", "r.safetensors", "--tests", "reward.yaml", "--bags", "bags"], r"reward.yaml, line 1: There is no key"),
    (["card", "r.safetensors", "card", "--bags", "bags"], r"--ledger is missing"),
    (["card", "r.safetensors", "l.db", "--ledger", "l.db", "--bags", "bags"], r"Cannot write l.db"),
    (["fit", "bags", "--ledger", "l.db", "--bags", "bags"], r"bags is a folder(.|\n)*Name a file"),
    (["crad", "r.safetensors"], r"no action of reward named 'crad'(.|\n)*Did you mean 'card'"),
])
def test_mistakes(argv: list[str], said: str) -> None:
    with pytest.raises(RewardbotError, match=said) as caught:
        cli.run(["reward", *argv])
    assert caught.value.exit_code == 2 and not Path("x.safetensors").exists()
