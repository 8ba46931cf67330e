"""Two operators at windows, a preference node and a learner, each a process: each is killed while answers are given, none is lost."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from std_msgs.msg import String
from std_srvs.srv import Trigger

from rewardbot.config import share_path
from rewardbot.feedback.ledger import Ledger
from rewardbot.feedback.messages import QUESTIONS, RECEIPTS, REQUESTS, Receipt
from rewardbot.ros import convert, qos
from rewardbot.training.fitting import LEDGER
from tests.gui.operators import Operator
from tests.gui.xserver import x_server
from tests.ros.recorded import QUICK, record

pytestmark = [pytest.mark.ros, pytest.mark.gui]

BUDGET = 10
ASKING = ("-p", "asking.steps:=8", "-p", "asking.clips:=12", "-p", "asking.schedule.first:=4",
          "-p", f"asking.schedule.budget:={BUDGET}", "-p", "asking.schedule.per_minute:=1000.0", "-p", "minutes:=0.01",
          "-p", "oversight.stop_when_enough:=false")
ELSEWHERE = ("-r", "__ns:=/other", *(part for topic in (QUESTIONS, RECEIPTS, REQUESTS, "metrics")
                                    for part in ("-r", f"{topic}:=/rewardbot/{topic}")))
LOOKED_S = 0.3
"""From one key to the next: longer than a question must be looked at."""


class Run:
    """The processes, and who listens to them."""

    def __init__(self, start_node: Any, client: Any, folder: Path, screens: tuple[str, str]) -> None:
        self._start, self._client, self._folder = start_node, client, folder
        (folder / "quick.yaml").write_text(QUICK)
        self.said: dict[str, dict[str, float | str]] = {}
        self.acknowledged: dict[str, Receipt] = {}
        client.node.create_subscription(String, RECEIPTS, self._on_receipt, qos.EVENTS)
        client.node.create_subscription(DiagnosticArray, "metrics", self._on_metrics, qos.EVENTS)
        self._metrics = client.node.create_publisher(DiagnosticArray, "metrics", qos.EVENTS)
        self.learner, self.desk = self.start_learner(), self.start_desk()
        # Who joins later knows the graph under another namespace.
        self.ann, self.bob = Operator(screens[0], "ann"), Operator(screens[1], "bob", *ELSEWHERE)

    def start_learner(self) -> Any:
        files = share_path("config/preferences.yaml"), self._folder / "quick.yaml"
        return self._start("learner_node", *(word for file in files for word in ("--params-file", str(file))),
                           "-p", f"run_folder:={self._folder}", "-p", "resume:=true", ready=False)

    def start_desk(self) -> Any:
        return self._start("preference_node", "-p", f"run_folder:={self._folder}", *ASKING, ready=False)

    def of(self, annotator: str) -> int:
        return sum(receipt.annotator == annotator for receipt in self.acknowledged.values())

    def answer(self, operators: Sequence[Operator], done: Callable[[], bool], what: str) -> None:
        """They look and press a key, again and again, until it is so; all of the learner's time is over."""

        def answered() -> bool:
            self._metrics.publish(convert.metrics("learner_node", {"learn_s": 60.0}, 1))
            for operator in operators:
                if operator.there():
                    operator.tap("1" if operator is self.ann else "2")
            self._client.quiet(LOOKED_S)
            return done()

        self._client.wait(answered, what, timeout_s=90.0)

    def wait(self, done: Callable[[], bool], what: str) -> None:
        self._client.wait(done, what, timeout_s=90.0)

    def _on_receipt(self, message: String) -> None:
        receipt = Receipt.from_text(message.data)
        if receipt.done and receipt.query:
            self.acknowledged[receipt.request] = receipt

    def _on_metrics(self, message: DiagnosticArray) -> None:
        for node, values in convert.metrics_of(message).items():
            self.said[node] = self.said.get(node, {}) | values


@pytest.fixture
def run(start_node: Any, client: Any, tmp_path: Path) -> Iterator[Run]:
    record(tmp_path, 2, steps=8, source="demonstration")
    record(tmp_path, 4, first=2)
    with x_server() as first, x_server() as second:
        found = Run(start_node, client, tmp_path, (first.name, second.name))
        yield found
        found.ann.leave()
        found.bob.leave()


def test_each_process_is_killed_once_and_no_acknowledged_answer_is_lost(run: Run, client: Any, tmp_path: Path) -> None:
    ann, bob = run.ann, run.bob
    run.answer([ann], lambda: run.of("ann") >= 2, "the first answers")
    ann.tap("1")
    assert run.desk.end(signal.SIGKILL) == -signal.SIGKILL  # perhaps before it has stored that one, or said so
    run.desk = run.start_desk()
    run.answer([bob], lambda: run.of("bob") >= 1, "the second operator")
    assert client.call(Trigger, "pretrain", Trigger.Request()).success
    run.wait(lambda: bool(run.said["preference_node"]["reward_version"]), "a reward that asks")
    assert run.learner.end(signal.SIGKILL) == -signal.SIGKILL
    ann.tap("1")
    ann.kill()
    ann.start()
    run.learner = run.start_learner()
    before = run.of("ann")
    run.answer([ann], lambda: run.of("ann") > before, "an answer in the window that was opened again")
    run.answer([ann, bob], lambda: run.said["preference_node"]["state"] == "finished", "the end of the budget")
    run.wait(lambda: run.said["learner_node"].get("reward_answers") == BUDGET, "the last fit")
    for operator in (ann, bob):
        assert operator.close() == 0, operator.said
        assert not any("Traceback" in line for line in operator.said), operator.said
    assert run.desk.end() == 0 == run.learner.end()
    with Ledger(tmp_path / LEDGER, read_only=True) as ledger:
        ledger.verify()
        history = ledger.history()
        there = {record: (response.given.annotator, response.given.query) for record, response in history.responses.items()}
        assert len(ledger.active()) == BUDGET == len({query for _, query in there.values()})
    assert {receipt.record: (receipt.annotator, receipt.query) for receipt in run.acknowledged.values()}.items() <= there.items()
    assert run.of("ann") >= 3 and run.of("bob") >= 1
