"""People and models who answer while a policy learns from state vectors."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import yaml

from rewardbot import cli
from rewardbot.data.episodes import read_episode
from rewardbot.errors import ConfigError
from rewardbot.feedback.feedback import Given, Ranking, answer_pair
from rewardbot.feedback.ledger import Ledger
from rewardbot.robots.start_states import learning_stream, start_seed
from rewardbot.training import state_teachers
from rewardbot.training.drawn_episodes import DrawnEpisodes
from rewardbot.training.preferences import LEDGER
from rewardbot.training.state_loop import StateLoop, StateLoopConfig
from rewardbot.training.state_teachers import SHOWN, Window, asked
from rewardbot.types import Segment
from tests.training.point import Point

ENV, BLIND = "tests/Drawn-v0", "tests/Blind-v0"
SETTINGS = {
    "loop": {"start_steps": 30, "sac": {"batch": 16, "hidden": 8}}, "asking": {"steps": 5, "clips": 20, "candidates": 30},
    "reward": {"hidden": 8, "layers": 1, "steps": 5}, "every": 20, "evaluations": 1, "explore_steps": 0,
}


class Drawn(Point):
    """A point that draws itself: the red of its picture is where it is."""

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__()
        self.render_mode, self.metadata = render_mode, {"render_modes": ["rgb_array"], "render_fps": 20}

    def render(self) -> Any:
        return np.full((8, 16, 3), (round(100 * (self.at + 1.0)), 0, 0), np.uint8)


@pytest.fixture(autouse=True)
def _env() -> None:
    if ENV not in gymnasium.registry:
        gymnasium.register(ENV, entry_point=lambda **given: Drawn(**given))
        gymnasium.register(BLIND, entry_point=lambda **given: Point(**given))


def train(tmp_path: Path, *arguments: str, env: str = ENV) -> Path:
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(SETTINGS))
    cli.run(["train", "--env", env, "--reward", "preference", "--steps", "120", "--answers", "6", "--episodes", "2",
             "--config", str(tmp_path / "settings.yaml"), "--run-dir", str(tmp_path / "runs"), *arguments])
    return (tmp_path / "runs" / "latest").resolve()


def test_an_episode_is_drawn_as_it_went(tmp_path: Path) -> None:
    loop = StateLoop(Drawn(), StateLoopConfig(steps=40), seed=2, name="e")
    for _ in range(2):
        loop.episode()
    steps = loop.replay.transitions(Segment("e-1", 0, 10))
    drawn = DrawnEpisodes(ENV, tmp_path)
    drawn.draw("e-1", start_seed(learning_stream(2), 1), steps)
    drawn.draw("e-1", 0, steps)  # it is there
    episode = read_episode(tmp_path / "e-1")
    states = np.concatenate([steps.state[:1].numpy(), steps.next_state.numpy()])[:, 0]
    assert episode.images["view"].shape == (11, 8, 16, 3)
    np.testing.assert_allclose(episode.images["view"][:, 0, 0, 0], 100 * (states + 1.0), atol=0.51)
    with pytest.raises(Exception, match="goes otherwise when simulated again"):
        drawn.draw("e-2", 12345, steps)
    assert [bag.name for bag in tmp_path.iterdir()] == ["e-1"]
    drawn.close()


def test_a_person_answers_beside_learning_and_after_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The window is a process; here it is one that ends at once, as one that is closed."""
    opened: list[list[str]] = []

    def closed(command: list[str], **given: Any) -> subprocess.Popen[Any]:
        if "label" not in command:
            return started(command, **given)
        opened.append(command[3:])
        return started(["true"], **given)

    started = subprocess.Popen
    monkeypatch.setattr(state_teachers.subprocess, "Popen", closed)
    run = train(tmp_path, "--teacher", "human")
    assert opened == [["label", str(run / SHOWN), "--ledger", str(run / LEDGER), "--budget", "0"]]
    assert json.loads((run / "summary.json").read_text())["answers"] == 0, "it did not wait"
    with Ledger(run / LEDGER) as ledger:
        waiting = ledger.waiting()
        assert waiting and all(query.to == "" for query in waiting)
        for query in waiting:
            for clip in query.options:
                assert len(read_episode(run / SHOWN / clip.episode_id)) >= clip.stop


