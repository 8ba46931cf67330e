"""ROS 2: is it there, is the way between two processes good, and is somebody else in our ROS domain."""

from __future__ import annotations

import errno
import importlib.metadata
import os
import socket
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rewardbot.doctor.finding import DoctorOptions, Finding

if TYPE_CHECKING:
    from rewardbot.ros.probe import Link

PORT_BASE, PORTS_PER_DOMAIN = 7400, 250
HIGHEST_DOMAIN, HIGHEST_SAFE_DOMAIN = 232, 101
"""The ports of higher domains than the second are also handed out by Linux to other programs."""

LARGE_SEGMENT = 8 << 20
"""A segment that holds several images of 922 kB [bytes]; Fast DDS's own has half a megabyte."""

SIZES = ((64, 64, 100.0), (640, 480, 30.0))
"""Width, height and rate [Hz] of the images that are sent between two processes."""

LOST = 0.05
"""Share of lost images from which recordings with cameras fail."""

CONTROL_PERIOD_MS = 100.0


def rclpy_import(options: DoctorOptions) -> list[Finding]:
    """Whether rclpy is there, and from one distribution."""
    try:
        from rewardbot.ros.probe import implementation

        binding = implementation()
    except (ImportError, RuntimeError) as error:  # the latter: a DDS binding that is not there
        return [Finding("rclpy", "problem", f"cannot be imported: {_first_line(error)}",
                        "make venv, or source your ROS 2 install and unset RMW_IMPLEMENTATION; `rewardbot train` needs no ROS.")]
    try:
        wheels = importlib.metadata.version("ros-rclpy")
    except importlib.metadata.PackageNotFoundError:
        wheels = ""
    return [origin(wheels, os.environ.get("ROS_DISTRO", ""), binding)]


def origin(wheels: str, distribution: str, binding: str) -> Finding:
    """Judges where rclpy comes from.

    Args:
        wheels: version of the wheels from PyPI, empty if they are not installed.
        distribution: the ROS 2 install that was sourced, empty if none was.
        binding: rclpy's DDS binding.
    """
    where = f"wheels {wheels} from PyPI" if wheels else f"ROS 2 {distribution or '(unknown distribution)'}"
    found, values = f"{where}, {binding}", {"wheels": wheels, "distribution": distribution, "binding": binding}
    if wheels and distribution:
        mend = "Two ROS 2 installs are mixed: do not source ROS 2 for this environment, or leave the extra `ros` out of it."
        return Finding("rclpy", "warning", f"{found}, and ROS 2 {distribution} is sourced", mend, values)
    if "fastrtps" not in binding:
        return Finding("rclpy", "warning", found, "config/fastdds.xml is for Fast DDS: unset RMW_IMPLEMENTATION.", values)
    return Finding("rclpy", "ok", found, values=values)


def domain(options: DoctorOptions) -> list[Finding]:
    """The ROS domain: its number, its port, and who else is in it."""
    number = os.environ.get("ROS_DOMAIN_ID", "") or "0"
    findings = [port(number)]
    if findings[0].level != "problem":
        from rewardbot.ros.environment import set_defaults
        from rewardbot.ros.probe import nodes_here

        set_defaults()
        findings.append(company(nodes_here(options.namespace), options.namespace, number))
    return findings


def port(number: str) -> Finding:
    """Whether `number`, the text of ROS_DOMAIN_ID, is a domain, and DDS can have the port through which nodes find each other."""
    name = "ROS domain"
    if not number.isdecimal() or int(number) > HIGHEST_DOMAIN:
        return Finding(name, "problem", f"ROS_DOMAIN_ID is '{number}'", f"export ROS_DOMAIN_ID=0 (0 to {HIGHEST_SAFE_DOMAIN})")
    reach = os.environ.get("ROS_AUTOMATIC_DISCOVERY_RANGE", "") or "LOCALHOST"
    wanted = PORT_BASE + PORTS_PER_DOMAIN * int(number)
    found, values = f"{number}, reach {reach}", {"domain": int(number), "reach": reach, "port": wanted}
    if int(number) > HIGHEST_SAFE_DOMAIN:
        return Finding(name, "warning", found, f"export ROS_DOMAIN_ID=N with N up to {HIGHEST_SAFE_DOMAIN}: the ports of higher "
                       "ones are also given to other programs.", values)
    if _held_by_another(wanted):
        mend = f"Another program holds it for itself (ss -ulpn 'sport = :{wanted}'): end it, or set another ROS_DOMAIN_ID."
        return Finding(name, "problem", f"{found}: UDP port {wanted} is in use", mend, values)
    return Finding(name, "ok", found, values=values)


