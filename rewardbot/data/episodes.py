"""Episodes on disk: one rosbag2 folder (metadata.yaml and one MCAP file) per episode, named by the episode's id.

A bag is written in `<id>.part/` and renamed when it is whole, so that no reader ever sees an unfinished one. What is
known about the episode and the robot contract it was recorded with are JSON in the bag's custom data, which rosbag2
keeps in metadata.yaml and in the MCAP file's own metadata record. Of the two, metadata.yaml counts: `ros2 bag` and the
functions here read it, and a later verdict is written there alone. The folders are ordinary rosbag2 bags of version 9.
"""

from __future__ import annotations

import dataclasses
import errno
import re
import shutil
import sys
import time
from collections.abc import Collection, Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml
from rosbags.interfaces import Connection, Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime
from rosbags.rosbag2 import CompressionFormat, CompressionMode, Reader, StoragePlugin
from rosbags.rosbag2.storage_mcap import McapWriter

from rewardbot.data.assembler import EpisodeAssembler
from rewardbot.data.bag_header import BagHeader
from rewardbot.data.cdr import deserialize, serialize, typestore
from rewardbot.data.checksums import CheckedBag, matches, with_checksum
from rewardbot.data.decode import bag_topics
from rewardbot.data.encode import episode_messages
from rewardbot.data.recording_lock import begin, refuse_if_it_runs
from rewardbot.data.staging import sync
from rewardbot.errors import DataError
from rewardbot.robots.robot import CameraContract, RobotContract
from rewardbot.types import Episode, EpisodeInfo

DEMONSTRATIONS, PLAY = "demonstrations", "play"
"""Folders of a run folder: what learning begins from."""

EPISODES = "episodes"
"""Folder of the run folder for what comes after pretraining."""

RECORDED = (DEMONSTRATIONS, PLAY, EPISODES)

KEY = "rewardbot"
"""Of a bag's custom data: its header."""

_CHUNK_BYTES, _CHUNK_S = 256 << 10, 0.5  # a kill loses at most this much of the present episode
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FOREVER = QosTime(9223372036, 854775807)  # rmw's infinite duration


class DiskFull(DataError):
    """There is no space left for an episode. What was stored before is whole."""


class NotWhole(DataError):
    """A bag that can be read, but whose episode has a hole or something that cannot be used; `reason` says which."""

    def __init__(self, path: Path, reason: str) -> None:
        self.reason = reason
        super().__init__(f"{path} is not a whole episode: {reason}.", next_step=f"Delete it, or rename it to {path.name}.rejected.")


def is_id(text: str) -> bool:
    """Whether an episode may be called so: it becomes the name of a folder."""
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}", text) is not None


