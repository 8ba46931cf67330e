"""LeRobot dataset v3.0: a folder of Parquet files, images as PNG in them, which gives every pixel back; videos can be read as well.

A frame is an observation and the action that follows it, so an episode of T steps has T + 1 frames. The last frame holds the last
observation, the action 0, which holds the arm, and in `next.*` how the episode ended: `next.reward` and `next.success` are the
operator's verdict. `action` is the action applied; `requested_action`, `stamp` [s] and `complementary_info.is_intervention`, true
where an operator acted, are features of their own. What else is known of an episode is JSON in the column `rewardbot` of
meta/episodes; LeRobot's own editing tools drop it.

LeRobot's reader needs an older torch than ours, so that the tests compare with the documented layout by pyarrow. In an environment
of its own lerobot 0.6.1 has opened, sampled and edited what is written here.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby, pairwise
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rewardbot.data.exchange import _statistics as statistics
from rewardbot.data.exchange import base
from rewardbot.data.exchange._frames import VideoFrames
from rewardbot.data.exchange.base import Recorded
from rewardbot.data.takeovers import steps_taken_over
from rewardbot.errors import DataError
from rewardbot.robots.robot import CameraContract, RobotContract
from rewardbot.types import PROPRIO_NAMES, Episode

CAMERA, PROPRIO, ACTION = "observation.images.{}", "observation.state", "action"
REQUESTED, STAMP, SUCCESS, TAKEN_OVER = "requested_action", "stamp", "next.success", "complementary_info.is_intervention"
DATA_MIB, VIDEO_MIB, CHUNK_FILES = 100, 200, 1000
"""LeRobot's own sizes: a data file that has reached this one is followed by another."""

_FILE = "chunk-{chunk_index:03d}/file-{file_index:03d}"
_DATA, _EPISODES = f"data/{_FILE}.parquet", f"meta/episodes/{_FILE}.parquet"
_ABOUT = "rewardbot"
_AT_ONCE = 256  # frames that are packed or unpacked at once


def write(place: Path, name: str, contract: RobotContract, episodes: Iterable[Episode]) -> None:
    """Makes the folder `place`; see `base`."""
    pa, pq = base.library("pyarrow"), base.library("pyarrow.parquet")
    features = _features(contract)
    tasks: dict[str, int] = {}
    rows: list[dict[str, Any]] = []
    parts: dict[str, list[statistics.Statistics]] = {key: [] for key in features}
    frames = 0
    (place / "meta").mkdir(parents=True)
    files = _DataFiles(place, features)
    try:
        for number, episode in enumerate(episodes):
            task = tasks.setdefault(episode.info.task, len(tasks))
            columns = _columns(episode, contract, number, frames, task)
            where = files.write(columns, {CAMERA.format(camera): images for camera, images in episode.images.items()})
            found = {key: statistics.of_numbers(values) for key, values in columns.items()} | {
                CAMERA.format(camera): statistics.of_images(images) for camera, images in episode.images.items()}
            for key, part in found.items():
                parts[key].append(part)
            rows.append({
                "episode_index": number, "tasks": [episode.info.task], "length": len(episode) + 1, **where,
                "dataset_from_index": frames, "dataset_to_index": frames + len(episode) + 1,
                **{f"stats/{key}/{what}": values.tolist() for key, part in found.items() for what, values in part.items()},
                "meta/episodes/chunk_index": 0, "meta/episodes/file_index": 0, _ABOUT: base.about(episode, contract)})
            frames += len(episode) + 1
    finally:
        files.close()
    path = place / _EPISODES.format(chunk_index=0, file_index=0)
    path.parent.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), path)
    pq.write_table(_tasks(pa, list(tasks)), place / "meta" / "tasks.parquet")
    whole = {key: {what: values.tolist() for what, values in statistics.together(of).items()} for key, of in parts.items()}
    (place / "meta" / "stats.json").write_text(json.dumps(whole, indent=4))
    hz = contract.control_hz
    (place / "meta" / "info.json").write_text(json.dumps({
        "codebase_version": "v3.0", "robot_type": contract.name, "fps": int(hz) if hz.is_integer() else hz,
        "total_episodes": len(rows), "total_frames": frames, "total_tasks": len(tasks), "splits": {"train": f"0:{len(rows)}"},
        "chunks_size": CHUNK_FILES, "data_files_size_in_mb": DATA_MIB, "video_files_size_in_mb": VIDEO_MIB,
        "data_path": _DATA, "video_path": None, "features": features}, indent=4))


