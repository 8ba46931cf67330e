"""Compressed images are read like the others: PNG bit for bit, JPEG nearly."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rewardbot.data import cdr, compression, decode
from rewardbot.data.compression import Compression, Compressor, compress
from rewardbot.errors import DataError
from rewardbot.robots.robot import CameraContract

CAMERA = CameraContract(20, 12)
IMAGE = "sensor_msgs/msg/Image"


def message(pixels: NDArray[np.uint8], encoding: str = "rgb8") -> bytes:
    types = cdr.typestore().types
    stamp = types["builtin_interfaces/msg/Time"](sec=3, nanosec=7)
    header = types["std_msgs/msg/Header"](stamp=stamp, frame_id="front_optical_frame")
    height, width, channels = pixels.shape
    return bytes(cdr.serialize(types[IMAGE](header=header, height=height, width=width, encoding=encoding, is_bigendian=0,
                                            step=width * channels, data=pixels.reshape(-1)), IMAGE))


def packed(image: bytes, kind: Compression = "png", quality: int = 90) -> Any:
    return cdr.deserialize(compress(image, CAMERA, kind, quality), decode.COMPRESSED_IMAGE)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_png_gives_the_same_pixels_back(seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (12, 20, 3), np.uint8)
    found = packed(message(pixels))
    assert found.format.startswith("rgb8; png compressed") and found.header.frame_id == "front_optical_frame"
    assert decode.stamp_ns(found) == 3_000_000_007 == cdr.stamp_ns(compress(message(pixels), CAMERA, "png"))
    np.testing.assert_array_equal(decode.image(found, CAMERA), pixels)
    bgr = packed(message(np.ascontiguousarray(pixels[:, :, ::-1]), "bgr8"))
    np.testing.assert_array_equal(decode.image(bgr, CAMERA), pixels)


def test_jpeg_is_nearly_the_same_and_the_better_the_larger() -> None:
    row, column = np.mgrid[:12, :20]
    pixels = np.stack([row * 20, column * 12, row * 0 + 40], axis=-1).astype(np.uint8)  # red is not blue
    fine, coarse = packed(message(pixels), "jpeg", 95), packed(message(pixels), "jpeg", 20)
    assert len(fine.data) > len(coarse.data) and fine.format.startswith("rgb8; jpeg compressed")
    assert np.abs(decode.image(fine, CAMERA).astype(int) - pixels).max() <= 16


def test_what_does_not_fit_is_refused_with_both_sizes() -> None:
    wrong = message(np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(DataError, match="The image is 8x8") as caught:
        compress(wrong, CAMERA, "png")
    assert "20x12" in str(caught.value)
    with pytest.raises(DataError, match="The image is 20x12") as caught:
        decode.image(packed(message(np.zeros((12, 20, 3), np.uint8))), CameraContract(8, 8))
    assert "8x8" in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"no image", b"\x89PNG\r\n\x1a\n and no more"])
def test_bytes_that_are_no_image(data: bytes) -> None:
    with pytest.raises(DataError, match="cannot be decompressed"):
        decode.image(SimpleNamespace(format="rgb8; png compressed", data=data), CAMERA)


def test_what_cannot_be_taken_at_once_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()
    monkeypatch.setattr(compression, "compress", lambda image, *_: gate.wait(10) and image)
    compressor = Compressor("png", workers=1)
    taken = [compressor.submit(bytes([k]), CAMERA) for k in range(compression.WAITING_PER_WORKER)]
    assert None not in taken and compressor.submit(b"more", CAMERA) is None
    gate.set()
    assert [future.result() for future in taken if future] == [bytes([k]) for k in range(len(taken))]
    again = compressor.submit(b"again", CAMERA)
    assert again is not None and again.result() == b"again"
    compressor.close()
