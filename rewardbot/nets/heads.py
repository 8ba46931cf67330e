"""Heads on encoder features: multi-layer perceptrons, a batched ensemble of critics, and a squashed Gaussian policy."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LOG_STD_RANGE = (-5.0, 0.5)

EDGE = 1e-3
"""Width of the strip before either bound of a squashed action in which its density is not told apart."""


class Compress(nn.Sequential):
    """Image features to a small bounded latent: LayerNorm, linear, tanh. (N, F) -> (N, latent)."""

    def __init__(self, features: int, latent: int) -> None:
        super().__init__(nn.LayerNorm(features), nn.Linear(features, latent), nn.Tanh())


class EnsembleLinear(nn.Module):
    """E linear layers in one batched product: (E, N, inputs) -> (E, N, outputs)."""

    def __init__(self, members: int, inputs: int, outputs: int) -> None:
        super().__init__()
        bound = 1.0 / math.sqrt(inputs)
        self.weight = nn.Parameter(torch.empty(members, inputs, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(members, 1, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return torch.baddbmm(self.bias, x, self.weight)


class EnsembleCritic(nn.Module):
    """E critics Q_e(s, a) with LayerNorm (RLPD: Ball et al. 2023, section 4.2) on one shared image latent.

    Args:
        members: E.
        features: length of the image features.
        others: length of proprioception and action together.
        latent: length of the image latent.
        hidden: width of the two hidden layers.
    """

    def __init__(self, members: int, features: int, others: int, latent: int, hidden: int) -> None:
        super().__init__()
        self.members, self.hidden = members, hidden
        self.compress = Compress(features, latent)
        self.first = EnsembleLinear(members, latent + others, hidden)
        self.second = EnsembleLinear(members, hidden, hidden)
        self.last = EnsembleLinear(members, hidden, 1)
        self.scale = nn.ParameterList([nn.Parameter(torch.ones(members, 1, hidden)) for _ in range(2)])
        self.shift = nn.ParameterList([nn.Parameter(torch.zeros(members, 1, hidden)) for _ in range(2)])

    def forward(self, features: Tensor, proprio: Tensor, actions: Tensor) -> Tensor:
        """(N, F), (N, P), (N, A) -> (E, N)."""
        x = torch.cat([self.compress(features), proprio, actions], dim=-1)
        x = x.unsqueeze(0).expand(self.members, -1, -1)
        for layer, scale, shift in zip((self.first, self.second), self.scale, self.shift, strict=True):
            x = F.relu(torch.addcmul(shift, F.layer_norm(layer(x), (self.hidden,)), scale))
        return self.last(x).squeeze(-1)


class SquashedGaussianPolicy(nn.Module):
    """a = tanh(mu + sigma eps) on an image latent and proprioception (SAC: Haarnoja et al. 2018, appendix C).

    Proprioception is standardised with the demonstrations' mean and spread, which are saved with the weights.
    """

    def __init__(self, features: int, proprio: int, actions: int, latent: int, hidden: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.compress = Compress(features, latent)
        self.body = nn.Sequential(
            nn.Linear(latent + proprio, hidden), nn.ReLU(inplace=True), nn.Dropout(dropout),
            nn.Linear(hidden, hidden), nn.ReLU(inplace=True),
        )
        self.mean = nn.Linear(hidden, actions)
        self.log_std = nn.Linear(hidden, actions)
        self._set_log_std(-1.2)
        self.register_buffer("proprio_mean", torch.zeros(proprio))
        self.register_buffer("proprio_std", torch.ones(proprio))

    def forget(self) -> None:
        """Back to an untrained policy that acts about zero and explores widely; keeps the scale of proprioception."""
        for module in self.modules():
            if isinstance(module, (nn.Linear, nn.LayerNorm)):
                module.reset_parameters()
        nn.init.uniform_(self.mean.weight, -0.01, 0.01)
        self._set_log_std(-0.5)

    def _set_log_std(self, value: float) -> None:
        nn.init.zeros_(self.log_std.weight)
        nn.init.constant_(self.log_std.bias, value)

    def set_scale(self, proprio: Tensor) -> None:
        """Standardises with the mean and spread of `proprio` (N, P)."""
        self.proprio_mean.copy_(proprio.mean(0))  # type: ignore[operator]
        self.proprio_std.copy_(proprio.std(0) + 1e-3)  # type: ignore[operator]

    def normalise(self, proprio: Tensor) -> Tensor:
        """Standardised proprioception, (N, P)."""
        return (proprio - self.proprio_mean) / self.proprio_std  # type: ignore[operator]

    def forward(self, features: Tensor, proprio: Tensor) -> tuple[Tensor, Tensor]:
        """(N, F), (N, P) raw -> mean and log standard deviation before the tanh, each (N, A)."""
        x = self.body(torch.cat([self.compress(features), self.normalise(proprio)], dim=-1))
        low, high = LOG_STD_RANGE
        return self.mean(x), self.log_std(x).clamp(low, high)

    def mode(self, features: Tensor, proprio: Tensor) -> Tensor:
        """The most likely action, (N, A)."""
        return torch.tanh(self(features, proprio)[0])

    def sample(self, features: Tensor, proprio: Tensor) -> tuple[Tensor, Tensor]:
        """Reparameterised actions (N, A) and their log-probabilities (N,)."""
        return sample_squashed(*self(features, proprio))


def sample_squashed(mean: Tensor, log_std: Tensor) -> tuple[Tensor, Tensor]:
    """a = tanh(mu + sigma eps), reparameterised, (N, A), and log pi(a), (N,) (SAC: Haarnoja et al. 2018, appendix C)."""
    noise = torch.randn_like(mean)
    before = mean + log_std.exp() * noise
    log_prob = -0.5 * noise.square() - log_std - 0.5 * math.log(2.0 * math.pi)
    # log(1 - tanh(u)^2), stable for large |u|.
    log_det = 2.0 * (math.log(2.0) - before - F.softplus(-2.0 * before))
    return torch.tanh(before), (log_prob - log_det).sum(-1)


def log_prob_squashed(mean: Tensor, log_std: Tensor, action: Tensor) -> Tensor:
    """log pi of given actions (N, A) of the policy a = tanh(mu + sigma eps), (N,).

    Float32's tanh is 1 for much that differs before it, and experts go to the bounds. Within `EDGE` of a bound the density is
    therefore its mean there, P(a beyond 1 - EDGE) / EDGE: finite for every action, and its integral over [-1, 1] stays 1.
    """
    inside = action.clamp(EDGE - 1.0, 1.0 - EDGE)
    before = torch.atanh(inside)
    z = (before - mean) / log_std.exp()
    density = -0.5 * z.square() - log_std - 0.5 * math.log(2.0 * math.pi) - torch.log1p(-inside.square())
    strip = torch.special.log_ndtr(-z * before.sign()) - math.log(EDGE)
    return torch.where(action.abs() < 1.0 - EDGE, density, strip).sum(-1)


def mlp(inputs: int, hidden: int, outputs: int, *, norm: bool = False) -> nn.Sequential:
    """Two hidden layers with ReLU, after LayerNorm if there is a `norm`. (N, inputs) -> (N, outputs)."""
    layers: list[nn.Module] = []
    for before in (inputs, hidden):
        layers += [nn.Linear(before, hidden), *([nn.LayerNorm(hidden)] if norm else []), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, nn.Linear(hidden, outputs))