def about(source: Path) -> str | None:
    """See `base`."""
    _info(source)
    return _episodes(source)[0].get(_ABOUT)


def read(source: Path, contract: RobotContract, names: Mapping[str, str]) -> Iterator[Recorded]:
    """See `base`."""
    info, rows = _info(source), {int(row["episode_index"]): row for row in _episodes(source)}
    features = info["features"]
    base.check_rate(source, info["fps"], contract)
    base.check_features(source, {key: _described(of) for key, of in features.items()},
                        base.features(contract, names, CAMERA, PROPRIO, ACTION))
    proprio, action = names.get(base.PROPRIO, PROPRIO), names.get(base.ACTION, ACTION)
    cameras = {camera: names.get(camera, CAMERA.format(camera)) for camera in contract.cameras}
    videos = {camera: VideoFrames(contract.cameras[camera].height, contract.cameras[camera].width)
              for camera, key in cameras.items() if features[key]["dtype"] == "video"}
    stored = [key for camera, key in cameras.items() if camera not in videos]
    extra = [key for key in (REQUESTED, STAMP, SUCCESS) if key in features]
    missing = set(rows)
    try:
        for number, table in _by_episode(source, [proprio, action, *extra, *stored]):
            row = rows.get(number)
            missing.discard(number)
            if row is None or row["length"] != len(table):
                raise DataError(f"{source} is damaged: episode {number} has {len(table)} frames, "
                                f"meta/episodes says {row['length'] if row else 'nothing of it'}.")
            images: dict[str, NDArray[np.uint8]] = {}
            for camera, key in cameras.items():
                if camera in videos:
                    path = info["video_path"].format(video_key=key, chunk_index=row[f"videos/{key}/chunk_index"],
                                                     file_index=row[f"videos/{key}/file_index"])
                    first = round(row[f"videos/{key}/from_timestamp"] * info["fps"])
                    images[camera] = videos[camera].take(source / path, first, len(table))
                else:
                    images[camera] = _unpacked(table.column(key), contract.cameras[camera], f"{source}: {key} of episode {number}")
            yield Recorded(
                images, _array(table, proprio), _array(table, action)[:-1],
                requested=_array(table, REQUESTED)[:-1] if REQUESTED in extra else None,
                stamps=_array(table, STAMP)[:, 0] if STAMP in extra else None, about=row.get(_ABOUT), task=row["tasks"][0],
                success=bool(_array(table, SUCCESS).any()) if SUCCESS in extra else None)
        if missing:
            raise DataError(f"{source} is damaged: no file in data/ has episode {', '.join(map(str, sorted(missing)))}.",
                            next_step="Restore it from a copy, or export it anew.")
    finally:
        for video in videos.values():
            video.close()


