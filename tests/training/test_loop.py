"""Collecting, learning in one process and evaluating, with a robot of a few lines instead of a simulator."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from rewardbot.data.takeovers import TAKEOVERS
from rewardbot.errors import RewardbotError
from rewardbot.rewards.goal_classifier import DeployedClassifier
from rewardbot.robots.robot import RobotContract
from rewardbot.robots.start_states import demonstration_stream, evaluation_stream, learning_stream, start_seed
from rewardbot.training import collect
from rewardbot.training.compare import arm_config
from rewardbot.training.evaluate import ClassifierCounts, evaluate
from rewardbot.training.learner import Learner
from rewardbot.training.learner_config import LearnerConfig
from rewardbot.training.loop import learn
from rewardbot.training.oracle import OracleLearner
from rewardbot.training.rates import Evaluation, Verdict, classifier_errors, error_rates
from rewardbot.types import Episode, EpisodeInfo, Observation

Make = Callable[..., Episode]
HORIZON = 5
SHOWN, LEARNED, JUDGED = demonstration_stream(1), learning_stream(1), evaluation_stream(2)


class Line:
    """A robot on a line: it starts where its seed says, moves by the first entry of the action, and succeeds beyond 1."""

    task = SimpleNamespace(horizon=HORIZON)
    task_name = "line"

    def __init__(self, contract: RobotContract) -> None:
        self.contract = contract
        self.seeds: list[int | None] = []
        self.place, self.time = 0.0, 0.0

    def reset(self, seed: int | None = None) -> Observation:
        self.seeds.append(seed)
        self.place = float(np.random.default_rng(seed).uniform(-1, 1))
        return self.read()

    def read(self) -> Observation:
        self.time += 0.1
        level = int(np.clip(128 + 60 * self.place, 0, 255))
        images = {name: np.full((camera.height, camera.width, 3), level, np.uint8) for name, camera in self.contract.cameras.items()}
        return Observation(self.time, images, np.zeros(7), np.zeros(7), np.array([self.place, 0, 0, 1, 0, 0, 0]), 1.0)

    def send(self, action: Any) -> Any:
        applied = np.clip(np.asarray(action, np.float32), -0.5, 0.5)
        self.place += float(applied[0])
        return applied

    def true_success(self) -> bool:
        return self.place > 1.0


class Push:
    """A policy that always does the same."""

    def __init__(self, by: float) -> None:
        self.by = by
        self.asked: list[str] = []

    def begin_episode(self, seed: int) -> None:
        """Nothing of the one before is kept."""

    def act(self, observation: Observation, *, actor: str = "rl", explore: bool = False) -> Any:
        self.asked.append(actor)
        return np.array([self.by, 0, 0, 0], np.float32)


@pytest.fixture
def line(contract: RobotContract) -> Any:
    return Line(contract)


def test_an_episode_holds_what_was_seen_asked_and_applied(line: Any) -> None:
    info = EpisodeInfo("e", "line", "sim_arm", "policy", seed=7)
    episode, truth = collect.run_episode(line, lambda seen: np.array([0.9, -0.9, 0, 0], np.float32), info)
    assert line.seeds == [7] and episode.info is info and len(episode) == HORIZON and not episode.terminated
    start = float(np.random.default_rng(7).uniform(-1, 1))
    np.testing.assert_allclose(episode.proprio[:, 0], start + 0.5 * np.arange(HORIZON + 1), rtol=1e-5)
    np.testing.assert_allclose(np.diff(episode.stamps), 0.1)
    assert (episode.actions[:, :2] == np.float32([0.9, -0.9])).all() and (episode.applied[:, :2] == [0.5, -0.5]).all()
    assert episode.actions.dtype == episode.applied.dtype == np.float32
    assert {name: images.shape[0] for name, images in episode.images.items()} == dict.fromkeys(line.contract.cameras, HORIZON + 1)
    assert truth.tolist() == (episode.proprio[:, 0] > 1.0).tolist() and truth[-1] and not truth[0]


def test_demonstrations_that_fail_are_done_again(line: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[int] = []

    class Operator:
        """Pushes so weakly that only a start far ahead succeeds."""

        def __init__(self, robot: Any, *, noise: float, hesitation: float, seed: int) -> None:
            assert (noise, hesitation, seed) == (0.1, 0.2, 4)

        def begin_episode(self, start: int) -> None:
            begun.append(start)

        def act(self) -> Any:
            return np.array([0.25, 0, 0, 0], np.float32)

    monkeypatch.setattr(collect, "ScriptedDemonstrator", Operator)
    shares: list[float] = []
    kept = collect.demonstrate(line, 4, noise=0.1, hesitation=0.2, stream=SHOWN, seed=4, progress=shares.append)
    assert line.seeds == [start_seed(SHOWN, k) for k in range(len(line.seeds))] and len(line.seeds) > 4
    assert begun == line.seeds, "the operator knows where it begins"
    assert all(episode.proprio[-1, 0] > 1.0 and episode.info.success for episode in kept)
    assert [episode.info.seed for episode in kept] == [
        seed for seed in line.seeds if np.random.default_rng(seed).uniform(-1, 1) + 1.25 > 1.0]
    assert len({episode.info.id for episode in kept}) == 4 and shares[-1] == 1.0
    assert all(episode.info.source == "demonstration" for episode in kept)
    failures = collect.demonstrate(line, 3, noise=0.1, hesitation=0.2, stream=SHOWN, seed=4, success=False)
    assert all(episode.proprio[-1, 0] <= 1.0 and episode.info.success is False for episode in failures)
    assert not {episode.info.seed for episode in failures} & {episode.info.seed for episode in kept}
    monkeypatch.setattr(Operator, "act", lambda self: np.zeros(4, np.float32))
    with pytest.raises(RewardbotError, match=r"succeeded in 0 of 17(.|\n)*--noise"):
        collect.demonstrate(line, 2, noise=0.1, hesitation=0.2, stream=SHOWN, seed=4)


def test_evaluation_counts_success_at_the_last_step(line: Any) -> None:
    shares: list[float] = []
    checked: list[tuple[int, bool]] = []
    policy: Any = Push(0.2)  # a metre in all: it succeeds from places beyond 0
    result = evaluate(line, policy, actor="bc", episodes=40, stream=JUDGED, progress=shares.append,
                      check=lambda images, success: checked.append((int(images["front"][0, 0, 0]), success)))
    assert line.seeds == [start_seed(JUDGED, k) for k in range(40)] and policy.asked == ["bc"] * 40 * HORIZON
    expected = [bool(np.random.default_rng(seed).uniform(-1, 1) + 1.0 > 1.0) for seed in line.seeds]
    assert [success for _, success in checked] == expected
    assert all((level >= 188) == success for level, success in checked), "the last images"
    assert (result.successes, result.episodes, result.rate) == (sum(expected), 40, sum(expected) / 40)
    assert 0.0 < result.low < result.rate < result.high < 1.0 and shares[-1] == 1.0


def test_streams_of_start_states_do_not_meet() -> None:
    assert len({start_seed(stream, episode) for stream in range(9) for episode in range(500)}) == 4500


def test_rates_of_wrong_verdicts() -> None:
    verdicts = [(True, True), (False, True), (True, False), (False, False), (False, False), (True, True)]
    rates = error_rates(verdicts)
    assert rates.false_positive_rate == pytest.approx(1 / 3) and rates.false_negative_rate == pytest.approx(1 / 3)
    assert error_rates([(True, True)]).false_positive_rate is None
    assert error_rates([(True, False)]).false_negative_rate is None
    assert Evaluation.of(0, 0).rate == 0.0


def test_calibration_is_how_far_probabilities_are_from_shares_of_successes() -> None:
    assert classifier_errors([]).calibration_error is None
    right = [Verdict(number < 9, number < 9, 0.9) for number in range(10)] + [Verdict(False, False, 0.0)] * 30
    assert classifier_errors(right).calibration_error == pytest.approx(0.0)
    # A quarter of all is said to be certain, and of that nothing is true; the rest is too low.
    wrong = [*[Verdict(True, False, 1.0)] * 2, Verdict(False, True, 0.3), *[Verdict(False, False, 0.3)] * 2,
             *[Verdict(True, True, 0.7)] * 3]
    errors = classifier_errors(wrong)
    assert errors.calibration_error == pytest.approx((2 * 1.0 + 0.1 + 3 * 0.3) / 8)
    assert errors.false_positive_rate == 0.5 and errors.false_negative_rate == 0.25


@pytest.fixture
def learner(config: LearnerConfig, contract: RobotContract, make_episode: Make) -> Learner:
    found = Learner(config, contract, "line", seed=1)
    found.pretrain([make_episode(n) for n in range(3)], lambda stage, share: None, baseline=False)
    return found


def test_the_classifiers_verdicts_are_counted(learner: Learner, line: Any) -> None:
    classifier = DeployedClassifier(learner.classifier_weights())
    counts = ClassifierCounts(classifier)
    assert counts.judged == 0.0
    images = dict(line.reset(0).images)
    verdict = classifier.probability(images) > classifier.threshold
    counts(images, True)
    counts(images, False)
    assert [item[:2] for item in counts.verdicts] == [(verdict, True), (verdict, False)] and counts.judged == float(verdict)


def test_learning_collects_an_episode_and_catches_up(learner: Learner, line: Any) -> None:
    reported: list[tuple[dict[str, float], int]] = []
    curve = learn(learner, line, stream=LEARNED, steps=50, report=lambda metrics, steps: reported.append((metrics, steps)))
    assert learner.env_steps == 50 and line.seeds == [start_seed(LEARNED, k) for k in range(10)]
    assert learner.agent.updates >= 50, "an update per step"
    assert len(curve.truth) == len(curve.judged) == 10 and [steps for _, steps, _ in curve.points] == [25, 50]
    assert [steps for _, steps in reported] == [25, 50]
    assert all(metrics["true_success"] == np.mean(curve.truth[: steps // HORIZON]) for metrics, steps in reported)
    assert curve.judged[-1] == (learner.judged[-1] > 0.5)


class Helper:
    """An operator who takes over for the last two steps of each episode that begins behind 0."""

    def __init__(self, line: Line) -> None:
        self.line, self.left, self.helps = line, 0, False

    def begin_episode(self, start: int) -> None:
        assert start == self.line.seeds[-1]
        self.left, self.helps = HORIZON, self.line.place < 0.0

    def acts(self) -> bool:
        self.left -= 1
        return self.helps and self.left < 2

    def act(self) -> Any:
        return np.array([0.5, 0.1, 0, 0], np.float32)


def test_an_operator_takes_over_and_judges_where_he_did(line: Any) -> None:
    for seed in range(8):
        info = EpisodeInfo("e", "line", "sim_arm", "policy", seed=seed, extra={"run": 3})
        helper: Any = Helper(line)
        episode, truth = collect.run_episode(line, lambda seen: np.array([0.2, 0, 0, 0], np.float32), info, helper)
        if helper.helps:
            assert episode.info.extra == {"run": 3, TAKEOVERS: [[3, 5]]} and episode.info.success is bool(truth[-1])
            assert episode.actions[:, 1].tolist() == np.float32([0, 0, 0, 0.1, 0.1]).tolist()
        else:
            assert episode.info is info and not episode.actions[:, 1].any()


def test_learning_from_takeovers(learner: Learner, line: Any) -> None:
    """Everything that was learned from is the operator's, and no success with his help is the policy's."""
    reported: list[dict[str, float]] = []
    before, helper = len(learner.demonstrations), cast(Any, Helper(line))
    curve = learn(learner, line, stream=LEARNED, steps=50, operator=helper, report=lambda metrics, steps: reported.append(metrics))
    helped = [np.random.default_rng(seed).uniform(-1, 1) < 0.0 for seed in line.seeds]
    assert curve.takeovers == helped and 0 < sum(helped) < 10
    assert len(learner.demonstrations) == before + 2 * sum(helped)
    actions = learner.demonstrations.actions[learner.demonstrations.spans[-1][1]]
    np.testing.assert_allclose(actions.numpy(), [0.5, 0.1, 0, 0])
    assert not any(true for true, with_help in zip(curve.truth, helped, strict=True) if with_help)
    assert not any(judged for judged, with_help in zip(curve.judged, helped, strict=True) if with_help)
    # Ten episodes of half a second.
    assert reported[-1]["takeovers_per_minute"] == pytest.approx(sum(helped) / (10 * HORIZON / 10.0 / 60.0))


def test_learning_ends_with_its_time(learner: Learner, line: Any) -> None:
    assert not learn(learner, line, stream=LEARNED, seconds=0.0).truth and learner.env_steps == 0


def test_the_oracle_is_told_the_truth(config: LearnerConfig, contract: RobotContract, make_episode: Make, line: Any) -> None:
    oracle = OracleLearner(config, contract, "line", seed=1)
    demonstrations = [make_episode(n) for n in range(3)]
    oracle.pretrain(demonstrations, lambda stage, share: None, baseline=False)
    oracle.score_demonstrations([np.zeros(len(episode) + 1, np.bool_) for episode in demonstrations])
    learn(oracle, line, stream=LEARNED, steps=100)
    places = oracle.visited.proprio[: 6 * 20, 0]
    assert oracle._visited[: 6 * 20].bool().tolist() == (places > 1.0).tolist()


def test_arms_of_a_comparison_differ_in_their_negatives_alone(config: LearnerConfig) -> None:
    assert arm_config("oracle", config) == arm_config("online", config) == config
    naive, good = arm_config("frozen", config), arm_config("frozen_offline", config)
    assert naive.classifier.negatives == good.classifier.negatives == "offline"
    assert naive.classifier.early < good.classifier.early == config.classifier.early
    for arm in (naive, good):
        assert {name for name in vars(config) if getattr(arm, name) != getattr(config, name)} == {"classifier"}
