"""An update as one CUDA graph: recorded once, then launched with a single call instead of hundreds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from rewardbot.nets import parallel

Update = Callable[[], dict[str, Tensor]]
"""Does one update whose shapes never change, and returns metrics as tensors. It never waits for the device."""

WARM_UP = 3
"""Updates before recording, which make the optimisers' state and the libraries' workspaces."""


def on_device(update: Update, device: torch.device | str, generators: Sequence[torch.Generator] = ()) -> Update:
    """`update` as a graph on a GPU, and as it is on a processor or among several processes.

    Making the graph does `WARM_UP` updates. What is recorded reads and writes the same memory each time: tensors that change
    between updates must be changed in place, and whatever Python does in `update` happens while recording only.

    Args:
        update: see `Update`.
        device: where it runs.
        generators: random generators that it draws from, beside torch's own.
    """
    if torch.device(device).type != "cuda" or parallel.processes() > 1:
        return update
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARM_UP):
            update()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    for generator in generators:
        graph.register_generator_state(generator)
    with torch.cuda.graph(graph):
        metrics = update()

    def replay() -> dict[str, Tensor]:
        graph.replay()
        return metrics

    return replay
