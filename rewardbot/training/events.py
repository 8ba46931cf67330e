"""TensorBoard's file of scalars. Its packages are half of what the command line would otherwise load: imported where a run begins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, BinaryIO

from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.summary.writer.record_writer import RecordWriter

# Generated modules, whose names no type checker knows.
_Event: Any = event_pb2.Event  # pyright: ignore[reportAttributeAccessIssue]
_Value: Any = summary_pb2.Summary.Value  # pyright: ignore[reportAttributeAccessIssue]


class EventFile:
    """Scalars, appended to a file that stays the caller's, who flushes and closes it.

    Args:
        file: open for appending.
        started: when the run began [s].
    """

    def __init__(self, file: BinaryIO, started: float) -> None:
        self._records = RecordWriter(file)
        self._records.write(_Event(wall_time=started, file_version="brain.Event:2").SerializeToString())

    def add(self, metrics: Mapping[str, float], step: int, at: float) -> None:
        """Appends name -> value, in step `step` at time `at` [s]."""
        event = _Event(wall_time=at, step=step)
        for name, value in metrics.items():
            event.summary.value.append(_Value(tag=name, simple_value=value))
        self._records.write(event.SerializeToString())
