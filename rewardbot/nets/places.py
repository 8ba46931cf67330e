"""Where a thing is that moves by itself, as a camera sees it that stands still: three numbers instead of a picture's many features.

A thing is known by its colours, of which nobody says what they are: `training/seeing.py` finds them in play, and learns the rest.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from rewardbot.nets.encoders import Encoder

LEVELS = 16
"""Of each of red, green and blue, that are told apart."""

UNIT_M = 0.1
"""Places are in decimetres, so that they are of about the size that networks expect."""

THIN_PX = 3
MOMENTS = 9
EDGES = 0.06
"""Share of a thing's pixels that lie beyond either of its edges."""

SPREADS_M = (0.003, 0.3)
"""Between which a predicted spread lies [m]."""

REACH = 0.2
"""How far the place in the picture may be corrected, of half a picture."""


def colours(images: Tensor) -> Tensor:
    """Which colour each pixel has: (N, 3, H, W) in [0, 255] to int64 (N, H, W) below `LEVELS`^3."""
    red, green, blue = (images.long() * LEVELS // 256).unbind(1)
    return (red * LEVELS + green) * LEVELS + blue


def opened(weights: Tensor) -> Tensor:
    """The weights of pixels (N, H, W) without what is thinner than `THIN_PX`: fingers and edges of an arm that happen to have a
    thing's colours.
    """
    def largest(values: Tensor) -> Tensor:
        return functional.max_pool2d(values, THIN_PX, stride=1, padding=THIN_PX // 2)

    return torch.minimum(weights, largest(-largest(-weights[:, None]))[:, 0])


def moments(weights: Tensor) -> Tensor:
    """Size and place of what is seen, (N, H, W) weights of pixels to (N, `MOMENTS`): logarithm of its size, centre x and y, edges
    left, right, top and bottom, and how much of it lies at the picture's sides, and at its top and bottom. Positions are in [-1, 1].
    """
    _, height, width = weights.shape
    mass = weights.sum((1, 2)) + 1e-3
    found, at_border = [torch.log(mass / (height * width) * 80.0 + 0.02)], []
    centres, edges = [], []
    for along, size in ((weights.sum(1), width), (weights.sum(2), height)):
        share = along / mass[:, None]
        positions = torch.linspace(-1.0, 1.0, size, device=weights.device)
        below = share.cumsum(1)
        centres.append(share @ positions)
        edges += [positions[(below < level).sum(1).clamp(max=size - 1)] for level in (EDGES, 1.0 - EDGES)]
        at_border.append(share[:, 0] + share[:, -1])
    return torch.stack([*found, *centres, *edges, *at_border], dim=1)


def sideways(moments: Tensor) -> Tensor:
    """What stays when a thing moves sideways: size, height, edges about the centre and shares at the borders, (N, 8). A correction
    that knows no more holds where the thing has never been, too.
    """
    centre_x, centre_y = moments[:, 1:2], moments[:, 2:3]
    return torch.cat([moments[:, :1], centre_y, 4.0 * (moments[:, 3:5] - centre_x), 4.0 * (moments[:, 5:7] - centre_y),
                      moments[:, 7:]], dim=1)


class Sight(nn.Module):
    """One still camera: the pixels of the thing's colours, their moments, and from these a place on the table and how sure it is.

    The way from the picture to the table is a homography. Before it a small network moves the centre, which a hand in front of the
    thing shifts. After it `zero` is taken away, so that the thing is where the hand would be in its middle.
    What is smaller than `least` is not seen.

    Args:
        hidden: width of the network's two layers.
    """

    def __init__(self, hidden: int = 32) -> None:
        super().__init__()
        self.register_buffer("table", torch.zeros(LEVELS**3))
        self.onto = nn.Parameter(torch.zeros(2, 3))
        self.tilt = nn.Parameter(torch.zeros(2))
        self.register_buffer("zero", torch.zeros(2))
        self.register_buffer("least", torch.full((), -10.0))
        self.correction = nn.Sequential(nn.Linear(8, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 3))
        last = self.correction[-1]
        nn.init.normal_(last.weight, std=0.01)  # type: ignore[arg-type]
        nn.init.zeros_(last.bias)  # type: ignore[arg-type]

    def moments(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 255] to (N, `MOMENTS`)."""
        return moments(opened(self.table[colours(images)]))  # type: ignore[index]

    def place(self, moments: Tensor) -> Tensor:
        """Moments (N, `MOMENTS`) to (N, 3): x and y [UNIT_M], and the logarithm of their spread [UNIT_M]."""
        found = self.correction(sideways(moments))
        point = moments[:, 1:3] + REACH * torch.tanh(found[:, :2])
        upper = torch.cat([point, torch.ones_like(point[:, :1])], dim=1) @ self.onto.T
        lower = (1.0 + (point * self.tilt).sum(1, keepdim=True)).clamp(min=0.3)
        low, high = (math.log(spread / UNIT_M) for spread in SPREADS_M)
        spread = low + (high - low) * torch.sigmoid(found[:, 2:])
        spread = torch.where(moments[:, :1] < self.least, high, spread)  # type: ignore[operator]
        return torch.cat([upper / lower - self.zero, spread], dim=1)  # type: ignore[operator]

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 255] to (N, 3), see `place`."""
        return self.place(self.moments(images))


class PlaceEncoder(Encoder):
    """An encoder whose features are the place, and the logarithm of its spread, that one camera sees.

    Args:
        camera: its name.
    """

    def __init__(self, camera: str) -> None:
        nn.Module.__init__(self)  # it has none of the convolutions
        self.names, self.features = (camera,), 3
        self.sights = nn.ModuleDict({camera: Sight()})

    @property
    def sight(self) -> Sight:
        """Of the camera."""
        return self.sights[self.names[0]]  # type: ignore[return-value]

    def forward(self, images: dict[str, Tensor]) -> Tensor:
        """Camera name -> (N, 3, H, W) in [0, 255]; returns float32 (N, 3)."""
        return self.sight(images[self.names[0]])


def camera_of(tensors: Mapping[str, object], prefix: str = "") -> str | None:
    """The camera of the `PlaceEncoder` whose tensors' names begin with `prefix`; None if they are of another encoder."""
    start = f"{prefix}sights."
    return next((name[len(start) :].split(".")[0] for name in tensors if name.startswith(start)), None)