class _DataFiles:
    """The Parquet files under data/, written an episode at a time."""

    def __init__(self, place: Path, features: Mapping[str, Any]) -> None:
        self._pa, self._pq = base.library("pyarrow"), base.library("pyarrow.parquet")
        self._place, self._number = place, -1
        self._schema = self._pa.schema([(key, self._type(of)) for key, of in features.items()])
        self._writer: Any = None
        self._path = place

    def write(self, columns: Mapping[str, NDArray[Any]], images: Mapping[str, NDArray[np.uint8]]) -> dict[str, int]:
        """Appends an episode, (N,) or (N, D) and (N, H, W, 3); tells in which file, as meta/episodes has it."""
        writer = self._present_file()
        count = len(next(iter(columns.values())))
        for start in range(0, count, _AT_ONCE):
            rows = slice(start, min(count, start + _AT_ONCE))
            arrays = [self._images(images[field.name][rows], start) if field.name in images
                      else self._numbers(columns[field.name][rows], field.type) for field in self._schema]
            writer.write_table(self._pa.Table.from_arrays(arrays, schema=self._schema))
        return {"data/chunk_index": self._number // CHUNK_FILES, "data/file_index": self._number % CHUNK_FILES}

    def close(self) -> None:
        """Ends the present file."""
        if self._writer is not None:
            self._writer.close()

    def _present_file(self) -> Any:
        if self._writer is not None and self._path.stat().st_size < DATA_MIB << 20:
            return self._writer
        self.close()
        self._number += 1
        self._path = self._place / _DATA.format(chunk_index=self._number // CHUNK_FILES, file_index=self._number % CHUNK_FILES)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._writer = self._pq.ParquetWriter(self._path, self._schema)
        return self._writer

    def _type(self, feature: Mapping[str, Any]) -> Any:
        pa = self._pa
        if feature["dtype"] == "image":
            return pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        kind = pa.from_numpy_dtype(feature["dtype"])
        return kind if feature["shape"] == [1] else pa.list_(kind, feature["shape"][0])

    def _numbers(self, values: NDArray[Any], kind: Any) -> Any:
        flat = self._pa.array(values.reshape(-1))
        return flat if values.ndim == 1 else self._pa.FixedSizeListArray.from_arrays(flat, type=kind)

    def _images(self, images: NDArray[np.uint8], first: int) -> Any:
        packed = [{"bytes": _png(image), "path": f"frame-{first + row:06d}.png"} for row, image in enumerate(images)]
        return self._pa.array(packed, self._type({"dtype": "image"}))


def _features(contract: RobotContract) -> dict[str, Any]:
    """What info.json says of each column of the data files, in their order."""
    def numbers(dtype: str, names: tuple[str, ...] = ()) -> dict[str, Any]:
        return {"dtype": dtype, "shape": [len(names) or 1], "names": list(names) or None}

    images = {CAMERA.format(name): {"dtype": "image", "shape": [size.height, size.width, 3],
                                    "names": ["height", "width", "channels"]} for name, size in contract.cameras.items()}
    return {
        **images, PROPRIO: numbers("float32", PROPRIO_NAMES), ACTION: numbers("float32", contract.action_names),
        REQUESTED: numbers("float32", contract.action_names), STAMP: numbers("float64"),
        "next.reward": numbers("float32"), SUCCESS: numbers("bool"), "next.done": numbers("bool"),
        "next.truncated": numbers("bool"), TAKEN_OVER: numbers("bool"), "timestamp": numbers("float32"),
        "frame_index": numbers("int64"), "episode_index": numbers("int64"), "index": numbers("int64"),
        "task_index": numbers("int64")}


def _columns(episode: Episode, contract: RobotContract, number: int, first: int, task: int) -> dict[str, NDArray[Any]]:
    """The numbers of an episode's frames, (T + 1,) or (T + 1, D)."""
    count = len(episode) + 1
    step, hold = np.arange(count), np.zeros((1, contract.action_dim), np.float32)
    last = step == len(episode)
    return {
        PROPRIO: episode.proprio, ACTION: np.concatenate([episode.applied, hold]),
        REQUESTED: np.concatenate([episode.actions, hold]), STAMP: episode.stamps,
        "next.reward": base.verdicts(episode, count), SUCCESS: last & (episode.info.success is True),
        "next.done": last & episode.terminated, "next.truncated": last & (not episode.terminated),
        TAKEN_OVER: np.append(steps_taken_over(episode.info, len(episode)), False),
        "timestamp": (step / contract.control_hz).astype(np.float32), "frame_index": step,
        "episode_index": np.full(count, number), "index": first + step, "task_index": np.full(count, task)}


def _tasks(pa: Any, tasks: list[str]) -> Any:
    """The table of tasks as pandas writes it, with the texts as its index: LeRobot reads it so."""
    def column(name: str, kind: str, numpy_type: str) -> dict[str, Any]:
        return {"name": name, "field_name": name, "pandas_type": kind, "numpy_type": numpy_type, "metadata": None}

    pandas = {"index_columns": ["task"], "column_indexes": [], "columns": [
        column("task_index", "int64", "int64"), column("task", "unicode", "object")]}
    table = pa.table({"task_index": pa.array(range(len(tasks)), pa.int64()), "task": pa.array(tasks, pa.string())})
    return table.replace_schema_metadata({"pandas": json.dumps(pandas)})


def _info(source: Path) -> dict[str, Any]:
    if not (source / "meta" / "info.json").is_file():
        raise DataError(f"{source} is no LeRobot dataset: it has no meta/info.json.")
    with base.reading(source / "meta" / "info.json"):
        info = json.loads((source / "meta" / "info.json").read_text())
    if not (version := str(info.get("codebase_version"))).startswith("v3."):
        raise DataError(f"{source} is of LeRobot's version {version}.", valid="v3.0 is read.",
                        next_step="Convert it with LeRobot's own converter.")
    return info


def _episodes(source: Path) -> list[dict[str, Any]]:
    """The rows of meta/episodes, without statistics."""
    pq = base.library("pyarrow.parquet")
    rows = []
    for path in sorted(source.glob("meta/episodes/*/*.parquet")):
        with base.reading(path):
            columns = [key for key in pq.read_schema(path).names if not key.startswith("stats/")]
            rows += pq.read_table(path, columns=columns).to_pylist()
    if not rows:
        raise DataError(f"{source} holds no episodes.")
    if (said := _info(source).get("total_episodes", len(rows))) != len(rows):
        raise DataError(f"{source} is damaged: meta/info.json says {said} episodes, and {len(rows)} are in meta/episodes.",
                        next_step="Restore it from a copy, or export it anew.")
    return rows


def _by_episode(source: Path, columns: list[str]) -> Iterator[tuple[int, Any]]:
    """Number and frames of each episode, as a table; all files are read once, from the first to the last."""
    pa, pq = base.library("pyarrow"), base.library("pyarrow.parquet")

    def pieces() -> Iterator[tuple[int, Any]]:
        for path in sorted(source.glob("data/*/*.parquet")):
            with base.reading(path), pq.ParquetFile(path) as file:
                for batch in file.iter_batches(_AT_ONCE, columns=[*columns, "episode_index"]):
                    numbers = batch.column("episode_index").to_numpy()
                    edges = [0, *(np.flatnonzero(np.diff(numbers)) + 1), len(numbers)]
                    for start, stop in pairwise(edges):
                        yield int(numbers[start]), batch.slice(start, stop - start)

    for number, of in groupby(pieces(), key=itemgetter(0)):
        yield number, pa.Table.from_batches([piece for _, piece in of])


def _described(feature: Mapping[str, Any]) -> str:
    """A feature of info.json as `base.feature` writes it."""
    shape = list(feature["shape"])
    if feature["dtype"] not in ("image", "video"):
        return base.feature(feature["dtype"], shape)
    first_is_channels = str((feature.get("names") or [""])[0]).startswith("c")
    return base.feature("uint8", [*shape[1:], shape[0]] if first_is_channels else shape)


def _array(table: Any, key: str) -> NDArray[Any]:
    """A column of numbers, (N, D)."""
    column = table.column(key).combine_chunks()
    flat = column.flatten() if hasattr(column, "flatten") else column
    return flat.to_numpy(zero_copy_only=False).reshape(len(table), -1)


def _png(image: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG", compress_level=1)  # a tenth larger than the default, several times as fast
    return file.getvalue()


def _unpacked(column: Any, camera: CameraContract, where: str) -> NDArray[np.uint8]:
    images = np.empty((len(column), camera.height, camera.width, 3), np.uint8)
    for row, item in enumerate(column):
        with base.reading(where), Image.open(io.BytesIO(item.as_py()["bytes"] or b"")) as image:
            pixels = np.asarray(image.convert("RGB"))
        if pixels.shape != images.shape[1:]:
            raise DataError(f"{where} is {pixels.shape[1]}x{pixels.shape[0]}.",
                            valid=f"This camera has {camera.width}x{camera.height}.")
        images[row] = pixels
    return images