def _held_by_another(number: int) -> bool:
    """Whether a program that does not share it, as DDS does, has bound the UDP port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("", number))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False


def company(nodes: list[str], namespace: str, number: str) -> Finding:
    """Judges the nodes that are already in our namespace."""
    where = f"/{namespace.strip('/')} of ROS domain {number}"
    if not nodes:
        return Finding("other graphs", "ok", f"none in {where}", values={"nodes": []})
    return Finding("other graphs", "warning", f"{', '.join(nodes)} in {where}",
                   "A second graph there is refused: stop that one first, or export ROS_DOMAIN_ID to another number.",
                   {"nodes": nodes})


def dds(options: DoctorOptions) -> list[Finding]:
    """The profile, discovery, and images between two processes."""
    from rewardbot.ros.environment import set_defaults
    from rewardbot.ros.probe import probe

    set_defaults()
    findings = [profile(os.environ)]
    measured = probe(SIZES)
    findings.append(in_force(measured.segment_bytes))
    findings.append(Finding("DDS discovery", "ok", f"another process found {measured.discovery_s:.1f} s after its start",
                            values={"seconds": round(measured.discovery_s, 2)}))
    return findings + [throughput(link) for link in measured.links]


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:300]


def profile(environment: Mapping[str, str]) -> Finding:
    """Judges the Fast DDS profile that the environment names."""
    from rewardbot.ros.environment import PROFILE_VARIABLES

    name, mend = "Fast DDS profile", f"unset {PROFILE_VARIABLES[0]}: rewardbot then takes its own, config/fastdds.xml"
    path = next((environment[variable] for variable in PROFILE_VARIABLES if environment.get(variable)), "")
    if not path:
        return Finding(name, "warning", "none", f"export {PROFILE_VARIABLES[0]}=config/fastdds.xml")
    try:
        root = ElementTree.fromstring(Path(path).read_bytes())
    except OSError as error:
        return Finding(name, "problem", f"{path}: {error.strerror}", mend)
    except ElementTree.ParseError as error:
        return Finding(name, "problem", f"{path} is not XML: {error}", mend)
    space = "{http://www.eprosima.com}"
    kinds = [item.text for item in root.iter(f"{space}type")]
    return Finding(name, "ok", f"{path} ({', '.join(filter(None, kinds)) or 'no transports of its own'})",
                   values={"path": path, "transports": kinds})


def in_force(segment: int) -> Finding:
    """Judges the size of the shared memory segment that a participant really has [bytes]."""
    name, values = "shared memory in DDS", {"segment_bytes": segment}
    if segment >= LARGE_SEGMENT:
        return Finding(name, "ok", f"segment of {segment / 1e6:.1f} MB", values=values)
    mend = "Images above 512 kB get lost: unset FASTDDS_DEFAULT_PROFILES_FILE, and see `shared memory`."
    if segment == 0:
        return Finding(name, "warning", "not used", f"Right for several machines only. {mend}", values)
    return Finding(name, "problem", f"segment of {segment / 1e6:.1f} MB: our profile is not in force", mend, values)


def throughput(link: Link) -> Finding:
    """Judges what was measured with one size of image."""
    name = f"DDS {link.width}x{link.height}"
    found = (f"{link.lost:.1%} of {link.sent} lost at {link.rate_hz:.0f} Hz, p50 {link.p50_ms:.1f} ms, p99 {link.p99_ms:.1f} ms; "
             f"{link.round_trips_hz:.0f} round trips/s")
    values = {key: value if value != float("inf") else None for key, value in vars(link).items()}
    if link.lost > LOST or link.round_trips_hz == 0.0:
        return Finding(name, "problem", found, "See the rows above for the profile and for shared memory; if they are well, the "
                       "machine is too busy.", values)
    if link.lost > 0.0 or link.p99_ms > CONTROL_PERIOD_MS:
        return Finding(name, "warning", found, "The machine is busy: end other programs, or look again.", values)
    return Finding(name, "ok", found, values=values)
