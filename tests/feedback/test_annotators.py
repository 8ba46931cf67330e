"""Annotators: Krippendorff's own example, conflicts by hand, and people whose flaws are known."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from rewardbot.feedback.annotators import (
    Annotators,
    Judgement,
    agreement,
    alpha,
    conflicts,
    consistency,
    judgements,
    rating_agreement,
)
from rewardbot.feedback.feedback import Given, Query, Ranking, Rating, Side, UnsafeInterval, answer_pair, answer_ranking
from rewardbot.feedback.records import History, Record
from rewardbot.types import Segment

A, B, C = (Segment(name, 0, 10) for name in "abc")


def test_krippendorffs_example() -> None:
    """Krippendorff 2011, Computing Krippendorff's alpha-reliability, C and D: four observers, twelve units, values missing."""
    rows = ["1 2 3 3 2 1 4 1 2 . . .", "1 2 3 3 2 2 4 1 2 5 . 3", ". 3 3 3 2 3 4 2 2 5 1 .", "1 2 3 3 2 4 4 1 2 5 1 ."]
    units = [[float(value) for value in column if value != "."] for column in zip(*(row.split() for row in rows), strict=True)]
    assert alpha(units) == pytest.approx(0.743, abs=5e-4)
    assert alpha(units, ordinal=True) == pytest.approx(0.815, abs=5e-4)


def test_alpha_at_its_ends() -> None:
    assert alpha([[1, 1], [2, 2]]) == 1.0
    assert math.isnan(alpha([])) and math.isnan(alpha([[1], [2]])) and math.isnan(alpha([[1, 1], [1, 1]]))
    coins = np.random.default_rng(0).integers(2, size=(4000, 2)).astype(float)
    assert alpha(coins.tolist()) == pytest.approx(0.0, abs=0.05)


def judged(said: Sequence[tuple[str, Segment, Segment, float]]) -> list[Judgement]:
    return [Judgement(n, name, first, second, won, 0.0, 1.0) for n, (name, first, second, won) in enumerate(said)]


def test_agreement_knows_no_first_clip() -> None:
    """Of two units, one agreed on: with both ways round 8 values, 4 of each kind; observed 4 of 8, expected 4 * 4 * 2 / 56."""
    given = judged([("x", A, B, 1.0), ("y", A, B, 1.0), ("x", A, C, 1.0), ("y", A, C, 0.0)])
    assert agreement(given) == pytest.approx(1.0 - (4 / 8) / (32 / 56))
    assert agreement([*given, *judged([("y", A, C, 1.0)])]) == 1.0, "the last word counts"
    levels = [Rating(A, 1, Given("x")), Rating(A, 1, Given("y")), Rating(B, 7, Given("x")), Rating(B, 7, Given("y"))]
    assert rating_agreement(levels) == 1.0


def test_conflicts_and_consistency() -> None:
    given = judged([("x", A, B, 1.0), ("y", A, B, 0.0), ("x", A, B, 0.5), ("x", A, C, 1.0), ("x", A, C, 0.0), ("y", A, C, 0.0),
                    ("x", B, C, 1.0), ("x", B, C, 1.0), ("y", B, C, 0.5)])
    found = conflicts(given)
    assert [one.clips for one in found] == [(A, C), (A, B)]
    assert found[0].for_first == (("x", 3),) and found[0].for_second == (("x", 4), ("y", 5)) and found[0].with_oneself == ["x"]
    assert found[1].for_first == (("x", 0),) and found[1].for_second == (("y", 1),) and found[1].with_oneself == []
    assert consistency(given) == {"x": (1, 3)}


def test_judgements_of_a_ledger() -> None:
    history = History()

    def add(annotator: str, entry: object) -> None:
        history.add(Record(history.last + 1, 0.0, annotator, entry))  # type: ignore[arg-type]

    for n, (options, order) in enumerate([((B, A), (0, 1)), ((A, B), (1, 0)), ((A, C), (0, 1))]):
        add("", Query(f"q{n}", "pair", options, order))
    add("", Query("k", "ranking", (A, B, C), (2, 1, 0)))
    sides: dict[str, Side] = {"q0": "left", "q1": "left", "q2": "skip"}
    for name, side in sides.items():
        add("x", answer_pair(history.queries[name], side, Given("x", name)))
    add("y", answer_ranking(history.queries["k"], (0, 1, 1), Given("y", "k")))
    add("y", Ranking((C, A), (0, 1), Given("y")))
    add("y", UnsafeInterval(A, "too fast", Given("y")))
    assert judgements(history) == [
        Judgement(5, "x", A, B, 0.0, -1.0, 1.0), Judgement(6, "x", A, B, 0.0, -1.0, 1.0),
        *(Judgement(8, "y", *clips, won, -1.0, 2 / 3) for clips, won in (((A, B), 0.5), ((A, C), 0.0), ((B, C), 0.0))),
        Judgement(9, "y", A, C, 0.0, 0.0, 1.0)]


