"""Asks about the episodes that were recorded, takes answers from windows or a teacher, and puts them into the ledger, from which the
learner's reward comes. See `feedback/messages.py` for what it says and hears.

What it asks, and what it remembers, is in the ledger: killed and started again, it goes on with the questions that wait.
"""

from __future__ import annotations

import math
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import torch
from diagnostic_msgs.msg import DiagnosticArray
from std_msgs.msg import String, UInt8MultiArray
from std_srvs.srv import SetBool, Trigger

from rewardbot.config import setting, user_path
from rewardbot.data.episodes import RECORDED
from rewardbot.data.library import Library
from rewardbot.errors import DataError, RewardbotError
from rewardbot.feedback import messages
from rewardbot.feedback.asking import AskingConfig
from rewardbot.feedback.ledger import Ledger
from rewardbot.feedback.messages import Questions, Request, State
from rewardbot.feedback.people import People
from rewardbot.feedback.schedule import wait_s
from rewardbot.robots.robot import load_contract
from rewardbot.ros import convert, params, qos
from rewardbot.ros.node import LONGEST_WAIT_S, PROCESS, RewardbotNode, start
from rewardbot.training.bag_teachers import TeacherConfig, make_teacher
from rewardbot.training.files import StorageError
from rewardbot.training.fitting import LEDGER
from rewardbot.training.oversight import Oversight, OversightConfig
from rewardbot.training.questioner import Questioner
from rewardbot.training.stopping import Stopped

LOOK_S = 0.5
"""Least time between two looks for new episodes and due questions [s]."""

LOCKED_S = 1.0
"""How long a writer may lock the ledger before an annotator is told to try again [s]."""


@dataclass(frozen=True)
class PreferenceSettings:
    """Read-only parameters of the node itself; those of asking (`asking.`) and of the teacher stand beside them."""

    task: str = setting("lift", "task of the episodes")
    robot: str = setting("sim_arm", "robot contract in config/robots")
    seed: int = setting(0, "seed of what is drawn, and of the simulated teacher", min=0, max=2**31 - 1)
    run_folder: str = setting("runs/up", f"folder with {', '.join(RECORDED)} to ask about, and for '{LEDGER}'")
    ledger: str = setting("", f"file for questions and answers; empty: '{LEDGER}' in the run folder")
    bags: str = setting("", "folder of bags to ask about; empty: those of the run folder")
    minutes: float = setting(10.0, "time of learning over which the budget is spread [min]", min=0.01, max=100_000.0)
    stale_after: int = setting(200, "records of the ledger after which a question of an older reward is withdrawn", min=1)


