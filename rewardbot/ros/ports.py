"""A process gets shared memory ports that no dead one had before it.

Fast DDS gives a process the first free ports, so that a node that was killed and started again reads where the dead one read. A
sender keeps such a port open, and notices that its reader died only by a reader that stays in the middle of waiting or of a message.
Killed between the two, it looks alive for ever: what is sent goes into the memory of the dead, and the new process never hears a
request again, while everything that it sends itself arrives (eProsima/Fast-DDS pull request 4728 describes it).
"""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from rewardbot.config import share_path
from rewardbot.ros.environment import DOMAIN_VARIABLE, PROFILE, PROFILE_VARIABLES, check_domain
from rewardbot.ros.segments import LOCK, SHARED_MEMORY, is_free, remove_dead_segments

PARTICIPANTS = 32
"""Discovery on one machine looks for so many participants, and not beyond."""


@contextmanager
def own_ports() -> Iterator[None]:
    """Around the making of the only participant of this process; without effect where the user has named a DDS profile.

    What dead processes left of shared memory is removed first. The profile is loaded once per process, so this is for programs,
    not for tests with several participants.

    Raises:
        ConfigError: ROS_DOMAIN_ID is not one.
    """
    check_domain()
    remove_dead_segments()
    variable, profile = PROFILE_VARIABLES[0], share_path(PROFILE)
    domain = int(os.environ.get(DOMAIN_VARIABLE, "").strip() or 0)
    with ExitStack() as stack:
        number = stack.enter_context(participant(domain))
        if os.environ.get(variable) == str(profile) and number is not None:
            with suppress(OSError):  # no shared memory here, or no room in it: no ports in it either
                file = stack.enter_context(NamedTemporaryFile("w", prefix="rewardbot-", suffix=".xml", dir=SHARED_MEMORY))
                file.write(profile.read_text().replace("<rtps>", f"<rtps><participantID>{number}</participantID>", 1))
                file.flush()
                stack.callback(os.environ.update, {variable: str(profile)})
                os.environ[variable] = file.name
        yield


@contextmanager
def participant(domain: int, folder: Path | None = None) -> Iterator[int | None]:
    """A participant number from 0 to 31 that no other program of ours gets meanwhile; None if all are in use.

    Its port is one that no dead process has had, or else the one that was taken longest ago.

    Args:
        domain: the ROS_DOMAIN_ID.
        folder: where the ports are; the machine's if not given.
    """
    folder = folder or SHARED_MEMORY
    ports = _free_ports(domain, folder)
    with ExitStack() as stack:
        number = next((number for number, port in ports.items() if _claim(port.name, stack)), None)
        if number is not None:
            with suppress(OSError):  # nobody has had it, or another user
                os.utime(ports[number])
        yield number


def _claim(name: str, stack: ExitStack) -> bool:
    """Whether a name is ours until the stack is left. It is one in the kernel and no file, so that it goes with its process.

    Whoever does not see it is told apart by Fast DDS.
    """
    with suppress(OSError):
        stack.enter_context(socket.socket(socket.AF_UNIX)).bind(f"\0rewardbot-{name}")
        return True
    return False


def _free_ports(domain: int, folder: Path) -> dict[int, Path]:
    """Participant numbers that nobody has now, and their ports, the best first. Those that are alike come by chance."""
    ports: dict[int, Path] = {}
    fresh: list[int] = []
    taken: dict[int, float] = {}
    for number in range(PARTICIPANTS):
        port = ports[number] = folder / f"fastdds_port{user_port(domain, number)}"
        lock = port.with_name(f"{port.name}{LOCK}")
        # Whoever notices that a reader is dead removes its lock and keeps its port.
        if not port.exists() and not lock.exists():
            fresh.append(number)
        elif not lock.exists() or is_free(lock):
            with suppress(FileNotFoundError):  # another process takes it over
                taken[number] = port.stat().st_mtime
    best = random.sample(fresh, len(fresh)) + sorted(taken, key=taken.__getitem__)
    return {number: ports[number] for number in best}


def user_port(domain: int, participant: int) -> int:
    """The port at which a participant hears what is not discovery: DDS-RTPS 2.3, 9.6.1.1."""
    return 7400 + 250 * domain + 11 + 2 * participant
