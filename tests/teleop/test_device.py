"""A device that comes and goes."""

from __future__ import annotations

from rewardbot.teleop.bindings import KEYBOARD
from rewardbot.teleop.device import RETRY_S, Connection, DeviceLost, Keys, NotYet


class Unsteady:
    """A device that is plugged in and out by the test."""

    name, bindings, note = "it", KEYBOARD, ""

    def __init__(self) -> None:
        self.plugged, self.opened, self.closed = False, 0, 0

    def open(self, now: float) -> Unsteady:
        if not self.plugged:
            raise DeviceLost("There is none.")
        self.opened += 1
        return self

    def poll(self, now: float) -> list[Keys]:
        if not self.plugged:
            raise DeviceLost("It was unplugged.")
        return [{"w": 1.0}]

    def close(self) -> None:
        self.closed += 1


def test_a_device_that_is_not_there_is_waited_for_and_said_so_once() -> None:
    device = Unsteady()
    connection = Connection(device.open)
    told = [connection.poll(0.1 * step)[1] for step in range(30)]
    assert told == ["There is none.", *[""] * 29]
    device.plugged = True
    assert connection.poll(3.0 + RETRY_S) == ([], "it is back")
    assert connection.poll(3.1 + RETRY_S) == ([{"w": 1.0}], "")


def test_unplugged_and_plugged_in_again() -> None:
    device = Unsteady()
    device.plugged = True
    connection = Connection(device.open)
    assert connection.poll(0.0) == ([], "it is there")
    device.plugged = False
    assert connection.poll(0.1) == ([], "It was unplugged.") and connection.device is None and device.closed == 1
    device.plugged = True
    assert connection.poll(0.2) == ([], ""), "not at once again"
    assert connection.poll(0.1 + RETRY_S) == ([], "it is back") and device.opened == 2
    connection.close()
    assert device.closed == 2 and connection.device is None


def test_nothing_is_said_of_a_device_that_is_about_to_come() -> None:
    device, errors = Unsteady(), [NotYet("Soon."), NotYet("Soon.")]

    def open_it(now: float) -> Unsteady:
        if errors:
            raise errors.pop()
        return device.open(now)

    connection = Connection(open_it)
    device.plugged = True
    told = [connection.poll(step * RETRY_S)[1] for step in range(3)]
    assert told == ["", "", "it is there"], "not that it is back"