PEOPLE = {"sharp": (5.0, 0.0, 0.0), "fair": (2.0, 0.0, 0.0), "sloppy": (4.0, 0.2, 0.0), "leaning": (3.0, 0.0, 1.5),
          "spammer": (0.0, 0.0, 0.0), "left": (0.0, 0.0, 20.0)}
"""Rationality, error and bias of each."""


def answered(seed: int, each: int, people: dict[str, tuple[float, float, float]]) -> tuple[list[Judgement], dict[Segment, float]]:
    """Everybody's answers about random pairs of 40 clips, whose utilities have a spread of 1."""
    draw = np.random.default_rng(seed)
    u = draw.normal(size=40)
    u = (u - u.mean()) / u.std()
    clips = [Segment(f"e{n:02d}", 0, 10) for n in range(40)]
    given = []
    for name, (rationality, error, bias) in people.items():
        for _ in range(each):
            i, j = sorted(draw.choice(40, 2, replace=False))
            side = float(draw.choice([-1, 1]))
            p = error + (1 - 2 * error) / (1 + np.exp(-(rationality * (u[i] - u[j]) + bias * side)))
            given.append(Judgement(len(given), name, clips[i], clips[j], float(draw.random() < p), side, 1.0))
    return given, dict(zip(clips, u, strict=True))


@pytest.mark.parametrize("known", [True, False])
def test_estimates_recover_the_truth(known: bool) -> None:
    """The tolerances are about three standard errors from 500 answers each."""
    given, u = answered(0, 500, PEOPLE)

    def utility(clips: Sequence[Segment]) -> NDArray[np.float64]:
        return np.array([u[clip] for clip in clips])

    people = Annotators(given, utility if known else None).people
    assert people["sharp"].rationality == pytest.approx(5.0, abs=1.5) and people["sharp"].weight == 1.0
    assert people["fair"].rationality == pytest.approx(2.0, abs=0.7)
    assert people["leaning"].rationality == pytest.approx(3.0, abs=0.9) and people["leaning"].bias == pytest.approx(1.5, abs=0.5)
    assert people["sharp"].error < 0.05 < people["sloppy"].error
    assert not known or people["sloppy"].error == pytest.approx(0.2, abs=0.06)
    assert abs(people["spammer"].rationality) < 0.3 and people["spammer"].weight < 0.1
    assert people["left"].weight < 0.02 and people["left"].bias > 4.0
    order = [people[name].weight for name in ("sharp", "fair", "sloppy", "spammer", "left")]
    assert order == sorted(order, reverse=True)
    assert all(0.0 <= one.weight <= 1.0 and 0.0 <= one.error <= 0.5 and one.judgements == 500 for one in people.values())


def test_whoever_says_the_opposite_weighs_nothing() -> None:
    given, _ = answered(1, 200, {"one": (3.0, 0.0, 0.0), "other": (3.0, 0.0, 0.0), "opposite": (-3.0, 0.0, 0.0)})
    people = Annotators(given).people
    assert people["opposite"].rationality < -1.0 and people["opposite"].weight == 0.0 and people["other"].weight > 0.9


def test_who_weighs_what_with_little_known() -> None:
    assert Annotators([]).weight(Ranking((A, B), (0, 1), Given("x"))) == 1.0
    alone = Annotators(judged([("x", A, B, 1.0), ("x", A, C, 0.0)]))
    assert alone.people["x"].weight == 1.0, "there is nobody to compare with"
    assert alone.weight(Ranking((A, B), (0, 1), Given("stranger"))) == 1.0
    same = Annotators(judged([("x", A, B, 1.0)]), lambda clips: np.zeros(len(clips)))
    assert same.people["x"].weight == 1.0, "utilities that tell nothing apart say nothing about anybody"
    ties = Annotators(judged([("x", A, B, 0.5)] * 50 + [("y", A, B, 1.0)] * 5), lambda clips: np.array([1.0, 0.0]))
    assert ties.people["x"].weight < 0.1 and ties.people["y"].weight == 1.0, "all equal teaches nothing"
