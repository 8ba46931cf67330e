"""The reward that a ledger stands for, and questions that it chooses: over bags, without a graph."""

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
from rewardbot.feedback.feedback import Given, Query, Ranking, Skip
from rewardbot.feedback.ledger import Ledger
from rewardbot.feedback.schedule import Schedule
from rewardbot.feedback.teachers.recorded import Human
from rewardbot.feedback.teachers.simulated import Simulated
from rewardbot.rewards.base import Context
from rewardbot.rewards.preference import PreferenceConfig, PreferenceReward
from rewardbot.robots.robot import RobotContract
from rewardbot.training.choosing import Chooser
from rewardbot.training.clips import BagClips
from rewardbot.training.fitting import RewardFitter
from rewardbot.training.gating import gate_of
from rewardbot.training.questioner import Questioner
from rewardbot.types import Episode, Segment

CONFIG = PreferenceConfig(sees=("proprio", "actions"), members=2, hidden=8, steps=200, batch=8)
COUNT, STEPS = 8, 6


@pytest.fixture
def library(tmp_path: Path, contract: RobotContract, make_episode: Callable[..., Episode]) -> Library:
    for number in range(COUNT):
        write_episode(tmp_path / "bags", make_episode(number, steps=STEPS, source="policy"), contract)
    found = Library([tmp_path / "bags"], warn=lambda text: None)
    found.refresh()
    return found


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "feedback.db") as found:
        yield found


def features(episode: Episode) -> torch.Tensor:
    """What an encoder would see: nothing but the mean brightness."""
    return torch.tensor(episode.images["front"].mean((1, 2, 3)), dtype=torch.float32)[:, None]


def fitter(ledger: Ledger, library: Library, said: list[str] | None = None) -> RewardFitter:
    return RewardFitter(ledger.path, BagClips(library, features), CONFIG, seed=3, warn=(said if said is not None else []).append)


def truth(library: Library) -> Callable[[Segment], np.ndarray]:
    """Steps are as good as the first action's entry."""
    return lambda segment: library.read(segment.episode_id).applied[segment.start : segment.stop, 0].astype(float)


def answered(ledger: Ledger, library: Library, pairs: int = 12) -> None:
    """Answers of one who always prefers the truly better of two whole episodes."""
    draw, of = np.random.default_rng(0), truth(library)
    for number in range(pairs):
        one, other = (Segment(library.ids[i], 0, STEPS) for i in draw.choice(COUNT, 2, replace=False))
        ledger.ask(Query(f"q{number}", "pair", (one, other), (0, 1)))
        better = of(one).sum() > of(other).sum()
        ledger.answer(Ranking((one, other), (0, 1) if better else (1, 0), Given("ann", f"q{number}")))


def test_clips_are_the_steps_of_the_episode(library: Library) -> None:
    episode, clip = library.read("policy-3"), BagClips(library, features).transitions(Segment("policy-3", 2, 5))
    np.testing.assert_array_equal(clip.actions.numpy(), episode.applied[2:5])
    np.testing.assert_array_equal(clip.next_proprio.numpy(), episode.proprio[3:6])
    assert torch.equal(clip.next_features, features(episode)[3:6]) and clip.rows.tolist() == [2, 3, 4]
    for start in (2, STEPS + 3):
        with pytest.raises(DataError, match=f"to {STEPS + 5}, its bag has {STEPS}"):
            BagClips(library, features).transitions(Segment("policy-3", start, STEPS + 5))


def test_a_reward_of_what_counts_again_and_again_to_the_bit(library: Library, ledger: Ledger) -> None:
    one = fitter(ledger, library)
    assert not one.due(), "nobody has said anything"
    answered(ledger, library)
    assert one.due()
    reward, metrics = one.fit()
    assert reward is not None and metrics["accuracy"] > 0.9 and one.answers == 12 and not one.due()
    assert reward.version == ledger.history().last == 24
    again, _ = fitter_due(ledger, library).fit()
    assert again is not None and again.version == 24
    for name, weights in reward.network.state_dict().items():
        assert torch.equal(weights, again.network.state_dict()[name])


def fitter_due(ledger: Ledger, library: Library) -> RewardFitter:
    found = fitter(ledger, library)
    assert found.due()
    return found


