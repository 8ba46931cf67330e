"""Image encoders. Small enough to train from a few demonstrations on a laptop's processor."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from rewardbot.nets.weights import load_into

WIDTH = 32


class SpatialSoftmax(nn.Module):
    """Where each feature channel is, as an expected image position, and how strongly it is there.

    For a map a of channel c: p = softmax_{ij}(beta a_{ij}); returns (sum p x, sum p y) in [-1, 1] and sum p a, a soft maximum.
    Positions: Levine et al. 2016, End-to-End Training of Deep Visuomotor Policies, section 5.1.
    """

    def __init__(self, channels: int, height: int, width: int) -> None:
        super().__init__()
        self.log_beta = nn.Parameter(torch.zeros(channels, 1))
        ys, xs = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
        self.register_buffer("grid", torch.stack([xs.flatten(), ys.flatten()], dim=1), persistent=False)

    def forward(self, maps: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, 3 C): x and y of each channel, then its strength."""
        with torch.autocast(maps.device.type, enabled=False):  # the eight bits of bfloat16 are too few for a position
            flat = maps.float().flatten(2)
            weights = torch.softmax(flat * self.log_beta.exp(), dim=-1)
            positions = weights @ self.grid  # type: ignore[operator]
            return torch.cat([positions.flatten(1), (weights * flat).sum(-1)], dim=-1)


class CameraEncoder(nn.Module):
    """One camera's convolutions (strides 2, 2, 1) and their spatial softmax.

    Args:
        height, width: image size [px].
        channels: of the last two convolutions; the first has three quarters of them.
    """

    def __init__(self, height: int, width: int, channels: int = WIDTH) -> None:
        super().__init__()
        a, b, c = 3 * channels // 4, channels, channels
        self.convolutions = nn.Sequential(
            nn.Conv2d(3, a, 5, stride=2, padding=2), nn.ReLU(inplace=True),
            nn.Conv2d(a, b, 3, stride=2, padding=1), nn.ReLU(inplace=True),
            nn.Conv2d(b, c, 3, stride=1, padding=1),
        )
        self.points = SpatialSoftmax(c, (height + 3) // 4, (width + 3) // 4)
        self.features = 3 * c

    def forward(self, images: Tensor) -> Tensor:
        """uint8 or float (N, 3, H, W) in [0, 255] -> (N, features)."""
        return self.points(self.convolutions(images.float() / 127.5 - 1.0))


class Encoder(nn.Module):
    """All cameras, concatenated in the order of their names.

    Args:
        cameras: camera name -> (height, width) [px].
        channels: see `CameraEncoder`.
    """

    def __init__(self, cameras: dict[str, tuple[int, int]], channels: int = WIDTH) -> None:
        super().__init__()
        self.names = tuple(sorted(cameras))
        self.cameras = nn.ModuleDict({name: CameraEncoder(*cameras[name], channels) for name in self.names})
        self.features = sum(int(camera.features) for camera in self.cameras.values())  # type: ignore[arg-type]

    def forward(self, images: dict[str, Tensor]) -> Tensor:
        """Camera name -> (N, 3, H, W) in [0, 255]; returns float32 (N, features)."""
        return torch.cat([self.cameras[name](images[name]) for name in self.names], dim=-1)


def stored_encoder(cameras: dict[str, tuple[int, int]], tensors: Mapping[str, Tensor], prefix: str) -> Encoder:
    """The encoder whose tensors are named `<prefix>.*`.

    Raises:
        DataError: they are of other cameras.
    """
    last = tensors.get(f"{prefix}.cameras.{min(cameras, default='')}.convolutions.4.bias")
    from rewardbot.nets.places import PlaceEncoder, camera_of  # which is made of ours

    camera = camera_of(tensors, f"{prefix}.")
    encoder = Encoder(cameras, WIDTH if last is None else len(last)) if camera is None else PlaceEncoder(camera)
    load_into(encoder, tensors, prefix)
    return encoder


def to_tensors(images: Mapping[str, NDArray[np.uint8]], *, device: torch.device | str = "cpu") -> dict[str, Tensor]:
    """Camera images as an encoder takes them, normalised nowhere but inside it, in training as in deployment.

    Args:
        images: camera name -> uint8 (N, H, W, 3), or one image (H, W, 3).

    Returns:
        Camera name -> uint8 (N, 3, H, W).
    """
    batched = {name: image if image.ndim == 4 else image[None] for name, image in images.items()}
    return {name: torch.from_numpy(image).to(device).permute(0, 3, 1, 2) for name, image in batched.items()}


def random_shift(images: Tensor, pixels: int, generator: torch.Generator | None = None) -> Tensor:
    """Moves each image by up to `pixels` in x and y, repeating the border (DrQ: Kostrikov et al. 2020).

    Args:
        images: float (N, C, H, W).
    """
    if pixels == 0:
        return images
    n, _, height, width = images.shape
    padded = F.pad(images, (pixels,) * 4, mode="replicate")
    offset = torch.randint(0, 2 * pixels + 1, (2, n), generator=generator, device=images.device)
    rows = offset[0, :, None] + torch.arange(height, device=images.device)
    columns = offset[1, :, None] + torch.arange(width, device=images.device)
    sample = torch.arange(n, device=images.device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[sample, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
