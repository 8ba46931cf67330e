"""Changing bags: split, merge and delete. Nothing is lost or half done after an error or a kill, and no message is encoded anew."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count, pairwise
from pathlib import Path

from rewardbot.data import decode
from rewardbot.data.bags import bags_in, is_bag, require_alike, state_of, summarise, whole_bags
from rewardbot.data.cdr import serialize
from rewardbot.data.decode import EpisodeEvent
from rewardbot.data.encode import event_message
from rewardbot.data.episodes import KEY, BagWriter, raw_messages, read_episode, read_header
from rewardbot.data.recording_lock import refuse_if_it_runs
from rewardbot.data.repair import damaged
from rewardbot.data.salvage import Salvage
from rewardbot.data.staging import remove, staged, sync, writing
from rewardbot.data.takeovers import TAKEOVERS, spans, steps_taken_over
from rewardbot.errors import DataError

_ACTIONS = (decode.REQUESTED_ACTION, decode.APPLIED_ACTION)


@dataclass(frozen=True)
class Merged:
    """How many bags were copied, and those whose id was taken: (bag, its new id)."""

    count: int
    renamed: list[tuple[Path, str]]


def split(bag: Path, at: Sequence[int]) -> list[Path]:
    """Cuts an episode before each of the steps `at` into `<id>-0`, `<id>-1` and so on; the bag becomes `<id>.discarded`.

    The observation at a cut is the last one of the piece before and the first one of the piece after. The last piece keeps the
    verdict and whether the end was a true one, the first one the seed; nobody has judged the others. `extra["split"]` tells
    where a piece comes from: [id, first step, step after the last].

    Raises:
        DataError: no whole episode, steps that are not within it or do not increase, a piece exists already, or nothing can
            be written.
    """
    episode = read_episode(bag)
    steps, info, terminated = len(episode), episode.info, episode.terminated
    ticks = [decode.nanoseconds(float(stamp)) for stamp in episode.stamps]
    del episode  # the images
    cuts = [0, *at, steps]
    if not at or any(later <= earlier for earlier, later in pairwise(cuts)):
        raise DataError(f"{bag} cannot be split at step {', '.join(map(str, at)) or '(none)'}.",
                        valid=f"Increasing steps from 1 to {steps - 1}." if steps > 1 else "It has a single step.")
    taken_over = steps_taken_over(info, steps)
    pieces: list[tuple[EpisodeEvent, EpisodeEvent]] = []
    for number, (first, stop) in enumerate(pairwise(cuts)):
        extra = {**info.extra, "split": [info.id, first, stop]}
        if TAKEOVERS in extra:
            extra[TAKEOVERS] = spans(taken_over[first:stop])
        piece = replace(info, id=f"{info.id}-{number}", seed=None if first else info.seed,
                        success=info.success if stop == steps else None, extra=extra)
        pieces.append((EpisodeEvent("start", ticks[first], piece),
                       EpisodeEvent("end", ticks[stop], piece, terminated and stop == steps, stop - first)))
    places = [bag.with_name(start.info.id) for start, _ in pieces]
    discarded = bag.with_name(f"{bag.name}.discarded")
    for place in (*places, discarded):
        if place.exists():
            raise DataError(f"{place} exists already.", next_step="Delete or rename it; an interrupted split may have left it.")
    with writing(bag), _workshop(bag.with_name(f".{bag.name}.unfinished")) as folder:
        for start, end in pieces:
            read_episode(_rewrite(bag, folder, start, end, cut=True))
        for place in places:
            (folder / place.name).rename(place)
        bag.rename(discarded)
        sync(bag.parent)
    return places


def merge(
    out: Path, places: Sequence[Path], *, progress: Callable[[float], None] = lambda share: None
) -> Merged:
    """Copies all finished bags in `places` to the new or empty folder `out`. A bag whose id is taken gets a number behind it.

    Raises:
        DataError: nothing to copy, bags of several tasks or robots, one that is damaged or not finished, or `out` holds something
            or cannot be written. Nothing is copied then.
    """
    bags = whole_bags(places)
    _check_whole(places)
    for done, bag in enumerate(bags, 1):
        for damage in damaged(bag).values():
            raise damage
        progress(done / len(bags) / 2)
    require_alike(bags)
    renamed: list[tuple[Path, str]] = []
    names, used = {bag.name for bag in bags}, set[str]()
    with staged(out) as folder:
        folder.mkdir()
        for done, bag in enumerate(bags, 1):
            if bag.name in used:
                id = next(new for number in count(2) if (new := f"{bag.name}-{number}") not in names)
                _rename(bag, folder, id)
                names.add(id)
                renamed.append((bag, id))
            else:
                (folder / bag.name).mkdir()
                for file in bag.iterdir():
                    shutil.copy2(file, folder / bag.name)
                used.add(bag.name)
            progress((1 + done / len(bags)) / 2)
    return Merged(len(bags), renamed)


def check_deletable(bags: Sequence[Path]) -> None:
    """Refuses what is no bag, what is being recorded, and what may be of others.

    Raises:
        DataError: names the first one.
    """
    for bag in bags:
        if not is_bag(bag):
            raise DataError(f"{bag} is no bag.", valid="The folder of a bag." if bag.is_dir() else "It is not there, or a file.")
        refuse_if_it_runs(bag)
        if (found := summarise(bag)).header is None and found.state == "whole" and not _ours(bag):
            raise DataError(found.damage, valid="It is not known to be of rewardbot.",
                            next_step="Delete it yourself, if you mean to.")


def delete(bags: Sequence[Path]) -> None:
    """Deletes bags for good. A kill leaves `<name>.deleted`, which counts as discarded.

    Raises:
        DataError: see `check_deletable`; or there is no permission.
    """
    check_deletable(bags)
    for bag in bags:
        with writing(bag):
            gone = bag.with_name(f"{bag.name}.deleted")
            remove(gone)
            bag.rename(gone)
            sync(bag.parent)
            remove(gone)


def given_up(folder: Path) -> list[Path]:
    """The rejected and discarded bags in `folder`, by name; there may be none.

    Raises:
        DataError: there is no such folder.
    """
    if not folder.is_dir():
        raise DataError(f"There is no folder {folder}.")
    return sorted(path for path in folder.iterdir() if is_bag(path) and state_of(path) in ("rejected", "discarded", "deleted"))


def _ours(bag: Path) -> bool:
    """Whether an MCAP file of a bag whose metadata.yaml says nothing was recorded by rewardbot."""
    return any(KEY in (Salvage(mcap).metadata().get("custom_data") or {}) for mcap in bag.glob("*.mcap"))


def _check_whole(places: Sequence[Path]) -> None:
    """Refuses a recording that runs, or that was killed and may be mended: it would be missing from the copy without a word."""
    for path in (path for place in places for path in bags_in(place) if state_of(path) == "unfinished"):
        refuse_if_it_runs(path)
        raise DataError(f"{path} was left by an interrupted recording.", next_step=f"rewardbot bags repair {path}")


def _rename(bag: Path, folder: Path, id: str) -> None:
    episode = read_episode(bag)
    info = replace(episode.info, id=id)
    first, last = (decode.nanoseconds(float(episode.stamps[tick])) for tick in (0, -1))
    end = EpisodeEvent("end", last, info, episode.terminated, len(episode))
    del episode  # the images
    _rewrite(bag, folder, EpisodeEvent("start", first, info), end)


def _rewrite(bag: Path, folder: Path, start: EpisodeEvent, end: EpisodeEvent, *, cut: bool = False) -> Path:
    """A bag of the episode from `start` to `end` in `folder`, with the messages of `bag`; if `cut`, those of this time only."""
    header = read_header(bag)
    earliest = start.stamp_ns - round(0.5 / header.contract.control_hz * decode.NS_PER_S)  # as the EpisodeAssembler looks back
    with BagWriter(folder, header.contract, start.info, namespace=header.namespace) as writer:
        writer.steps = end.steps
        for event in (start, end):
            message = event_message(event)
            writer.write(message.topic, message.msgtype, message.stamp_ns, serialize(message.message, message.msgtype))
        for topic, msgtype, stamp, cdr in raw_messages(bag):
            inside = start.stamp_ns <= stamp < end.stamp_ns if topic in _ACTIONS else earliest <= stamp <= end.stamp_ns
            if topic != decode.EPISODE and (inside or not cut):
                writer.write(topic, msgtype, stamp, cdr)
    return writer.path


@contextmanager
def _workshop(folder: Path) -> Iterator[Path]:
    remove(folder)
    folder.mkdir()
    try:
        yield folder
    finally:
        remove(folder)
