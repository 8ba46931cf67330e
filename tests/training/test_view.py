"""What a run shows while it runs: phases, figures, each node's rate and warnings, on a terminal and elsewhere."""

from __future__ import annotations

import re

import pytest

from rewardbot.training.view import Progress, View, clock


def learning() -> Progress:
    progress = Progress("lift, seed 3", ("demonstrations", "learning", "evaluation"))
    progress.begin("learning", "episode 12")
    progress.share = 0.25
    progress.values.update({"success estimate": "0.40", "reward": "-1.20"})
    progress.rates.update({"sim_node": 61.7, "learner_node": None})
    return progress


def test_elsewhere_it_is_a_line_for_each_phase_and_warnings_stand_apart(capsys: pytest.CaptureFixture[str]) -> None:
    progress = learning()
    with View(progress, live=False) as view:
        view.refresh()
        progress.share = 0.26
        view.refresh()
        view.warn("sim_node is back")
        progress.begin("evaluation")
        view.refresh()
    said = capsys.readouterr()
    figures = "success estimate 0.40 | reward -1.20 | sim_node 62 Hz | learner_node silent"
    lines = [line.partition(" | ") for line in said.out.splitlines()]
    assert [line for _, _, line in lines] == [f"learning 25% | episode 12 | {figures}", f"evaluation 0% | {figures}"]
    assert all(re.fullmatch(r"0:\d\d", time) for time, _, _ in lines)
    assert said.err == "sim_node is back\n"


def test_a_terminal_gets_a_table_that_goes_away_at_the_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    with View(learning()) as view:
        view.warn("sim_node is back")
        view.refresh()
        text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", capsys.readouterr().out)
    for part in ("lift, seed 3", "✔ demonstrations", "● learning", "○ evaluation", "25%", "episode 12", "sim_node is back"):
        assert part in text, part
    for name, value in (("success estimate", "0.40"), ("reward", "-1.20"), ("sim_node", "62 Hz"), ("learner_node", "silent")):
        assert re.search(rf"{name} +{value}", text), name
    assert "\x1b[2K" in capsys.readouterr().out, "its lines are erased"


@pytest.mark.parametrize(("seconds", "text"), [(0.0, "0:00"), (59.9, "0:59"), (75.0, "1:15"), (3600.0, "60:00")])
def test_time(seconds: float, text: str) -> None:
    assert clock(seconds) == text
