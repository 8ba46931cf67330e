"""What is done with a recording when all of it is there, and what is done with its bag later. For a thread of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from rewardbot.data import quality
from rewardbot.data.decode import EpisodeEvent
from rewardbot.data.episodes import (
    BagWriter,
    NotWhole,
    change_info,
    discard,
    is_id,
    read_episode,
    read_header,
)
from rewardbot.errors import DataError
from rewardbot.types import EpisodeInfo


@dataclass(frozen=True)
class Kept:
    """What became of an episode, and what is wrong with it; `unknown`: there is no such bag."""

    id: str
    fate: Literal["saved", "rejected", "judged", "discarded", "unknown"]
    problem: str = ""


def keep(writer: BagWriter, info: EpisodeInfo, rejection: str) -> Kept:
    """Finishes a bag, reads it back and puts it in its place; never raises.

    Args:
        writer: with all messages of the episode.
        info: the final information.
        rejection: why it is rejected without being read, or empty.
    """
    try:
        bag = writer.finish(info)
        if not rejection and (rejection := _fault(bag)):
            change_info(bag, quality.marked(info, [rejection]))
        writer.place(".rejected" if rejection else "")
    except DataError as error:
        writer.abandon()
        return Kept(info.id, "rejected", f"{error.what} What there is of it stays in {writer.path}.part")
    return Kept(info.id, "rejected" if rejection else "saved", rejection)


def change(folder: Path, event: EpisodeEvent) -> Kept:
    """Does what a `verdict` or `discard` event says to a finished bag in `folder`; never raises."""
    path = folder / event.info.id
    if not is_id(event.info.id) or not path.is_dir():
        return Kept(event.info.id, "unknown")  # it was not recorded, or was rejected
    try:
        if event.kind == "discard":
            discard(path)
            return Kept(event.info.id, "discarded")
        info = quality.judged(read_header(path).info, event.info.success)
        change_info(path, info)
    except DataError as error:
        return Kept(event.info.id, "unknown", " ".join(str(error).split()))
    if event.info.success == info.success:
        return Kept(info.id, "judged")
    return Kept(info.id, "judged", f"it has problems and is not called a success: {'; '.join(info.extra[quality.PROBLEMS])}")


def catch_up(folder: Path, said: Mapping[str, bool | None]) -> list[Kept]:
    """Does to the bags in `folder` what was said of them while nobody could do it; returns what became of each. Never raises."""
    done: list[Kept] = []
    for name, verdict in said.items():
        if not is_id(name) or not (folder / name).is_dir():
            continue
        try:
            info = read_header(folder / name).info
        except DataError:
            continue  # whoever reads it is told
        if verdict is None:
            done.append(change(folder, EpisodeEvent("discard", 0, info)))
        elif quality.judged(info, verdict) != info:
            done.append(change(folder, EpisodeEvent("verdict", 0, replace(info, success=verdict))))
    return done


def _fault(bag: Path) -> str:
    """Why the bag cannot be used; empty if it can."""
    try:
        read_episode(bag, pixels=False)
    except NotWhole as error:
        return error.reason
    except DataError as error:
        return " ".join(str(error).split())
    return ""