class BagWriter:
    """Writes the serialised messages of one episode, as `create_subscription(..., raw=True)` delivers them.

    A kill -9 loses at most the last second; `repair` recovers the rest from the `.part` folder. As a context manager it
    closes the bag, or discards it when an exception passes.

    Args:
        folder: where the episode's folder `<info.id>` goes; made if it does not exist.
        contract: the robot's, kept in the bag.
        info: what is known now; `close` takes the final version.
        namespace: of the graph, so that the bag holds absolute topic names as `ros2 bag record` would write them.
        compress: zstd per chunk: smaller files, more work for the processor.

    Attributes:
        path: the finished bag.
        steps: to be set where the bag will hold actions of before the episode: how many are of it.

    Raises:
        DataError: an id that is not a file name, an episode of that id exists, or the folder cannot be written.
        DiskFull: from here on whenever the disk is.
    """

    def __init__(
        self, folder: Path, contract: RobotContract, info: EpisodeInfo, *, namespace: str = "rewardbot",
        compress: bool = False,
    ) -> None:
        if not is_id(info.id):
            raise DataError(f"'{info.id}' cannot be an episode's id.",
                            valid="Letters, digits, '_' and '-', at most 128, the first a letter or digit.")
        self.path = folder / info.id
        self.steps: int | None = None
        self._part = folder / f"{info.id}.part"
        self._header = BagHeader(info, contract, namespace.strip("/"))
        self._reliable = _qos(QosReliability.RELIABLE, 200)
        self._sensor = _qos(QosReliability.BEST_EFFORT, 50)
        self._connections: dict[str, Connection] = {}
        self._chunk_opened: float | None = None
        if self.path.exists():
            raise DataError(f"Episode {self.path} exists already.", next_step="Give each episode an id of its own.")
        if self._part.exists():
            refuse_if_it_runs(self._part)
            raise DataError(f"{self._part} was left by an interrupted recording.", next_step="Repair or delete it.")
        with writing(self.path):
            self._part.mkdir(parents=True)
            try:
                self._lock = begin(self._part, self._header.to_json())
                self._writer = CheckedBag(self._part / info.id, version=9, storage_plugin=StoragePlugin.MCAP)
                if compress:
                    self._writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
                self._writer.open()
            except OSError:
                shutil.rmtree(self._part, ignore_errors=True)
                raise

    def write(self, topic: str, msgtype: str, stamp_ns: int, cdr: bytes | memoryview) -> None:
        """Appends one message.

        Args:
            topic: relative to the namespace, such as `camera/front/image_raw`.
            msgtype: such as `sensor_msgs/msg/Image`; a standard message type.
            stamp_ns: the header's stamp [ns], see `cdr.stamp_ns`; the time of arrival for messages without one.
            cdr: the serialised message.

        Raises:
            DataError: unknown message type or negative stamp, or the folder cannot be written.
        """
        if stamp_ns < 0:
            raise DataError(f"A message of {topic} has the negative stamp {stamp_ns}.")
        with writing(self.path):
            self._writer.write(self._connections.get(topic) or self._connect(topic, msgtype), stamp_ns, cdr)
            self._limit_loss()

    def flush(self) -> None:
        """Hands everything to the operating system: a kill loses nothing of it."""
        storage = self._writer.storage
        if not isinstance(storage, McapWriter):
            return
        with writing(self.path):
            if storage.chunk.bio.tell():
                storage.close_chunk()
            storage.bio.flush()
        self._chunk_opened = None

    def close(self, info: EpisodeInfo) -> Path:
        """Finishes the bag and puts it in its place: `finish` and `place`.

        Args:
            info: the final information, with the verdict; its id must be the one given at the start.

        Raises:
            DataError: another id, or it cannot be written; the recording then stays in the `.part` folder.
        """
        self.finish(info)
        return self.place()

    def finish(self, info: EpisodeInfo) -> Path:
        """Makes the recording a bag, which is on the disk when this returns, but still where nobody looks for one.

        Returns:
            The bag; `place` moves it.

        Raises:
            DataError: see `close`.
        """
        if info.id != self._header.info.id:
            raise DataError(f"Episode {self._header.info.id} cannot be closed as '{info.id}'.")
        header = dataclasses.replace(self._header, info=info, steps=self.steps)
        bag = self._part / self.path.name
        with writing(self.path):
            self._writer.set_custom_data(KEY, header.to_json())
            self._writer.close()
            for path in (*bag.iterdir(), bag):
                sync(path)
        return bag

    def place(self, suffix: str = "") -> Path:
        """Renames the finished bag to `<id>` and the suffix, and returns that path."""
        place = self.path.with_name(f"{self.path.name}{suffix}")
        with writing(place):
            (self._part / self.path.name).rename(place)
            sync(place.parent)
            shutil.rmtree(self._part)
        self._lock.close()
        return place

    def abandon(self) -> None:
        """Leaves the recording in the `.part` folder, for `repair`."""
        with suppress(OSError):  # the disk may be full
            self._writer.abort()
        self._lock.close()

    def discard(self) -> None:
        """Deletes the recording."""
        self.abandon()
        shutil.rmtree(self._part, ignore_errors=True)

    def __enter__(self) -> BagWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close(self._header.info)
        else:
            self.discard()

    def _connect(self, topic: str, msgtype: str) -> Connection:
        name = f"/{self._header.namespace}/{topic}" if self._header.namespace else f"/{topic}"
        if msgtype not in typestore().types:
            raise DataError(f"{topic} has the unknown message type '{msgtype}'.",
                            valid="Standard types in full, such as sensor_msgs/msg/Image.")
        qos = self._sensor if topic.startswith("camera/") else self._reliable
        self._connections[topic] = self._writer.add_connection(
            name, msgtype, typestore=typestore(), offered_qos_profiles=[qos])
        return self._connections[topic]

    def _limit_loss(self) -> None:
        """Hands messages to the operating system in small chunks; rosbags alone would keep up to 1 MiB to itself."""
        storage = self._writer.storage
        if not isinstance(storage, McapWriter):
            return
        now = time.monotonic()
        pending = storage.chunk.bio.tell()
        # There is nothing when rosbags has just written a large image by itself.
        if not pending or pending >= _CHUNK_BYTES or now - (self._chunk_opened or now) >= _CHUNK_S:
            self.flush()
        else:
            self._chunk_opened = self._chunk_opened or now


