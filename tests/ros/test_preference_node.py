"""preference_node as a process: windows that come late, answer twice, lose; a kill in the middle; teachers; rewards that ask."""

from __future__ import annotations

import shutil
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diagnostic_msgs.msg import DiagnosticArray
from std_msgs.msg import String, UInt8MultiArray
from std_srvs.srv import SetBool

from rewardbot.feedback.feedback import Given, Query, Response, answer_pair
from rewardbot.feedback.ledger import Ledger
from rewardbot.feedback.messages import (
    PAUSE,
    PEOPLE,
    QUESTIONS,
    RECEIPTS,
    REQUESTS,
    STATUS,
    Question,
    Questions,
    Receipt,
    Request,
    people_from_text,
)
from rewardbot.feedback.people import People
from rewardbot.feedback.records import Undo
from rewardbot.feedback.repeats import AGAIN, ALSO
from rewardbot.nets.encoders import Encoder
from rewardbot.rewards.deployed_preference import reward_to_bytes
from rewardbot.rewards.preference import PreferenceConfig, PreferenceReward
from rewardbot.robots.robot import load_contract
from rewardbot.ros import convert, qos
from rewardbot.training.fitting import LEDGER
from tests.ros.recorded import record
from tests.ros.test_bad_input import ended

pytestmark = pytest.mark.ros

FAST = ("-p", "asking.steps:=8", "-p", "asking.clips:=12", "-p", "asking.schedule.first:=4", "-p", "asking.schedule.budget:=6",
        "-p", "asking.schedule.per_minute:=1000.0")


class Window:
    """What a window knows, without Qt."""

    def __init__(self, client: Any, name: str) -> None:
        self._client, self.name, self._count = client, name, 0
        node = client.node
        self._heard: list[Any] = []
        self.receipts: dict[str, Receipt] = {}
        self.status: dict[str, float | str] = {}
        self._requests = node.create_publisher(String, REQUESTS, qos.EVENTS)
        self._subscriptions = [
            node.create_subscription(String, QUESTIONS, self._heard.append, qos.LATCHED),
            node.create_subscription(String, RECEIPTS, self._on_receipt, qos.EVENTS),
            node.create_subscription(DiagnosticArray, "metrics", self._on_metrics, qos.EVENTS)]

    def _on_receipt(self, message: String) -> None:
        receipt = Receipt.from_text(message.data)
        self.receipts[receipt.request] = receipt

    def _on_metrics(self, message: DiagnosticArray) -> None:
        self.status |= convert.metrics_of(message).get("preference_node", {})

    @property
    def questions(self) -> Questions:
        return Questions.from_text(self._heard[-1].data) if self._heard else Questions("")

    @property
    def open(self) -> dict[str, Query]:
        return {one.query.id: one.query for one in self.questions.open}

    def wait(self, done: Callable[[], bool], what: str) -> None:
        self._client.wait(done, what)

    def wait_learning(self, done: Callable[[], bool], what: str) -> None:
        """Waits while a learner says that its time is over, so that all of the budget is due."""
        metrics = self._client.node.create_publisher(DiagnosticArray, "metrics", qos.EVENTS)

        def asked() -> bool:
            metrics.publish(convert.metrics("learner_node", {"learn_s": 60.0}, 1))
            return done()

        self.wait(asked, what)
        self._client.node.destroy_publisher(metrics)

    def says(self, entry: Response | Undo) -> Receipt:
        """Sends it until there is a receipt."""
        self._count += 1
        request = Request(f"{self.name}-{self._count}", self.name, entry)
        return self.send(request)

    def send(self, request: Request) -> Receipt:
        self.receipts.pop(request.id, None)

        def received() -> bool:
            if request.id not in self.receipts and self._client.node.count_subscribers(self._requests.topic_name):
                self._requests.publish(String(data=request.to_text()))
                self._client.quiet(0.2)
            return request.id in self.receipts

        self.wait(received, f"a receipt for {request.id}")
        return self.receipts[request.id]

    def prefers(self, query: Query, side: str = "left") -> Receipt:
        return self.says(answer_pair(query, side, Given(self.name, query.id, 1.0, 2.0, 1.0)))  # pyright: ignore[reportArgumentType]

    def close(self) -> None:
        for subscription in self._subscriptions:
            self._client.node.destroy_subscription(subscription)
        self._client.node.destroy_publisher(self._requests)


