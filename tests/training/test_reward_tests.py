"""Reward tests: the file with its mistakes, and the gate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rewardbot.errors import ConfigError, DataError
from rewardbot.training.reward_tests import Clip, RewardRefused, gate, load_tests, run_tests
from rewardbot.types import Segment

FILE = """
tests:
  - name: reaching beats idling
    better: good
    worse: idle:0-30
  - better: [good, fair:10-40]
    worse:
      - idle
      - bad
    margin: 1.5
"""
STEPS = {"good": 50, "fair": 60, "idle": 40, "bad": 50}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "tests.yaml").write_text(FILE)
    return tmp_path / "tests.yaml"


def judge(clips: Sequence[Segment]) -> NDArray[np.float64]:
    """Two members that differ on one clip."""
    values = {"good": (4.0, 4.0), "fair": (1.0, 3.0), "idle": (0.0, 0.0), "bad": (-1.0, 1.5)}
    return np.array([values[clip.episode_id] for clip in clips]).T


def test_a_file_and_its_outcomes(path: Path) -> None:
    tests = load_tests(path)
    assert [test.name for test in tests] == ["reaching beats idling", "good fair:10-40 beats idle bad"]
    assert tests[0].worse == (Clip("idle", (0, 30), 5),) and tests[0].margin == 0.0 and (tests[0].line, tests[1].line) == (3, 6)
    first, second = run_tests(tests, judge, STEPS, path.name)
    assert (first.pairs, first.difference, first.members, first.passed) == (1, 4.0, 1.0, True)
    # fair (1, 3) and bad (-1, 1.5): 2 and 1.5, mean 1.75, above 1.5.
    assert (second.pairs, second.difference, second.members, second.passed) == (4, 1.75, 1.0, True)
    gate([first, second])


def test_the_clips_are_those_that_the_file_names(path: Path) -> None:
    seen: list[Segment] = []

    def look(clips: Sequence[Segment]) -> NDArray[np.float64]:
        seen.extend(clips)
        return judge(clips)

    run_tests(load_tests(path), look, STEPS)
    assert seen == [Segment("good", 0, 50), Segment("idle", 0, 30), Segment("fair", 10, 40), Segment("idle", 0, 40),
                    Segment("bad", 0, 50)]


def test_the_gate_refuses_what_fails(path: Path) -> None:
    path.write_text(FILE.replace("margin: 1.5", "margin: 1.75"))
    outcomes = run_tests(load_tests(path), judge, STEPS)
    assert [one.passed for one in outcomes] == [True, False], "more than the margin, not as much"
    with pytest.raises(RewardRefused, match=r"fails 1 of 2 tests:\n  line 6, good fair:10-40 beats idle bad: \+1.75, more than 1.75"):
        gate(outcomes)
    path.write_text("tests: [{better: fair, worse: bad}]")
    assert run_tests(load_tests(path), lambda clips: np.zeros((3, len(clips))), STEPS)[0].passed is False, "as good is not better"
    split = run_tests(load_tests(path), lambda clips: np.array([[1.0, 0.0], [0.0, 0.5]]), STEPS)[0]
    assert (split.difference, split.members, split.passed) == (0.25, 0.5, True)


@pytest.mark.parametrize(("text", "said"), [
    ("", r"line 1: the file has no keys"),
    ("tests: 3", r"line 1: 'tests' holds no list"),
    ("tests: []", r"line 1: 'tests' holds no list"),
    ("test: []", r"line 1: There is no key of the file named 'test'(.|\n)*Did you mean 'tests'"),
    ("tests:\n- better: a\n", r"line 2: test 1 has no 'worse'"),
    ("tests:\n- better: a\n  wors: b", r"line 3: There is no key of test 1 named 'wors'(.|\n)*Did you mean 'worse'"),
    ("tests:\n- better: a\n  better: b\n  worse: c", r"line 3: 'better' is there twice"),
    ("tests:\n- a", r"line 2: test 1 has no keys"),
    ("tests:\n- better: a:5\n  worse: b", r"line 2: 'better' is 'a:5'(.|\n)*START-STOP"),
    ("tests:\n- better: a:5-5\n  worse: b", r"line 2: 'better' is 'a:5-5', a clip without a step"),
    ("tests:\n- better: a\n  worse:\n  - b\n  - {}", r"line 5: 'worse' is no text"),
    ("tests:\n- better: []\n  worse: b", r"line 2: 'better' names no clip"),
    ("tests:\n- better: a\n  worse: b\n  margin: much", r"line 4: 'margin' is 'much'(.|\n)*0 or more"),
    ("tests:\n- better: a\n  worse: b\n  margin: -1", r"line 4: 'margin' is '-1'"),
    ("tests:\n- better: a\n  worse: b\n  margin: .nan", r"line 4: 'margin' is '.nan'"),
    ("tests:\n- better: a:1-2\n  worse: [b, a:1-2]", r"line 2: 'a' is to beat itself"),
    ("tests: [", r"not valid YAML(.|\n)*line 1"),
    ("tests:\n- better: \udce4", r"not valid YAML"),
])
def test_mistakes_are_named_with_their_line(text: str, said: str, path: Path) -> None:
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ConfigError, match=said):
        load_tests(path)


def test_episodes_that_are_not_there(path: Path) -> None:
    with pytest.raises(ConfigError, match="Cannot read"):
        load_tests(path.with_name("nowhere.yaml"))
    path.write_text("tests:\n- better: god\n  worse: bad")
    with pytest.raises(DataError, match=r"tests.yaml, line 2: there is no episode 'god'(.|\n)*4 episodes(.|\n)*Did you mean 'good'"):
        run_tests(load_tests(path), judge, STEPS, path.name)
    path.write_text("tests:\n- better: good\n  worse: bad:0-51")
    with pytest.raises(DataError, match=r"line 3: episode 'bad' has 50 steps, not 51"):
        run_tests(load_tests(path), judge, STEPS, path.name)
