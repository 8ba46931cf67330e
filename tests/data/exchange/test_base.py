"""What holds for every format: the same episodes come back bit for bit, and what does not fit is refused with what is there."""

from __future__ import annotations

import shutil
import sys
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rewardbot import registry
from rewardbot.data.episodes import list_episodes, read_episode, write_episode
from rewardbot.data.exchange.base import Asked, Recorded, _episode, check_features, read_in, write_out
from rewardbot.errors import ConfigError, DataError
from rewardbot.robots.robot import CameraContract, RobotContract
from rewardbot.types import Episode
from tests.full_disk import full_disk

OUT = {"lerobot": "lift", "minari": "lift-v0", "robomimic": "lift.hdf5"}
LIBRARY = {"lerobot": "pyarrow", "minari": "minari", "robomimic": "h5py"}
UNWRITABLE = Path("/sys/rewardbot")
"""Nobody, not even root, can make this."""

Exported = Callable[[str], Path]
each_format = pytest.mark.parametrize("name", sorted(OUT))


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_all_formats_are_here() -> None:
    assert registry.names("exchange") == sorted(OUT)


@each_format
def test_round_trip_is_bit_exact(
    tmp_path: Path, bags: list[Path], assert_same: Callable[[Episode, Episode], None], name: str
) -> None:
    done: list[float] = []
    assert write_out(name, bags, tmp_path / OUT[name], progress=done.append) == 3
    assert done == pytest.approx([1 / 3, 2 / 3, 1.0])
    assert read_in(name, tmp_path / OUT[name], tmp_path / "back", Asked()) == (3, [])
    assert names_in(tmp_path) == sorted(["back", OUT[name]])
    for before, after in zip(bags, list_episodes(tmp_path / "back"), strict=True):
        assert_same(read_episode(after), read_episode(before))


@each_format
def test_one_episode_at_a_time(tmp_path: Path, episodes: list[Episode], contract: RobotContract, name: str) -> None:
    alive: list[weakref.ref[Episode]] = []

    def some() -> Iterator[Episode]:
        for number in range(5):
            assert sum(ref() is not None for ref in alive) <= 1, "only the one that was asked for last"
            episode = replace(episodes[0], info=replace(episodes[0].info, id=f"e{number}"))
            alive.append(weakref.ref(episode))
            yield episode

    registry.load("exchange", name).write(tmp_path / OUT[name], OUT[name], contract, some())
    read = registry.load("exchange", name).read(tmp_path / OUT[name], contract, {})
    assert next(read).applied.shape == (4, 4)
    read.close()


@each_format
def test_another_task_than_the_exported_one(tmp_path: Path, exported: Exported, name: str) -> None:
    read_in(name, exported(name), tmp_path / "back", Asked(task="lift"))
    assert {read_episode(path).info.task for path in list_episodes(tmp_path / "back")} == {"lift"}
    with pytest.raises(DataError, match=r"contract is not that of 'sim_arm'(.|\n)*Leave --robot out"):
        read_in(name, exported(name), tmp_path / "again", Asked(robot="sim_arm"))


@each_format
def test_what_is_there_is_not_written_over(tmp_path: Path, bags: list[Path], exported: Exported, name: str) -> None:
    out = tmp_path / OUT[name]
    out.mkdir()
    (out / "mine").touch()
    with pytest.raises(DataError, match="is not empty"):
        write_out(name, bags, out)
    with pytest.raises(DataError, match="exists already"):
        write_out(name, bags, out / "mine")
    assert names_in(out) == ["mine"]
    (out / "mine").unlink()
    write_out(name, bags, out)
    with pytest.raises(DataError, match="is not empty"):
        read_in(name, exported(name), tmp_path, Asked())


@each_format
def test_a_full_disk(tmp_path: Path, bags: list[Path], exported: Exported, name: str) -> None:
    source = exported(name)
    too_large = rf"Cannot write \S*{OUT[name]}: File too large"
    with full_disk(8 << 20), pytest.raises(DataError, match=too_large):  # refused in advance: an episode might not fit
        write_out(name, bags, tmp_path / OUT[name])
    with full_disk(10_000), pytest.raises(DataError, match="Cannot write"):
        read_in(name, source, tmp_path / "back", Asked())
    assert names_in(tmp_path) == []


@each_format
def test_no_permission(bags: list[Path], exported: Exported, name: str) -> None:
    with pytest.raises(DataError, match="Cannot write /sys"):
        write_out(name, bags, UNWRITABLE / OUT[name])
    with pytest.raises(DataError, match="Cannot write /sys"):
        read_in(name, exported(name), UNWRITABLE, Asked())


@each_format
def test_something_else(tmp_path: Path, name: str) -> None:
    (tmp_path / "text").write_text("not such data")
    (tmp_path / "folder").mkdir()
    for source, says in ((tmp_path / "none", "There is no"), (tmp_path / "text", name), (tmp_path / "folder", name)):
        with pytest.raises(DataError, match=f"(?i){says}"):
            read_in(name, source, tmp_path / "back", Asked())
    assert names_in(tmp_path) == ["folder", "text"]