def write_episode(folder: Path, episode: Episode, contract: RobotContract) -> Path:
    """Writes an episode as the bag that a recorder would have made of it, and returns the bag.

    Reading it gives the same episode bit for bit, if its times are whole nanoseconds: `decode.seconds` of an integer,
    as all that came through ROS are; others are rounded. See `encode.episode_messages` for what is written.

    Raises:
        DataError: it does not fit the contract, is not finite, exists already, or cannot be written.
    """
    with BagWriter(folder, contract, episode.info) as writer:
        for topic, msgtype, stamp, message in episode_messages(episode, contract):
            writer.write(topic, msgtype, stamp, serialize(message, msgtype))
    return writer.path


def read_header(path: Path) -> BagHeader:
    """What the bag at `path` says about itself, without reading its messages.

    Raises:
        DataError: no bag, damaged, or not recorded by rewardbot.
    """
    with _open(path) as reader:
        return _header(reader, path)


def read_episode(
    path: Path, contract: RobotContract | None = None, task: str | None = None, *, pixels: bool = True
) -> Episode:
    """The episode in the bag at `path`.

    Args:
        path: the bag's folder.
        contract: the robot that will use it: the cameras to read, and the actions that must mean the same. The one it
            was recorded with, if None.
        task: the task that it must be of, if given.
        pixels: False: images are checked like all else, and left out, so that long episodes take no memory.

    Raises:
        DataError: no bag, cut off or damaged, of another task, without one of the cameras or with another image size, or
            with other actions.
        NotWhole: it has a hole or a value that is not finite.
    """
    with _open(path) as reader:
        header = _header(reader, path)
        recorded = header.contract
        if contract is not None:
            _check_fits(path, recorded, contract)
            recorded = dataclasses.replace(recorded, cameras=contract.cameras)
        if task is not None and header.info.task != task:
            raise DataError(f"{path} is of task '{header.info.task}'.", valid=f"Expected: '{task}'.",
                            next_step="Choose a folder that holds this task's episodes only.")
        prefix = f"/{header.namespace}/" if header.namespace else "/"
        wanted = bag_topics(recorded)
        connections = [c for c in reader.connections if wanted.get(c.topic.removeprefix(prefix)) == c.msgtype]
        assembler = EpisodeAssembler(recorded, max_bytes=sys.maxsize, pixels=pixels)  # the bag itself is limit enough
        episode = None
        # An empty selection would mean all topics to the reader.
        for connection, _, cdr in reader.messages(connections) if connections else ():
            try:
                message = deserialize(cdr, connection.msgtype)
            except DataError as error:
                raise DataError(f"{path} is damaged: {connection.topic}: {error.what}") from None
            episode = assembler.add(connection.topic.removeprefix(prefix), message) or episode
        assembler.flush()
    if episode is None:
        raise NotWhole(path, assembler.rejected[-1][1] if assembler.rejected else "it holds no episode")
    # The header's is what the recording was closed with: the operator's verdict may come after the end event.
    return dataclasses.replace(episode, info=header.info)


class RawBag:
    """An open bag: its header, and its messages as they were recorded. Made by `open_bag`."""

    def __init__(self, reader: Reader, path: Path) -> None:
        self._reader, self.header = reader, _header(reader, path)
        self._prefix = f"/{self.header.namespace}/" if self.header.namespace else "/"

    def messages(
        self, topics: Collection[str] | None = None, start: int | None = None, stop: int | None = None
    ) -> Iterator[tuple[str, str, int, bytes]]:
        """Topic relative to the namespace, message type, stamp [ns] and bytes of messages, by their stamps.

        Args:
            topics: relative ones; all if None.
            start, stop: only messages of a stamp in [start, stop) [ns].
        """
        wanted = [one for one in self._reader.connections if topics is None or one.topic.removeprefix(self._prefix) in topics]
        for connection, stamp, cdr in self._reader.messages(wanted, start, stop) if wanted else ():  # none would mean all of them
            yield connection.topic.removeprefix(self._prefix), connection.msgtype, stamp, bytes(cdr)


@contextmanager
def open_bag(path: Path) -> Generator[RawBag]:
    """The bag at `path`, for who reads parts of it: to open it takes longer than to read a little.

    Raises:
        DataError: no bag, damaged, or not recorded by rewardbot.
    """
    with _open(path) as reader:
        yield RawBag(reader, path)


def raw_messages(path: Path) -> Generator[tuple[str, str, int, bytes]]:
    """All messages in the bag at `path`, see `RawBag.messages`.

    Raises:
        DataError: no bag, damaged, or not recorded by rewardbot.
    """
    with open_bag(path) as bag:
        yield from bag.messages()


def list_episodes(folder: Path) -> list[Path]:
    """The finished bags in `folder`, by name, without those named `<id>.rejected` or `<id>.discarded`.

    Raises:
        DataError: the folder does not exist.
    """
    if not folder.is_dir():
        raise DataError(f"There is no folder {folder}.", next_step="Record episodes first, or check the path.")
    return sorted(path.parent for path in folder.glob("*/metadata.yaml") if "." not in path.parent.name)


