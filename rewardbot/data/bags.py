"""Looking at bags: what a folder holds, by headers alone; what is in a bag, topic by topic; what of it is damaged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from rewardbot.config import to_mapping
from rewardbot.data import decode, mcap
from rewardbot.data.bag_header import BagHeader
from rewardbot.data.episodes import KEY, raw_messages, read_episode, read_header
from rewardbot.data.integrity import check
from rewardbot.data.quality import PROBLEMS
from rewardbot.data.recording_lock import HEADER, runs
from rewardbot.data.takeovers import TAKEOVERS
from rewardbot.errors import DataError

STATES = {".part": "unfinished", ".broken": "unfinished", ".rejected": "rejected", ".discarded": "discarded", ".deleted": "deleted"}
"""How a folder is named -> what became of the episode; whatever is called otherwise is whole."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # safe too, and reads a thousand bags in seconds


@dataclass(frozen=True)
class Bag:
    """What a folder says about itself without a look at its messages.

    Attributes:
        path: the folder.
        state: "whole", or one of `STATES`.
        size: of all its files [bytes].
        header: None where it cannot be read.
        steps: of the episode, without those of a pre-roll.
        seconds: from the first message to the last.
        damage: why there is no header, or why it is certain without a look at them that the messages cannot be read.
    """

    path: Path
    state: str
    size: int
    header: BagHeader | None = None
    steps: int | None = None
    seconds: float | None = None
    damage: str = ""

    @property
    def problems(self) -> list[str]:
        """What the recorder found wrong."""
        found = self.header.info.extra.get(PROBLEMS, ()) if self.header else ()
        return [str(problem) for problem in found] if isinstance(found, (list, tuple)) else [str(found)]

    @property
    def takeovers(self) -> int:
        """How often an operator took over."""
        found = self.header.info.extra.get(TAKEOVERS, ()) if self.header else ()
        return len(found) if isinstance(found, (list, tuple)) else 0


@dataclass(frozen=True)
class TopicSummary:
    """A topic of a bag: number of messages, their mean rate, and the longest time without one; None below two messages."""

    topic: str
    msgtype: str
    count: int
    rate_hz: float | None
    largest_gap_s: float | None


@dataclass(frozen=True)
class Examined:
    """What came out of reading all of a bag.

    Attributes:
        path: the folder.
        fault: why it cannot be used as it is, "" if it can.
        mend: what to do about it.
        checked: it has checksums; without them a byte that changed within an image or a number cannot be noticed.
    """

    path: Path
    fault: str = ""
    mend: str = ""
    checked: bool = True


def bags_in(place: Path) -> list[Path]:
    """The bags in the folder `place`, whole or not, by name; `place` alone if it is one itself.

    Raises:
        DataError: there is no such folder, or it is no bag and holds none.
    """
    if not place.is_dir():
        raise DataError(f"There is no folder {place}.", valid="A bag, or a folder of bags.")
    if is_bag(place):
        return [place]
    if not (found := sorted(path for path in place.iterdir() if is_bag(path))):
        raise DataError(f"{place} holds no bags.", valid="A bag, or a folder of bags, such as runs/latest/demonstrations.")
    return found


def whole_bags(places: Sequence[Path]) -> list[Path]:
    """The finished bags in all `places`, in their order, each once, without what is unfinished, rejected or discarded.

    Raises:
        DataError: see `bags_in`; or there is none.
    """
    found = {path.resolve(): path for place in places for path in bags_in(place) if state_of(path) == "whole"}
    if not found:
        raise DataError(f"{', '.join(map(str, places))}: no finished episode is there.",
                        next_step="rewardbot bags list shows what there is instead.")
    return list(found.values())


def is_bag(path: Path) -> bool:
    """Whether a folder is a bag, or what is left of one; of rewardbot or of others."""
    return path.is_dir() and not path.name.startswith(".") and (
        (path / "metadata.yaml").is_file() or path.suffix in STATES or any(
            next(path.glob(pattern), None) is not None for pattern in ("*.mcap", "*.db3")))


def state_of(path: Path) -> str:
    """ "whole", or one of `STATES`."""
    return STATES.get(path.suffix, "whole")


def summarise(path: Path) -> Bag:
    """What `path` says about itself. Never raises for what is in it: `damage` tells."""
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    bag = Bag(path, state_of(path), size)
    try:
        if bag.state == "unfinished":
            return Bag(path, bag.state, size, BagHeader.from_json((path / HEADER).read_text(), path))
        about = metadata(path)
        header = header_of(path, about)
        prefix = f"/{header.namespace}/" if header.namespace else "/"
        counts = {entry["topic_metadata"]["name"]: entry["message_count"] for entry in about["topics_with_message_count"]}
        steps = int(counts.get(f"{prefix}{decode.APPLIED_ACTION}", 0)) if header.steps is None else header.steps
        return Bag(path, bag.state, size, header, steps, about["duration"]["nanoseconds"] / decode.NS_PER_S,
                   _cut_off(path) if bag.state == "whole" else "")
    except OSError as error:
        return Bag(path, bag.state, size, damage=f"{path}: {error.strerror}")
    except DataError as error:
        return Bag(path, bag.state, size, damage=error.what)
    except (KeyError, TypeError, ValueError) as error:
        return Bag(path, bag.state, size, damage=f"{path} is damaged: metadata.yaml: {error or type(error).__name__}")


