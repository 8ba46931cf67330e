"""Whatever other nodes say of themselves: what a window makes of it is words, never an exception, which would end the window."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from rewardbot.data.decode import EpisodeEvent
from rewardbot.feedback.messages import Question, Questions
from rewardbot.gui import preference_words as words
from rewardbot.gui.learning import Learning
from rewardbot.gui.teleop_session import TeleopSession
from rewardbot.teleop.bindings import KEYBOARD
from rewardbot.types import EpisodeInfo
from tests.gui.desk import question
from tests.gui.sitting import Sitting

KEYS = ("rate_hz", "waiting_for", "stopped", "estop", "reward", "goal_probability", "accuracy", "reward_accuracy", "reward_version",
        "reward_answers", "meter", "alarm", "words", "trouble", "budget", "answered", "waiting")
NODES = ("learner_node", "classifier_node", "preference_node", "sim_node", "somebody")
VALUES = st.one_of(st.floats(), st.text(max_size=20), st.sampled_from((float("nan"), float("inf"), 0.0, -1.0, "", "many")))
METRICS = st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=8)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(st.sampled_from(NODES), METRICS), max_size=4))
@example([("classifier_node", {"goal_probability": float("nan")})])
def test_the_learning_view(told: list[tuple[str, dict[str, float | str]]]) -> None:
    learning = Learning()
    for node, values in told:
        learning.metrics(node, values)
        learning.desk(values)
    assert all(isinstance(text, str) for _, text, _ in learning.rows())
    assert learning.probability is None or 0.0 <= learning.probability <= 1.0


@settings(deadline=None, max_examples=200)
@given(METRICS)
def test_the_questions(values: dict[str, float | str]) -> None:
    sitting = Sitting(question("a"))
    sitting.look()
    sitting.session.desk(values)
    sitting.session.safety.metrics("sim_node", values)
    sitting.press("left")
    sitting.store()
    session = sitting.session
    assert words.headline(session) and words.progress(session) and words.waiting(session)
    assert isinstance(words.badges(session), list) and isinstance(session.safety.rows(), list)
    banner = words.banner(session)
    assert banner is None or banner[0]


@settings(deadline=None, max_examples=200)
@given(st.dictionaries(st.sampled_from(("teleop_node", "policy_node", "recorder_node", "sim_node")), st.dictionaries(
    st.sampled_from(("speed", "frame", "steps", "episodes_saved", "last_problem", "said", "mode", "stopped", "estop", "operator",
                     "waiting_for", "device", "hand")), VALUES)))
def test_the_teleoperation_window(told: dict[str, dict[str, float | str]]) -> None:
    session = TeleopSession(KEYBOARD, "window", ("front",), call=lambda service: None, send=lambda held: None)
    for node, values in told.items():
        session.metrics(node, values, 1.0)
    session.episode(EpisodeEvent("start", 1, EpisodeInfo("a", "lift", "sim_arm", "demonstration")))
    assert all(isinstance(row.text, str) for row in session.rows(1.5))


def test_rewards_that_are_no_numbers_are_left_out_of_the_histogram() -> None:
    asked, learning = question("a", rewards=True), Learning()
    learning.questions(Questions("desk", (Question(asked.query, asked.bags, ((float("nan"), 1.0), (float("inf"), 2.0))),)))
    assert learning.rewards.tolist() == [1.0, 2.0]
