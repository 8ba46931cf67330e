"""Standard ROS messages <-> CDR, the bytes that travel and that bags hold, by `rosbags` and without ROS."""

from __future__ import annotations

import struct
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from rosbags.serde import SerdeError
from rosbags.typesys import Stores, get_typestore

from rewardbot.errors import DataError

if TYPE_CHECKING:
    from rosbags.typesys.store import Typestore

_NS_PER_S = 1_000_000_000


@cache
def typestore() -> Typestore:
    """The standard message types, of ROS 2 Kilted where `rosbags` has them."""
    return get_typestore(Stores.__members__.get("ROS2_KILTED", Stores.LATEST))


def serialize(message: Any, msgtype: str) -> memoryview:
    """The bytes of a message, with the header that names their order."""
    return typestore().serialize_cdr(message, msgtype)


def deserialize(cdr: bytes | memoryview, msgtype: str) -> Any:
    """The message in `cdr`; its arrays are views of these bytes.

    Raises:
        DataError: unknown message type, or the bytes are not such a message.
    """
    data = memoryview(cdr)
    if msgtype not in typestore().types or data[:2] not in (b"\x00\x00", b"\x00\x01"):
        raise DataError(f"{len(data)} bytes are not a serialised {msgtype}.")
    definition = typestore().get_msgdef(msgtype)
    parse = definition.deserialize_cdr_le if data[1] else definition.deserialize_cdr_be
    try:
        # Not `Typestore.deserialize_cdr`: it refuses bytes behind the message, and Fast DDS, which counts the alignment
        # of empty sequences, puts some there (every JointState without effort has 8).
        return parse(data[4:], 0, definition.cls, typestore())[0]
    except (SerdeError, ValueError, IndexError, struct.error) as error:
        raise DataError(f"{len(data)} bytes are not a serialised {msgtype}: {error}") from None


def stamp_ns(cdr: bytes | memoryview) -> int:
    """The header's stamp [ns] of a serialised message that begins with a std_msgs/Header; decodes nothing else.

    Raises:
        DataError: shorter than a header.
    """
    if len(cdr) < 12:
        raise DataError(f"A serialised message of {len(cdr)} bytes holds no header.")
    order: Literal["little", "big"] = "little" if cdr[1] & 1 else "big"
    return int.from_bytes(cdr[4:8], order, signed=True) * _NS_PER_S + int.from_bytes(cdr[8:12], order)
