"""A table with one thing on it that a hand pushes about, seen by a camera that stands still and by one at the hand. No simulator."""

from __future__ import annotations

import numpy as np

from rewardbot.robots.play import RandomPlay
from rewardbot.robots.robot import CameraContract, RobotContract
from rewardbot.types import Episode, EpisodeInfo, Source

SIZE = 40
CONTRACT = RobotContract(cameras={name: CameraContract(SIZE, SIZE) for name in ("front", "wrist")})
LOW, HIGH = (np.array(corner) for corner in (CONTRACT.limits.workspace_low, CONTRACT.limits.workspace_high))
RADIUS, TALL = 0.045, 0.05
"""Of the thing [m]; the hand pushes it where it is no higher than that."""

THING, HAND = (230, 40, 200), (20, 20, 20)


def pushed(thing: np.ndarray, tool: np.ndarray) -> np.ndarray:
    """Where the thing is when the tool (3,) is where it would be, (2,) [m]."""
    away = thing - tool[:2]
    apart = float(np.linalg.norm(away))
    if tool[2] > TALL or apart >= RADIUS:
        return thing
    return np.clip(tool[:2] + away / max(apart, 1e-6) * RADIUS, LOW[:2], HIGH[:2])


def picture(thing: np.ndarray, tool: np.ndarray, camera: str) -> np.ndarray:
    """uint8 (SIZE, SIZE, 3). The camera at the hand sees the more the higher it is; the other one sees the hand before the thing."""
    across, down = np.meshgrid(np.linspace(-1.0, 1.0, SIZE), np.linspace(-1.0, 1.0, SIZE))
    image = np.full((SIZE, SIZE, 3), (120, 125, 130), np.uint8)
    middle, half = (0.5 * (LOW + HIGH)[:2], 0.35) if camera == "front" else (tool[:2], 0.18 + tool[2])
    at = middle + half * np.stack([down, across], axis=-1)  # of each pixel on the table
    if camera == "front":
        image[np.abs(at[..., 0]) < 0.4] = (140, 135, 120)  # a stripe that stays
    image[np.linalg.norm(at - thing, axis=-1) < RADIUS] = THING
    if camera == "front":
        image[np.abs(at - tool[:2]).max(-1) < 0.02] = HAND
    return image


def play(number: int, steps: int = 40) -> tuple[Episode, np.ndarray]:
    """An episode of play, and where the thing truly was, (steps + 1, 2) [m]."""
    player, draw = RandomPlay(CONTRACT), np.random.default_rng(number)
    player.begin_episode(number)
    thing = draw.uniform(LOW[:2] + 0.05, HIGH[:2] - 0.05)
    tools, things, actions = [draw.uniform(LOW, LOW + (HIGH - LOW) * (1.0, 1.0, 0.3))], [thing], []
    for _ in range(steps):
        actions.append(player.act(tools[-1]))
        tools.append(np.clip(tools[-1] + CONTRACT.action_scale * actions[-1][:3], LOW, HIGH))
        for share in (0.25, 0.5, 0.75, 1.0):
            thing = pushed(thing, tools[-2] + share * (tools[-1] - tools[-2]))
        things.append(thing)
    return episode(f"play-{number}", number, np.stack(tools), np.stack(things), np.stack(actions), "play"), np.stack(things)


def episode(
    name: str, seed: int, tools: np.ndarray, things: np.ndarray, actions: np.ndarray, source: Source
) -> Episode:
    """Of tool places (T + 1, 3), the thing's (T + 1, 2) and actions (T, 4)."""
    images = {camera: np.stack([picture(thing, tool, camera) for thing, tool in zip(things, tools, strict=True)])
              for camera in CONTRACT.cameras}
    proprio = np.concatenate([tools, np.ones((len(tools), 1))], axis=1).astype(np.float32)
    return Episode(info=EpisodeInfo(name, "toy", CONTRACT.name, source, seed=seed), stamps=np.arange(len(tools)) / 10.0,
                   images=images, proprio=proprio, actions=actions, applied=actions)


def success(count: int, goal: tuple[float, float], spread: float = 0.005) -> dict[str, np.ndarray]:
    """Pictures of the thing about the goal, the hand somewhere, camera name -> uint8 (count, SIZE, SIZE, 3)."""
    draw = np.random.default_rng(1)
    moments = [(draw.normal(goal, spread), draw.uniform(LOW, HIGH)) for _ in range(count)]
    return {camera: np.stack([picture(thing, tool, camera) for thing, tool in moments]) for camera in CONTRACT.cameras}
