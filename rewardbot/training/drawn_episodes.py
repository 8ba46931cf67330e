"""Episodes of an environment with state vectors as bags with pictures: what people and models see of them.

An environment that is learned from draws nothing. What somebody is to be asked about is simulated again, from its seed and its
actions, in another one that draws; a bag is whole, or not there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from rewardbot.data.cdr import serialize
from rewardbot.data.encode import episode_messages
from rewardbot.data.episodes import BagWriter
from rewardbot.data.transitions import Transitions
from rewardbot.errors import ConfigError, DataError
from rewardbot.robots.robot import CameraContract, RobotContract
from rewardbot.training.state_loop import Env, Spaces, make_env, vector
from rewardbot.training.stopping import check
from rewardbot.types import PROPRIO_NAMES, Episode, EpisodeInfo

LARGEST = 200
"""Longest side of a picture [px]."""

HZ = 10.0
"""At which clips are shown, where the environment does not say how fast it runs [Hz]."""

Pictures = Callable[[], Mapping[str, NDArray[np.uint8]]]
"""What is to be seen now: camera name -> uint8 (H, W, 3)."""


class DrawnEpisodes:
    """See the module.

    Args:
        name: of the environment.
        folder: for the bags; made with the first one.

    Raises:
        ConfigError: the environment cannot be drawn.
        MissingSystemLibrary: nothing can be drawn here.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self._name, self._folder = name, folder
        self._held = ExitStack()
        self._env, self._pictures = _drawing(name, self._held)
        self._env.reset(seed=0)
        try:
            seen = self._pictures()
        except (gymnasium.error.Error, ImportError) as error:
            self.close()
            raise _no_pictures(name, str(error)) from None
        rate = float(self._env.metadata.get("render_fps") or HZ)
        self._contract = RobotContract(
            name=re.sub(r"\W+", "_", name), control_hz=rate, action_names=tuple(f"a{n}" for n in range(Spaces.of(self._env).actions)),
            cameras={camera: CameraContract(width=image.shape[1], height=image.shape[0]) for camera, image in seen.items()})

    def draw(self, id: str, seed: int, steps: Transitions) -> None:
        """Makes the bag of an episode, if it is not there.

        Args:
            id: of the episode.
            seed: that the environment was reset with.
            steps: all of it, from its start on, actions in [-1, 1].

        Raises:
            DataError: it goes otherwise when simulated again; or the bag cannot be written.
            Stopped: the process was asked to stop.
        """
        if (self._folder / id).exists():
            return
        env, spaces = self._env, Spaces.of(self._env)
        env.reset(seed=seed)
        images = [self._pictures()]
        actions = steps.state_action[:, steps.states :].numpy()
        for action, after in zip(actions, steps.next_state.numpy(), strict=True):
            check()
            observation = vector(env.step(spaces.action(action))[0])
            if not np.array_equal(observation, after):
                raise DataError(f"Episode {id} of {self._name} goes otherwise when simulated again.",
                                next_step="Nobody can be shown what happens by chance; --teacher simulated needs no pictures.")
            images.append(self._pictures())
        info = EpisodeInfo(id, self._contract.name, self._contract.name, "policy", seed=seed)
        stamps = np.arange(len(images)) / self._contract.control_hz
        nothing = np.zeros((len(images), len(PROPRIO_NAMES)), np.float32)
        seen = {camera: np.stack([one[camera] for one in images]) for camera in images[0]}
        episode = Episode(info, stamps, seen, nothing, actions, actions)
        with BagWriter(self._folder, self._contract, info, compress=True) as writer:
            for topic, kind, stamp, message in episode_messages(episode, self._contract):
                writer.write(topic, kind, stamp, serialize(message, kind))

    def close(self) -> None:
        """Closes the environment that draws."""
        self._held.close()


def _drawing(name: str, held: ExitStack) -> tuple[Env, Pictures]:
    env = make_env(name)
    held.callback(env.close)
    if (robot := getattr(env.unwrapped, "robot", None)) is not None:  # one of the arm's
        return env, _of_the_arm(robot, held)
    modes = env.metadata.get("render_modes") or ()
    if "rgb_array" not in modes:
        held.close()
        raise _no_pictures(name, f"its render modes are: {', '.join(modes) or 'none'}")
    env = gymnasium.make(name, render_mode="rgb_array")
    held.callback(env.close)
    return env, lambda: {"view": _reduced(np.asarray(env.render(), np.uint8))}


def _of_the_arm(robot: Any, held: ExitStack) -> Pictures:
    from rewardbot.robots.rendering import check_rendering, make_renderer

    check_rendering()
    size = CameraContract(LARGEST, LARGEST)
    renderers = make_renderer(robot.model, RobotContract(cameras=dict.fromkeys(robot.contract.cameras, size)))
    for renderer in renderers.values():
        held.callback(renderer.close)

    def pictures() -> dict[str, NDArray[np.uint8]]:
        found = {}
        for camera, renderer in renderers.items():
            renderer.update_scene(robot.data, camera=camera)
            found[camera] = renderer.render()
        return found

    return pictures


def _reduced(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if (share := LARGEST / max(pixels.shape[:2])) >= 1.0:
        return pixels
    import cv2  # slow to load

    return np.asarray(cv2.resize(pixels, (round(pixels.shape[1] * share), round(pixels.shape[0] * share)),
                                 interpolation=cv2.INTER_AREA), np.uint8)


def _no_pictures(name: str, why: str) -> ConfigError:
    return ConfigError(f"{name} cannot be drawn, so that nobody can be shown what happens there: {' '.join(why.split())}.",
                       valid="An environment with the render mode rgb_array, or --teacher simulated.")
