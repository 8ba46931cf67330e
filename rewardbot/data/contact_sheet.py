"""A contact sheet: what the cameras saw at some moments of each episode, and in each moment who acted.

An episode is a title, a row per camera, a column per moment with its step below, and a line for the whole of its time. Where an
operator took over, a moment has an orange frame and the word `hand`, and the line is orange and thick.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from rewardbot.data.takeovers import steps_taken_over
from rewardbot.types import Episode

CELL = 128
"""Width of a picture; those of smaller cameras are enlarged, those of larger ones reduced to it [px]."""

_GAP, _TITLE, _LABEL, _LINE, _TEXT = 6, 24, 16, 12, 12  # heights [px]
_BACK, _INK, _SOFT, _HAND = (24, 24, 27), (240, 240, 240), (150, 150, 155), (255, 150, 30)
_VERDICTS: dict[bool | None, tuple[str, tuple[int, int, int]]] = {
    True: ("success", (90, 210, 120)), False: ("failure", (240, 95, 90)), None: ("no verdict", _SOFT)}

Picture = NDArray[np.uint8]
"""(H, W, 3) RGB."""


def moments(steps: int, columns: int) -> list[int]:
    """The observations 0 to `steps` that are shown: the first, the last and others evenly between, at most `columns`."""
    return sorted({round(float(at)) for at in np.linspace(0, steps, min(columns, steps + 1))})


def sheet(episode: Episode, columns: int = 8) -> Picture:
    """The part of a contact sheet that shows one episode."""
    shown = moments(len(episode), columns)
    taken = _acted(episode)
    height = {name: max(1, round(CELL * images.shape[1] / images.shape[2])) for name, images in episode.images.items()}
    width = columns * (CELL + _GAP) + _GAP
    total = _TITLE + sum(height.values()) + len(height) * _GAP + _LABEL + _LINE + _GAP
    canvas = Image.new("RGB", (width, total), _BACK)
    draw = ImageDraw.Draw(canvas)
    _title(draw, episode)
    x = [_GAP + column * (CELL + _GAP) for column in range(len(shown))]
    y = _TITLE
    for name, images in episode.images.items():
        for left, moment in zip(x, shown, strict=True):
            canvas.paste(_fitted(images[moment], height[name]), (left, y))
            if taken[moment]:
                draw.rectangle((left - 3, y - 3, left + CELL + 2, y + height[name] + 2), outline=_HAND, width=3)
        draw.text((x[0] + 4, y + 3), name, fill=_INK, font=_font(), stroke_width=2, stroke_fill=_BACK)
        y += height[name] + _GAP
    for left, moment in zip(x, shown, strict=True):
        seconds = float(episode.stamps[moment] - episode.stamps[0])
        label = f"{moment}  {seconds:.1f} s" + ("  hand" if taken[moment] else "")
        draw.text((left, y), label, fill=_HAND if taken[moment] else _SOFT, font=_font())
    _time_line(draw, episode, shown, (_GAP, y + _LABEL + _LINE // 2, width - 2 * _GAP))
    return np.asarray(canvas)


def stack(parts: Sequence[Picture]) -> Picture:
    """Parts one above the other; narrower ones are filled up."""
    width = max(part.shape[1] for part in parts)
    canvas = Image.new("RGB", (width, sum(part.shape[0] for part in parts)), _BACK)
    y = 0
    for part in parts:
        canvas.paste(Image.fromarray(part), (0, y))
        y += part.shape[0]
    return np.asarray(canvas)


def captioned(frame: Picture, episode: Episode, step: int, scale: int = 1) -> Picture:
    """A frame of a film of `episode`, enlarged by a whole factor, with observation number, verdict and who acted below it."""
    taken = bool(_acted(episode)[step])
    large = frame.repeat(scale, 0).repeat(scale, 1)
    strip = Image.new("RGB", (large.shape[1], 2 * _LABEL + 2), _HAND if taken else _BACK)
    draw = ImageDraw.Draw(strip)
    verdict, colour = _VERDICTS[episode.info.success]
    ink = _BACK if taken else _SOFT
    draw.text((4, 1), f"{episode.info.id}  {verdict}", fill=_BACK if taken else colour, font=_font())
    draw.text((4, _LABEL + 1), f"step {step} of {len(episode)}" + ("  hand" if taken else ""), fill=ink, font=_font())
    return np.concatenate([large, np.asarray(strip)])


def _acted(episode: Episode) -> NDArray[np.bool_]:
    """Whether an operator who took over acted at each observation, bool (T + 1,); nobody acts at the last one."""
    return np.append(steps_taken_over(episode.info, len(episode)), False)


def _title(draw: Any, episode: Episode) -> None:
    info = episode.info
    verdict, colour = _VERDICTS[info.success]
    text = f"{info.id}   {info.task}   {info.source}   {len(episode)} step{'' if len(episode) == 1 else 's'}   "
    draw.text((_GAP, 5), text, fill=_INK, font=_font())
    draw.text((_GAP + draw.textlength(text, font=_font()), 5), verdict, fill=colour, font=_font())


def _time_line(draw: Any, episode: Episode, shown: Sequence[int], place: tuple[int, int, int]) -> None:
    left, y, width = place

    def at(step: float) -> float:
        return left + width * step / len(episode)

    draw.line((left, y, left + width, y), fill=_SOFT, width=1)
    for step in np.flatnonzero(_acted(episode)).tolist():
        draw.line((at(step), y, at(step + 1), y), fill=_HAND, width=6)
    for moment in shown:
        draw.line((at(moment), y - 4, at(moment), y + 4), fill=_INK, width=1)


def _fitted(image: Picture, height: int) -> Image.Image:
    # Enlarged pixels stay pixels.
    small = image.shape[1] <= CELL
    return Image.fromarray(image).resize((CELL, height), Image.Resampling.NEAREST if small else Image.Resampling.BOX)


def _font() -> Any:
    return ImageFont.load_default(_TEXT)