def test_a_skip_is_nothing_new_and_an_undone_answer_is(library: Library, ledger: Ledger) -> None:
    answered(ledger, library)
    one = fitter_due(ledger, library)
    one.fit()
    ledger.ask(Query("s", "pair", (Segment("policy-0", 0, 2), Segment("policy-1", 0, 2)), (0, 1)))
    ledger.answer(Skip(Given("ann", "s")))
    assert not one.due()
    ledger.undo(2, "ann")
    assert one.due() and one.news == 1
    reward, _ = one.fit()
    assert one.answers == 11 and reward is not None and reward.version == ledger.history().last


def test_who_takes_everything_back_leaves_no_reward(library: Library, ledger: Ledger) -> None:
    answered(ledger, library)
    one = fitter_due(ledger, library)
    one.fit()
    ledger.withdraw("ann", "boss")
    assert one.due()
    assert one.fit() == (None, {}) and one.answers == 0 and not one.due()


def test_answers_that_are_all_equal_are_said(library: Library, ledger: Ledger) -> None:
    pair = Segment("policy-0", 0, 2), Segment("policy-1", 0, 2)
    ledger.answer(Ranking(pair, (0, 0), Given("ann")))
    one = fitter_due(ledger, library)
    assert one.fit()[0] is None and "prefers" in one.trouble and not one.due()
    ledger.answer(Ranking(pair, (0, 1), Given("ann")))
    assert one.due() and one.fit()[0] is not None and one.trouble == ""


def test_an_answer_whose_clip_is_gone_costs_itself_only(library: Library, ledger: Ledger) -> None:
    answered(ledger, library)
    ledger.answer(Ranking((Segment("gone", 0, 2), Segment("policy-1", 0, 2)), (0, 1), Given("bob")))
    said: list[str] = []
    one = fitter(ledger, library, said)
    assert one.due()
    reward, _ = one.fit()
    assert reward is not None and one.answers == 12 and len(said) == 1 and "no bag of episode 'gone'" in said[0]
    other = fitter_due(ledger, library)
    ledger.undo(25, "bob")
    assert other.due()
    rebuilt, _ = other.fit()
    assert rebuilt is not None
    assert all(torch.equal(a, b) for a, b in zip(reward.network.parameters(), rebuilt.network.parameters(), strict=True))


def test_who_answers_by_chance_weighs_less(library: Library, ledger: Ledger) -> None:
    answered(ledger, library, pairs=30)
    draw = np.random.default_rng(1)
    for number in range(30):
        one, other = (Segment(library.ids[i], 0, STEPS) for i in draw.choice(COUNT, 2, replace=False))
        ledger.ask(Query(f"z{number}", "pair", (one, other), (0, 1)))
        ledger.answer(Ranking((one, other), (0, 1) if draw.random() < 0.5 else (1, 0), Given("zoe", f"z{number}")))
    clips = BagClips(library, features)
    weighted, _ = fitter_due(ledger, library).fit()
    assert weighted is not None
    alike = PreferenceReward(CONFIG, weighted.size, seed=3)
    alike.fit([one for one in ledger.active().values() if isinstance(one, Ranking)], Context(clips.transitions))
    true = [truth(library)(Segment(id, 0, STEPS)).sum() for id in library.ids]

    def right(reward: PreferenceReward) -> float:
        returns = [float(reward.reward(clips.transitions(Segment(id, 0, STEPS))).sum()) for id in library.ids]
        return float(np.corrcoef(returns, true)[0, 1])

    assert right(weighted) > right(alike) + 0.1


def test_a_reward_that_fails_its_tests_is_not_learned_from(library: Library, ledger: Ledger, tmp_path: Path) -> None:
    of = {id: truth(library)(Segment(id, 0, STEPS)).sum() for id in library.ids}
    best, worst = max(of, key=lambda id: of[id]), min(of, key=lambda id: of[id])
    file, clips = tmp_path / "tests.yaml", BagClips(library, features)
    answered(ledger, library, pairs=30)
    for better, worse, passes in ((best, worst, True), (worst, best, False)):
        file.write_text(f"tests:\n  - better: {better}\n    worse: {worse}\n")
        one = RewardFitter(ledger.path, clips, CONFIG, check=gate_of(file, library, clips))
        assert one.due()
        reward, _ = one.fit()
        assert (reward is not None) == passes and (one.trouble == "") == passes and not one.due()
    assert "The reward fails 1 of 1 tests" in one.trouble and one.answers == 0
    file.write_text("tests:\n  - better: nobody\n    worse: policy-0\n")
    one = RewardFitter(ledger.path, clips, CONFIG, check=gate_of(file, library, clips))
    assert one.due() and one.fit()[0] is None and "no episode 'nobody'" in one.trouble


