"""Environment variables that every process of ours needs before DDS is loaded. No rclpy here."""

from __future__ import annotations

import importlib
import os
import shutil
from collections.abc import MutableMapping

from rewardbot.config import share_path
from rewardbot.errors import ConfigError, RewardbotError
from rewardbot.ros.segments import SHARED_MEMORY, remove_dead_segments

DOMAIN_VARIABLE = "ROS_DOMAIN_ID"

PROFILE = "config/fastdds.xml"
"""Ours, for one machine."""

PROFILE_VARIABLES = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")

PARENT_VARIABLE = "REWARDBOT_PARENT"
"""Process id of the starter; a node whose starter is gone ends by itself."""

STARTER_VARIABLE = "REWARDBOT_STARTER"
"""Another in every start of a graph. A node that is started again in the same graph knows by it what it left behind."""


HIGHEST_DOMAIN = 232
"""A higher ROS_DOMAIN_ID gives port numbers that do not exist, and ends the process without a word of ours."""


def check_domain() -> None:
    """To be called before DDS is loaded.

    Raises:
        ConfigError: ROS_DOMAIN_ID is not one.
    """
    text = os.environ.get(DOMAIN_VARIABLE, "").strip() or "0"
    if not text.isascii() or not text.isdigit() or int(text) > HIGHEST_DOMAIN:
        raise ConfigError(f"ROS_DOMAIN_ID is '{text}'.", valid=f"It must be a whole number from 0 to {HIGHEST_DOMAIN}; "
                          "up to 101 it never meets the ports that programs get by chance.", next_step="Set another, or unset it.")


LEAST_SHARED = 1 << 20
"""Room in shared memory [bytes] that a process of Fast DDS needs at least; in less it is killed by signal 7, without a word."""


def check_shared_memory() -> None:
    """To be called before DDS is loaded. What dead processes left is removed if that helps.

    Raises:
        RewardbotError: shared memory is full.
    """
    if not SHARED_MEMORY.is_dir():
        return  # then DDS does without
    if shutil.disk_usage(SHARED_MEMORY).free < LEAST_SHARED:
        remove_dead_segments()
        if (free := shutil.disk_usage(SHARED_MEMORY).free) < LEAST_SHARED:
            raise RewardbotError(f"{SHARED_MEMORY} is full: {free} bytes are free.",
                                 valid="ROS nodes exchange messages through it; a graph needs about 144 MB.",
                                 next_step=f"Remove what fills it, or give it more: mount -o remount,size=1g {SHARED_MEMORY}, "
                                           "docker run --shm-size=1g.")


def require_ros() -> None:
    """Loads ROS 2. To be called before anything that imports rclpy, which is killed by signal 7 in full shared memory.

    Raises:
        ConfigError: a part of it is missing, or is for another Python.
        RewardbotError: see `check_shared_memory`.
    """
    check_shared_memory()
    try:
        importlib.import_module("rewardbot.ros.job_node")
    except ImportError as error:
        if (error.name or "").startswith("rewardbot"):
            raise  # a mistake of ours
        raise ConfigError(f"ROS 2 is not here: {error}.",
                          next_step="make venv, or source your ROS 2 install; `rewardbot train` needs no ROS.") from None


def set_defaults(environment: MutableMapping[str, str] | None = None) -> None:
    """Fills in what is not set, in `os.environ` when nothing else is given; what the user has set stays.

    Discovery stays on this machine, and Fast DDS gets our profile: its own shared memory segment loses nearly every
    message above 512 KiB. For several machines set ROS_AUTOMATIC_DISCOVERY_RANGE=SUBNET and
    FASTDDS_DEFAULT_PROFILES_FILE to config/fastdds_udp.xml.
    """
    environment = os.environ if environment is None else environment
    environment.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    if not any(environment.get(name) for name in PROFILE_VARIABLES):
        environment[PROFILE_VARIABLES[0]] = str(share_path(PROFILE))
    # A console of a foreign locale must not stop a node whose message holds a unit sign.
    environment.setdefault("PYTHONIOENCODING", "utf-8")
