"""Updates per second: soft actor-critic beside Stable-Baselines3, cached image features beside an encoder trained end to end, and
a loop over critics beside a batched ensemble.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from rewardbot.bench._end_to_end import cached_and_end_to_end
from rewardbot.bench._stable_baselines import stable_baselines
from rewardbot.data.transitions import TransitionReplay
from rewardbot.nets.heads import EnsembleLinear
from rewardbot.policies.sac import SAC, SACConfig, StateCritics
from rewardbot.training.bench import BenchOptions, BenchResult, Cell, Report, Target
from rewardbot.training.graphed import on_device

STATES, ACTIONS, TRANSITIONS = 17, 6, 10_000
"""Those of the benchmark task HalfCheetah."""

ENSEMBLES = ((2, 256, 256), (4, 128, 128), (10, 256, 256))
"""Critics, hidden width and batch: SAC's, our RLPD's, and RLPD's as published."""

Burst = Callable[[int], None]
"""Does so many updates."""


@dataclass(frozen=True)
class Windows:
    """How long to measure: `count` windows of `updates` each, for either side in turn."""

    count: int
    updates: int


def run(options: BenchOptions, report: Report) -> BenchResult:
    """All of it on one thread of the processor, and what a GPU is good for there too, if there is one."""
    torch.set_num_threads(1)
    seed = (options.seeds or (0,))[0]
    state, action, reward, after = _random_transitions(seed)
    baseline = stable_baselines(state, action, reward, after, seed)
    windows = Windows(3, 3) if options.quick else Windows(50, 30)
    images = Windows(3, 1) if options.quick else Windows(15, 2)
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    rows: list[dict[str, Cell]] = []

    def compare(
        what: str, sizes: str, device: str, ours: tuple[str, Burst], other: tuple[str, Burst], windows: Windows
    ) -> float:
        report(len(rows) / (len(devices) * (2 + len(ENSEMBLES))), f"{what}: {sizes}, {device}")
        rates = interleaved(ours[1], other[1], windows, device)
        ratio = rates[0] / rates[1]
        rows.append({"what": what, "sizes": sizes, "device": device, "first": ours[0], "second": other[0],
                     "first updates/s": rates[0], "second updates/s": rates[1], "ratio": ratio})
        return ratio

    sac: dict[str, float] = {}
    features: dict[str, float] = {}
    for device in devices:
        ours = _our_sac(state, action, reward, after, device, seed)
        sac[device] = compare("SAC", "2 critics 256x256, batch 256", device, ("rewardbot", ours),
                              ("Stable-Baselines3", baseline(device)), windows)
        cached, trained = cached_and_end_to_end(device, seed)
        features[device] = compare("RLPD", "2 cameras 64x64, batch 128", device, ("cached features", cached),
                                   ("encoder end to end", trained), images)
        for members, hidden, batch in ENSEMBLES:
            loop, batched = _critics(members, hidden, batch, device)
            compare("critics", f"{members} of {hidden}x{hidden}, batch {batch}", device, ("loop", loop), ("batched", batched),
                    windows)
    on_gpu = "SAC beside Stable-Baselines3, GPU" + ("" if "cuda" in sac else " (no GPU here)")
    return BenchResult((seed,), rows, (
        Target.at_least("SAC beside Stable-Baselines3, CPU", sac["cpu"], 1.3),
        Target.at_least(on_gpu, sac.get("cuda"), 5.0),
        Target.at_least("cached features beside an encoder end to end", features["cpu"], 8.0),
    ))


def interleaved(first: Burst, second: Burst, windows: Windows, device: str) -> tuple[float, float]:
    """Median updates/s of either. Their windows take turns, so that whatever else the machine does slows both."""
    rates: tuple[list[float], list[float]] = ([], [])
    for window in range(-1, windows.count):  # the first one warms up
        for burst, found in zip((first, second), rates, strict=True):
            started = time.perf_counter()
            burst(windows.updates)
            if device == "cuda":
                torch.cuda.synchronize()
            if window >= 0:
                found.append(windows.updates / (time.perf_counter() - started))
    return median(rates[0]), median(rates[1])


def _random_transitions(seed: int) -> tuple[np.ndarray, ...]:
    draw = np.random.default_rng(seed)
    state, after = (draw.normal(size=(TRANSITIONS, STATES)).astype(np.float32) for _ in range(2))
    action = draw.uniform(-1, 1, (TRANSITIONS, ACTIONS)).astype(np.float32)
    return state, action, draw.normal(size=TRANSITIONS).astype(np.float32), after


def _our_sac(
    state: np.ndarray, action: np.ndarray, reward: np.ndarray, after: np.ndarray, device: str, seed: int
) -> Burst:
    agent = SAC(SACConfig(), STATES, ACTIONS, device=device, seed=seed)
    replay = TransitionReplay(TRANSITIONS, STATES, ACTIONS, device=device, seed=seed)
    for row in zip(state, action, reward, after, strict=True):
        replay.add(row[0], row[1], float(row[2]), row[3], terminated=False)

    update = on_device(lambda: agent.update(replay.sample(agent.config.batch)), device, [replay.generator])

    def burst(updates: int) -> None:
        for _ in range(updates):
            update()

    return burst


class _BatchedCritics(nn.Module):
    """`StateCritics` with one batched matrix product per layer."""

    def __init__(self, members: int, inputs: int, hidden: int) -> None:
        super().__init__()
        self.members = members
        sizes = ((inputs, hidden), (hidden, hidden), (hidden, 1))
        self.layers = nn.ModuleList(EnsembleLinear(members, *size) for size in sizes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, inputs) -> (E, N)."""
        first, second, last = self.layers
        return last(F.relu_(second(F.relu_(first(x.expand(self.members, -1, -1)))))).squeeze(-1)


def _critics(members: int, hidden: int, batch: int, device: str) -> tuple[Burst, Burst]:
    """Forward and backward pass of a loop over critics, and of a batched ensemble of the same sizes."""
    x = torch.randn(batch, STATES + ACTIONS, device=device)

    def passes(critics: nn.Module) -> Burst:
        def burst(updates: int) -> None:
            for _ in range(updates):
                critics.zero_grad()
                critics(x).square().mean().backward()

        return burst

    kinds = (StateCritics(members, STATES + ACTIONS, hidden), _BatchedCritics(members, STATES + ACTIONS, hidden))
    loop, batched = (passes(kind.to(device)) for kind in kinds)
    return loop, batched
