"""The keyboard of a terminal, at a real (pseudo) terminal."""

from __future__ import annotations

import os
import pty
import termios
from collections.abc import Iterator

import pytest

from rewardbot.errors import ConfigError
from rewardbot.teleop.device import DeviceLost
from rewardbot.teleop.terminal import HELD_S, Terminal, kept, names


@pytest.fixture
def ends() -> Iterator[tuple[int, int]]:
    """The person's end and the program's end of a terminal."""
    person, program = pty.openpty()
    yield person, program
    for descriptor in (person, program):
        try:
            os.close(descriptor)
        except OSError:
            pass


def test_a_key_is_held_until_shortly_after_its_last_repeat(ends: tuple[int, int]) -> None:
    terminal = Terminal(ends[1])
    assert terminal.poll(0.0) == [{}]
    os.write(ends[0], b"w")
    assert terminal.poll(1.0) == [{"w": 1.0}]
    os.write(ends[0], b"w")
    assert terminal.poll(1.0 + 0.9 * HELD_S) == [{"w": 1.0}]
    assert terminal.poll(1.0 + 1.8 * HELD_S) == [{"w": 1.0}]
    assert terminal.poll(1.0 + 2.0 * HELD_S) == [{}]
    terminal.close()


@pytest.mark.parametrize(("typed", "keys"), [
    (b"wr", ["w", "r"]), (b"\r", ["Enter"]), (b"\x7f", ["Backspace"]), (b" ", ["Space"]), (b"\x1b", ["Esc"]),
    (b"\x1b[A\x1bOP\x1b[15~", ["Up", "\x1bOP", "\x1b[15~"]), (b"w\x1b", ["w", "Esc"]), ("ö".encode(), ["ö"]), (b"\xff", ["\ufffd"])])
def test_keys_are_called_as_in_the_table(typed: bytes, keys: list[str]) -> None:
    assert names(typed.decode("utf-8", "replace")) == keys


def test_it_leaves_the_terminal_as_it_was(ends: tuple[int, int]) -> None:
    before = termios.tcgetattr(ends[1])
    terminal = Terminal(ends[1])
    assert not termios.tcgetattr(ends[1])[3] & (termios.ECHO | termios.ICANON)
    assert termios.tcgetattr(ends[1])[3] & termios.ISIG, "Ctrl-C works"
    terminal.close()
    terminal.close()
    assert termios.tcgetattr(ends[1]) == before


def test_a_terminal_that_a_killed_child_left_is_put_back(ends: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    before = termios.tcgetattr(ends[1])
    with os.fdopen(os.dup(ends[1])) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        with kept():
            Terminal(ends[1])  # never closed
        assert termios.tcgetattr(ends[1]) == before
    with open(os.devnull) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        with kept():
            pass


def test_a_terminal_that_is_closed_is_lost(ends: tuple[int, int]) -> None:
    terminal = Terminal(ends[1])
    os.close(ends[0])
    with pytest.raises(DeviceLost):
        terminal.poll(0.0)
    terminal.close()


def test_without_a_terminal_it_says_where_to_go() -> None:
    with open(os.devnull) as nothing, pytest.raises(ConfigError, match="device:=window"):
        Terminal(nothing.fileno())
