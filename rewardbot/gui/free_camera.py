"""Recorded episodes of the simulated cell, seen from anywhere: they are simulated again, and drawn in a thread. No Qt."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rewardbot.data.episodes import read_episode, read_header
from rewardbot.errors import DataError, RewardbotError
from rewardbot.feedback.messages import Question

SIDE = 360
"""Of a picture [px]."""

DEGREES, ZOOM = 0.4, 1.1
"""How far a pixel of a drag turns, and how much nearer one step of the wheel goes."""

KEPT = 8
"""Episodes whose states are kept."""


@dataclass(frozen=True)
class Pose:
    """Where the camera is: angles around the point that it looks at [degrees], and how far from it [m]."""

    azimuth: float = 150.0
    elevation: float = -30.0
    distance: float = 1.3

    def turned(self, right: float, down: float) -> Pose:
        """After a drag by so many pixels; never from below the table."""
        return replace(self, azimuth=(self.azimuth - DEGREES * right) % 360.0,
                       elevation=min(max(self.elevation - DEGREES * down, -89.0), -5.0))

    def nearer(self, steps: float) -> Pose:
        """After so many steps of the wheel."""
        return replace(self, distance=min(max(self.distance / ZOOM**steps, 0.3), 4.0))


@dataclass(frozen=True)
class Wanted:
    """What is to be drawn: the frames of a question's clips, by place, and from where."""

    question: Question
    frames: tuple[int, ...]
    pose: Pose


class FreeCamera:
    """Draws what is wanted newest.

    Args:
        drawn: gets the id of a query, a place and the picture, uint8 (SIDE, SIDE, 3) RGB, in the thread.
        failed: gets the id of a query and why it cannot be drawn, in the thread.
    """

    def __init__(self, drawn: Callable[[str, int, NDArray[np.uint8]], None], failed: Callable[[str, str], None]) -> None:
        self._drawn, self._failed = drawn, failed
        self._wanted: Wanted | None = None
        self._changed, self._ended = threading.Condition(), False
        self._states: dict[str, NDArray[np.float64]] = {}
        self._simulators: dict[tuple[str, str], tuple[Any, Any]] = {}
        self._thread: threading.Thread | None = None

    def want(self, question: Question, frames: Sequence[int], pose: Pose) -> None:
        """Draws these frames; returns at once."""
        with self._changed:
            self._wanted = Wanted(question, tuple(frames), pose)
            self._changed.notify()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="free camera", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Ends the thread."""
        with self._changed:
            self._ended = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    # In the thread -------------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while (wanted := self._next()) is not None:
            query = wanted.question.query
            try:
                for place, frame in enumerate(wanted.frames):
                    option = query.order[place]
                    step = query.options[option].start + frame
                    self._drawn(query.id, place, self._draw(Path(wanted.question.bags[option]), step, wanted.pose))
            except RewardbotError as error:
                self._failed(query.id, str(error))
        for resimulator, renderer in self._simulators.values():
            renderer.close()
            resimulator.close()

    def _next(self) -> Wanted | None:
        with self._changed:
            while self._wanted is None and not self._ended:
                self._changed.wait()
            wanted, self._wanted = self._wanted, None
            return None if self._ended else wanted

    def _draw(self, bag: Path, step: int, pose: Pose) -> NDArray[np.uint8]:
        from rewardbot.robots.rendering import cannot_render
        from rewardbot.robots.resimulation import Resimulator, mujoco  # slow to load, and most never turn the camera

        header = read_header(bag)
        if header.info.seed is None:
            raise DataError(f"Episode {header.info.id} was not simulated.")
        key = header.info.task, header.contract.name
        if key not in self._simulators:
            resimulator = Resimulator(header.info.task, header.contract)
            try:
                self._simulators[key] = resimulator, mujoco.Renderer(resimulator.robot.model, height=SIDE, width=SIDE)
            except Exception as error:  # mujoco raises types of its own per back end
                raise cannot_render(error) from error
        resimulator, renderer = self._simulators[key]
        if header.info.id not in self._states:
            if len(self._states) >= KEPT:
                del self._states[next(iter(self._states))]
            self._states[header.info.id] = resimulator.run(read_episode(bag, pixels=False)).states
        resimulator.show(self._states[header.info.id][step])
        camera = mujoco.MjvCamera()
        camera.lookat[:] = (0.5, 0.0, 0.1)
        camera.azimuth, camera.elevation, camera.distance = pose.azimuth, pose.elevation, pose.distance
        renderer.update_scene(resimulator.robot.data, camera=camera)
        return renderer.render()