def test_a_ledger_that_cannot_be_read_is_trouble(library: Library, tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    one = RewardFitter(path, BagClips(library, features), CONFIG)
    path.write_bytes(b"no ledger" * 1000)
    assert not one.due() and "no ledger" in one.trouble


# Questions ---------------------------------------------------------------------------------------------------------------

ASKING = AskingConfig(repeats=0, steps=4, clips=10, schedule=Schedule(budget=14, first=14, waiting=14))


def test_a_reward_chooses_questions_and_tells_of_each_step(library: Library, ledger: Ledger) -> None:
    questioner = Questioner(library, ledger, Human(ledger), ASKING, name="here")
    assert questioner.look(progress=1.0, ask=False) == 0
    answered(ledger, library)
    chooser = Chooser(ledger.path, library)
    reward = chooser.newer()
    assert reward is not None and chooser.newer() is None
    questioner.take_reward(reward)
    assert questioner.look(progress=1.0) == 2
    questioner.desk.refresh()
    for question in questioner.desk.questions().open:
        query = question.query
        assert (query.strategy, query.reward_version) == ("disagreement", 24) and sum(query.predicted) == pytest.approx(1.0)
        assert [len(clip) for clip in question.rewards] == [4, 4] and all(Path(bag).is_dir() for bag in question.bags)
    questioner.take_reward(b"")
    assert questioner.reward is None and questioner.desk.version == 0
    chooser.close()


def test_people_are_judged_by_the_reward_that_they_made(library: Library, ledger: Ledger, tmp_path: Path) -> None:
    questioner = Questioner(library, ledger, Human(ledger), ASKING, say=lambda text: None)
    answered(ledger, library)
    questioner.look(progress=1.0, ask=False)
    (ann,) = questioner.people.people
    assert (ann.name, ann.answers, ann.estimate, questioner.people.disputed) == ("ann", 12, None, 0)
    for number, answer in enumerate(list(ledger.active().values())):
        assert isinstance(answer, Ranking)
        ledger.answer(Ranking(answer.segments, answer.ranks[::-1] if number < 3 else answer.ranks, Given("bob")))
    chooser = Chooser(ledger.path, library)
    questioner.take_reward(chooser.newer() or b"")
    questioner.look(progress=1.0, ask=False)
    found = questioner.people
    ann, bob = found.people
    assert ann.estimate is not None and bob.estimate is not None and ann.estimate.weight == 1.0 > bob.estimate.weight
    assert found.disputed == 3 and found.agreement is not None and all(Path(bag).is_dir() for bag in found.disputes[0].bags)
    questioner.look(progress=1.0, ask=False)
    assert questioner.people is found, "nothing has changed"
    next((tmp_path / "bags" / "policy-2").glob("*.mcap")).write_bytes(b"cut off")
    reward = questioner.reward
    assert reward is not None
    questioner.clips = BagClips(library, reward.embed)  # which has not seen it yet
    ledger.answer(Ranking((Segment("policy-0", 0, 3), Segment("policy-1", 0, 3)), (0, 1), Given("ann")))
    questioner.look(progress=1.0, ask=False)
    assert questioner.people.people[0].answers == 13, "a bag that broke costs its judgements alone"
    chooser.close()


def test_a_bag_that_breaks_is_not_asked_about(library: Library, ledger: Ledger, tmp_path: Path) -> None:
    answered(ledger, library)
    chooser = Chooser(ledger.path, library)
    reward = chooser.newer()
    assert reward is not None
    next((tmp_path / "bags" / "policy-2").glob("*.mcap")).write_bytes(b"cut off")
    config = replace(ASKING, schedule=Schedule(budget=30, first=30))
    questioner = Questioner(library, ledger, Human(ledger), config, say=lambda text: None)
    questioner.take_reward(reward)
    assert questioner.look(progress=1.0) > 0
    asked = list(ledger.history().queries.values())[12:]
    assert all(segment.episode_id != "policy-2" for query in asked for segment in query.options) and "policy-2" not in library


def test_a_simulated_teacher_answers_what_is_asked(library: Library, ledger: Ledger) -> None:
    questioner = Questioner(library, ledger, Simulated(truth(library)), ASKING)
    for _ in range(3):
        questioner.look(progress=1.0)
    assert questioner.asking.answered == 14 and questioner.asking.waiting == 0 and questioner.trouble == ""
