"""`rewardbot bags`, action by action, as a person at a terminal has it; mistakes end with exit code 2 and change nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rosbags.rosbag2 import StoragePlugin, Writer

from rewardbot import bag_commands, cli
from rewardbot.data.cdr import serialize
from rewardbot.data.encode import episode_messages
from rewardbot.data.episodes import BagWriter, discard, list_episodes, read_episode, write_episode
from rewardbot.data.mcap import FOOTER_BYTES
from rewardbot.errors import RewardbotError
from rewardbot.robots.robot import CameraContract, RobotContract
from rewardbot.types import Episode, EpisodeInfo
from tests.full_disk import full_disk

CONTRACT = RobotContract(cameras={"front": CameraContract(16, 12)})


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def episode(id: str, *, task: str = "lift", steps: int = 3, contract: RobotContract = CONTRACT) -> Episode:
    zeros = np.zeros((steps + 1, 4), np.float32)
    return Episode(
        EpisodeInfo(id, task, contract.name, "demonstration", success=True, extra={"takeovers": [[0, 1]]}),
        np.arange(1, steps + 2) / 10.0,
        {name: np.zeros((steps + 1, size.height, size.width, 3), np.uint8) for name, size in contract.cameras.items()},
        zeros, zeros[:-1], zeros[:-1])


@pytest.fixture
def bags() -> Path:
    for id in ("e1", "e2"):
        write_episode(Path("bags"), episode(id), CONTRACT)
    return Path("bags")


def killed(folder: Path, share: float) -> Path:
    """A recording that was killed after that share of its messages."""
    messages = list(episode_messages(episode("killed", steps=9), CONTRACT))
    writer = BagWriter(folder, CONTRACT, episode("killed").info)
    for topic, msgtype, stamp, message in messages[: round(share * len(messages))]:
        writer.write(topic, msgtype, stamp, serialize(message, msgtype))
    writer.flush()
    writer.abandon()
    return folder / "killed.part"


def foreign(folder: Path) -> Path:
    with Writer(folder / "foreign", version=9, storage_plugin=StoragePlugin.MCAP):
        pass
    return folder / "foreign"


def bags_command(*argv: str, code: int = 0) -> None:
    if code:
        with pytest.raises(SystemExit) as ended:
            cli.run(["bags", *argv])
        assert ended.value.code == code
    else:
        cli.run(["bags", *argv])


def files() -> set[str]:
    return {str(path) for path in Path().rglob("*")}


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.run(["bags"])
    said = capsys.readouterr().out
    assert not ended.value.code and all(f"rewardbot bags {action} " in said for action in bag_commands.ACTIONS)
    for action in bag_commands.ACTIONS:
        with pytest.raises(SystemExit):
            cli.run(["bags", action, "--help"])
        assert f"usage: rewardbot bags {action}" in capsys.readouterr().out


@pytest.mark.parametrize(("argv", "said"), [
    (["lst"], r"no action of bags named 'lst'(.|\n)*delete, export(.|\n)*Did you mean 'list'"),
    (["list"], r"required: DIR(.|\n)*rewardbot bags list --help"),
    (["list", "nowhere"], "no folder nowhere"),
    (["list", "."], "holds no bags"),
    (["info", "nowhere"], "There is no bag nowhere"),
    (["info", "bags"], r"no bag bags(.|\n)*rewardbot bags list"),
    (["show", "bags", "--out", "x.gif"], r"--out is 'x.gif'(.|\n)*\.png or \.mp4"),
    (["show", "bags", "--columns", "1"], r"--columns is 1(.|\n)*at least 2"),
    (["show", "bags", "--colums", "3"], r"no option --colums(.|\n)*Did you mean --columns"),
    (["show", "bags", "--out", "nowhere/x.png"], "Cannot write nowhere"),
    (["repair", "nowhere"], "no folder nowhere"),
    (["split", "bags/e1"], r"--at is missing(.|\n)*--at 20,45"),
    (["split", "bags/e1", "--at", "two"], r"--at is 'two'(.|\n)*whole number"),
    (["split", "bags/e1", "--at", "7"], r"cannot be split at step 7(.|\n)*from 1 to 2"),
    (["split", "bags", "--at", "1"], "no episode bag bags"),
    (["merge", "bags", "bags"], "bags is not empty"),
    (["merge", "out"], "required: PATH"),
    (["delete", "bags", "--yes"], "bags is no bag"),
    (["delete", "bags/e1"], "Nothing was deleted"),
    (["export", "lerobt", "bags", "out"], r"no format named 'lerobt'(.|\n)*Did you mean 'lerobot'"),
    (["export", "robomimic", "bags", "bags"], "bags is not empty"),
    (["export", "robomimic", "nowhere", "out"], "no folder nowhere"),
    (["import", "robomimic", "nowhere", "out"], "There is no file or folder nowhere"),
    (["import", "robomimic", "bags", "out"], r"bags is a folder(.|\n)*one HDF5 file"),
    (["import", "robomimic", "bags", "out", "--map", "top"], r"--map has 'top'(.|\n)*THEIRS=OURS"),
    (["import", "robomimic", "bags", "out", "--robot"], "expected one argument"),
])
def test_mistakes(bags: Path, argv: list[str], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builtins.input", lambda _: "no")
    before = files()
    with pytest.raises(RewardbotError, match=said) as caught:
        cli.run(["bags", *argv])
    assert caught.value.exit_code == 2 and files() == before


def test_list(bags: Path, capsys: pytest.CaptureFixture[str]) -> None:
    discard(write_episode(bags, episode("e3"), CONTRACT))
    killed(bags, 0.5)
    foreign(bags)
    recorder = BagWriter(bags, CONTRACT, episode("now").info)
    bags_command("list", "bags")
    recorder.discard()
    lines = {line.split()[1]: line for line in capsys.readouterr().out.splitlines() if line.startswith("│")}
    assert list(lines) == ["e1", "e2", "e3", "foreign", "killed", "now"] and "now (recording)" in lines["now"]
    assert [cell.strip() for cell in lines["e1"].split("│")[1:-1]][:6] == ["e1", "lift", "demonstration", "yes", "3", "0.3"]
    assert "(discarded)" in lines["e3"] and "(unfinished)" in lines["killed"] and "was not recorded by rewardbot" in lines["foreign"]


def test_list_does_not_read_messages(bags: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = bags / "e1" / "e1.mcap"
    path.write_bytes(bytes(path.stat().st_size - FOOTER_BYTES) + path.read_bytes()[-FOOTER_BYTES:])
    bags_command("list", "bags")
    assert "2 episodes, 6 steps" in capsys.readouterr().out


@pytest.mark.parametrize("size", [None, 0, 5_000])
def test_list_marks_what_is_cut_off(bags: Path, capsys: pytest.CaptureFixture[str], size: int | None) -> None:
    path = bags / "e1" / "e1.mcap"
    if size is None:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:size])
    bags_command("list", "bags")
    said = capsys.readouterr().out
    assert "e1 (damaged)" in said and "e2 (damaged)" not in said and "1 episode, 3 steps" in said


def test_info(bags: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bags_command("info", "bags/e1")
    said = capsys.readouterr().out
    for text in ("[[0, 1]]", "sim_arm", "demonstration", "camera/front/image_raw", "sensor_msgs/msg/Image", "largest gap [s]"):
        assert text in said
    with pytest.raises(RewardbotError, match=r"not finished(.|\n)*rewardbot bags repair"):
        bags_command("info", str(killed(bags, 0.5)))
    with pytest.raises(RewardbotError, match="not recorded by rewardbot"):
        bags_command("info", str(foreign(bags)))


def test_show(bags: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bags_command("show", "bags")
    assert "bags.png: 2 episodes" in capsys.readouterr().out
    with Image.open("bags.png") as both:
        bags_command("show", "bags/e1", "--out", "one.png", "--columns", "2")
        with Image.open("one.png") as one:
            assert both.size[1] == 2 * one.size[1] and both.size[0] > one.size[0]
    bags_command("show", "bags", "--most", "1", "--out", "film.mp4")
    assert "1 more are left out" in capsys.readouterr().out
    assert Path("film.mp4").stat().st_size > 500
    discard(bags / "e2")
    bags_command("show", "bags/e2.discarded", "--out", "one.png")
    assert files() - {"bags.png", "one.png", "film.mp4"} == {name for name in files() if name.startswith("bags/")} | {"bags"}


def test_verify(bags: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bags_command("verify", "bags")
    assert "2 of 2 bags are as they should be" in capsys.readouterr().out
    path = bags / "e2" / "e2.mcap"
    path.write_bytes(path.read_bytes()[:-500])
    foreign(bags)
    bags_command("verify", "bags", code=1)
    said = capsys.readouterr().out
    assert "bags/e2: is cut off or damaged" in said and "bags/foreign: was not recorded by rewardbot" in said
    assert "1 of 3 bags" in said
    bags_command("verify", "bags/e1", "bags/foreign", code=1)


@pytest.mark.parametrize(("share", "says"), [(1.0, "the episode is whole, 9 steps and 0.9 s: bags/killed."),
                                             (0.5, "not all of the episode is there")])
@pytest.mark.parametrize("by_name", [True, False])
def test_repair(bags: Path, capsys: pytest.CaptureFixture[str], share: float, says: str, by_name: bool) -> None:
    part = killed(bags, share)
    bags_command("repair", str(part) if by_name else "bags")
    assert says in capsys.readouterr().out
    assert sorted(path.name for path in bags.iterdir()) == ["e1", "e2", "killed" if share == 1.0 else "killed.rejected"]
    bags_command("repair", "bags")
    assert "no interrupted recording and no damaged bag is there" in capsys.readouterr().out


def test_repair_of_a_bag_that_was_cut(bags: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = bags / "e2" / "e2.mcap"
    path.write_bytes(path.read_bytes()[:5_000])
    foreign(bags)
    bags_command("verify", "bags/e2", code=1)
    said = capsys.readouterr().out
    assert "e2.mcap: it ends at byte 5000" in said and "rewardbot bags repair bags/e2" in said
    bags_command("repair", "bags")
    said = capsys.readouterr().out
    assert "messages are left; lost: applied_action" in said and "bags/e2.rejected." in said and "foreign" not in said
    assert sorted(path.name for path in bags.iterdir()) == ["e1", "e2.discarded", "e2.rejected", "foreign"]
    bags_command("verify", "bags/e1", "bags/e2.rejected")
    assert "1 of 1 bags are as they should be. 1 that were rejected or discarded were not looked at" in capsys.readouterr().out
    (bags / "foreign" / "foreign.mcap").write_bytes(b"")
    bags_command("repair", "bags", code=1)
    assert "bags/foreign was not recorded by rewardbot" in capsys.readouterr().out


def test_verify_says_what_it_cannot_check(bags: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bags_command("verify", "bags")
    assert "checksums" not in capsys.readouterr().out
    foreign(bags)
    bags_command("verify", "bags", code=1)
    assert "1 of 3 bags hold no checksums" in capsys.readouterr().out


def test_what_cannot_be_repaired_now_stays(bags: Path) -> None:
    part = killed(bags, 1.0)
    with full_disk(2_000):
        bags_command("repair", "bags", code=1)
    assert part.exists() or part.with_suffix(".broken").exists()
    bags_command("repair", "bags")
    assert read_episode(bags / "killed").info.id == "killed"


def test_split_and_merge(bags: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bags_command("split", "bags/e1", "--at", "1,2")
    assert [path.name for path in list_episodes(bags)] == ["e1-0", "e1-1", "e1-2", "e2"]
    assert "bags/e1 is now e1.discarded" in capsys.readouterr().out
    write_episode(Path("more"), episode("e2"), CONTRACT)
    bags_command("merge", "all", "bags", "more")
    assert [path.name for path in list_episodes(Path("all"))] == ["e1-0", "e1-1", "e1-2", "e2", "e2-2"]
    assert "more/e2 is e2-2 in all" in capsys.readouterr().out


def test_delete(bags: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[str] = []
    monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or "yes")
    bags_command("delete", "bags/e1")
    assert "Delete 1 bags" in asked[0] and [path.name for path in bags.iterdir()] == ["e2"]
    discard(bags / "e2")
    bags_command("delete", "--discarded", "bags", "bags/../bags", "--yes")
    assert len(asked) == 1 and list(bags.iterdir()) == []
    bags_command("delete", "--discarded", "bags", "--yes")
    assert "Nothing was discarded" in capsys.readouterr().out


@pytest.mark.parametrize(("name", "out"), [("lerobot", "out"), ("minari", "out-v0"), ("robomimic", "out.hdf5")])
def test_export_and_import(bags: Path, capsys: pytest.CaptureFixture[str], name: str, out: str) -> None:
    bags_command("export", name, "bags", out)
    assert f"{out}: 2 episodes." in capsys.readouterr().out
    bags_command("import", name, out, "back")
    assert "back: 2 episodes" in capsys.readouterr().out
    assert [read_episode(path).info for path in list_episodes(Path("back"))] == [
        read_episode(path).info for path in list_episodes(bags)]


def test_a_film_of_two_robots(bags: Path) -> None:
    write_episode(bags, episode("e3", contract=replace(CONTRACT, cameras={"front": CameraContract(8, 8)})),
                  replace(CONTRACT, cameras={"front": CameraContract(8, 8)}))
    with pytest.raises(RewardbotError, match="another robot contract"):
        bags_command("show", "bags", "--out", "x.mp4")
    assert not Path("x.mp4").exists()
    bags_command("show", "bags", "--out", "x.png")


def test_the_program(bags: Path) -> None:
    """Exit codes, no traceback, and nobody to answer a question."""
    foreign(bags)

    def program(*argv: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-m", "rewardbot", "bags", *argv], text=True, capture_output=True, timeout=120,
                              stdin=subprocess.DEVNULL, check=False, env={**os.environ})

    for argv, code, says in ((["verify", "bags"], 1, ""), (["info", "bags/foreign"], 2, "was not recorded by rewardbot"),
                             (["delete", "bags/e1"], 2, "Nothing was deleted"), (["list", "bags"], 0, "")):
        ended = program(*argv)
        assert ended.returncode == code and says in ended.stderr and "Traceback" not in ended.stderr, ended.stderr
    assert (bags / "e1").exists()


@pytest.mark.parametrize(("count", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (2_540_000, "2.5 MB"), (3e9, "3.0 GB")])
def test_sizes(count: int, text: str) -> None:
    assert bag_commands.size(count) == text
