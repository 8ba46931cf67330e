"""What is looked at while a reward is learned: is it enough, and is it exploited."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from rewardbot.data.episodes import write_episode
from rewardbot.data.library import Library
from rewardbot.errors import DataError
from rewardbot.feedback.asking import AskingConfig
from rewardbot.feedback.feedback import Given, Query, Ranking
from rewardbot.feedback.ledger import Ledger
from rewardbot.feedback.schedule import Schedule
from rewardbot.feedback.teachers.recorded import Human
from rewardbot.rewards.deployed_preference import DeployedPreference
from rewardbot.robots.robot import RobotContract
from rewardbot.training.choosing import Chooser
from rewardbot.training.clips import BagClips
from rewardbot.training.oversight import Oversight, OversightConfig
from rewardbot.training.questioner import Questioner
from rewardbot.training.stopping import Stopped
from rewardbot.types import Episode, Segment

COUNT, STEPS = 12, 6
CONFIG = OversightConfig(newest=3)


@pytest.fixture
def library(tmp_path: Path, contract: RobotContract, make_episode: Callable[..., Episode]) -> Library:
    """Each episode is better than the one before; the last half is the policy's."""
    for number in range(COUNT):
        episode = make_episode(number, steps=STEPS, source="play" if number < COUNT // 2 else "policy")
        actions = np.full((STEPS, 4), -0.9 + 0.15 * number, np.float32)
        write_episode(tmp_path / "bags", replace(episode, applied=actions, info=replace(episode.info, id=f"e{number:02}")), contract)
    found = Library([tmp_path / "bags"])
    found.refresh()
    return found


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "feedback.db") as found:
        yield found


def learned(library: Library, ledger: Ledger, *, foretold: float = 0.5, answers: int = 40) -> bytes:
    """A reward of answers that are all true, of which the one that asked held the true one this likely."""
    draw = np.random.default_rng(0)
    for number in range(answers):
        worse, better = sorted(map(int, draw.choice(COUNT, 2, replace=False)))
        pair = Segment(f"e{better:02}", 0, STEPS), Segment(f"e{worse:02}", 0, STEPS)
        ledger.ask(Query(f"q{number}", "pair", pair, (0, 1), reward_version=1, strategy="check",
                         predicted=(foretold, 1.0 - foretold)))
        ledger.answer(Ranking(pair, (0, 1), Given("ann", f"q{number}")))
    chooser = Chooser(ledger.path, library)
    data = chooser.newer()
    chooser.close()
    assert data is not None
    return data


def looked(library: Library, ledger: Ledger, *, foretold: float, answers: int = 40) -> Oversight:
    reward = DeployedPreference(learned(library, ledger, foretold=foretold, answers=answers))
    oversight = Oversight(library, ledger, CONFIG)
    oversight.look(reward, BagClips(library, reward.embed))
    return oversight


def test_a_sound_reward(library: Library, ledger: Ledger) -> None:
    oversight = looked(library, ledger, foretold=0.9)
    assert oversight.alarm is not None and oversight.alarm.state == "sound" and not oversight.ringing
    assert oversight.meter is not None and 0.0 <= oversight.meter.expected <= oversight.meter.bound <= 1.0
    assert not oversight.enough, "one fit is not three in a row"


def test_a_reward_that_is_surely_wrong_about_better_and_better_episodes_rings(library: Library, ledger: Ledger) -> None:
    oversight = looked(library, ledger, foretold=0.05)
    assert oversight.ringing and oversight.alarm is not None and "The reward is frozen" in str(oversight.alarm)
    again = Oversight(library, ledger, CONFIG)
    assert again.ringing and str(again.alarm) == str(oversight.alarm), "until somebody clears it, also after a restart"
    again.clear()
    assert not again.ringing and again.alarm is None
    assert not Oversight(library, ledger, CONFIG).ringing
    ledger.path.with_name("feedback.db.oversight").write_text("{")
    with pytest.raises(DataError, match="Delete it"):
        Oversight(library, ledger, CONFIG)


def test_a_look_that_is_ended_reads_no_further_episode(library: Library, ledger: Ledger) -> None:
    reward, read = DeployedPreference(learned(library, ledger)), list[str]()

    def embed(episode: Episode) -> torch.Tensor:
        read.append(episode.info.id)
        return reward.embed(episode)

    def end_after_three(share: float) -> None:
        if len(read) == 3:
            raise Stopped

    oversight = Oversight(library, ledger, CONFIG)
    with pytest.raises(Stopped):
        oversight.look(reward, BagClips(library, embed), end_after_three)
    assert len(read) == 3 and oversight.meter is None and oversight.alarm is None


def test_few_answers_say_nothing(library: Library, ledger: Ledger) -> None:
    oversight = looked(library, ledger, foretold=0.05, answers=15)
    assert oversight.meter is None and oversight.alarm is None and not oversight.ringing


def test_what_a_reward_foretells_when_it_asks_comes_true(library: Library, ledger: Ledger) -> None:
    data = learned(library, ledger)
    config = AskingConfig(repeats=0, strategy="uniform", steps=4, clips=24, schedule=Schedule(budget=60, first=60, waiting=20))
    questioner = Questioner(library, ledger, Human(ledger), config)
    questioner.take_reward(data)
    assert questioner.look(progress=1.0) == 20
    asked = [query for query in ledger.waiting() if query.options[0].episode_id != query.options[1].episode_id]
    right = [(query.predicted[0] > 0.5) == (query.options[0].episode_id > query.options[1].episode_id) for query in asked]
    assert len(asked) > 10 and sum(right) >= 0.9 * len(asked)