class PreferenceNode(RewardbotNode):
    """One thread reads episodes and asks, another reads meter and alarm; an annotator's answer waits for neither."""

    def __init__(self) -> None:
        super().__init__("preference_node")
        torch.set_num_threads(1)
        self.settings = settings = params.declare(self, PreferenceSettings, self.given)
        teacher = params.declare(self, TeacherConfig, self.given)
        self._asking = params.declare(self, AskingConfig, self.given, prefix="asking")
        folder = user_path(settings.run_folder)
        bags = user_path(settings.bags) if settings.bags else folder
        warn = self.get_logger().warning
        library = Library([bags], settings.task, load_contract(settings.robot), warn=warn)
        path = user_path(settings.ledger) if settings.ledger else folder / LEDGER
        # What a ledger holds is one object that changes: each thread has its own.
        self._ledger, self._desk_ledger = Ledger(path, wait_s=LOCKED_S), Ledger(path, wait_s=LOCKED_S)
        self._teacher = make_teacher(teacher, self._ledger, library, settings.seed)
        self.questioner = Questioner(library, self._ledger, self._teacher, self._asking, seed=settings.seed, name=PROCESS,
                                     stale_after=settings.stale_after, say=warn, desk_ledger=self._desk_ledger,
                                     go_on=self._go_on)
        self._oversight = Oversight(library, self._ledger, params.declare(self, OversightConfig, self.given, prefix="oversight"))
        self._pool, self._closing = ThreadPoolExecutor(2, "look"), False
        self._look: Future[int] | None = None
        self._overlook: Future[None] | None = None
        self._look_at, self._paused, self._learned_s, self._trouble = 0.0, False, 0.0, ""
        self._overlooked, self._blind = 0, ""
        # A node that was started again has asked some of its questions in minutes that it does not know of.
        asked, schedule = self.questioner.asking.answered, self._asking.schedule
        self._began = time.monotonic() - 60.0 * max(0, asked - schedule.first) / max(schedule.per_minute, 1e-9)
        self._shown: Questions | None = None
        self._people: People | None = None
        self._state: tuple[object, ...] = ()
        self.metrics |= {"teacher": self._teacher.name or "human", "budget": schedule.budget,
                         "ledger": str(self._ledger.path.resolve()), "bags": str(bags.resolve())}
        self._questions = self.create_publisher(String, messages.QUESTIONS, qos.LATCHED)
        self._who = self.create_publisher(String, messages.PEOPLE, qos.LATCHED)
        self._receipts = self.create_publisher(String, messages.RECEIPTS, qos.EVENTS)
        self.create_subscription(String, messages.REQUESTS, self._on_request, qos.EVENTS)
        self.create_subscription(UInt8MultiArray, "weights/reward", self._on_reward, qos.LATCHED)
        self.create_subscription(DiagnosticArray, "metrics", self._on_metrics, qos.EVENTS)
        self.create_service(SetBool, messages.PAUSE, self._on_pause)
        self.create_service(Trigger, messages.CLEAR, self._on_clear)

    def work(self) -> float:
        """Starts a look when it is time for one, and tells what has changed."""
        if self._look is not None and self._look.done():
            self._trouble = _what_went_wrong(self._look)
            self._look = None
        if self._overlook is not None and self._overlook.done():
            self._blind, self._overlook = _what_went_wrong(self._overlook), None
        now = time.monotonic()
        if self._look is None and now - self._look_at >= LOOK_S:
            self._look_at = now
            self._look = self._pool.submit(self.questioner.look, progress=self._progress, minutes=(now - self._began) / 60.0,
                                           ask=not self._paused and not self._oversight.enough)
        if self._overlook is None and (reward := self.questioner.reward) is not None and reward.version != self._overlooked:
            self._overlooked = reward.version
            self._overlook = self._pool.submit(self._oversight.look, reward, self.questioner.clips, self._go_on)
        self._tell()
        return LONGEST_WAIT_S

    def close(self) -> None:
        """Waits for a look that is under way to see that it is over: it may be writing."""
        self._closing = True
        self._pool.shutdown()
        self.questioner.close()
        self._ledger.close()
        self._desk_ledger.close()

    def _go_on(self, share: float = 0.0) -> None:
        """Called out of the looks."""
        if self._closing:
            raise Stopped

    def _tell(self) -> None:
        desk = self.questioner.desk
        try:
            desk.refresh()
        except DataError as error:
            self._trouble = str(error)
        if (questions := desk.questions()) is not self._shown:
            self._shown = questions
            self.publish(self._questions, String(data=questions.to_text()))
            self.tick()
        if (people := self.questioner.people) is not self._people:
            self._people = people
            self.publish(self._who, String(data=messages.people_to_text(people)))
        reward, asking, meter = self.questioner.reward, self.questioner.asking, self._oversight.meter
        state, words = self._state_and_words()
        trouble = self._trouble or self.questioner.trouble or self._blind
        known = {"state": state, "words": words, "trouble": trouble, "answered": asking.answered,
                 "skipped": asking.skipped, "waiting": len(questions.open), "reward_version": reward.version if reward else 0,
                 "reward_answers": reward.answers if reward else 0, "meter": "" if meter is None else meter.bound,
                 "alarm": str(self._oversight.alarm) if self._oversight.ringing else "", "episodes": len(self.questioner.library)}
        self.metrics |= known
        if (now := tuple(known.values())) != self._state:
            self._state = now
            self.publish_metrics()

    def _state_and_words(self) -> tuple[State, str]:
        budget, answered = self._asking.schedule.budget, self.questioner.asking.answered
        if self._oversight.ringing:
            return "alarm", str(self._oversight.alarm)
        if self._paused:
            return "paused", "Nothing new is asked until somebody goes on."
        if answered >= budget:
            return "finished", f"All {budget} questions are answered."
        if self._oversight.enough:
            return "enough", str(self._oversight.meter)
        said = f"{answered} of {budget} questions are answered"
        if self._shown is not None and any(one.query.to in ("", self._teacher.name) for one in self._shown.open):
            return "asking", f"{said}."
        if (episodes := len(self.questioner.library)) < 2:
            return "collecting", f"The robot collects episodes; there are {episodes}, and questions begin with two."
        wait = wait_s(self._asking.schedule, progress=self._progress, minutes=(time.monotonic() - self._began) / 60.0, asked=answered,
                      run_s=60.0 * self.settings.minutes)
        return "asking", f"{said}; the next one comes " + (f"after about {_about(wait)} of learning." if wait else "at once.")

    @property
    def _progress(self) -> float:
        return min(1.0, self._learned_s / (60.0 * self.settings.minutes))

    # Topics and services -------------------------------------------------------------------------------------------------

    def _on_request(self, message: String) -> None:
        try:
            request = Request.from_text(message.data)
        except DataError as error:
            self.get_logger().warning(str(error), throttle_duration_sec=5.0)
            return
        self.publish(self._receipts, String(data=self.questioner.desk.take(request).to_text()))

    def _on_reward(self, message: UInt8MultiArray) -> None:
        try:
            self.questioner.take_reward(bytes(message.data))  # empty: there is none any more
        except DataError as error:
            self.get_logger().warning(f"weights/reward: {error}")

    def _on_metrics(self, message: DiagnosticArray) -> None:
        values: dict[str, Any] = convert.metrics_of(message).get("learner_node", {})
        if isinstance(learned := values.get("learn_s"), float):
            self._learned_s = learned

    def _on_pause(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self._paused = request.data
        response.success, response.message = True, "nothing new is asked" if request.data else "asking goes on"
        return response

    def _on_clear(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success, response.message = self._oversight.ringing, "there is no alarm"
        if response.success:
            response.message = "learning goes on"
            try:
                self._oversight.clear()
            except StorageError as error:
                response.message = str(error)
        return response


def _about(seconds: float) -> str:
    return f"{5 * math.ceil(seconds / 5.0)} s" if seconds < 120.0 else f"{seconds / 60.0:.0f} min"


def _what_went_wrong(look: Future[Any]) -> str:
    """A full disk or a labeller that refuses: robot and learner go on, and so does the node."""
    try:
        look.result()
    except RewardbotError as error:
        return str(error)
    return ""


def main() -> None:
    """The program `preference_node`."""
    start(PreferenceNode)


if __name__ == "__main__":
    main()