def test_what_a_person_answers_meanwhile_is_learned_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(window: Window) -> None:
        """Whenever an episode is shown: all that waits so far, in the name of somebody."""
        with Ledger(Path(window._command[3])) as ledger:
            for query in ledger.waiting():
                ledger.answer(answer_pair(query, "left", Given("ann", query.id)))

    monkeypatch.setattr(Window, "open", answer)
    run = train(tmp_path, "--teacher", "human")
    with Ledger(run / LEDGER, read_only=True) as ledger:
        given = ledger.active().values()
        assert len(given) >= 3 and {answer.given.annotator for answer in given} == {"ann"}
        assert max(query.reward_version for query in ledger.history().queries.values()) > 0, "a reward that was fitted to them asked"


@pytest.fixture
def endpoint() -> Iterator[tuple[str, list[Any]]]:
    """Of each pair it prefers the same clip, on whichever side it is shown; what it was asked is in the list."""
    asked: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append(body)
            side = "left" if len(asked) % 2 else "right"
            content = json.dumps({"choices": [{"message": {"content": side}}]}).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v1", asked
    server.shutdown()
    server.server_close()


def test_a_model_is_shown_pictures(tmp_path: Path, endpoint: tuple[str, list[Any]]) -> None:
    url, asked_for = endpoint
    run = train(tmp_path, "--teacher", "model", "--url", url, "--goal", "go right", "--steps", "500")
    with Ledger(run / LEDGER, read_only=True) as ledger:
        given = [answer for answer in ledger.active().values() if isinstance(answer, Ranking)]
    assert given and {answer.given.annotator for answer in given} == {"model"}
    messages = asked_for[0]["messages"]
    assert "go right" in messages[0]["content"]
    assert sum(part["type"] == "image_url" for part in messages[1]["content"]) == 8, "four of each clip"


@pytest.mark.parametrize(("arguments", "said"), [
    (("--teacher", "cat"), "no teacher named 'cat'"),
    (("--teacher", "human", "--goal", "x"), "--goal is for a model(.|\n)*--teacher model"),
    (("--teacher", "model", "--url", "ftp://x"), "address is 'ftp://x'"),
])
def test_what_is_refused_at_the_start(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        train(tmp_path, *arguments)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("reward", ["preference", "pebble"])
def test_over_cameras_it_is_refused_with_the_ways_that_there_are(reward: str) -> None:
    with pytest.raises(ConfigError, match=r"do not go together") as refused:
        cli.run(["train", "--reward", reward, "--task", "lift", "--policy", "rlpd"])
    assert reward != "preference" or "rewardbot up preferences" in str(refused.value)


def test_what_cannot_be_drawn_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"tests/Blind-v0 cannot be drawn(.|\n)*--teacher simulated"):
        train(tmp_path, "--teacher", "human", env=BLIND)
    assert not (tmp_path / "runs").exists()


def test_a_window_is_opened_once_and_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started, said = subprocess.Popen, list[str]()
    made: list[subprocess.Popen[Any]] = []

    def lasting(command: list[str], **given: Any) -> subprocess.Popen[Any]:
        made.append(started(["sleep", "60"], **given))
        return made[-1]

    monkeypatch.setattr(state_teachers.subprocess, "Popen", lasting)
    window = Window(tmp_path, tmp_path / "l.db", said.append)
    window.close()
    window.open()
    window.open()
    window.close()
    assert len(made) == len(said) == 1 and made[0].poll() is not None
    assert said[0].endswith(f"rewardbot label {tmp_path} --ledger {tmp_path / 'l.db'} --budget 0")


def test_a_simulated_teacher_needs_no_pictures(tmp_path: Path) -> None:
    from rewardbot.training.state_options import StateOptions

    with asked(StateOptions(env=BLIND), tmp_path, print) as (make, _):
        assert make is None and not list(tmp_path.iterdir())
