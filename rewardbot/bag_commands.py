"""`rewardbot bags`: what its actions do. Heavy imports happen inside, so that `--help` and mistakes answer at once."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from rewardbot import actions, registry, tables
from rewardbot.actions import Action, NoOptions
from rewardbot.arguments import Parser
from rewardbot.config import setting, user_path
from rewardbot.errors import ConfigError, DataError

FILMED, PICTURED = ".mp4", ".png"


@dataclass(frozen=True)
class ShowOptions:
    """Of `show`."""

    out: str = setting("", "file to write: .png is a contact sheet, .mp4 a video (default: <name>.png in this folder)")
    columns: int = setting(8, "moments of each episode on a contact sheet", min=2, max=64)
    most: int = setting(50, "episodes of a folder that are shown, the first by name", min=1, max=100_000)


@dataclass(frozen=True)
class SplitOptions:
    """Of `split`."""

    at: tuple[int, ...] = setting((), "steps before which to cut, such as 20 or 20,45")


@dataclass(frozen=True)
class DeleteOptions:
    """Of `delete`."""

    discarded: bool = setting(False, "delete what was discarded or rejected in the named folders instead")
    yes: bool = setting(False, "do not ask")


@dataclass(frozen=True)
class ImportOptions:
    """Of `import`; data that rewardbot exported need none of them."""

    robot: str = setting("", "robot that data of others are of: a name in config/robots, or a file of your own")
    task: str = setting("", "task that they are of (default: what they say)")
    success: bool = setting(False, "call each episode a success that holds no verdict")
    map: tuple[str, ...] = setting((), "names for data of others as THEIRS=OURS,...: OURS is a camera, proprio or action")


def run(parser: Parser, argv: Sequence[str]) -> bool:
    """Runs `rewardbot bags ACTION ...`, see `actions.run`."""
    return actions.run("bags", ACTIONS, parser, argv)


def list_bags(places: Namespace, options: NoOptions) -> None:
    """`rewardbot bags list DIR...`, by headers alone."""
    from rewardbot.data.bags import Bag, bags_in, summarise
    from rewardbot.data.recording_lock import runs

    def row(bag: Bag) -> list[str]:
        if bag.header is None:
            what = [f"[red]{escape(bag.damage.removeprefix(f'{bag.path} '))}[/]", "", ""]
        else:
            info = bag.header.info
            what = [escape(info.task), info.source,
                    {True: "[green]yes[/]", False: "[red]no[/]", None: "[dim]-[/]"}[info.success]]
        state = "" if bag.state == "whole" else f" [yellow]({'recording' if runs(bag.path) else bag.state})[/]"
        if bag.header is not None and bag.damage:
            state = " [red](damaged)[/]"
        lengths = ["" if bag.steps is None else str(bag.steps), "" if bag.seconds is None else f"{bag.seconds:.1f}"]
        return [escape(bag.path.stem) + state, *what, *lengths, size(bag.size), _count(len(bag.problems), "red"),
                _count(bag.takeovers, "yellow")]

    console = tables.console()
    for place in map(user_path, places.dir):
        bags = [summarise(path) for path in bags_in(place)]
        listed = tables.table(place, "id", "task", "source", "success", "#steps", "#seconds", "#size", "#problems", "#takeovers")
        for bag in bags:
            listed.add_row(*row(bag))
        console.print(listed)
        whole = [bag for bag in bags if bag.state == "whole" and not bag.damage]
        console.print(f"{len(whole)} episode{'' if len(whole) == 1 else 's'}, {sum(bag.steps or 0 for bag in whole)} steps, "
                      f"{size(sum(bag.size for bag in bags))} with all that is there", highlight=False)


def info(places: Namespace, options: NoOptions) -> None:
    """`rewardbot bags info BAG`."""
    from rewardbot.config import to_mapping
    from rewardbot.data.bags import is_bag, summarise, topics

    path = user_path(places.bag)
    if not is_bag(path):
        raise DataError(f"There is no bag {path}.", valid="A folder with metadata.yaml and an MCAP file.",
                        next_step="rewardbot bags list shows what a folder of bags holds.")
    bag = summarise(path)
    if bag.header is None:
        raise DataError(bag.damage, next_step=f"rewardbot bags verify {path} tells more.")
    console = tables.console()
    about = tables.table(path, "", "")
    about.show_header = False
    extra = dict(bag.header.info.extra)
    for name, value in {**to_mapping(bag.header.info), "extra": "", "state": bag.state, "namespace": bag.header.namespace,
                        "size": size(bag.size), **extra}.items():
        if value != "":
            about.add_row(name, "-" if value is None else escape(str(value)))
    for name, value in to_mapping(bag.header.contract).items():
        about.add_row(f"robot: {name}", escape(str(value)))
    console.print(about)
    if bag.state == "unfinished":
        raise DataError(f"{path} was not finished: its messages cannot be listed.",
                        next_step=f"rewardbot bags repair {path}")
    found = tables.table(None, "topic", "type", "#messages", "#rate [Hz]", "#largest gap [s]")
    for topic in topics(path):
        found.add_row(escape(topic.topic), topic.msgtype, str(topic.count), _number(topic.rate_hz), _number(topic.largest_gap_s))
    console.print(found)


def show(places: Namespace, options: ShowOptions) -> None:
    """`rewardbot bags show BAG|DIR`."""
    from rewardbot.data.bags import state_of, whole_bags

    place = user_path(places.path)
    bags = [place] if place.is_dir() and state_of(place) in ("rejected", "discarded") else whole_bags([place])
    out = user_path(options.out or f"{place.resolve().name}{PICTURED}")
    if out.suffix not in (FILMED, PICTURED):
        raise ConfigError(f"--out is '{options.out}'.", valid=f"A file name that ends in {PICTURED} or {FILMED}.")
    shown = bags[: options.most]
    (_film if out.suffix == FILMED else _picture)(out, shown, options)
    more = f"; {len(bags) - len(shown)} more are left out, see --most" if len(bags) > len(shown) else ""
    print(f"{out}: {len(shown)} episode{'s' if len(shown) > 1 else ''}{more}")


def verify(places: Namespace, options: NoOptions) -> bool:
    """`rewardbot bags verify DIR|BAG...`; whether a bag cannot be used as it is."""
    from rewardbot.data.bags import bags_in, examine, state_of
    from rewardbot.training.view import bar

    found = [path for place in places.path for path in bags_in(user_path(place))]
    paths = [path for path in found if state_of(path) in ("whole", "unfinished")]
    with bar("rewardbot bags verify", "bags") as report:
        examined = []
        for one in examine(paths):
            examined.append(one)
            report(len(examined) / len(paths))
    faults = [one for one in examined if one.fault]
    for one in faults:
        print(f"{one.path}: {one.fault}\n  {one.mend}")
    if unchecked := [str(one.path) for one in examined if not one.checked]:
        print(f"{len(unchecked)} of {len(paths)} bags hold no checksums, so that nothing tells whether a byte in them has changed: "
              f"{', '.join(unchecked[:3])}{', ...' if len(unchecked) > 3 else ''}")
    left = f" {len(found) - len(paths)} that were rejected or discarded were not looked at." if len(found) > len(paths) else ""
    print(f"{len(paths) - len(faults)} of {len(paths)} bags are as they should be.{left}")
    return bool(faults)


def repair(places: Namespace, options: NoOptions) -> bool:
    """`rewardbot bags repair DIR|BAG|PART`; whether something is left that cannot be repaired now."""
    from rewardbot.data.repair import damaged, leftovers, mend_part, repair_bag

    place = user_path(places.path)
    if not place.is_dir():
        raise DataError(f"There is no folder {place}.", valid="A bag, a folder of bags, or what is left of one, <id>.part.")
    parts = [place] if place.suffix in (".part", ".broken") else leftovers(place)
    for part in parts:
        if part.exists():
            print(mend_part(part))
    found = {} if place in parts else damaged(place)
    failed = [part for part in parts if part.exists()]
    for bag, damage in found.items():
        try:
            print(repair_bag(bag, damage))
        except DataError as error:
            failed.append(bag)
            print(error)
    if not parts and not found:
        print(f"{place}: no interrupted recording and no damaged bag is there.")
    return bool(failed)


def split(places: Namespace, options: SplitOptions) -> None:
    """`rewardbot bags split BAG --at STEP,...`."""
    from rewardbot.data.bag_changes import split as cut

    if not options.at:
        raise ConfigError("--at is missing.", valid="The steps before which to cut, such as --at 20 or --at 20,45.")
    bag = user_path(places.bag)
    for piece in cut(bag, options.at):
        print(piece)
    print(f"{bag} is now {bag.name}.discarded; the verdict went to the last piece.")


def merge(places: Namespace, options: NoOptions) -> None:
    """`rewardbot bags merge OUT BAG|DIR...`."""
    from rewardbot.data.bag_changes import merge as copy_all
    from rewardbot.training.view import bar

    out = user_path(places.out)
    with bar("rewardbot bags merge", "bags") as report:
        merged = copy_all(out, [user_path(place) for place in places.path], progress=report)
    for bag, id in merged.renamed:
        print(f"{bag} is {id} in {out}: its id was taken.")
    print(f"{out}: {merged.count} episodes")


def delete(places: Namespace, options: DeleteOptions) -> None:
    """`rewardbot bags delete BAG...`, or with `--discarded` what was given up in folders."""
    from rewardbot.data import bag_changes
    from rewardbot.data.bags import summarise

    paths = list({place.resolve(): place for place in map(user_path, places.path)}.values())  # each once
    bags = [bag for path in paths for bag in bag_changes.given_up(path)] if options.discarded else paths
    if not bags:
        print("Nothing was discarded or rejected there.")
        return
    bag_changes.check_deletable(bags)
    for bag in bags:
        print(bag)
    if not options.yes and not _agreed(f"Delete {len(bags)} bags, {size(sum(summarise(bag).size for bag in bags))}, for good?"):
        raise ConfigError("Nothing was deleted.", next_step="Answer yes, or give --yes.")
    bag_changes.delete(bags)
    print(f"{len(bags)} deleted")


def export(places: Namespace, options: NoOptions) -> None:
    """`rewardbot bags export FORMAT BAG|DIR OUT`."""
    from rewardbot.data.bags import whole_bags
    from rewardbot.data.exchange.base import write_out
    from rewardbot.training.view import bar

    registry.check("exchange", places.format)
    bags, out = whole_bags([user_path(places.path)]), user_path(places.out)
    with bar(f"rewardbot bags export {places.format}", "episodes") as report:
        count = write_out(places.format, bags, out, progress=report)
    print(f"{out}: {count} episodes. {registry.describe('exchange', places.format)}")


def bring_in(places: Namespace, options: ImportOptions) -> None:
    """`rewardbot bags import FORMAT IN DIR`."""
    from rewardbot.data.exchange.base import Asked, read_in

    registry.check("exchange", places.format)
    pairs = [pair.partition("=") for pair in options.map]
    if wrong := [theirs for theirs, equals, ours in pairs if not (theirs and equals and ours)]:
        raise ConfigError(f"--map has '{wrong[0]}'.", valid="THEIRS=OURS, such as observation.images.top=front.")
    asked = Asked(options.robot or None, options.task or None, options.success, {ours: theirs for theirs, _, ours in pairs})
    folder = user_path(places.dir)
    console = Console()
    with console.status("") as status:
        count, left_out = read_in(places.format, user_path(places.source), folder, asked,
                                  progress=lambda done: status.update(f"{done} episodes read"))
    for line in left_out:
        print(f"Left out: {line}.")
    print(f"{folder}: {count} episodes")


_FORMAT = ("format", None, "lerobot, minari or robomimic")
ACTIONS = {
    "list": Action("what folders hold, by headers alone", list_bags, (("dir", "+", "folder of bags"),)),
    "info": Action("all that a bag says about itself, and each topic in it", info, (("bag", None, "a bag"),)),
    "show": Action("a contact sheet or a video of a bag or of a folder", show, (("path", None, "a bag, or a folder of bags"),),
                   ShowOptions),
    "verify": Action("read everything, name what is damaged or of others; exit code 1 if there is any", verify,
                     (("path", "+", "a bag, or a folder of bags"),)),
    "repair": Action("recover what can be read of interrupted recordings and damaged bags", repair,
                     (("path", None, "folder of bags, a bag, or <id>.part"),)),
    "split": Action("cut an episode into several", split, (("bag", None, "a bag"),), SplitOptions),
    "merge": Action("copy several folders into one", merge,
                    (("out", None, "a new or empty folder"), ("path", "+", "a bag, or a folder of bags"))),
    "delete": Action("delete bags for good", delete, (("path", "+", "a bag; with --discarded a folder"),), DeleteOptions),
    "export": Action("write episodes in another format", export,
                     (_FORMAT, ("path", None, "a bag, or a folder of bags"), ("out", None, "what to make"))),
    "import": Action("read episodes of another format", bring_in,
                     (_FORMAT, ("source", None, "what to read"), ("dir", None, "a new or empty folder")), ImportOptions),
}


def size(count: int) -> str:
    """Bytes for people."""
    for unit, step in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= step:
            return f"{count / step:.1f} {unit}"
    return f"{count} B"


def _picture(out: Path, bags: Sequence[Path], options: ShowOptions) -> None:
    from PIL import Image

    from rewardbot.data.contact_sheet import sheet, stack
    from rewardbot.data.episodes import read_episode
    from rewardbot.training.files import atomic_path

    picture = stack([sheet(read_episode(bag), options.columns) for bag in bags])
    with atomic_path(out) as temporary:
        Image.fromarray(picture).save(temporary)


def _film(out: Path, bags: Sequence[Path], options: ShowOptions) -> None:
    from rewardbot.data.bags import require_alike
    from rewardbot.data.contact_sheet import captioned
    from rewardbot.data.episodes import read_episode
    from rewardbot.training.video import SMALLEST_SIDE, side_by_side, write_video

    header = require_alike(bags)

    def frames() -> Any:
        for bag in bags:
            episode = read_episode(bag)
            for step in range(len(episode) + 1):
                frame = side_by_side({name: images[step] for name, images in episode.images.items()})
                yield captioned(frame, episode, step, max(1, -(-SMALLEST_SIDE // min(frame.shape[:2]))))

    write_video(out, frames(), fps=header.contract.control_hz)


def _agreed(question: str) -> bool:
    try:
        return input(f"{question} [yes/no] ").strip().lower() in ("y", "yes")
    except EOFError:  # nobody is there to answer
        return False


def _count(number: int, colour: str) -> str:
    return f"[{colour}]{number}[/]" if number else "[dim]-[/]"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