@pytest.fixture(scope="module")
def bags(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recorded")
    record(folder, 4)
    return folder


@pytest.fixture
def run(bags: Path, tmp_path: Path) -> Path:
    shutil.copytree(bags, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def start(start_node: Any, run: Path) -> Any:
    def begin(*arguments: str, **more: Any) -> Any:
        return start_node("preference_node", "-p", f"run_folder:={run}", *FAST, *arguments, **more)

    return begin


def test_windows_come_late_win_lose_and_survive_a_kill(start: Any, client: Any, run: Path) -> None:
    node = start()
    ann, bob = Window(client, "ann"), Window(client, "bob")
    ann.wait(lambda: len(ann.open) == 4 == len(bob.open), "the first questions")
    assert all(Path(bag).is_dir() for one in ann.questions.open for bag in one.bags)
    first, second, third, fourth = ann.open.values()
    assert ann.prefers(first).done
    lost = bob.prefers(first, "right")
    assert not lost.done and "ann has answered" in lost.said
    bob.wait(lambda: first.id not in bob.open, "the question to go")
    assert [(one.query, one.why, one.by) for one in bob.questions.closed] == [(first.id, "answered", "ann")]

    request = Request("twice", "bob", answer_pair(second, "equal", Given("bob", second.id, 1.0, 2.0, 1.0)))
    record = bob.send(request).record
    assert node.end(signal.SIGKILL) == -signal.SIGKILL
    desk = bob.questions.desk
    node = start()
    ann.wait(lambda: ann.questions.desk != desk and third.id in ann.open, "the questions that wait")
    assert first.id not in ann.open and second.id not in ann.open and ann.open[fourth.id] == fourth
    assert bob.send(request).record == record, "the very same request is stored once"

    assert ann.says(Undo(record)).done
    ann.wait(lambda: second.id in ann.open, "the question that was undone")
    late = Window(client, "late")
    late.wait(lambda: late.open.keys() == ann.open.keys() and late.status.keys() >= set(STATUS), "who comes late to know all")
    assert (late.status["state"], late.status["teacher"], late.status["budget"]) == ("asking", "human", 6.0)

    client.node.create_publisher(String, REQUESTS, qos.EVENTS).publish(String(data="{}"))
    bag = run / "episodes" / third.options[0].episode_id
    bag.rename(bag.with_name(f"{bag.name}.discarded"))
    ann.wait(lambda: third.id not in ann.open, "the question without its clip to go")
    assert (third.id, "withdrawn") in [(one.query, one.why) for one in ann.questions.closed]
    assert ann.prefers(third).done, "an answer that was on its way counts"

    assert client.call(SetBool, PAUSE, SetBool.Request(data=True)).success
    ann.wait(lambda: ann.status.get("state") == "paused", "the pause")
    assert node.end() == 0
    with Ledger(run / LEDGER, read_only=True) as ledger:
        assert {one.given.query for one in ledger.active().values()} == {first.id, third.id}
    for window in (ann, bob, late):
        window.close()


def test_two_people_share_the_work_and_some_of_it_is_put_to_both(start: Any, client: Any, run: Path) -> None:
    """Both like the same clips; the answers to what both were asked say so."""
    node = start("-p", "asking.schedule.first:=16", "-p", "asking.schedule.budget:=16", "-p", "asking.schedule.waiting:=4",
                 "-p", "asking.second:=0.25", "-p", "asking.repeats:=3")
    windows = ann, _ = Window(client, "ann"), Window(client, "bob")
    told: list[People] = []
    listening = client.node.create_subscription(
        String, PEOPLE, lambda message: told.append(people_from_text(message.data)), qos.LATCHED)
    answered: set[str] = set()

    def all_is_answered() -> bool:
        for window in windows:
            mine = [one.query for one in window.questions.of(window.name) if one.query.id not in answered]
            for query in mine[:1]:
                left, right = (query.options[place] for place in query.order)
                better = (left.start, left.episode_id) > (right.start, right.episode_id)
                assert window.prefers(query, "left" if better else "right").done
                answered.add(query.id)
        return ann.status.get("state") == "finished"

    ann.wait(all_is_answered, "the end of the budget")
    ann.wait(lambda: bool(told) and sum(person.answers for person in told[-1].people) == 16, "who has answered")
    assert told[-1].agreement == 1.0 and told[-1].disputed == 0
    assert all(person.same == person.again >= 1 for person in told[-1].people)
    assert ann.questions.people == ("ann", "bob")
    assert node.end() == 0
    with Ledger(run / LEDGER, read_only=True) as ledger:
        history = ledger.history()
    who = {one.given.query: one.given.annotator for one in history.responses.values()}
    planted = {prefix: [id for id in who if id.startswith(prefix)] for prefix in (AGAIN, ALSO)}
    assert all(who[id] == history.queries[id].to == who[id.removeprefix(AGAIN)] for id in planted[AGAIN])
    assert all(who[id] == history.queries[id].to != who[id.removeprefix(ALSO)] for id in planted[ALSO])
    assert {who[id] for id in planted[ALSO]} == {"ann", "bob"}
    for window in windows:
        window.close()
    client.node.destroy_subscription(listening)


def test_a_simulated_teacher_spends_the_budget_alone(start: Any, client: Any, run: Path) -> None:
    node = start("-p", "teacher:=simulated", "-p", "minutes:=0.01")
    window = Window(client, "watching")
    words = "4 of 6 questions are answered; the next one comes after about 5 s of learning."
    window.wait(lambda: window.status.get("words") == words, "when there is the next question")
    window.wait_learning(lambda: window.status.get("state") == "finished", "the end of the budget")
    assert window.status["answered"] == 6.0 and window.status["teacher"] == "simulated"
    assert node.end() == 0
    with Ledger(run / LEDGER, read_only=True) as ledger:
        assert len(ledger.active()) == 6 and all(len(set(one.ranks)) == 2 for one in ledger.active().values())  # pyright: ignore
    window.close()


def test_a_reward_chooses_and_says_why(start: Any, client: Any) -> None:
    contract = load_contract()
    cameras = {name: (camera.height, camera.width) for name, camera in contract.cameras.items()}
    encoder = Encoder(cameras, channels=4)
    reward = PreferenceReward(PreferenceConfig(members=2, hidden=4), encoder.features + 4 + contract.action_dim)
    torch.manual_seed(0)
    reward.version = 17
    weights = client.node.create_publisher(UInt8MultiArray, "weights/reward", qos.LATCHED)
    weights.publish(convert.weights(b"no weights at all"))
    weights.publish(convert.weights(reward_to_bytes(reward, encoder, {"cameras": cameras, "answers": 5})))
    node = start("-p", "asking.schedule.first:=1", "-p", "minutes:=0.01")
    window = Window(client, "ann")
    window.wait(lambda: window.status.get("reward_version") == 17.0, "the reward to be there")

    def chosen() -> list[Question]:
        return [one for one in window.questions.open if one.query.reward_version]

    window.wait_learning(lambda: bool(chosen()), "its question")
    question = chosen()[0]
    assert question.query.strategy == "disagreement" and question.query.reward_version == 17
    assert sum(question.query.predicted) == pytest.approx(1.0, abs=1e-6) and [len(clip) for clip in question.rewards] == [8, 8]
    assert window.status["reward_answers"] == 5.0
    assert node.end() == 0
    client.node.destroy_publisher(weights)
    window.close()


def test_a_model_that_cannot_be_reached_is_said_and_people_may_not_answer_for_it(start: Any, client: Any) -> None:
    node = start("-p", "teacher:=model", "-p", "endpoint.url:=http://127.0.0.1:9/v1")
    window = Window(client, "ann")
    window.wait(lambda: "cannot be reached" in str(window.status.get("trouble", "")), "what is the matter with the model")
    window.wait(lambda: bool(window.open), "a question")
    refused = window.prefers(next(iter(window.open.values())))
    assert not refused.done and "for model" in refused.said
    assert node.end() == 0
    window.close()


def test_a_ledger_of_a_newer_rewardbot_is_left_alone(start: Any, run: Path) -> None:
    Ledger(run / LEDGER).close()
    connection = sqlite3.connect(run / LEDGER)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    ended(start(ready=False), "is a ledger of version 99")


def test_parameters_that_cannot_be(start: Any) -> None:
    ended(start("-p", "asking.strategy:=guess", ready=False), "no query strategy named 'guess'")
