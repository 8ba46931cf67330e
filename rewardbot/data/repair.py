"""What a killed recorder left in `<id>.part`, and what is left of a bag that was damaged later, becomes a bag again."""

from __future__ import annotations

import shutil
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rewardbot.data import decode, quality
from rewardbot.data.bag_header import BagHeader
from rewardbot.data.bags import header_of, is_bag, metadata, state_of, summarise
from rewardbot.data.cdr import deserialize, typestore
from rewardbot.data.checksums import matches
from rewardbot.data.decode import EpisodeEvent
from rewardbot.data.episodes import KEY, BagWriter, NotWhole, change_info, discard, read_episode, writing
from rewardbot.data.integrity import METADATA, check
from rewardbot.data.recording_lock import HEADER, refuse_if_it_runs, runs
from rewardbot.data.salvage import Salvage
from rewardbot.data.staging import remove
from rewardbot.data.verdicts import FILE as VERDICTS
from rewardbot.data.verdicts import read_verdicts
from rewardbot.errors import DataError
from rewardbot.types import EpisodeInfo


class _Empty(DataError):
    """Nothing is lost with it."""


@dataclass(frozen=True)
class _Rebuilt:
    """A bag made of what could be read: its place, relative topic -> number of its messages, and how many may have changed."""

    place: Path
    counts: Counter[str]
    changed: int


def repair(part: Path) -> Path:
    """Makes a bag of all that can be read of an interrupted recording, and removes the recording.

    Args:
        part: the folder `<id>.part` that a BagWriter left, or `<id>.broken` that an interrupted repair left.

    Returns:
        `<id>`, if the whole episode is there; else `<id>.rejected`, for people to look at. What is wrong is in the bag.

    Raises:
        DataError: not such a folder, it is being recorded, or nothing was written before the interruption.
        DiskFull: there is no space for the bag; the recording is still there.
    """
    if part.suffix not in (".part", ".broken") or not (part / HEADER).is_file():
        raise DataError(f"{part} is not an interrupted recording.", valid=f"A folder <id>.part with a {HEADER}.")
    refuse_if_it_runs(part)
    header = BagHeader.from_json((part / HEADER).read_text(), part)
    inside = Path(part.stem) / f"{part.stem}.mcap"
    if not (part / inside).is_file() or next(Salvage(part / inside).messages(), None) is None:
        raise _Empty(f"{part} holds no messages.", next_step="Delete it.")
    broken = part if part.suffix == ".broken" else part.rename(part.with_suffix(".broken"))
    try:
        rebuilt = _rebuild(broken / inside, header, part.parent)
    except DataError:
        broken.rename(part)
        raise
    shutil.rmtree(broken)
    return rebuilt.place


def repair_bag(bag: Path, damage: DataError) -> str:
    """As `repair`, for a finished bag that was damaged later; it becomes `<id>.discarded`, so that nothing is lost.

    Args:
        bag: its folder.
        damage: what `damaged` says of it.

    Returns:
        What is lost and what became of the rest, a line.

    Raises:
        DataError: nothing can be read of it, it is called otherwise than its episode, or there is no place for what becomes of
            it. It is still there.
    """
    if (mcap := next(bag.glob("*.mcap"), None)) is None:
        raise DataError(f"{bag} cannot be repaired: it has no MCAP file.", next_step="Restore it from a copy.")
    header, about, newest = _known(bag, mcap)
    if header.info.id != bag.name:
        raise DataError(f"{bag} cannot be repaired: it holds episode {header.info.id}.",
                        next_step=f"Rename the folder to {header.info.id}.")
    for place in (rejected := bag.with_name(f"{bag.name}.rejected"), bag.with_name(f"{bag.name}.discarded")):
        if place.exists():
            raise DataError(f"{bag} cannot be repaired: {place} is in its way.", next_step="Rename or delete that.")
    info, verdict = header.info, ""
    if not newest:
        info, verdict = _judged_later(bag, info)
    workshop = bag.with_name(f".{bag.name}.unfinished")
    with writing(bag):
        remove(workshop)
        try:
            rebuilt = _rebuild(mcap, header, workshop, info)
            if not rebuilt.counts:
                raise DataError(f"{bag} cannot be repaired: nothing can be read of {mcap.name}.", next_step="Restore it from a copy.")
            kept = discard(bag)
            place = rebuilt.place.rename(rejected if rebuilt.place.suffix else bag)
        finally:
            remove(workshop)
    return f"{damage.what} {_told(rebuilt, about, header.namespace)}; {_fate(place)}{verdict} What was damaged is {kept}."


def mend(folder: Path) -> list[str]:
    """Deals with everything that interrupted recordings left in a folder: whole episodes become bags, of others nothing but what
    people may want to look at is kept. One that runs is left alone.

    Returns:
        What was found and what became of it, a line each.
    """
    # A repair that was interrupted may have begun a recording anew: it goes with the first of the two.
    return [mend_part(part) for part in leftovers(folder) if part.exists()]


def damaged(place: Path) -> dict[Path, DataError]:
    """The finished bags in a folder, or `place` itself, that do not match their checksums or have no end: what is wrong with each."""
    found: dict[Path, DataError] = {}
    for bag in [place] if is_bag(place) else sorted(place.iterdir()):
        try:
            if is_bag(bag) and state_of(bag) == "whole":
                check(bag, ours=KEY in (metadata(bag).get("custom_data") or {}))
        except DataError as damage:
            found[bag] = damage
    return found


def leftovers(folder: Path) -> list[Path]:
    """What interrupted recordings and repairs left in a folder, by name."""
    return sorted(folder.glob("*.broken")) + sorted(folder.glob("*.part"))


