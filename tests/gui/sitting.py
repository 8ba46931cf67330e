"""A person at the preference window without Qt: its session, its desk, and a clock."""

from __future__ import annotations

from rewardbot.feedback.messages import Question
from rewardbot.gui.preference_session import PreferenceSession
from rewardbot.types import Segment
from tests.gui.desk import FakeDesk

TIMES = [n / 10 for n in range(11)]


class Sitting:
    """See the module. `now_does`: the steps that the robot has just gone through."""

    def __init__(self, *questions: Question, annotator: str = "ann", robot: bool = True) -> None:
        self.now, self.robot = 100.0, []
        self.now_does: Segment | None = None
        self.desk = FakeDesk(*questions)
        asks = {"stop": lambda: self.robot.append("stop"), "clear": lambda: self.robot.append("clear")} if robot else {}
        self.session = PreferenceSession(annotator, self.desk.send, watched=("learner", "robot"), clock=lambda: self.now,
                                         just_now=lambda: self.now_does, wall=lambda: 1e9 + self.now, **asks)
        self.session.questions(self.desk.questions())

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.session.beat()

    def look(self, seconds: float = 1.0) -> None:
        """The clips come, and a person looks at them."""
        if self.session.query is not None:
            self.session.ready(self.session.query.id, [TIMES] * len(self.session.query.options))
            self.session.visible()
        self.wait(seconds)

    def store(self) -> None:
        for receipt in self.desk.work():
            self.session.receipt(receipt)
        self.session.questions(self.desk.questions())

    def press(self, *actions: str) -> None:
        for action in actions:
            self.session.act(action)

    @property
    def on_screen(self) -> str:
        return self.session.query.id if self.session.query else ""
