"""One clock for clips of different lengths."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rewardbot.gui.playback import SCRUB_S, SPEEDS, Playback

LONG, SHORT = [0.0, 0.1, 0.2, 0.3, 0.4], [0.0, 0.1, 0.2]


@pytest.fixture
def playback() -> Playback:
    found = Playback()
    found.load([LONG, SHORT])
    return found


def test_both_show_the_same_time_and_the_shorter_holds_its_last_frame(playback: Playback) -> None:
    playback.tick(0.15)
    assert [playback.frame(0), playback.frame(1)] == [1, 1] and not playback.over(1)
    playback.tick(0.17)
    assert [playback.frame(0), playback.frame(1)] == [3, 2] and playback.over(1) and not playback.over(0)


def test_it_loops_until_told_not_to(playback: Playback) -> None:
    playback.tick(0.45)
    assert playback.at == pytest.approx(0.05) and playback.playing
    playback.looping = False
    playback.tick(0.45)
    assert playback.at == pytest.approx(0.4) and not playback.playing
    playback.toggle()
    assert playback.at == 0.0 and playback.playing


def test_speeds_go_from_a_quarter_to_four(playback: Playback) -> None:
    for _ in range(9):
        playback.faster(1)
    assert playback.speed == 4.0
    playback.tick(0.05)
    assert playback.at == pytest.approx(0.2)
    for _ in range(9):
        playback.faster(-1)
    assert playback.speed == 0.25 == SPEEDS[0]


def test_single_frames_pause_and_stop_at_both_ends(playback: Playback) -> None:
    playback.tick(0.15)
    playback.step(1)
    assert playback.at == pytest.approx(0.2) and not playback.playing
    playback.step(-1)
    assert playback.frame(0) == 1
    playback.step(-5)
    assert playback.at == 0.0
    playback.step(99)
    assert playback.at == pytest.approx(0.4) == playback.length


def test_from_between_two_frames_a_step_back_shows_the_one_that_is_shown_from_its_beginning(playback: Playback) -> None:
    playback.seek(0.25)
    playback.step(-1)
    assert playback.at == pytest.approx(0.2)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(("tick", "seek", "step", "faster")), st.integers(-30, 30)), max_size=10),
       st.lists(st.lists(st.integers(1, 30), max_size=4), max_size=3))
def test_wherever_it_goes_there_is_a_frame(does: list[tuple[str, int]], gaps: list[list[int]]) -> None:
    playback = Playback()
    clips = [[sum(some[:n]) / 10 for n in range(len(some) + 1)] for some in gaps]
    playback.load(clips)
    for what, value in does:
        getattr(playback, what)(abs(value) / 7 if what == "tick" else value / 7 if what == "seek" else value)
        assert 0.0 <= playback.at <= playback.length and playback.speed in SPEEDS
        for number, clip in enumerate(clips):
            assert clip[playback.frame(number)] <= playback.at + 1e-5


def test_keys(playback: Playback) -> None:
    for key, at in (("end", 0.4), ("frame back", 0.3), ("frame on", 0.4), ("home", 0.0), ("scrub on", min(SCRUB_S, 0.4)),
                    ("scrub back", 0.0), ("nothing", 0.0)):
        what, _, way = key.partition(" ")
        playback.act(what, way)
        assert playback.at == pytest.approx(at), key
    for key in ("loop", "faster", "faster", "slower", "play"):
        playback.act(key)
    assert (playback.looping, playback.speed, playback.playing) == (False, 2.0, True)