def change_info(path: Path, info: EpisodeInfo) -> None:
    """Puts other information into a finished bag, such as a later verdict. A kill leaves the old one or the new one.

    Only metadata.yaml is written; the record in the MCAP file keeps what was known when it was closed.

    Raises:
        DataError: no bag of rewardbot, information with another id, or it cannot be written.
    """
    header = read_header(path)
    if info.id != header.info.id:
        raise DataError(f"{path} cannot become episode '{info.id}'.")
    file, new = path / "metadata.yaml", path / "metadata.yaml.new"
    if (same := matches(content := file.read_bytes())) is False:
        raise DataError(f"{file} does not match its checksum.", next_step=f"rewardbot bags repair {path}")
    about = yaml.safe_load(content)
    about["rosbag2_bagfile_information"]["custom_data"][KEY] = dataclasses.replace(header, info=info).to_json()
    with writing(path):
        try:
            changed = yaml.safe_dump(about, sort_keys=False).encode()
            new.write_bytes(changed if same is None else with_checksum(changed))  # an old bag has none in its MCAP file either
            sync(new)
            new.replace(file)
        finally:
            new.unlink(missing_ok=True)
        sync(path)


def reject(path: Path) -> Path:
    """Renames the bag `<id>` to `<id>.rejected`, which `list_episodes` leaves out, and returns that path."""
    return _renamed(path, ".rejected")


def discard(path: Path) -> Path:
    """As `reject`, for one that whoever recorded it does not want: `<id>.discarded`."""
    return _renamed(path, ".discarded")


def _check_fits(path: Path, recorded: RobotContract, contract: RobotContract) -> None:
    def sizes(cameras: dict[str, CameraContract]) -> str:
        return ", ".join(f"{name} {c.width}x{c.height}" for name, c in sorted(cameras.items())) or "(none)"

    for name, camera in contract.cameras.items():
        if recorded.cameras.get(name) != camera:
            what = "another image size of" if name in recorded.cameras else "no"
            raise DataError(f"{path} has {what} camera '{name}'.",
                            valid=f"It has: {sizes(recorded.cameras)}. Expected: {sizes(contract.cameras)}.",
                            next_step="Record again with this robot contract, or use the one of the recording.")
    for key in ("action_names", "action_scale", "control_hz", "base_frame"):
        if (theirs := getattr(recorded, key)) != (ours := getattr(contract, key)):
            raise DataError(f"{path} was recorded with {key} {theirs}.", valid=f"The robot contract says {ours}.",
                            next_step="An action would not mean the same. Use the contract of the recording.")


def _header(reader: Reader, path: Path) -> BagHeader:
    custom = reader.storage.metadata.custom or {}
    if KEY not in custom:
        raise DataError(f"{path} was not recorded by rewardbot.", next_step="Use bags from the 'demonstrations' folder of a run.")
    return BagHeader.from_json(custom[KEY], path)


@contextmanager
def _open(path: Path) -> Generator[Reader]:
    """Opens a bag; whatever goes wrong until it is closed is a DataError."""
    if not (path / "metadata.yaml").is_file():
        raise DataError(f"There is no episode bag {path}.", valid="A folder with metadata.yaml and an MCAP file.")
    reader: Any = None
    try:
        reader = Reader(path)
        reader.open()
        yield reader
    except DataError:
        raise
    except Exception as error:  # damaged bytes make the parser raise anything, from struct.error to KeyError
        raise DataError(f"{path} is cut off or damaged: {error or type(error).__name__}",
                        next_step=f"Restore it from a copy, or keep what can be read of it: rewardbot bags repair {path}") from error
    finally:
        if reader is not None and reader.is_open:
            reader.close()


@contextmanager
def writing(path: Path) -> Generator[None]:
    """Turns an OSError of the body into a DataError that names the episode at `path`, or DiskFull."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise DiskFull(f"Cannot write episode {path}: {error.strerror}.", valid="What was stored before is whole.",
                           next_step="Free some space, or record to another disk.") from error
        raise DataError(f"Cannot write episode {path}: {error.strerror or error}.") from error


def _renamed(path: Path, suffix: str) -> Path:
    place = path.with_name(f"{path.name}{suffix}")
    with writing(path):
        path.rename(place)
    return place


def _qos(reliability: QosReliability, depth: int) -> Qos:
    return Qos(QosHistory.KEEP_LAST, depth, reliability, QosDurability.VOLATILE, _FOREVER, _FOREVER,
               QosLiveliness.AUTOMATIC, _FOREVER, avoid_ros_namespace_conventions=False)