def metadata(path: Path) -> dict[str, Any]:
    """What metadata.yaml holds: all that is known of a bag without opening its MCAP file.

    Raises:
        DataError: it is not there or not such a file.
    """
    try:
        about = yaml.load((path / "metadata.yaml").read_text(), _LOADER)["rosbag2_bagfile_information"]
        if not isinstance(about, dict) or not isinstance(about.get("custom_data") or {}, dict):
            raise ValueError("not what rosbag2 writes")
        return about
    except FileNotFoundError:
        raise DataError(f"{path} has no metadata.yaml: its recording was not finished.",
                        next_step=f"rewardbot bags repair {path}; for a bag of others: ros2 bag reindex {path}") from None
    except (OSError, yaml.YAMLError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is damaged: metadata.yaml: {' '.join(str(error).split())}",
                        next_step=f"rewardbot bags repair {path}") from None


def header_of(path: Path, about: dict[str, Any]) -> BagHeader:
    """The header in what `metadata` gave.

    Raises:
        DataError: recorded by others, or damaged.
    """
    text = (about.get("custom_data") or {}).get(KEY)
    if text is None:
        raise DataError(f"{path} was not recorded by rewardbot.", next_step="ros2 bag info shows what it holds.")
    return BagHeader.from_json(text, path)


def require_alike(bags: Sequence[Path]) -> BagHeader:
    """The header of the first bag, if all are of one task and one robot contract.

    Raises:
        DataError: they are not; names two that differ. Or one cannot be read.
    """
    first = header_of(bags[0], metadata(bags[0]))
    for path in bags[1:]:
        header = header_of(path, metadata(path))
        if header.info.task != first.info.task:
            raise DataError(f"{path} is of task '{header.info.task}', {bags[0]} of '{first.info.task}'.",
                            next_step="Name folders of one task only.")
        if header.contract != first.contract:
            theirs, ours = to_mapping(header.contract), to_mapping(first.contract)
            raise DataError(f"{path} was recorded with another robot contract than {bags[0]}.",
                            valid="; ".join(f"{key}: {theirs[key]} and {ours[key]}" for key in ours if theirs[key] != ours[key]),
                            next_step="An action would not mean the same. Name folders of one robot only.")
    return first


def topics(path: Path) -> list[TopicSummary]:
    """What each topic of a bag holds, by name. Reads all of it, a message at a time.

    Raises:
        DataError: no bag, damaged, or not recorded by rewardbot.
    """
    stamps: dict[tuple[str, str], list[int]] = {}
    for topic, msgtype, stamp, _ in raw_messages(path):
        stamps.setdefault((topic, msgtype), []).append(stamp)
    return [_topic_summary(topic, msgtype, np.array(of)) for (topic, msgtype), of in sorted(stamps.items())]


def examine(paths: Sequence[Path]) -> Iterator[Examined]:
    """Reads all of each bag and compares it with its checksums. What was rejected or discarded is left alone."""
    for path in paths:
        yield _examined(path)


def _cut_off(path: Path) -> str:
    """What is wrong with the end of a bag's MCAP file, "" if nothing."""
    file = next(path.glob("*.mcap"), None)
    if file is None:
        return f"{path} has no MCAP file."
    return "" if mcap.is_finished(mcap.content(file)) else f"{path} is cut off: {file.name} does not end as an MCAP file."


def _examined(path: Path) -> Examined:
    state = state_of(path)
    if runs(path):
        return Examined(path, "is being recorded now", "Wait for the end of its episode.")
    if state == "unfinished":
        return Examined(path, "was left by an interrupted recording", f"rewardbot bags repair {path}")
    if state != "whole":
        return Examined(path)
    checked = True
    try:
        about = metadata(path)
        checked = check(path, ours=KEY in (about.get("custom_data") or {}))
        read_header(path)
        read_episode(path)
    except DataError as error:
        reason = " ".join(error.what.removeprefix(f"{path} ").split())
        return Examined(path, reason, error.next_step or "Restore it, or delete it.", checked)
    return Examined(path, checked=checked)


def _topic_summary(topic: str, msgtype: str, stamps: np.ndarray) -> TopicSummary:
    gaps = np.diff(np.sort(stamps)) / decode.NS_PER_S
    if not len(gaps):
        return TopicSummary(topic, msgtype, len(stamps), None, None)
    spread = float(gaps.sum())
    return TopicSummary(topic, msgtype, len(stamps), len(gaps) / spread if spread else None, float(gaps.max()))
