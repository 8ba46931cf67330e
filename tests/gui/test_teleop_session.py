"""What the teleoperation window does, without Qt."""

from __future__ import annotations

import pytest

from rewardbot.data.decode import EpisodeEvent, EventKind
from rewardbot.gui.silence import SILENT_S
from rewardbot.gui.teleop_session import TeleopSession
from rewardbot.teleop.bindings import DRIVING, KEYBOARD, SERVICES
from rewardbot.types import EpisodeInfo


class Case:
    """A session, and what it called and sent."""

    def __init__(self, device: str = "window") -> None:
        self.called: list[str] = []
        self.sent: list[list[int]] = []
        self.session = TeleopSession(KEYBOARD, device, ("front", "wrist"), call=self.called.append, send=self.sent.append)

    def held(self) -> set[str]:
        return {action for action, down in zip(DRIVING, self.sent[-1], strict=True) if down}

    def rows(self, now: float = 0.0) -> dict[str, str]:
        return {row.label: row.text for row in self.session.rows(now)}

    def level(self, label: str, now: float = 0.0) -> str:
        return next(row.level for row in self.session.rows(now) if row.label == label)


def test_held_keys_are_sent_at_once_and_at_every_beat() -> None:
    case = Case()
    assert case.session.key("w", down=True) and case.held() == {"forward"}
    case.session.key("e", down=True)
    case.session.beat()
    assert case.held() == {"forward", "close"}
    case.session.key("w", down=False)
    assert case.held() == {"close"} and len(case.sent) == 4
    assert not case.session.key("k", down=True) and len(case.sent) == 4


def test_without_the_keys_nothing_is_held() -> None:
    case = Case()
    for key in ("w", "a", "Space"):
        case.session.key(key, down=True)
    case.session.release()
    assert case.held() == set()


def test_another_device_drives_and_the_window_keeps_its_other_keys() -> None:
    case = Case("gamepad")
    case.session.key("w", down=True)
    case.session.beat()
    case.session.key("y", down=True)
    assert case.sent == [] and case.called == ["episode/success"]


def test_each_request_is_called_once_when_its_key_goes_down() -> None:
    case = Case()
    for row in KEYBOARD.rows:
        for down in (True, False):
            case.session.key(row.key, down=down)
    assert sorted(case.called) == sorted(SERVICES.values())
    case.session.ask("stop")
    assert case.called[-1] == "stop"


def test_answers_are_shown_and_refusals_stand_out() -> None:
    case = Case()
    case.session.answered("episode/start", True, "it begins")
    assert (case.rows()[""], case.level("")) == ("it begins", "good")
    case.session.answered("episode/start", False, "it runs already")
    assert (case.rows()[""], case.level("")) == ("episode/start was refused: it runs already", "bad")
    case.session.metrics("policy_node", {"said": "anna has the arm"}, 0.0)
    assert case.rows()[""] == "anna has the arm"
    case.session.answered("stop", True, "stopped")
    case.session.metrics("policy_node", {"said": "anna has the arm"}, 1.0)
    assert case.rows()[""] == "stopped", "what was said before is no news"


@pytest.mark.parametrize(("kind", "success", "text"), [
    ("start", None, "running, 12 steps"), ("end", True, "the last one was a success; Enter starts one"),
    ("end", None, "the last one was ended without a verdict; Enter starts one"),
    ("verdict", False, "the last one was a failure; Enter starts one"),
    ("discard", True, "the last one was discarded; Enter starts one")])
def test_the_episode(kind: EventKind, success: bool | None, text: str) -> None:
    case = Case()
    assert case.rows()["episode"] == "none; Enter starts one"
    case.session.metrics("policy_node", {"steps": 12.0}, 0.0)
    case.session.episode(EpisodeEvent(kind, 5, EpisodeInfo("a", "lift", "sim_arm", "demonstration", success=success)))
    assert case.rows()["episode"] == text


def test_the_robot_and_whose_it_is() -> None:
    case = Case()
    assert case.rows()["robot"] == "policy_node says nothing"
    for values, text, level in [({"mode": "teleoperate", "operator": ""}, "mode teleoperate", "plain"),
                                ({"mode": "explore", "operator": "teleop_node"}, "teleop_node has it", "good"),
                                ({"mode": "teleoperate", "waiting_for": "sim_node"}, "waiting for sim_node", "bad")]:
        case.session.metrics("policy_node", values, 1.0)
        assert (case.rows(1.0)["robot"], case.level("robot", 1.0)) == (text, level)
    case.session.metrics("policy_node", {"mode": "teleoperate"}, 1.0)
    case.session.metrics("sim_node", {"stopped": 1.0}, 1.0)
    assert case.rows(1.0)["robot"] == "Stopped; C clears it"
    assert case.rows(1.1 + SILENT_S)["robot"] == "policy_node says nothing"


def test_the_device_its_speed_and_its_axes() -> None:
    case = Case("gamepad")
    assert case.rows()["device"] == "gamepad: teleop_node says nothing" and "speed" not in case.rows()
    case.session.metrics("teleop_node", {"connected": 0.0}, 1.0)
    assert case.rows(1.0)["device"] == "gamepad is not there" and case.level("device", 1.0) == "bad"
    case.session.metrics("teleop_node", {"connected": 1.0, "held": 1.0, "speed": 0.35, "frame": "tool"}, 1.0)
    assert case.rows(1.0)["device"] == "gamepad, driving" and case.rows(1.0)["speed"] == "35%, axes of the tool"


def test_the_recorders_last_trouble() -> None:
    case = Case()
    case.session.metrics("recorder_node", {"episodes_saved": 3.0, "last_rejection": "", "last_problem": ""}, 0.0)
    assert case.rows()["recorder"] == "3 saved" and case.level("recorder") == "plain"
    case.session.metrics("recorder_node", {"episodes_saved": 3.0, "last_problem": "front dropped 2 frames"}, 0.0)
    assert case.rows()["recorder"] == "3 saved; front dropped 2 frames" and case.level("recorder") == "warning"
    now = 0.1 + SILENT_S
    assert case.rows(now)["recorder"] == "recorder_node says nothing; nothing is recorded" and case.level("recorder", now) == "bad"


def test_a_camera_that_falls_silent_is_named() -> None:
    case = Case()
    case.session.saw("front", 10.0)
    assert "camera front" not in case.rows(10.0 + SILENT_S) and case.rows(10.0)["camera wrist"] == "no image"
    assert case.rows(15.0)["camera front"] == "no image for 5 s" and case.level("camera front", 15.0) == "warning"
