"""Which start state an episode begins from: the same states for a run over ROS, a run in one process, and an evaluation later."""

from __future__ import annotations

STREAMS = 3
"""Demonstrations, learning and evaluation of seed s start from the streams 3 s, 3 s + 1 and 3 s + 2."""

STRIDE = 1_000_003


def start_seed(stream: int, episode: int) -> int:
    """The seed of the start state of an episode in a stream of start states; streams do not meet below a million episodes."""
    return stream * STRIDE + episode
