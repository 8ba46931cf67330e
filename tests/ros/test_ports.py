"""Whoever was killed leaves ports behind that nobody takes over."""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from rewardbot.config import share_path
from rewardbot.errors import ConfigError
from rewardbot.ros import ports
from rewardbot.ros.environment import PROFILE
from rewardbot.ros.ports import PARTICIPANTS, own_ports, participant, user_port

VARIABLE = "FASTDDS_DEFAULT_PROFILES_FILE"


def locks(folder: Path, domain: int) -> list[Path]:
    """Of all participants, the first of which died first."""
    made = [folder / f"fastdds_port{user_port(domain, number)}_el" for number in range(PARTICIPANTS)]
    for number, lock in enumerate(made):
        lock.touch()
        port(lock).touch()
        os.utime(port(lock), (number, number))
    return made


def port(lock: Path) -> Path:
    return lock.with_name(lock.name.removesuffix("_el"))


def test_the_port_is_that_of_the_standard() -> None:
    assert (user_port(0, 0), user_port(0, 1), user_port(1, 0)) == (7411, 7413, 7661)


@pytest.fixture
def domain_of_its_own() -> int:
    """That nobody else on this machine takes numbers in; it need not be one."""
    return 1000 + os.getpid()


def first(domain: int, folder: Path) -> int | None:
    """The number that a process gets, if it then does not use it. It counts as taken now."""
    with participant(domain, folder) as number:
        return number


def test_a_number_that_nobody_had_comes_before_one_that_somebody_had(domain_of_its_own: int, tmp_path: Path) -> None:
    made = locks(tmp_path, domain_of_its_own)
    made[17].unlink()
    assert first(domain_of_its_own, tmp_path) == 0, "somebody still sends to 17"
    port(made[17]).unlink()
    assert first(domain_of_its_own, tmp_path) == 17
    made[17].touch()
    with made[1].open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert first(domain_of_its_own, tmp_path) == 2
    assert [first(domain_of_its_own, tmp_path) for _ in range(3)] == [1, 3, 4], "not the same one again"


def test_processes_that_start_together_get_a_number_each(domain_of_its_own: int, tmp_path: Path) -> None:
    with ExitStack() as stack:
        got = [stack.enter_context(participant(domain_of_its_own, tmp_path)) for _ in range(PARTICIPANTS + 1)]
    assert got[-1] is None and set(got[:-1]) == set(range(PARTICIPANTS))
    locks(tmp_path, domain_of_its_own)
    with ExitStack() as stack:
        again = [stack.enter_context(participant(domain_of_its_own, tmp_path)) for _ in range(PARTICIPANTS + 1)]
    assert again == [*range(PARTICIPANTS), None], "who died first, first"


def test_when_all_live_it_is_left_to_dds(domain_of_its_own: int, tmp_path: Path) -> None:
    with ExitStack() as stack:
        for lock in locks(tmp_path, domain_of_its_own):
            fcntl.flock(stack.enter_context(lock.open()), fcntl.LOCK_EX)
        assert first(domain_of_its_own, tmp_path) is None


def test_the_profile_is_ours_with_a_number(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(ports, "SHARED_MEMORY", tmp_path)
    ours = str(share_path(PROFILE))
    monkeypatch.setenv(VARIABLE, ours)
    with own_ports():
        text = Path(os.environ[VARIABLE]).read_text()
        assert text.count("<participantID>") == 1
        assert len(text) < len(Path(ours).read_text()) + 40
    assert os.environ[VARIABLE] == ours
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("value", ["/mine.xml", None])
def test_what_the_user_has_set_stays(value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, value) if value else monkeypatch.delenv(VARIABLE, raising=False)
    with own_ports():
        assert os.environ.get(VARIABLE) == value


def test_without_shared_memory_it_goes_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(ports, "SHARED_MEMORY", tmp_path / "missing")
    monkeypatch.setenv(VARIABLE, ours := str(share_path(PROFILE)))
    with own_ports():
        assert os.environ[VARIABLE] == ours


def test_a_domain_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", "lab")
    with pytest.raises(ConfigError, match="ROS_DOMAIN_ID is 'lab'"), own_ports():
        pass


@pytest.mark.ros
def test_a_node_that_is_killed_and_started_again_reads_elsewhere(start_node: Callable[..., Any], domain: int) -> None:
    ours = {ports.SHARED_MEMORY / f"fastdds_port{user_port(domain, number)}_el" for number in range(2 * PARTICIPANTS)}

    def reads(process: Any) -> set[Path]:
        folder = Path(f"/proc/{process.popen.pid}/fd")
        return {path.readlink() for path in folder.iterdir() if path.is_symlink()} & ours

    found = list[Path]()
    for _ in range(3):
        process = start_node("recorder_node")
        (port,) = reads(process)
        found.append(port)
        process.end(signal.SIGKILL)
    assert len(set(found)) == 3