def mend_part(part: Path) -> str:
    """As `mend`, for one of the `leftovers`. It is still there afterwards only if it runs or cannot be repaired now."""
    if runs(part):
        return f"{part} is being recorded now, and left alone."
    left = f"{part} was left by an interrupted recording"
    placed = any(part.with_suffix(suffix).exists() for suffix in ("", ".rejected"))
    try:
        with writing(part):
            if placed or not (part / HEADER).is_file():  # killed after the end, or before it had begun
                shutil.rmtree(part)
                return f"{left} and held nothing more; removed."
            if part.suffix == ".broken":  # its repair was interrupted
                shutil.rmtree(part.with_suffix(".part"), ignore_errors=True)
            try:
                return f"{left}; {_fate(repair(part))}"
            except _Empty as error:
                shutil.rmtree(part)
                return f"{left} and is removed: {error.what}"
    except DataError as error:
        return f"{left} and cannot be repaired now: {error.what}"


def _rebuild(mcap: Path, header: BagHeader, folder: Path, info: EpisodeInfo | None = None) -> _Rebuilt:
    """A bag in `folder`; `info` is the final one if it is known, else what the last event says counts."""
    final, prefix = info or header.info, f"/{header.namespace}/" if header.namespace else "/"
    events: dict[str, EpisodeEvent] = {}
    stamps: dict[str, list[int]] = defaultdict(list)
    counts, salvage = Counter[str](), Salvage(mcap)
    writer = BagWriter(folder, header.contract, header.info, namespace=header.namespace)
    try:
        for absolute, msgtype, stamp, cdr in salvage.messages():
            topic = absolute.removeprefix(prefix)
            if msgtype not in typestore().types:
                continue  # its schema has changed
            writer.write(topic, msgtype, stamp, cdr)
            counts[topic] += 1
            if topic != decode.EPISODE:
                stamps[decode.uncompressed(topic)].append(stamp)
            elif (event := _event(cdr, msgtype)) is not None:
                events[event.kind] = event
                final = info or replace(event.info, id=header.info.id)
        if "start" in events:
            writer.steps = sum(stamp >= events["start"].stamp_ns for stamp in stamps[decode.APPLIED_ACTION])
        if "start" in events and "end" in events:
            found = quality.problems(stamps, header.contract, events["start"].stamp_ns, events["end"].stamp_ns)
            final = quality.marked(final, [problem.text for problem in found])
        if salvage.changed:
            final = quality.marked(final, [f"a byte has changed in the file, in one of {salvage.changed} messages"])
        bag = writer.finish(final)
        fault = _fault(bag)
        if fault:
            change_info(bag, quality.marked(final, [fault]))
        return _Rebuilt(writer.place(".rejected" if fault or salvage.changed else ""), counts, salvage.changed)
    except BaseException:
        writer.discard()
        raise


def _fault(bag: Path) -> str:
    """Why a bag is no whole episode, "" if it is one."""
    try:
        read_episode(bag, pixels=False)
    except NotWhole as error:
        return error.reason
    except DataError as error:
        return error.what.removeprefix(f"{bag} ")
    return ""


def _event(cdr: bytes, msgtype: str) -> EpisodeEvent | None:
    try:
        return decode.episode_event(deserialize(cdr, msgtype))
    except DataError:  # it has changed
        return None


def _known(bag: Path, mcap: Path) -> tuple[BagHeader, dict[str, Any], bool]:
    """The header of a damaged bag, what else rosbag2 wrote of it, and whether it is the newest: from metadata.yaml, or the MCAP file
    if that has changed."""
    try:
        if matches((bag / METADATA).read_bytes()) is not False:
            about = metadata(bag)
            return header_of(bag, about), about, True
    except (OSError, DataError):
        pass
    about = Salvage(mcap).metadata()
    return header_of(bag, about or metadata(bag)), about, False


def _judged_later(bag: Path, info: EpisodeInfo) -> tuple[EpisodeInfo, str]:
    """The information with which a recording was closed and the operator's later verdict, if it is known; a sentence on that."""
    verdict = read_verdicts(bag.absolute().parent.parent).get(info.id)
    if verdict is None:
        return info, f" It is called what it was called at its end: a verdict that came later was in {METADATA}."
    return quality.judged(info, verdict), f" Its verdict is the one in {VERDICTS}."


def _told(rebuilt: _Rebuilt, about: dict[str, Any], namespace: str) -> str:
    """What is left of a bag's messages, and what is lost."""
    prefix, left = f"/{namespace}/" if namespace else "/", sum(rebuilt.counts.values())
    try:
        recorded = Counter({entry["topic_metadata"]["name"].removeprefix(prefix): int(entry["message_count"])
                            for entry in about["topics_with_message_count"]})
    except (KeyError, TypeError, ValueError, AttributeError):
        return f"{left} messages are left; nothing tells how many there were"
    lost = recorded - rebuilt.counts
    changed = f", {rebuilt.changed} of them of a chunk in which a byte has changed" if rebuilt.changed else ""
    if not lost:
        return f"All {left} messages are left{changed}"
    names = ", ".join(f"{topic} {count}" for topic, count in sorted(lost.items()))
    return f"{left} of {sum(recorded.values())} messages are left{changed}; lost: {names}"


def _fate(place: Path) -> str:
    found = summarise(place)
    whole = "the episode is whole" if found.state == "whole" else "not all of the episode is there"
    return f"{whole}, {found.steps or 0} steps and {found.seconds or 0.0:.1f} s: {place}."