@each_format
def test_data_that_are_cut_off(tmp_path: Path, exported: Exported, name: str) -> None:
    out = tmp_path / OUT[name]
    (shutil.copytree if exported(name).is_dir() else shutil.copy)(exported(name), out)
    files = [out] if out.is_file() else [p for p in out.rglob("*") if p.is_file() and p.name not in ("stats.json", "tasks.parquet")]
    for file in files:
        whole = file.read_bytes()
        for length in (0, len(whole) // 2, len(whole) - 20):
            file.write_bytes(whole[:length])
            with pytest.raises(DataError, match=r"damaged|holds no|has no"):
                read_in(name, out, tmp_path / "back", Asked())
            assert not (tmp_path / "back").exists(), file
        file.write_bytes(whole)


@each_format
def test_a_missing_library(tmp_path: Path, bags: list[Path], monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setitem(sys.modules, LIBRARY[name], None)
    with pytest.raises(ConfigError, match=rf"{LIBRARY[name]} is not installed(.|\n)*pip install 'rewardbot\[exchange\]'"):
        write_out(name, bags, tmp_path / OUT[name])
    assert names_in(tmp_path) == []


def test_an_unknown_format(tmp_path: Path, bags: list[Path]) -> None:
    with pytest.raises(ConfigError, match=r"no format named 'lerobt'(.|\n)*lerobot, minari, robomimic(.|\n)*Did you mean 'lerobot'"):
        write_out("lerobt", bags, tmp_path / "out")


def test_bags_that_do_not_go_together(
    tmp_path: Path, bags: list[Path], episodes: list[Episode], contract: RobotContract
) -> None:
    push = replace(episodes[0], info=replace(episodes[0].info, task="push"))
    other = write_episode(tmp_path / "other", push, contract)
    with pytest.raises(DataError, match=r"is of task 'push'.*of 'reach'"):
        write_out("robomimic", [*bags, other], tmp_path / "out")
    wide = replace(contract, control_hz=20.0)
    other = write_episode(tmp_path / "wide", episodes[0], wide)
    with pytest.raises(DataError, match="another robot contract"):
        write_out("robomimic", [*bags, other], tmp_path / "out")
    broken = shutil.copytree(bags[1], tmp_path / "broken")
    (broken / "b.mcap").write_bytes((broken / "b.mcap").read_bytes()[:-30])
    with pytest.raises(DataError, match="broken is cut off or damaged"):
        write_out("robomimic", [bags[0], broken, bags[2]], tmp_path / "out")
    assert names_in(tmp_path) == ["broken", "other", "wide"]


def test_features_are_compared() -> None:
    found = {"top": "uint8 (8, 8, 3)", "action": "float (7)"}
    check_features(Path("data"), found, {"top": "uint8 (8, 8, 3)"})
    with pytest.raises(DataError) as caught:
        check_features(Path("data"), found, {"front": "uint8 (8, 8, 3)", "action": "float (4)"})
    assert str(caught.value).splitlines() == [
        "data has other features than the robot: there is no 'front', 'action' is float (7).",
        "  It holds action: float (7); top: uint8 (8, 8, 3).",
        "  Needed is action: float (4); front: uint8 (8, 8, 3).",
        "  --map THEIRS=OURS tells what is only called otherwise; --robot NAME names another robot."]


def recorded(steps: int = 2, reach: float = 1.0) -> Recorded:
    return Recorded({"front": np.zeros((steps + 1, 8, 8, 3), np.uint8)}, np.zeros((steps + 1, 4)), np.full((steps, 4), reach))


def test_data_of_others_become_demonstrations() -> None:
    contract = RobotContract(control_hz=12.5, cameras={"front": CameraContract(8, 8)})
    episode = _episode(recorded(), "x-0", contract, Asked(task="lift", success=True))
    assert (episode.info.source, episode.info.success, episode.info.task) == ("demonstration", True, "lift")
    assert episode.stamps.tolist() == [0.0, 0.08, 0.16]
    assert np.array_equal(episode.actions, episode.applied) and episode.applied.dtype == np.float32
    failed = replace(recorded(), success=False, task="push")
    assert _episode(failed, "x-0", contract, Asked(success=True)).info.success is False, "what the data say goes first"
    with pytest.raises(ConfigError, match=r"which task(.|\n)*--task NAME"):
        _episode(recorded(), "x-0", contract, Asked())
    with pytest.raises(DataError, match=r"Actions of x-0 reach 1.5(.|\n)*\[-1, 1\]"):
        _episode(recorded(reach=-1.5), "x-0", contract, Asked(task="lift"))
    with pytest.raises(DataError, match="not finite"):
        _episode(recorded(reach=float("nan")), "x-0", contract, Asked(task="lift"))
