"""The learner's bookkeeping in seconds: what it refuses, when it waits, what it says, what each network may see."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from rewardbot.data.takeovers import TAKEOVERS
from rewardbot.errors import DataError
from rewardbot.policies.base import DeployedPolicy
from rewardbot.rewards.goal_classifier import THRESHOLD, DeployedClassifier
from rewardbot.robots.robot import CameraContract, RobotContract
from rewardbot.training.learner import Learner
from rewardbot.training.learner_config import CorrectionsConfig, LearnerConfig
from rewardbot.types import Episode, Observation

Make = Callable[..., Episode]


def ignore(stage: str, share: float) -> None:
    """No progress shown."""


@pytest.fixture
def learner(config: LearnerConfig, contract: RobotContract, make_episode: Make) -> Learner:
    """Pretrained on five demonstrations."""
    found = Learner(config, contract, "reach", seed=1)
    found.pretrain([make_episode(n) for n in range(5)], ignore)
    return found


def observation(episode: Episode, step: int) -> Observation:
    pose = np.array([*episode.proprio[step, :3], 1.0, 0.0, 0.0, 0.0])
    return Observation(0.0, {name: images[step] for name, images in episode.images.items()}, np.zeros(7), np.zeros(7), pose,
                       float(episode.proprio[step, 3]))


# Pretraining.


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_demonstrations(count: int, config: LearnerConfig, contract: RobotContract, make_episode: Make) -> None:
    with pytest.raises(DataError, match=rf"{count} successful demonstrations are too few(.|\n)*At least 2(.|\n)*--demos 30"):
        Learner(config, contract, "reach").pretrain([make_episode(n) for n in range(count)], ignore)


def other_images(make_episode: Make, contract: RobotContract, **cameras: CameraContract | None) -> Episode:
    sizes = {name: camera for name, camera in {**contract.cameras, **cameras}.items() if camera is not None}
    return make_episode(7, of=dataclasses.replace(contract, cameras=sizes))


@pytest.mark.parametrize(("cameras", "said"), [
    ({"front": CameraContract(20, 16)}, r"camera 'front' has images of \(16, 20, 3\)"),
    ({"front": CameraContract(8, 10)}, r"camera 'front' has images of \(10, 8, 3\)"),
    ({"wrist": None}, r"camera 'wrist' has images of None"),
])
@pytest.mark.parametrize("how_many", ["one", "all"])
def test_other_cameras_are_refused_before_anything_is_trained(
    cameras: dict[str, CameraContract | None], said: str, how_many: str, config: LearnerConfig, contract: RobotContract,
    make_episode: Make,
) -> None:
    other = other_images(make_episode, contract, **cameras)
    demonstrations = [make_episode(0), make_episode(1), other] if how_many == "one" else [other, other]
    stages: list[str] = []
    with pytest.raises(DataError, match=rf"Episode demonstration-7: {said}(.|\n)*\(8, (10|8), 3\)"):
        Learner(config, contract, "reach").pretrain(demonstrations, lambda stage, share: stages.append(stage))
    assert not stages


def test_pretraining_tells_its_stages_and_leaves_a_whole_learner(
    config: LearnerConfig, contract: RobotContract, make_episode: Make
) -> None:
    learner = Learner(config, contract, "reach")
    stages: dict[str, list[float]] = {}
    metrics = learner.pretrain([make_episode(n) for n in range(3)], lambda stage, share: stages.setdefault(stage, []).append(share))
    assert list(stages) == ["tuned BC and encoder", "plain BC", "goal classifier"]
    assert all(shares[-1] == 1.0 and shares == sorted(shares) for shares in stages.values())
    assert metrics.keys() == {"bc_loss", "plain_bc_loss", "baseline_s", "classifier_loss"}
    assert all(np.isfinite(value) for value in metrics.values())
    assert learner.version == 1 and learner.env_steps == 0 and len(learner.demonstrations) == 18


def test_the_baseline_can_be_left_out(config: LearnerConfig, contract: RobotContract, make_episode: Make) -> None:
    learner = Learner(config, contract, "reach")
    before = {name: value.clone() for name, value in learner.plain.state_dict().items()}
    metrics = learner.pretrain([make_episode(n) for n in range(2)], ignore, baseline=False)
    assert "plain_bc_loss" not in metrics
    assert all(torch.equal(before[name], value) for name, value in learner.plain.state_dict().items())


def test_behaviour_cloning_can_be_taken_over(
    learner: Learner, config: LearnerConfig, contract: RobotContract, make_episode: Make
) -> None:
    other = Learner(config, contract, "reach", seed=9)
    metrics = other.pretrain([make_episode(n) for n in range(5)], ignore, baseline=False, cloning=learner.cloning)
    assert "bc_loss" not in metrics
    episode = make_episode(50)
    assert torch.equal(other.embed(episode), learner.embed(episode))


def test_the_classifiers_examples(config: LearnerConfig, contract: RobotContract, make_episode: Make) -> None:
    """Success: the last two frames, of one demonstration in five held out. Offline negatives: the first half, and failures whole."""
    learner = Learner(config, contract, "reach")
    demonstrations, failures = [make_episode(n) for n in range(5)], [make_episode(20, steps=3)]
    learner.pretrain(demonstrations, ignore, failures=failures)
    features = [learner.embed(episode) for episode in demonstrations]
    kept = learner.classifier.state()
    assert torch.equal(kept["heldout"], features[0][-2:])
    assert torch.equal(kept["positives"], torch.cat([f[-2:] for f in features[1:]]))
    assert torch.equal(learner.offline.fixed, torch.cat([*(f[:4] for f in features), learner.embed(failures[0])]))


@pytest.mark.parametrize("heldout", [0.0, 0.5, 0.9])
def test_two_demonstrations_are_enough_whatever_is_held_out(
    heldout: float, config: LearnerConfig, contract: RobotContract, make_episode: Make
) -> None:
    config = dataclasses.replace(config, classifier=dataclasses.replace(config.classifier, heldout=heldout))
    learner = Learner(config, contract, "reach")
    learner.pretrain([make_episode(n) for n in range(2)], ignore, baseline=False)
    kept = learner.classifier.state()
    assert len(kept["heldout"]) == len(kept["positives"]) == 2


# Episodes.


def test_an_episode_of_other_sizes_is_refused_and_not_counted(learner: Learner, contract: RobotContract, make_episode: Make) -> None:
    good = make_episode(60, source="policy")
    learner.add_episode(good)
    bad = [
        other_images(make_episode, contract, front=CameraContract(20, 16)),
        other_images(make_episode, contract, wrist=None),
        dataclasses.replace(good, applied=good.applied[:, :3]),
        dataclasses.replace(good, proprio=np.full_like(good.proprio, np.nan)),
        dataclasses.replace(good, applied=good.applied[:0]),
    ]
    for episode in bad:
        with pytest.raises(DataError):
            learner.add_episode(episode)
    assert learner.env_steps == 6 and len(learner.visited) == 6 and len(learner.judged) == 1


def add_judged(learner: Learner, make_episode: Make, monkeypatch: pytest.MonkeyPatch, *verdicts: float) -> None:
    """Adds visited episodes that the classifier judges so."""
    with monkeypatch.context() as patch:
        for number, verdict in enumerate(verdicts):
            patch.setattr(learner.classifier, "probability", lambda features, verdict=verdict: torch.tensor([verdict]))
            learner.add_episode(make_episode(number, source="policy"))


def test_success_estimate_is_the_share_of_the_last_episodes(
    learner: Learner, make_episode: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert learner.update()["success_estimate"] == 0.0
    for verdict, expected in zip((0.0, 0.49, 0.51, THRESHOLD, 0.9, 1.0), (0, 0, 1 / 3, 0.25, 0.5, 0.75), strict=True):
        add_judged(learner, make_episode, monkeypatch, verdict)
        assert learner.success_estimate == pytest.approx(expected)
    assert learner.update()["success_estimate"] == 0.75


def test_converged_is_a_success_that_lasts(
    config: LearnerConfig, contract: RobotContract, make_episode: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = dataclasses.replace(config, rlpd=dataclasses.replace(config.rlpd, bc_updates=18))
    learner = Learner(config, contract, "reach", seed=1)
    learner.pretrain([make_episode(n) for n in range(4)], lambda stage, share: None, baseline=False)
    add_judged(learner, make_episode, monkeypatch, *[1.0] * 8)
    assert learner.success_estimate == 1.0 and not learner.converged, "behaviour cloning still pulls"
    while not learner.converged:
        assert learner.agent.updates < 18
        learner.update()
    assert learner.update()["converged"] == 1.0
    add_judged(learner, make_episode, monkeypatch, 0.0, 1.0, 1.0, 1.0, 1.0)
    assert learner.success_estimate == 1.0 and not learner.converged, "one of the last eight failed"


def test_the_policy_before_a_decline_is_kept(learner: Learner, make_episode: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def deployed_is_newest() -> bool:
        return all(torch.equal(a, b) for a, b in zip(learner.best.parameters(), learner.agent.average.parameters(), strict=True))

    add_judged(learner, make_episode, monkeypatch, 1.0)
    assert learner.success_estimate == 1.0 and learner.best_estimate == 0.0, "one episode says nothing"
    learner.update()
    add_judged(learner, make_episode, monkeypatch, 0.0, 1.0, 1.0)
    assert learner.best_estimate == 0.75 and deployed_is_newest()
    add_judged(learner, make_episode, monkeypatch, 0.0)
    learner.update()
    assert not deployed_is_newest(), "learned since the last episode"
    kept = learner.policy_weights()
    add_judged(learner, make_episode, monkeypatch, 0.0)
    assert learner.success_estimate == 0.5 and not deployed_is_newest(), "two in four after three in four"
    shown = observation(make_episode(3), 0)
    assert np.array_equal(DeployedPolicy(learner.policy_weights()).act(shown), DeployedPolicy(kept).act(shown))
    add_judged(learner, make_episode, monkeypatch, 1.0, 1.0)
    assert learner.success_estimate == 0.5
    add_judged(learner, make_episode, monkeypatch, 1.0)
    assert learner.success_estimate == 0.75 and deployed_is_newest(), "as good as ever"


def test_the_last_observation_is_judged(learner: Learner, make_episode: Make) -> None:
    episode = make_episode(70, source="policy")
    learner.add_episode(episode)
    expected = learner.classifier.probability(learner.embed(episode))[-1]
    assert learner.judged[-1] == pytest.approx(float(expected), rel=1e-5)


def test_an_operators_intervention_teaches_but_is_not_judged(learner: Learner, make_episode: Make) -> None:
    learner.add_episode(make_episode(80, source="intervention"))
    assert learner.env_steps == 6 and not learner.judged


# Takeovers.


def taken_over(episode: Episode, *spans: list[int], success: bool | None = None) -> Episode:
    """The same, but an operator acted in these steps."""
    return dataclasses.replace(episode, info=dataclasses.replace(episode.info, success=success, extra={TAKEOVERS: list(spans)}))


@pytest.fixture
def supervised(config: LearnerConfig, contract: RobotContract, make_episode: Make) -> Learner:
    """Pretrained on three demonstrations; the last two steps before a takeover are negatives."""
    config = dataclasses.replace(config, classifier=dataclasses.replace(config.classifier, before_takeover=2))
    found = Learner(config, contract, "reach", seed=1)
    found.pretrain([make_episode(n) for n in range(3)], ignore, baseline=False)
    return found


def test_where_each_step_of_a_corrected_episode_goes(supervised: Learner, make_episode: Make) -> None:
    """The operator has steps 0, 1, 5, 6 and 7 of 8."""
    episode = taken_over(make_episode(80, steps=8, source="policy", terminated=True), [0, 2], [5, 8], success=True)
    rows = supervised.add_episode(episode)
    features, applied = supervised.embed(episode), torch.from_numpy(episode.applied)
    visited, shown = supervised.visited, supervised.demonstrations
    assert rows == range(9) and len(visited) == 8 and torch.equal(visited.features[:9], features), "all of it was visited"
    assert list(shown.spans)[3:] == [("policy-80/0-2", 21, 3), ("policy-80/5-8", 24, 4)] and len(shown) == 3 * 6 + 2 + 3
    first, second = shown.at(torch.tensor([21, 22])), shown.at(torch.tensor([24, 25, 26]))
    assert torch.equal(first.features, features[0:2]) and torch.equal(first.next_features, features[1:3])
    assert torch.equal(second.features, features[5:8]) and torch.equal(second.next_features, features[6:9])
    assert torch.equal(first.actions, applied[0:2]) and torch.equal(second.actions, applied[5:8])
    assert first.continues.tolist() == [1.0, 1.0] and second.continues.tolist() == [1.0, 1.0, 0.0]
    assert torch.equal(supervised.offline.added, features[[4, 5]]), "what the steps 3 and 4 led to"
    assert torch.equal(supervised.classifier.positives.added, features[-1:])
    assert (supervised.env_steps, supervised.episodes, supervised.last_seed) == (8, 1, 80)


def test_corrections_are_in_the_demonstrations_half_of_a_batch_and_the_policys_own_steps_are_not(
    supervised: Learner, make_episode: Make
) -> None:
    episode = taken_over(make_episode(80, steps=8, source="policy"), [2, 4])
    supervised.add_episode(episode)
    drawn = {tuple(row) for row in supervised.demonstrations.sample(2000).actions.tolist()}
    inside = [tuple(row) in drawn for row in episode.applied.tolist()]
    assert inside == [False, False, True, True, False, False, False, False]


@pytest.mark.parametrize("spans", [[], [[5, 8]], [[2, 4]]])
@pytest.mark.parametrize(("success", "shown", "failed"), [(True, 1, 0), (False, 0, 1), (None, 0, 0)])
def test_the_operators_word_on_the_end_is_learned_whoever_had_the_robot_then(
    spans: list[list[int]], success: bool | None, shown: int, failed: int, supervised: Learner, make_episode: Make
) -> None:
    episode = taken_over(make_episode(80, steps=8, source="policy"), *spans, success=success)
    supervised.add_episode(episode)
    positives, negatives = supervised.classifier.positives.added, supervised.offline.added
    assert len(positives) == shown and len(negatives) == failed + 2 * len(spans)
    end = supervised.embed(episode)[-1]
    assert all(torch.equal(rows[-1], end) for rows, has in ((positives, shown), (negatives, failed)) if has)


@pytest.mark.parametrize("first", [True, False, None])
@pytest.mark.parametrize("later", [True, False])
def test_a_verdict_that_comes_later_counts_as_one_that_came_in_time(
    first: bool | None, later: bool, supervised: Learner, make_episode: Make
) -> None:
    episode = taken_over(make_episode(80, steps=8, source="policy"), [2, 4], success=first)
    supervised.add_episode(episode)
    assert supervised.judge("policy-80", later) and supervised.judge("policy-80", later), "said twice it is learned once"
    features = supervised.embed(episode)
    assert torch.equal(supervised.classifier.positives.added, features[-1:] if later else features[:0])
    assert torch.equal(supervised.offline.added, features[[1, 2]] if later else features[[1, 2, 8]])
    assert not supervised.judge("policy-81", True), "nobody knows it"


def test_of_an_episode_that_its_operator_gives_up_nothing_stays(supervised: Learner, make_episode: Make) -> None:
    kept, given_up = (taken_over(make_episode(n, steps=8, source="policy"), [2, 4], success=True) for n in (80, 81))
    for episode in (kept, given_up):
        supervised.add_episode(episode)
    assert supervised.discard("policy-81") and not supervised.discard("policy-81") and not supervised.judge("policy-81", True)
    assert [name for name, _, _ in supervised.visited.spans] == ["policy-80"] and len(supervised.visited) == 8
    assert [name for name, _, _ in supervised.demonstrations.spans][3:] == ["policy-80/2-4"]
    features = supervised.embed(kept)
    assert torch.equal(supervised.classifier.positives.added, features[-1:])
    assert torch.equal(supervised.offline.added, features[[1, 2]])
    drawn = {tuple(row) for row in supervised.visited.sample(500).actions.tolist()}
    assert drawn == {tuple(row) for row in kept.applied.tolist()}, "none of the other is drawn"
    supervised.add_episode(make_episode(82, steps=8, source="policy"))
    assert len(supervised.visited) == 16 and supervised.episodes == 3


def test_an_episode_that_needed_help_is_no_success_of_the_policy(
    supervised: Learner, make_episode: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervised.classifier, "probability", lambda features: torch.ones(len(features)))
    supervised.add_episode(taken_over(make_episode(80, source="policy"), [2, 4], success=True))
    supervised.add_episode(taken_over(make_episode(81, source="policy"), success=True))
    assert list(supervised.judged) == [0.0, 1.0]


@pytest.mark.parametrize("spans", [[[0, 7]], [[3, 3]], [[-1, 2]], [5], ["all"]])
def test_takeovers_that_cannot_be_are_refused_and_nothing_of_the_episode_is_kept(
    spans: list[Any], supervised: Learner, make_episode: Make
) -> None:
    with pytest.raises(DataError, match=r"Episode policy-80 .*takeover"):
        supervised.add_episode(taken_over(make_episode(80, source="policy"), *spans, success=True))
    assert (supervised.env_steps, supervised.episodes, len(supervised.visited), len(supervised.demonstrations)) == (0, 0, 0, 18)
    assert not supervised.judged and not len(supervised.offline.added) and not len(supervised.classifier.positives.added)


def test_states_before_a_takeover_become_less_likely_to_be_the_goal(supervised: Learner, make_episode: Make) -> None:
    """Only negatives tell the two episodes apart, and only by them does the classifier learn."""
    helped = [taken_over(make_episode(n, steps=8, source="policy"), [4, 8]) for n in range(80, 84)]
    alone = [make_episode(n, steps=8, source="policy") for n in range(84, 88)]
    before, other = (torch.cat([supervised.embed(one)[3:5] for one in of]) for of in (helped, alone))
    for episode in helped:
        supervised.add_episode(episode)
    supervised.classifier.fit(300)
    assert supervised.classifier.probability(before).mean() < supervised.classifier.probability(other).mean() - 0.1


def test_what_was_corrected_is_cloned_every_few_episodes_and_deployed_at_once(
    config: LearnerConfig, contract: RobotContract, make_episode: Make
) -> None:
    """Reinforcement learning has no say in it: its actor learns nothing yet."""
    config = dataclasses.replace(
        config, corrections=CorrectionsConfig(every=2, cloning=dataclasses.replace(config.bc, steps=300, dropout=0.0)),
        rlpd=dataclasses.replace(config.rlpd, actor_after=10**6))
    learner = Learner(config, contract, "reach", seed=1)
    learner.pretrain([make_episode(n) for n in range(3)], ignore, baseline=False)
    shown = taken_over(make_episode(80, steps=8, source="policy"), [0, 8])
    features, proprio, applied = learner.embed(shown)[:-1], torch.from_numpy(shown.proprio[:-1]), torch.from_numpy(shown.applied)

    def error() -> float:
        return float((learner.best.mode(features, proprio) - applied).square().mean())

    before, cloned = error(), learner.cloning.policy.state_dict()
    learner.add_episode(shown)
    learner.update()
    assert error() == before and learner.uncloned == 1, "after two episodes only"
    learner.add_episode(make_episode(81, source="policy"))
    version = learner.version
    learner.update()
    after = error()
    assert after < 0.5 * before and learner.version > version and (learner.uncloned, learner.cloned_at) == (0, 2)
    assert all(torch.equal(kept, cloned[name]) for name, kept in learner.cloning.policy.state_dict().items()), "the baseline stays"
    for number in (82, 83):
        learner.add_episode(make_episode(number, source="policy"))
    learner.update()
    assert error() == after, "nothing new was shown"
    learner.add_episode(taken_over(make_episode(84, steps=8, source="policy"), [2, 4]))
    learner.update()
    assert error() != after, "longer ago than two episodes: at once"


# Updates.


def test_it_waits_without_experience_and_when_far_ahead(learner: Learner, make_episode: Make) -> None:
    """Two updates per step (`most_updates_per_step`), six per round: six steps are good for two rounds."""
    assert learner.update() == {"success_estimate": 0.0, "best_estimate": 0.0, "converged": 0.0, "env_steps": 0.0, "waiting": 1.0}
    learner.add_episode(make_episode(90, source="policy"))
    version = learner.version
    assert [learner.update()["waiting"] for _ in range(4)] == [0.0, 0.0, 1.0, 1.0]
    assert learner.agent.updates == 12 and learner.version == version + 2, "waiting changes nothing"
    learner.add_episode(make_episode(91, source="policy"))
    assert learner.update()["waiting"] == 0.0


def test_metrics_of_an_update(learner: Learner, make_episode: Make) -> None:
    learner.add_episode(make_episode(90, source="policy"))
    metrics = learner.update()
    assert {"success_estimate", "best_estimate", "converged", "env_steps", "waiting", "updates", "updates_per_s",
            "classifier_level", "bc_weight", "reward", "critic_loss", "actor_loss", "entropy", "temperature"} == metrics.keys()
    assert all(isinstance(value, float) and np.isfinite(value) for value in metrics.values())
    assert metrics["env_steps"] == 6.0 and metrics["updates"] == 6.0


@pytest.mark.parametrize(("negatives", "fits"), [("visited", 2), ("offline", 0)])
def test_the_classifier_is_refitted_only_with_visited_negatives(
    negatives: str, fits: int, config: LearnerConfig, contract: RobotContract, make_episode: Make
) -> None:
    config = dataclasses.replace(config, classifier=dataclasses.replace(config.classifier, negatives=negatives))
    learner = Learner(config, contract, "reach")
    learner.pretrain([make_episode(n) for n in range(3)], ignore, baseline=False)
    learner.add_episode(make_episode(90, source="policy"))
    before = learner.classifier.version
    learner.update()
    assert learner.classifier.version == before + fits  # every third of six updates


@pytest.mark.parametrize(("kind", "expected"), [
    ("ratio", [0.5, 1.0, 1.5]), ("probability", [0.5, 1.0, 1.0]), ("logit", [-1.0, 0.0, 1.0])])
def test_the_kinds_of_reward(
    kind: str, expected: list[float], config: LearnerConfig, contract: RobotContract, make_episode: Make,
    monkeypatch: pytest.MonkeyPatch
) -> None:
    """D is 1/4, 1/2 and 3/4, and 1/2 of held-out success examples."""
    config = dataclasses.replace(config, classifier=dataclasses.replace(config.classifier, reward=kind))
    learner = Learner(config, contract, "reach")
    learner.pretrain([make_episode(n) for n in range(3)], ignore, baseline=False)
    monkeypatch.setattr(learner.classifier.discriminator, "forward", lambda features: torch.tensor([1 / 3, 1.0, 3.0]).log())
    learner.classifier.level.fill_(0.5)
    torch.testing.assert_close(learner.reward(learner.demonstrations.sample(3)), torch.tensor(expected))


def test_half_of_each_batch_is_demonstrated_and_the_reward_is_computed_now(
    learner: Learner, make_episode: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner.add_episode(make_episode(90, source="policy"))
    seen = []
    original = learner.agent.update_critic

    def watch(batch, reward):
        n = learner.config.rlpd.batch
        known = {tuple(row) for row in learner.demonstrations.features.tolist()}
        assert len(batch) == 2 * n == 16
        assert all(tuple(row) in known for row in batch.features[:n].tolist())
        assert not any(tuple(row) in known for row in batch.features[n:].tolist())
        torch.testing.assert_close(reward, learner.classifier.reward(batch))
        seen.append(reward)
        return original(batch, reward)

    monkeypatch.setattr(learner.agent, "update_critic", watch)
    learner.update()
    assert len(seen) == 6


def test_the_encoder_stays_as_behaviour_cloning_left_it(learner: Learner, make_episode: Make) -> None:
    learner.add_episode(make_episode(90, source="policy"))
    before = {name: value.clone() for name, value in learner.encoder.state_dict().items()}
    learner.update()
    assert all(torch.equal(before[name], value) for name, value in learner.encoder.state_dict().items())
    features = learner.embed(make_episode(91))
    assert not features.requires_grad and torch.equal(features, learner.embed(make_episode(91)))


def test_the_seed_decides_everything(config: LearnerConfig, contract: RobotContract, make_episode: Make) -> None:
    def weights(seed: int) -> bytes:
        learner = Learner(config, contract, "reach", seed)
        learner.pretrain([make_episode(n) for n in range(3)], ignore)
        learner.add_episode(make_episode(90, source="policy"))
        learner.update()
        return learner.policy_weights() + learner.classifier_weights()

    assert weights(1) == weights(1) != weights(2)


# What others get.


def test_deployed_weights_do_what_the_learner_does(learner: Learner, make_episode: Make) -> None:
    learner.add_episode(make_episode(90, source="policy"))
    learner.update()
    policy, classifier = DeployedPolicy(learner.policy_weights()), DeployedClassifier(learner.classifier_weights())
    assert policy.version == learner.version and policy.task == "reach" and policy.cameras == learner.cameras
    episode = make_episode(91)
    features, proprio = learner.embed(episode), torch.from_numpy(episode.proprio)
    probabilities = learner.classifier.probability(features)
    expected = {"rl": learner.best.mode(features, proprio), "bc_tuned": learner.cloning.policy.mode(features, proprio),
                "explore": learner.agent.actor.mode(features, proprio)}
    for step in range(len(episode)):
        seen = observation(episode, step)
        assert classifier.probability(seen.images) == pytest.approx(float(probabilities[step]), abs=1e-5)
        for actor, actions in expected.items():
            np.testing.assert_allclose(policy.act(seen, actor=actor), actions[step].detach(), atol=1e-5)
    plain = learner.plain.policy.mode(learner.plain.encoder({name: torch.from_numpy(images[:1]).permute(0, 3, 1, 2)
                                                             for name, images in episode.images.items()}), proprio[:1])
    np.testing.assert_allclose(policy.act(observation(episode, 0), actor="bc"), plain[0].detach(), atol=1e-5)


def test_the_baseline_may_be_of_another_size(config: LearnerConfig, contract: RobotContract, make_episode: Make) -> None:
    """It is evaluated at the end of a run, which must not find then that it is not there."""
    other = dataclasses.replace(config.plain_bc, latent=6, hidden=10)
    learner = Learner(dataclasses.replace(config, plain_bc=other), contract, "reach")
    demonstrations = [make_episode(n) for n in range(2)]
    learner.pretrain(demonstrations, ignore)
    action = DeployedPolicy(learner.policy_weights()).act(observation(demonstrations[0], 0), actor="bc")
    assert np.isfinite(action).all()
