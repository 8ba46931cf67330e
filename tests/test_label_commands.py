"""`rewardbot label` without a window: a simulated teacher, a model behind a small server, and what cannot be done."""

from __future__ import annotations

import json
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from rewardbot import cli
from rewardbot.data.library import Library
from rewardbot.errors import RewardbotError
from rewardbot.feedback.feedback import Query, Ranking
from rewardbot.feedback.ledger import Ledger
from rewardbot.training.bag_teachers import TrueRewards
from tests.ros.recorded import record


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recorded")
    record(folder, 3, steps=6)
    return folder


@pytest.fixture
def bags(recorded: Path, tmp_path: Path) -> Path:
    shutil.copytree(recorded, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def model() -> Iterator[str]:
    """An endpoint that is busy at first, and then always says left; of the model `broken` it says nothing at all."""
    asked: list[dict[str, object]] = []
    busy: list[bool] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if question["model"] == "broken":
                self.send_error(404, "no such model")
                return
            if not busy:
                busy.append(True)
                self.send_error(503)
                return
            asked.append(question)
            body = json.dumps({"choices": [{"message": {"content": "left"}}]}).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    pictures = [part for part in asked[0]["messages"][1]["content"] if part["type"] == "image_url"]  # pyright: ignore
    assert len(pictures) == 2 * 2 * 4, "two clips, two cameras, four pictures of each"
    assert all(part["image_url"]["url"].startswith("data:image/png;base64,") for part in pictures)


def test_a_simulated_teacher_says_what_is_truly_better(bags: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "answers.db"
    cli.run(["label", str(bags), "--teacher", "simulated", "--budget", "25", "--steps", "4", "--ledger", str(path), "--seed", "3"])
    assert "25 answered, 0 skipped" in capsys.readouterr().out
    library = Library([bags])
    library.refresh()
    truth = TrueRewards(library)
    with Ledger(path, read_only=True) as ledger:
        history = ledger.history()
    assert {query.strategy for query in history.queries.values()} == {"uniform", "disagreement"}, "a reward chooses the later ones"
    for answer in history.active().values():
        assert isinstance(answer, Ranking)
        first, second = (truth(segment).sum() for segment in answer.segments)
        assert answer.ranks == ((0, 0) if first == second else (0, 1) if first > second else (1, 0))


def test_questions_are_kept_from_being_alike(bags: Path) -> None:
    cli.run(["label", str(bags), "--teacher", "simulated", "--budget", "14", "--steps", "4", "--spread", "batch_diverse"])
    with Ledger(bags / "feedback.db", read_only=True) as ledger:
        assert {query.strategy for query in ledger.history().queries.values()} == {"uniform", "disagreement batch_diverse"}


def test_it_goes_on_where_it_was_and_stops_when_there_is_nothing_left_to_ask(bags: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for budget, answered in (("2", 2), ("9", 3)):  # of whole episodes there are three pairs
        cli.run(["label", str(bags), "--teacher", "simulated", "--budget", budget])
        assert f"{answered} answered" in (said := capsys.readouterr().out)
    assert "nothing more to ask" in said and str(bags / "feedback.db") in said


def test_a_model_that_favours_a_side_answers_nothing(bags: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    cli.run(["label", str(bags), "--teacher", "model", "--url", model, "--budget", "2", "--annotator", "small"])
    said = capsys.readouterr()
    assert "0 answered, 3 skipped. There is nothing more" in said.out
    assert "chat/completions answers 503" in said.err and "is asked again" in said.err
    with Ledger(bags / "feedback.db", read_only=True) as ledger:
        assert {one.given.annotator for one in ledger.history().responses.values()} == {"small"}


def test_who_always_skips_ends_it_and_who_favours_a_side_is_named(
    bags: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cli.run(["label", str(bags), "--teacher", "model", "--url", model, "--budget", "6", "--steps", "3"])
    said = capsys.readouterr()
    assert "0 answered, 12 skipped. So many were skipped that no more is asked. What a model says of a pair counts" in said.out
    assert said.err.count("chose the left clip of") == 1 and "It favours a side" in said.err


def test_a_model_that_will_never_answer_ends_it_with_what_it_said(
    bags: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(RewardbotError, match=r"404 no such model(.|\n)*Check the address, the model 'broken'") as caught:
        cli.run(["label", str(bags), "--teacher", "model", "--url", model, "--model", "broken", "--budget", "2"])
    assert caught.value.exit_code == 2 and "404" not in capsys.readouterr().err, "it is said once, at the end"
    cli.run(["label", str(bags), "--teacher", "model", "--url", model, "--budget", "2"])
    assert "0 answered, 3 skipped" in capsys.readouterr().out, "the questions waited"


def test_a_bag_that_cannot_be_judged_costs_its_questions_only(bags: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (next((bags / "episodes" / "policy-1").glob("*.mcap"))).write_bytes(b"damaged")
    cli.run(["label", str(bags), "--teacher", "simulated", "--budget", "3"])
    assert "1 answered, 2 skipped" in capsys.readouterr().out


def test_a_ledger_that_stays_locked_is_a_failure(bags: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cli.run(["label", str(bags), "--teacher", "simulated", "--budget", "1"])
    ask = Ledger.ask

    def locked(self: Ledger, *queries: Query) -> None:
        self._wait_s = 0.1
        self._connection.execute("PRAGMA busy_timeout = 100")
        ask(self, *queries)

    monkeypatch.setattr(Ledger, "ask", locked)
    with closing(sqlite3.connect(bags / "feedback.db", isolation_level=None)) as another:
        another.execute("BEGIN IMMEDIATE")
        with pytest.raises(RewardbotError, match=r"1 answered, 0 skipped, and no more can be asked(.|\n)*is locked"):
            cli.run(["label", str(bags), "--teacher", "simulated", "--budget", "3"])


@pytest.mark.parametrize(("arguments", "said"), [
    (["nowhere"], "There is no folder nowhere"), ([".", "--teacher", "simulated"], "0 episodes that can be compared"),
    (["bags", "--teacher", "nobody"], "Valid: model, simulated, window"),
    (["bags", "--teacher", "simulated", "--strategy", "guess"], "query strategy named 'guess'"),
    (["bags", "--teacher", "simulated", "--spread", "wide"], "Valid: , batch_diverse, k_center"),
    (["bags", "--teacher", "model", "--url", "ftp://x"], "ftp://x"),
    (["bags", "--teacher", "simulated", "--ledger", "bags/episodes/policy-0/metadata.yaml"], "is no ledger")])
def test_what_cannot_be_done(
    bags: Path, arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    names = {"bags": str(bags), "bags/episodes/policy-0/metadata.yaml": str(bags / "episodes" / "policy-0" / "metadata.yaml")}
    with pytest.raises(RewardbotError, match=said):
        cli.run(["label", *(names.get(argument, argument) for argument in arguments)])
