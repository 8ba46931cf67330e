"""A labeller over HTTP, against a small server on this machine that behaves, is slow, fails, or answers nonsense."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from rewardbot.errors import ConfigError, RewardbotError
from rewardbot.feedback.teachers.endpoint import Endpoint, EndpointConfig
from rewardbot.feedback.teachers.model import LabellerRefused, LabellerUnavailable
from rewardbot.types import Segment

A, B = Segment("a", 0, 5), Segment("b", 3, 9)


class Server(ThreadingHTTPServer):
    """Answers each request with `status` and `body`, after `hold` is released; keeps what was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status, self.body = 200, b""
        self.hold = threading.Event()
        self.hold.set()
        self.asked: list[tuple[str, dict[str, str], Any]] = []

    def says(self, text: object) -> None:
        self.body = json.dumps({"choices": [{"message": {"content": text}}]}).encode()


class Handler(BaseHTTPRequestHandler):
    server: Server  # type: ignore[assignment]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, dict(self.headers), body))
        self.server.hold.wait(10.0)
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server() as found:
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield found
        found.hold.set()
        found.shutdown()
        thread.join()


def endpoint(server: Server, **settings: Any) -> Endpoint:
    config = EndpointConfig(url=f"http://127.0.0.1:{server.server_port}/v1/", **settings)
    return Endpoint(lambda clip: [f"episode {clip.episode_id}", b"\x89PNG"], config)


def test_what_is_sent(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "secret")
    server.says("left")
    assert endpoint(server, model="seer", task="lift the cube", key_variable="MY_KEY")(A, B) == "left"
    ((path, headers, body),) = server.asked
    assert path == "/v1/chat/completions" and headers["Authorization"] == "Bearer secret"
    assert body["model"] == "seer" and body["temperature"] == 0
    system, user = body["messages"]
    assert "lift the cube" in system["content"] and "one word" in system["content"]
    assert [part.get("text") for part in user["content"]] == ["Left clip:", "episode a", None, "Right clip:", "episode b", None]
    assert user["content"][2]["image_url"]["url"] == "data:image/png;base64,iVBORw=="


@pytest.mark.parametrize(("text", "side"), [
    ("left", "left"), ("Right.", "right"), ("  EQUAL\n", "equal"), ("skip", "skip"), ("I would say: right", "right"),
    ("The left one is better than the right one", "skip"), ("banana", "skip"), ("", "skip"), (None, "skip"), ("leftover", "skip"),
])
def test_one_of_four_words_or_nothing(text: str | None, side: str, server: Server) -> None:
    server.says(text)
    assert endpoint(server)(A, B) == side
    assert "Authorization" not in server.asked[0][1]


@pytest.mark.parametrize(("status", "body", "error", "said"), [
    (500, b"", LabellerUnavailable, "answers 500"),
    (429, b"slow down", LabellerUnavailable, "answers 429"),
    (401, b"no such key", LabellerRefused, "answers 401 (.|\n)*no such key(.|\n)*REWARDBOT_LABELLER_KEY"),
    (404, b"no such model", LabellerRefused, "answers 404 (.|\n)*the model 'default'"),
    (200, b"<html>welcome</html>", LabellerRefused, "does not answer as OpenAI's does(.|\n)*Check the address"),
    (200, b'{"answer": "left"}', LabellerRefused, "does not answer as OpenAI's does"),
    (200, b"[]", LabellerRefused, "does not answer as OpenAI's does"),
])
def test_failures(status: int, body: bytes, error: type[RewardbotError], said: str, server: Server) -> None:
    server.status, server.body = status, body
    with pytest.raises(error, match=said):
        endpoint(server)(A, B)


def test_a_server_that_never_answers(server: Server) -> None:
    server.hold.clear()
    with pytest.raises(LabellerUnavailable, match=r"no answer within 0.1 s"):
        endpoint(server, timeout_s=0.1)(A, B)


def test_nobody_there(server: Server) -> None:
    label = endpoint(server)
    server.server_close()
    with pytest.raises(LabellerUnavailable, match="cannot be reached: "):
        label(A, B)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "127.0.0.1:8000", "http://"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(ConfigError, match="http://"):
        Endpoint(lambda clip: [], EndpointConfig(url=url))
