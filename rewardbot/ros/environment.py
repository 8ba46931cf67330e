"""Environment variables that every process of ours needs before DDS is loaded. No rclpy here."""

from __future__ import annotations

import os
from collections.abc import MutableMapping

from rewardbot.config import share_path
from rewardbot.errors import ConfigError

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
