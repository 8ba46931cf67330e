"""LeRobot v3.0: the layout that huggingface/lerobot documents and reads, file by file; videos; data of others."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from rewardbot.data.episodes import list_episodes, read_episode
from rewardbot.data.exchange import lerobot
from rewardbot.data.exchange.base import Asked, read_in, write_out
from rewardbot.errors import ConfigError, DataError
from rewardbot.types import Episode

FRONT = "observation.images.front"
EPISODES = "meta/episodes/chunk-000/file-000.parquet"
DATA = "data/chunk-000/file-000.parquet"


@pytest.fixture(scope="module")
def place(exported: Callable[[str], Path]) -> Path:
    return exported("lerobot")


def test_files(place: Path) -> None:
    assert sorted(str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()) == [
        DATA, EPISODES, "meta/info.json", "meta/stats.json", "meta/tasks.parquet"]


def test_info(place: Path) -> None:
    info = json.loads((place / "meta/info.json").read_text())
    features = info.pop("features")
    assert info == {
        "codebase_version": "v3.0", "robot_type": "sim_arm", "fps": 10, "total_episodes": 3, "total_frames": 11, "total_tasks": 1,
        "splits": {"train": "0:3"}, "chunks_size": 1000, "data_files_size_in_mb": 100, "video_files_size_in_mb": 200,
        "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet", "video_path": None}
    assert features[FRONT] == {"dtype": "image", "shape": [34, 40, 3], "names": ["height", "width", "channels"]}
    assert features["observation.state"] == {"dtype": "float32", "shape": [4], "names": ["tool_x", "tool_y", "tool_z", "gripper"]}
    assert features["action"] == {"dtype": "float32", "shape": [4], "names": ["x", "y", "z", "gripper"]}
    for name, dtype in (("timestamp", "float32"), ("frame_index", "int64"), ("episode_index", "int64"), ("index", "int64"),
                        ("task_index", "int64")):
        assert features[name] == {"dtype": dtype, "shape": [1], "names": None}
    assert list(features) == pq.read_schema(place / DATA).names


def test_frames(place: Path, episodes: list[Episode]) -> None:
    table = pq.read_table(place / DATA)
    assert table.schema.field("action").type == pa.list_(pa.float32(), 4)
    assert table.schema.field(FRONT).type == pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    rows = table.to_pylist()
    assert [row["index"] for row in rows] == list(range(11))
    assert [row["episode_index"] for row in rows] == [0] * 5 + [1] * 2 + [2] * 4
    assert [row["frame_index"] for row in rows] == [0, 1, 2, 3, 4, 0, 1, 0, 1, 2, 3]
    assert [row["timestamp"] for row in rows[:3]] == [0.0, np.float32(0.1), np.float32(0.2)]
    first = episodes[0]
    for step, row in enumerate(rows[:5]):
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(row[FRONT]["bytes"]))), first.images["front"][step])
        assert row["observation.state"] == first.proprio[step].tolist()
        assert row["action"] == (first.applied[step].tolist() if step < 4 else [0.0] * 4)
        assert row["requested_action"] == (first.actions[step].tolist() if step < 4 else [0.0] * 4)
        assert row["stamp"] == first.stamps[step]
        assert row["complementary_info.is_intervention"] == (step in (1, 2))
    ends = [{key: row[key] for key in ("next.reward", "next.success", "next.done", "next.truncated")} for row in rows]
    assert [tuple(end.values()) for end in ends] == [
        *[(0.0, False, False, False)] * 4, (1.0, True, True, False),  # a true end
        (0.0, False, False, False), (0.0, False, False, True),  # a failure, by timeout
        *[(0.0, False, False, False)] * 3, (0.0, False, False, True)]


def test_meta(place: Path) -> None:
    rows = pq.read_table(place / EPISODES).to_pylist()
    assert [(row["episode_index"], row["length"], row["tasks"]) for row in rows] == [
        (0, 5, ["reach"]), (1, 2, ["reach"]), (2, 4, ["reach"])]
    assert [(row["dataset_from_index"], row["dataset_to_index"]) for row in rows] == [(0, 5), (5, 7), (7, 11)]
    for name in ("data/chunk_index", "data/file_index", "meta/episodes/chunk_index", "meta/episodes/file_index"):
        assert [row[name] for row in rows] == [0, 0, 0]
    assert rows[0]["stats/frame_index/max"] == [4.0] and np.shape(rows[0][f"stats/{FRONT}/mean"]) == (3, 1, 1)
    tasks = pq.read_table(place / "meta/tasks.parquet")
    assert tasks.to_pylist() == [{"task_index": 0, "task": "reach"}]
    assert json.loads(tasks.schema.metadata[b"pandas"])["index_columns"] == ["task"], "LeRobot looks tasks up by this index"
    stats = json.loads((place / "meta/stats.json").read_text())
    assert stats["index"]["mean"] == [5.0] and stats["index"]["count"] == [11]
    assert np.shape(stats[FRONT]["q99"]) == (3, 1, 1)


def test_large_data_go_on_in_another_file(
    tmp_path: Path, bags: list[Path], episodes: list[Episode], assert_same: Callable[[Episode, Episode], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lerobot, "DATA_MIB", 0)
    monkeypatch.setattr(lerobot, "CHUNK_FILES", 2)
    write_out("lerobot", bags, tmp_path / "lift")
    assert sorted(str(p.relative_to(tmp_path / "lift/data")) for p in tmp_path.glob("lift/data/*/*")) == [
        "chunk-000/file-000.parquet", "chunk-000/file-001.parquet", "chunk-001/file-000.parquet"]
    rows = pq.read_table(tmp_path / "lift" / EPISODES).to_pylist()
    assert [(row["data/chunk_index"], row["data/file_index"]) for row in rows] == [(0, 0), (0, 1), (1, 0)]
    read_in("lerobot", tmp_path / "lift", tmp_path / "back", Asked())
    for path, episode in zip(list_episodes(tmp_path / "back"), episodes, strict=True):
        assert read_episode(path).info == episode.info
    last = tmp_path / "lift/data/chunk-001/file-000.parquet"
    last.write_bytes(last.read_bytes()[:-9])
    with pytest.raises(DataError, match=r"chunk-001/file-000\.parquet is damaged or cannot be read"):
        read_in("lerobot", tmp_path / "lift", tmp_path / "again", Asked())
    last.unlink()
    with pytest.raises(DataError, match=r"no file in data/ has episode 2"):
        read_in("lerobot", tmp_path / "lift", tmp_path / "again", Asked())
    assert not (tmp_path / "again").exists()


def test_a_file_of_episodes_that_is_gone(tmp_path: Path, place: Path) -> None:
    shutil.copytree(place, tmp_path / "lift")
    path = tmp_path / "lift" / EPISODES
    pq.write_table(pq.read_table(path).slice(0, 2), path)
    with pytest.raises(DataError, match=r"meta/info\.json says 3 episodes, and 2 are in meta/episodes"):
        read_in("lerobot", tmp_path / "lift", tmp_path / "back", Asked())


def changed(place: Path, to: Path, change: Callable[[dict[str, Any], list[dict[str, Any]], pa.Table], pa.Table]) -> Path:
    """A copy with another info.json, other rows of meta/episodes and other frames."""
    shutil.copytree(place, to)
    info, rows = json.loads((to / "meta/info.json").read_text()), pq.read_table(to / EPISODES).to_pylist()
    table = change(info, rows, pq.read_table(to / DATA))
    (to / "meta/info.json").write_text(json.dumps(info))
    pq.write_table(pa.Table.from_pylist(rows), to / EPISODES)
    pq.write_table(table, to / DATA)
    return to


def test_videos(
    tmp_path: Path, place: Path, episodes: list[Episode], assert_same: Callable[[Episode, Episode], None]
) -> None:
    """One file for all episodes, as LeRobot writes them; without loss, so that every pixel can be compared."""
    file = tmp_path / "film.mp4"
    writer = imageio_ffmpeg.write_frames(
        str(file), (40, 34), fps=10, codec="libx264rgb", pix_fmt_out="rgb24", quality=None, macro_block_size=2,
        output_params=["-crf", "0"])
    writer.send(None)
    for episode in episodes:
        for image in episode.images["front"]:
            writer.send(image.tobytes())
    writer.close()

    def with_video(info: dict[str, Any], rows: list[dict[str, Any]], table: pa.Table) -> pa.Table:
        info["features"][FRONT]["dtype"] = "video"
        info["video_path"] = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
        for row in rows:
            row |= {f"videos/{FRONT}/chunk_index": 0, f"videos/{FRONT}/file_index": 0,
                    f"videos/{FRONT}/from_timestamp": row["dataset_from_index"] / 10}
        return table.drop_columns([FRONT])

    source = changed(place, tmp_path / "video", with_video)
    there = source / "videos" / FRONT / "chunk-000" / "file-000.mp4"
    there.parent.mkdir(parents=True)
    shutil.move(file, there)
    read_in("lerobot", source, tmp_path / "back", Asked())
    for path, episode in zip(list_episodes(tmp_path / "back"), episodes, strict=True):
        assert_same(read_episode(path), episode)
    (source / "meta/info.json").write_text((source / "meta/info.json").read_text().replace("[34, 40, 3]", "[40, 34, 3]"))
    with pytest.raises(DataError, match=r"'observation.images.front' is uint8 \(40, 34, 3\)"):
        read_in("lerobot", source, tmp_path / "again", Asked())


def of_others(info: dict[str, Any], rows: list[dict[str, Any]], table: pa.Table) -> pa.Table:
    """What a recording by LeRobot itself holds: nothing of ours, its own name for a camera, 64 pixels."""
    for row in rows:
        del row["rewardbot"]
    rows[1]["length"] = 1
    kept = ["observation.images.top", "observation.images.wrist", "observation.state", "action", "episode_index"]
    size = {"dtype": "image", "shape": [3, 64, 64], "names": ["channels", "height", "width"]}
    info["features"] = {key: info["features"].get(key) for key in kept} | dict.fromkeys(kept[:2], size)
    file = io.BytesIO()
    Image.fromarray(np.full((64, 64, 3), 7, np.uint8)).save(file, "PNG")
    picture = pa.array([{"bytes": file.getvalue(), "path": None}] * (len(table) - 1))
    table = pa.concat_tables([table.slice(0, 6), table.slice(7)])
    for key in kept[:2]:
        table = table.append_column(key, picture) if key not in table.column_names else table.set_column(
            table.column_names.index(key), key, picture)
    return table.select(kept)


def test_data_of_others(tmp_path: Path, place: Path, episodes: list[Episode]) -> None:
    source = changed(place, tmp_path / "theirs", of_others)
    with pytest.raises(ConfigError, match=r"does not say which robot(.|\n)*--robot NAME"):
        read_in("lerobot", source, tmp_path / "back", Asked())
    with pytest.raises(DataError, match=r"no 'observation.images.front'(.|\n)*It holds(.|\n)*images.top(.|\n)*Needed is"):
        read_in("lerobot", source, tmp_path / "back", Asked("sim_arm"))
    with pytest.raises(ConfigError, match=r"no part of robot 'sim_arm' named 'fornt'(.|\n)*Did you mean 'front'"):
        read_in("lerobot", source, tmp_path / "back", Asked("sim_arm", names={"fornt": "observation.images.top"}))
    assert [path.name for path in tmp_path.iterdir()] == ["theirs"]
    asked = Asked("sim_arm", names={"front": "observation.images.top"})
    assert read_in("lerobot", source, tmp_path / "back", asked) == (2, ["lerobot-0001 has a single observation and no step"])
    found = [read_episode(path) for path in list_episodes(tmp_path / "back")]
    assert [(episode.info.id, episode.info.task, len(episode)) for episode in found] == [
        ("lerobot-0000", "reach", 4), ("lerobot-0002", "reach", 3)]
    assert np.array_equal(found[0].applied, episodes[0].applied) and np.array_equal(found[0].proprio, episodes[0].proprio)
    assert (found[0].images["front"] == 7).all() and found[0].info.success is None


@pytest.mark.parametrize(("change", "says"), [
    (lambda info, rows: info.update(fps=30), r"has 30 steps a second(.|\n)*takes 10 actions"),
    (lambda info, rows: info.update(codebase_version="v2.1"), r"version v2.1(.|\n)*v3.0 is read(.|\n)*converter"),
    (lambda info, rows: info["features"].pop("observation.images.wrist"), r"no 'observation.images.wrist'"),
    (lambda info, rows: info["features"]["action"].update(shape=[7]), r"'action' is float \(7\)"),
    (lambda info, rows: rows[1].update(length=9), "episode 1 has 2 frames, meta/episodes says 9"),
    (lambda info, rows: rows[2].update(rewardbot="{}"), "cannot be read"),
])
def test_other_features(tmp_path: Path, place: Path, change: Callable[..., Any], says: str) -> None:
    def to(info: dict[str, Any], rows: list[dict[str, Any]], table: pa.Table) -> pa.Table:
        change(info, rows)
        return table

    source = changed(place, tmp_path / "other", to)
    with pytest.raises(DataError, match=says):
        read_in("lerobot", source, tmp_path / "back", Asked())
    assert [path.name for path in tmp_path.iterdir()] == ["other"]
