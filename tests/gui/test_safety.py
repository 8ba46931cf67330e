"""What is said of a robot's safety: nothing that nobody told."""

from __future__ import annotations

import pytest

from rewardbot.gui.safety import Safety
from rewardbot.gui.silence import SILENT_S, lasting


class Told:
    """Safety and its clock."""

    def __init__(self) -> None:
        self.now = 60.0
        self.safety = Safety(lambda: self.now)

    def rows(self) -> dict[str, tuple[str, str]]:
        return {name: (text, level) for name, text, level in self.safety.rows()}


def test_what_nobody_tells_is_unknown() -> None:
    told = Told()
    told.safety.metrics("policy_node", {"rate_hz": 10.0, "estop": ""})
    assert told.safety.stopped is None
    assert told.rows() == {"Stop": ("unknown", "warning"), "hardware e-stop": ("unknown", "warning")}


def test_what_was_fine_is_unknown_when_its_node_is_silent_and_a_stop_holds() -> None:
    told = Told()
    told.safety.metrics("arm_driver", {"stopped": 0.0, "estop": "released"})
    assert told.rows() == {"Stop": ("not stopped", "good"), "hardware e-stop": ("released", "plain")}
    told.now += SILENT_S + 0.1
    assert told.safety.stopped is None and told.safety.estop == ("unknown", "warning")
    told.safety.metrics("arm_driver", {"stopped": 1.0, "estop": "pressed"})
    assert told.rows() == {"Stop": ("Stopped", "bad"), "hardware e-stop": ("pressed", "bad")}
    told.now += SILENT_S + 0.1
    assert told.safety.stopped is True and told.safety.estop[0] == "unknown"
    told.safety.metrics("arm_driver", {"stopped": 0.0})
    assert told.safety.stopped is False


def test_one_of_several_is_enough_for_a_stop() -> None:
    told = Told()
    told.safety.metrics("arm", {"stopped": 0.0})
    told.safety.metrics("gripper", {"stopped": 1.0})
    assert told.safety.stopped is True


@pytest.mark.parametrize(("seconds", "said"), [(2.4, "2 s"), (119.0, "119 s"), (150.1, "3 min"), (3600.0, "60 min")])
def test_silence_in_words(seconds: float, said: str) -> None:
    assert lasting(seconds) == said
