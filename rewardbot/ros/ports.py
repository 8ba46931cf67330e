"""A process gets shared memory ports that no dead one had before it.

Fast DDS gives a process the first free ports, so that a node that was killed and started again reads where the dead one read. A
sender keeps such a port open, and notices that its reader died only by a reader that stays in the middle of waiting or of a message.
Killed between the two, it looks alive for ever: what is sent goes into the memory of the dead, and the new process never hears a
request again, while everything that it sends itself arrives (eProsima/Fast-DDS pull request 4728 describes it).
"""

from __future__ import annotations

import fcntl
import os
import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from rewardbot.config import share_path
from rewardbot.ros.environment import DOMAIN_VARIABLE, PROFILE, PROFILE_VARIABLES, check_domain

SHARED_MEMORY = Path("/dev/shm")

PARTICIPANTS = 32
"""Discovery on one machine looks for so many participants, and not beyond."""


@contextmanager
def own_ports() -> Iterator[None]:
    """Around the making of the only participant of this process; without effect where the user has named a DDS profile.

    The profile is loaded once per process, so this is for programs, not for tests with several participants.

    Raises:
        ConfigError: ROS_DOMAIN_ID is not one.
    """
    check_domain()
    variable, profile = PROFILE_VARIABLES[0], share_path(PROFILE)
    number = fresh_participant(int(os.environ.get(DOMAIN_VARIABLE, "").strip() or 0))
    if os.environ.get(variable) != str(profile) or number is None:
        yield
        return
    with ExitStack() as stack:
        with suppress(OSError):  # no shared memory here, or no room in it: no ports in it either
            file = stack.enter_context(NamedTemporaryFile("w", prefix="rewardbot-", suffix=".xml", dir=SHARED_MEMORY))
            file.write(profile.read_text().replace("<rtps>", f"<rtps><participantID>{number}</participantID>", 1))
            file.flush()
            stack.callback(os.environ.update, {variable: str(profile)})
            os.environ[variable] = file.name
        yield


def fresh_participant(domain: int, folder: Path = SHARED_MEMORY) -> int | None:
    """A participant number whose port no dead process has had, or else the one that died first.

    One of several, by chance, since nodes are started at the same time; two that meet are told apart by Fast DDS.

    Args:
        domain: the ROS_DOMAIN_ID.
        folder: where the segments are.

    Returns:
        From 0 to 31; None if all are in use.
    """
    ports = {number: folder / f"fastdds_port{user_port(domain, number)}" for number in range(PARTICIPANTS)}
    locks = {number: port.with_name(f"{port.name}_el") for number, port in ports.items()}
    # Whoever notices that a reader is dead removes its lock and keeps its port.
    if fresh := [number for number in ports if not ports[number].exists() and not locks[number].exists()]:
        return random.choice(fresh)
    died: dict[int, float] = {}
    for number, lock in locks.items():
        with suppress(FileNotFoundError):  # another process takes it over
            if not lock.exists() or is_free(lock):
                died[number] = ports[number].stat().st_mtime
    return min(died, key=died.__getitem__, default=None)


def is_free(lock: Path) -> bool:
    """Whether nobody holds a lock file of Fast DDS: each process keeps those of its segments and ports locked."""
    try:
        descriptor = os.open(lock, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)


def user_port(domain: int, participant: int) -> int:
    """The port at which a participant hears what is not discovery: DDS-RTPS 2.3, 9.6.1.1."""
    return 7400 + 250 * domain + 11 + 2 * participant
