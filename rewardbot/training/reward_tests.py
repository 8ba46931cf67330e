"""Tests of a learned reward, "A must beat B", which it must pass before a policy learns from it. A YAML file:

    tests:
      - name: reaching beats idling      # optional
        better: demonstration-3          # an episode, whole
        worse: play-1:0-30               # its steps 0 to 29
      - better: [e1, e2:10-40]           # every one of these must beat
        worse: [e7, e8]                  # every one of those,
        margin: 1.0                      # by at least so much [log-odds]: 1 is a probability of 73%, 2.2 one of 90%
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from rewardbot.errors import ConfigError, DataError, RewardbotError, unknown_name
from rewardbot.types import Segment

Array = NDArray[np.float64]
Judge = Callable[[Sequence[Segment]], Array]
"""Clips to their returns by each member of a reward in log-odds, (M, C); see `PreferenceReward.returns`."""

_KEYS = ("name", "better", "worse", "margin")
_CLIP = re.compile(r"(?P<episode>[^:\s]+)(?::(?P<start>\d+)-(?P<stop>\d+))?")


class RewardRefused(RewardbotError):
    """A reward that fails its tests; no policy should learn from it."""


@dataclass(frozen=True)
class Clip:
    """A clip as the file names it: an episode, or steps of one; and in which line."""

    episode: str
    steps: tuple[int, int] | None
    line: int


@dataclass(frozen=True)
class RewardTest:
    """Every clip of `better` must have a return above that of every clip of `worse` by more than `margin` [log-odds]."""

    name: str
    better: tuple[Clip, ...]
    worse: tuple[Clip, ...]
    margin: float
    line: int


@dataclass(frozen=True)
class Outcome:
    """How a test went, by the pair of its clips that is nearest to failing.

    Attributes:
        test: which.
        pairs: how many pairs of clips were compared.
        difference: of their returns, mean of the members [log-odds].
        members: share of the members by which the better one is better.
        passed: whether the difference is above the margin.
    """

    test: RewardTest
    pairs: int
    difference: float
    members: float
    passed: bool


def load_tests(path: Path) -> list[RewardTest]:
    """The tests in a file.

    Raises:
        ConfigError: it cannot be read, or something in it is wrong, with its line.
    """
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except OSError as error:
        raise ConfigError(f"Cannot read {path}: {error.strerror}.") from None
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    return _Reader(path).tests(root)


def run_tests(tests: Sequence[RewardTest], judge: Judge, steps: dict[str, int], where: Path | str = "the tests") -> list[Outcome]:
    """Tries a reward.

    Args:
        tests: see `load_tests`.
        judge: the reward.
        steps: of each episode that there is, by its id.
        where: the tests' file, for errors.

    Raises:
        DataError: an episode that is not there, or shorter than the test says, with the line; or a clip that cannot be judged.
    """
    named = {clip: _segment(clip, steps, where) for test in tests for clip in (*test.better, *test.worse)}
    segments = list(dict.fromkeys(named.values()))
    returns = judge(segments) if segments else np.zeros((1, 0))
    of = {clip: returns[:, segments.index(segment)] for clip, segment in named.items()}
    outcomes = []
    for test in tests:
        differences = [of[better] - of[worse] for better in test.better for worse in test.worse]
        least = min(differences, key=lambda by_member: float(by_member.mean()))
        outcomes.append(Outcome(test, len(differences), float(least.mean()), float((least > 0.0).mean()),
                                float(least.mean()) > test.margin))
    return outcomes


def gate(outcomes: Sequence[Outcome]) -> None:
    """Lets a reward pass that has passed all tests.

    Raises:
        RewardRefused: it has not, with those that failed.
    """
    if failed := [one for one in outcomes if not one.passed]:
        said = "\n  ".join(f"line {one.test.line}, {one.test.name}: {one.difference:+.3g}, more than {one.test.margin:g} is needed"
                           for one in failed)
        raise RewardRefused(f"The reward fails {len(failed)} of {len(outcomes)} tests:\n  {said}",
                            next_step="Answer questions about these clips, or correct the tests, before a policy learns from it.")


def _segment(clip: Clip, steps: dict[str, int], where: Path | str) -> Segment:
    at = f"{where}, line {clip.line}:"
    if clip.episode not in steps:
        nearest = difflib.get_close_matches(clip.episode, steps, n=1)
        raise DataError(f"{at} there is no episode '{clip.episode}'.",
                        valid=f"{len(steps)} episodes are there; rewardbot bags list shows them.",
                        next_step=f"Did you mean '{nearest[0]}'?" if nearest else "Name their folder with --bags.")
    start, stop = clip.steps or (0, steps[clip.episode])
    if stop > steps[clip.episode]:
        raise DataError(f"{at} episode '{clip.episode}' has {steps[clip.episode]} steps, not {stop}.")
    return Segment(clip.episode, start, stop)


@dataclass(frozen=True)
class _Reader:
    """A file's nodes as tests; a node knows its line."""

    path: Path

    def error(self, node: yaml.Node | None, what: str, valid: str = "", next_step: str = "") -> ConfigError:
        line = 1 if node is None else _line(node)
        return ConfigError(f"{self.path.name}, line {line}: {what}", valid=valid, next_step=next_step)

    def tests(self, root: yaml.Node | None) -> list[RewardTest]:
        entries = self.mapping(root, "the file", ("tests",))
        if not isinstance(listed := entries.get("tests"), yaml.SequenceNode) or not listed.value:
            raise self.error(listed or root, "'tests' holds no list of tests.",
                             valid="tests: and below it '- better: A' and 'worse: B'.")
        return [self.test(node, number) for number, node in enumerate(listed.value, 1)]

    def test(self, node: yaml.Node, number: int) -> RewardTest:
        entries = self.mapping(node, f"test {number}", _KEYS)
        for key in ("better", "worse"):
            if key not in entries:
                raise self.error(node, f"test {number} has no '{key}'.", valid="A clip as EPISODE or EPISODE:START-STOP, or a list.")
        better, worse = self.clips(entries["better"], "better"), self.clips(entries["worse"], "worse")
        shown = [" ".join(clip.episode if clip.steps is None else f"{clip.episode}:{clip.steps[0]}-{clip.steps[1]}" for clip in side)
                 for side in (better, worse)]
        name = self.text(entries["name"], "name") if "name" in entries else " beats ".join(shown)
        if both := {(clip.episode, clip.steps) for clip in better} & {(clip.episode, clip.steps) for clip in worse}:
            raise self.error(node, f"'{min(both)[0]}' is to beat itself.")
        return RewardTest(name, better, worse, self.margin(entries["margin"]) if "margin" in entries else 0.0, _line(node))

    def mapping(self, node: yaml.Node | None, what: str, keys: Sequence[str]) -> dict[str, yaml.Node]:
        if not isinstance(node, yaml.MappingNode):
            raise self.error(node, f"{what} has no keys.", valid=f"{', '.join(keys)}.")
        entries: dict[str, yaml.Node] = {}
        for key, value in node.value:
            if key.value not in keys:
                unknown = unknown_name(f"key of {what}", str(key.value), keys)
                raise self.error(key, unknown.what, unknown.valid, unknown.next_step)
            if key.value in entries:
                raise self.error(key, f"'{key.value}' is there twice.")
            entries[key.value] = value
        return entries

    def clips(self, node: yaml.Node, key: str) -> tuple[Clip, ...]:
        nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
        if not nodes:
            raise self.error(node, f"'{key}' names no clip.")
        return tuple(self.clip(one, key) for one in nodes)

    def clip(self, node: yaml.Node, key: str) -> Clip:
        text = self.text(node, key)
        found = _CLIP.fullmatch(text)
        if found is None:
            raise self.error(node, f"'{key}' is '{text}'.", valid="EPISODE, or EPISODE:START-STOP with steps START to STOP - 1.")
        steps = None if found["start"] is None else (int(found["start"]), int(found["stop"]))
        if steps is not None and steps[0] >= steps[1]:
            raise self.error(node, f"'{key}' is '{text}', a clip without a step.", valid="START < STOP.")
        return Clip(found["episode"], steps, _line(node))

    def margin(self, node: yaml.Node) -> float:
        text = self.text(node, "margin")
        try:
            margin = float(text)
        except ValueError:
            margin = math.nan
        if not (math.isfinite(margin) and margin >= 0.0):
            raise self.error(node, f"'margin' is '{text}'.", valid="Log-odds, 0 or more.")
        return margin

    def text(self, node: yaml.Node, key: str) -> str:
        if not isinstance(node, yaml.ScalarNode) or not node.value:
            raise self.error(node, f"'{key}' is no text.")
        return str(node.value)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
