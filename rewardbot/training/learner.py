"""The learner: demonstrations and visited episodes in, policy and goal classifier out. No ROS, no robot, no true state.

    demonstrations --> behaviour cloning --> frozen encoder --> features of every image, cached
    success images  + negatives (visited states) --> goal classifier, refitted all the time
    half demonstrations, half visited transitions, reward = goal classifier, computed now --> RLPD --> policy

Without demonstrations, random play stands in their place, and an autoencoder in that of behaviour cloning.
"""

from __future__ import annotations

import copy
import secrets
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rewardbot.data.pool import Pool, evened
from rewardbot.data.replay import Batch, Replay, concatenate
from rewardbot.data.success_images import Images
from rewardbot.data.takeovers import spans, steps_before, steps_taken_over
from rewardbot.errors import DataError
from rewardbot.nets import parallel
from rewardbot.nets.encoders import Encoder, to_tensors
from rewardbot.nets.heads import SquashedGaussianPolicy
from rewardbot.nets.places import PlaceEncoder
from rewardbot.policies.base import policy_to_bytes
from rewardbot.policies.bc import BehaviourCloning, demonstration_set, join
from rewardbot.policies.placing import Placing
from rewardbot.policies.placing_policy import PlacingPolicy
from rewardbot.policies.rlpd import RLPD, to_floats
from rewardbot.rewards.deployed_preference import reward_to_bytes
from rewardbot.rewards.goal_classifier import THRESHOLD, GoalClassifier
from rewardbot.rewards.preference import PreferenceReward
from rewardbot.rewards.vice import MINIMUM, visited_negatives
from rewardbot.robots.robot import RobotContract
from rewardbot.training import checkpoint, from_images
from rewardbot.training.device import choose, memory
from rewardbot.training.graphed import Update, on_device
from rewardbot.training.learner_config import LearnerConfig
from rewardbot.types import PROPRIO_NAMES, Episode, EpisodeInfo, Metrics

SEEDS_APART = 2**32
"""Between the seeds of batches in processes that learn together."""

Progress = Callable[[str, float], None]
"""Called with a stage's name and the share of it that is done."""

DECLINE = 0.1
"""How far the success estimate may be below its best before the policy counts as worse: about two standard errors."""


class Learner:
    """See the module.

    Args:
        config: hyper-parameters.
        contract: the robot; gives camera sizes and the action's length.
        task: task name, written into the weights.
        seed: seed of networks and batches.

    Attributes:
        device: where it computes.
        env_steps: visited transitions so far.
        episodes: visited episodes so far.
        last_seed: start seed of the newest of them, -1 without one.
        learn_s: time spent learning that the networks embody, kept by whoever calls `update` [s].
        lineage: the same in all checkpoints that came out of one pretraining.
        version: grows with every change of the weights.
        offline: observations that are certainly not the goal: those given at the start, those before takeovers, and the ends of
            episodes that the operator calls a failure.
        best: the policy that is deployed, see `_keep_best`.
        best_estimate: the highest success estimate so far.
        uncloned, cloned_at: takeovers since corrections were cloned last, and the episodes that there were then.
        preference: the reward from preferences, replaced by whoever fits it, see `fitting.RewardFitter`; None before there is one.
        aimed: while play is aimed at a thing that is to be placed: what comes of it.
        baseline_s: time spent on the plain baseline, which is not learning [s].
    """

    @memory("capacity")
    def __init__(self, config: LearnerConfig, contract: RobotContract, task: str, seed: int = 0) -> None:
        self.config, self.contract, self.task, self.seed = config, contract, task, seed
        self.device = choose(config.device)
        torch.manual_seed(seed)
        self.generator = torch.Generator(device=self.device).manual_seed(seed)
        self.cameras = {name: (camera.height, camera.width) for name, camera in contract.cameras.items()}
        sizes = (self.cameras, len(PROPRIO_NAMES), contract.action_dim)
        self.cloning = BehaviourCloning(config.bc, *sizes).to(self.device)
        self.plain = BehaviourCloning(config.plain_bc, *sizes).to(self.device)
        self.encoder: Encoder = self.cloning.frozen_encoder()
        self.demonstrations = self._new_replay(config.capacity, seed)
        self.visited = self._new_replay(config.capacity, seed + 1)
        self.env_steps = self.episodes = self.version = 0
        self.last_seed, self.learn_s, self.lineage = -1, 0.0, secrets.token_hex(4)
        self.baseline_s = 0.0
        self.judged: deque[float] = deque(maxlen=2 * config.judged_episodes)
        self.classifier: GoalClassifier
        self.agent: RLPD | Placing
        self.preference: PreferenceReward | None = None
        self.uncloned = self.cloned_at = self.played_steps = 0
        self._made_for: tuple[RLPD | Placing, GoalClassifier, PreferenceReward | None, bool] | None = None
        self._update_critic: Update
        self._update_all: Update
        self._refit: Update
        self.best: SquashedGaussianPolicy | PlacingPolicy
        self.best_estimate = 0.0
        self.aimed: from_images.Aimed | None = None

    # Before learning -----------------------------------------------------------------------------------------------------

    @memory("bc.batch and plain_bc.batch")
    def pretrain(
        self, demonstrations: Sequence[Episode], progress: Progress, *, failures: Sequence[Episode] = (),
        baseline: bool = True, cloning: BehaviourCloning | None = None, shown: Images | None = None, others: Images | None = None,
    ) -> Metrics:
        """Behaviour cloning, its plain baseline, the first classifier, and the reinforcement learner's start.

        Args:
            demonstrations: successful ones.
            progress: told of each stage.
            failures: episodes without success, all of whose states are offline negatives.
            baseline: also train the plain baseline.
            cloning: behaviour cloning that has been trained on the same demonstrations, to use instead of training it.
            shown: pictures of the goal, further success examples, camera name -> uint8 (N, H, W, 3).
            others: pictures without the goal, further offline negatives, likewise.

        Raises:
            DataError: fewer than two demonstrations, or images of other sizes.
        """
        if len(demonstrations) < 2:
            raise DataError(f"{len(demonstrations)} successful demonstrations are too few to learn from.",
                            valid="At least 2: one to learn the goal from and one to check it.",
                            next_step="Record more: rewardbot demo --demos 30.")
        for episode in (*demonstrations, *failures):
            self.check_cameras(episode)
        data = join([demonstration_set(episode, self.cameras, self.device) for episode in demonstrations])
        threads = torch.get_num_threads()
        torch.set_num_threads(max(threads, self.config.pretrain_threads))
        metrics: Metrics = {}
        try:
            if cloning is not None:
                self.cloning.load_state_dict(cloning.state_dict())
                self.cloning.eval()
            else:
                metrics["bc_loss"] = self.cloning.fit(data, lambda share: progress("tuned BC and encoder", share),
                                                      self.generator)
            started = time.monotonic()
            if baseline:
                metrics["plain_bc_loss"] = self.plain.fit(data, lambda share: progress("plain BC", share), self.generator)
            self.baseline_s = metrics["baseline_s"] = time.monotonic() - started
        finally:
            torch.set_num_threads(threads)
        parallel.share(self.cloning, self.plain)
        self.encoder = self.cloning.frozen_encoder()
        features = self.add_prior(demonstrations, progress)
        self.classifier = self._new_classifier(
            features, [self.embed(episode) for episode in failures], self.embed_images(shown or {}), self.embed_images(others or {}))
        self.begin(metrics, progress)
        progress("goal classifier", 1.0)
        return metrics

    @memory("autoencoder.batch")
    def pretrain_from_images(
        self, success: Images, play: Sequence[Episode], progress: Progress, *, others: Images | None = None
    ) -> Metrics:
        """See `from_images.pretrain`."""
        return from_images.pretrain(self, success, play, progress, others=others)

    def see_through(self, encoder: Encoder) -> None:
        """Forgets what was seen through another encoder."""
        self.encoder = encoder
        self.demonstrations = self._new_replay(self.config.capacity, self.seed)
        self.visited = self._new_replay(self.config.capacity, self.seed + 1)

    def add_prior(self, episodes: Sequence[Episode], progress: Progress) -> list[Tensor]:
        """Their features, each (T + 1, F)."""
        features: list[Tensor] = []
        for episode in episodes:
            progress("goal classifier", 0.0)
            features.append(self.embed(episode))
            self.demonstrations.add(episode, features[-1])
        return features

    def begin(self, metrics: Metrics, progress: Progress) -> None:
        """What every pretraining ends with."""
        metrics["classifier_loss"] = self.classifier.fit(self.config.classifier.first_steps,
                                                         lambda share: progress("goal classifier", share))
        self.agent = agent = self.new_agent()
        parallel.share(self.classifier.discriminator, *agent.parts.values())
        if parallel.rank():
            torch.manual_seed(self.seed + SEEDS_APART * parallel.rank())
        self.best, self.best_estimate = copy.deepcopy(self.agent.average), 0.0
        self.version += 1

    # Learning ------------------------------------------------------------------------------------------------------------

    def add_episode(self, episode: Episode) -> range:
        """Takes an episode that the policy, an operator or both in turn went through; returns its rows in the replay.

        Raises:
            DataError: it does not fit, see `Replay.numbers_of`, or its takeovers are none, see `data.takeovers`.
        """
        rows = self.take(episode.info, self.visited.numbers_of(episode, self.embed(episode)))
        if self.aimed is not None:
            self.aimed.add(self, episode)
        return rows

    def take(self, info: EpisodeInfo, numbers: Mapping[str, Tensor]) -> range:
        """As `add_episode`, for an episode of which only the numbers are left, see `Replay.put`."""
        features = numbers["features"].to(self.device)
        taken = steps_taken_over(info, len(features) - 1)
        rows = self.visited.put(info.id, numbers)
        self._correct(info, numbers, taken)
        if info.success is not None:  # the operator's word on the last observation, whoever brought it about
            (self.classifier.positives if info.success else self.offline).add(features[-1:])
        if info.source == "policy":
            # What needed help is no success of the policy, however it ended.
            self.judged.append(0.0 if taken.any() else float(self.classifier.probability(features[-1:])[0]))
            self._keep_best()
        self.env_steps += len(taken)
        self.episodes += 1
        self.last_seed = self.last_seed if info.seed is None else info.seed
        return rows

    def _correct(self, info: EpisodeInfo, numbers: Mapping[str, Tensor], taken: NDArray[np.bool_]) -> None:
        """Learns from the steps (T,) in which an operator took over (HG-DAgger: Kelly et al. 2019).

        They are demonstrations. What the policy's last steps before them led to is certainly not the goal.
        """
        features = numbers["features"].to(self.device)
        self.uncloned += len(spans(taken))
        for start, stop in spans(taken):
            self.demonstrations.put(f"{info.id}/{start}-{stop}", {name: rows[start : stop + 1] for name, rows in numbers.items()})
        before = np.flatnonzero(steps_before(taken, self.config.classifier.before_takeover))
        self.offline.add(features[before + 1])

    def judge(self, name: str, success: bool) -> bool:
        """Takes the operator's verdict on a visited episode that came later, or another than before: on its last observation.

        Returns:
            Whether the episode is in the replay still; otherwise nothing changes.
        """
        if (seen := self._seen(name)) is None:
            return False
        end, right, wrong = seen[-1:], self.classifier.positives, self.offline
        if not success:
            right, wrong = wrong, right
        wrong.remove(end)
        right.remove(end)
        right.add(end)
        return True

    def discard(self, name: str) -> bool:
        """Forgets a visited episode that the operator has given up: its transitions, its corrections and all that was said of it.

        What has been learned from it until now stays; neither do the counts of steps and episodes change.

        Returns:
            Whether the episode was in the replay still; otherwise nothing changes.
        """
        if (seen := self._seen(name)) is None:
            return False
        for pool in (self.classifier.positives, self.offline):
            pool.remove(seen)
        self.demonstrations.remove([other for other, _, _ in self.demonstrations.spans if other.startswith(f"{name}/")])
        self.visited.remove([name])
        return True

    def _seen(self, name: str) -> Tensor | None:
        """A copy of the features of a visited episode, (T + 1, F); None if it is not in the replay."""
        rows = next(((first, count) for other, first, count in self.visited.spans if other == name), None)
        return None if rows is None else self.visited.features[rows[0] : sum(rows)].clone()

    @property
    def playing(self) -> bool:
        """Whether the next episode is play that is aimed at the thing which is to be placed."""
        return self.aimed is not None

    @property
    def learning_steps(self) -> int:
        """Environment steps but those of play."""
        return self.env_steps - self.played_steps

    @property
    def success_estimate(self) -> float:
        """Share of the last `judged_episodes` of the exploring policy that ended in what the classifier calls a success."""
        return self._judged_success(self.config.judged_episodes)

    @property
    def converged(self) -> bool:
        """Whether the policy has succeeded for long enough, and is as free of behaviour cloning as it will be.

        Judged by the classifier while it is refitted with what it judges, so an exploit does not last long enough to count. What
        operators prefer may be something else: then there is no such end.
        """
        return (self.config.rewarded_by == "goal" and len(self.judged) == self.judged.maxlen
                and self.agent.updates >= self.config.rlpd.bc_updates
                and self._judged_success(len(self.judged)) >= self.config.converged_at)

    def _judged_success(self, episodes: int) -> float:
        last = list(self.judged)[-episodes:]
        return float(np.mean([p > THRESHOLD for p in last])) if last else 0.0

    def _keep_best(self) -> None:
        """The averaged policy is deployed as long as the exploring one does about as well as it ever did; once that declines,
        the last one before the decline is. The classifier says nothing of what operators prefer: then the averaged one is.
        """
        if self.config.rewarded_by == "preferences":
            self.best.load_state_dict(self.agent.average.state_dict())
            return
        estimate = self.success_estimate if len(self.judged) >= self.config.judged_episodes else 0.0  # too few say nothing
        if estimate >= self.best_estimate - DECLINE:
            self.best.load_state_dict(self.agent.average.state_dict())
        self.best_estimate = max(self.best_estimate, estimate)

    @memory("rlpd.batch and discriminator.batch")
    def update(self) -> Metrics:
        """One round of updates of critics, policy and classifier. Waits (`waiting` is 1) for experience when it is far ahead.

        The metrics hold `success_estimate`, `best_estimate` and `converged`.
        """
        config, started = self.config, time.monotonic()
        metrics: Metrics = {"success_estimate": self.success_estimate, "best_estimate": self.best_estimate,
                            "converged": float(self.converged), "env_steps": float(self.env_steps)}
        self._imitate()
        if self.playing or not len(self.visited) or self.agent.updates >= config.most_updates_per_step * self.learning_steps:
            return metrics | {"waiting": 1.0}
        values: dict[str, Tensor] = {}
        # From `MINIMUM` on visited states are negatives.
        made_for = (self.agent, self.classifier, self.preference, len(self.visited) >= MINIMUM)
        if self._made_for != made_for:
            self._make_updates()
            self._made_for = made_for
        for _ in range(config.round_updates):
            values |= (self._update_all if self.agent.count() else self._update_critic)()
            if config.classifier.negatives == "visited" and self.agent.updates % config.classifier.every == 0:
                self._refit()
                self.classifier.version += 1
        self.version += 1
        rate = config.round_updates / max(1e-9, time.monotonic() - started)
        return metrics | to_floats(values) | {
            "waiting": 0.0, "updates": float(self.agent.updates), "updates_per_s": rate,
            "classifier_level": float(self.classifier.level), "bc_weight": self.agent.bc_weight,
        }

    def _imitate(self) -> None:
        """Clones what operators corrected every few episodes, if they did: it counts at once, also for the deployed policy."""
        config = self.config.corrections
        due = config.every and self.episodes >= self.cloned_at + config.every
        if not due or not isinstance(self.agent, RLPD) or not parallel.any_of(self.uncloned > 0, self.device):
            return
        self.uncloned, self.cloned_at = 0, self.episodes
        self.agent.imitate(self.demonstrations.sample, config.cloning)
        parallel.share(self.agent.actor, self.agent.average)
        self.best.load_state_dict(self.agent.average.state_dict())
        self.version += 1

    def _make_updates(self) -> None:
        """Makes the kinds of update that a round is made of: each one launch on a GPU, see `on_device`."""
        n, agent = self.config.rlpd.batch, self.agent
        if isinstance(agent, Placing):
            trails = agent.trails(self.demonstrations, self.visited)
            if not agent.updates:  # gone on from a checkpoint of before the first
                agent.count()
                agent.fit(trails, lambda share: None)
            self._update_critic = self._update_all = lambda: agent.learn(trails)
            self._refit = self.classifier.step
            return

        def sample() -> tuple[Batch, Batch, Tensor]:
            demonstrated = self.demonstrations.sample(n)
            batch = concatenate([demonstrated, self.visited.sample(n)])
            return demonstrated, batch, self.reward(batch)

        def update_critic() -> dict[str, Tensor]:
            _, batch, reward = sample()
            return agent.update_critic(batch, reward)

        def update_all() -> dict[str, Tensor]:
            demonstrated, batch, reward = sample()
            return agent.update_critic(batch, reward) | agent.update_actor(batch, demonstrated)

        def made(update: Update) -> Update:
            return on_device(update, self.device, [self.generator, self.demonstrations.generator, self.visited.generator])

        self._update_critic, self._update_all, self._refit = made(update_critic), made(update_all), made(self.classifier.step)

    def reward(self, batch: Batch) -> Tensor:
        """The reward of each transition, (N,): the goal classifier's as it is now, or what operators prefer; 0 before they say."""
        if self.config.rewarded_by == "preferences":
            return self.preference.reward(batch) if self.preference is not None else torch.zeros_like(batch.continues)
        match self.config.classifier.reward:
            case "ratio":
                return self.classifier.reward(batch)
            case "probability":
                return self.classifier.probability(batch.next_features)
            case "logit":
                return self.classifier.shaped_reward(batch)

    # What others get -----------------------------------------------------------------------------------------------------

    def policy_weights(self) -> bytes:
        """All actors, for `DeployedPolicy`."""
        description = {"version": self.version, "task": self.task, "cameras": self.cameras, "robot": self.contract.name,
                       "deployed_share": self.config.deployed_share}
        if self.playing:
            limits = self.contract.limits
            description["aimed"] = {"low": limits.workspace_low, "high": limits.workspace_high, "scale": self.contract.action_scale}
        actors = {"rl": ("encoder", self.best), "explore": ("encoder", self.agent.actor)}
        encoders = {"encoder": self.encoder}
        if self.config.prior == "demonstrations":
            actors |= {"bc_tuned": ("encoder", self.cloning.policy), "bc": ("plain", self.plain.policy)}
            encoders |= {"plain": self.plain.encoder}
        return policy_to_bytes(encoders, actors, description)

    def classifier_weights(self) -> bytes:
        """The goal classifier, for `DeployedClassifier`."""
        return self.classifier.to_bytes(self.encoder, {"task": self.task, "cameras": self.cameras})

    def reward_weights(self, answers: int) -> bytes:
        """The reward from preferences, fitted to so many answers, for `DeployedPreference`; there must be one."""
        assert self.preference is not None
        return reward_to_bytes(self.preference, self.encoder, {"task": self.task, "cameras": self.cameras, "answers": answers})

    def save(self, folder: Path) -> None:
        """Writes a checkpoint; see `checkpoint.py`."""
        checkpoint.save(self, folder)

    def load(self, folder: Path) -> None:
        """Goes on from a checkpoint.

        Raises:
            DataError: missing, damaged, or made with other settings.
        """
        checkpoint.load(self, folder)

    @torch.no_grad()
    def embed(self, episode: Episode) -> Tensor:
        """Features of all observations of an episode, float32 (T + 1, F).

        Raises:
            DataError: a camera is missing or has another size.
        """
        self.check_cameras(episode)
        return self.embed_images(episode.images)

    @torch.no_grad()
    def embed_images(self, images: Mapping[str, NDArray[np.uint8]]) -> Tensor:
        """Features of images, camera name -> uint8 (N, H, W, 3), float32 (N, F); of none at all: (0, F)."""
        if not images:
            return torch.zeros(0, self.encoder.features, device=self.device)
        return self.encoder(to_tensors({name: images[name] for name in self.cameras}, device=self.device))

    # Parts ---------------------------------------------------------------------------------------------------------------

    def check_cameras(self, episode: Episode) -> None:
        for name, (height, width) in self.cameras.items():
            shape = episode.images[name].shape[1:] if name in episode.images else None
            if shape != (height, width, 3):
                raise DataError(f"Episode {episode.info.id}: camera '{name}' has images of {shape}.",
                                valid=f"({height}, {width}, 3) is what this learner sees.")

    def _new_replay(self, capacity: int, seed: int) -> Replay:
        return Replay(capacity, features=self.encoder.features, proprio=len(PROPRIO_NAMES),
                      actions=self.contract.action_dim, device=self.device, seed=seed + SEEDS_APART * parallel.rank())

    def new_agent(self) -> RLPD | Placing:
        """A reinforcement learner that starts from behaviour cloning's policy, if it is to; where places are seen, that of places."""
        if isinstance(self.encoder, PlaceEncoder):
            limits = self.contract.limits
            return Placing(self.config.placing, self.contract.action_dim, limits.workspace_low, limits.workspace_high,
                           self.contract.action_scale, device=self.device, seed=self.seed)
        return RLPD(self.config.rlpd, self.cloning.policy, self.encoder.features, len(PROPRIO_NAMES), self.contract.action_dim)

    def _new_classifier(
        self, demonstrations: Sequence[Tensor], failures: Sequence[Tensor], shown: Tensor, others: Tensor
    ) -> GoalClassifier:
        config = self.config.classifier
        ends = [features[-config.success_frames :] for features in demonstrations]
        heldout = min(len(ends) - 1, max(1, round(config.heldout * len(ends))))  # at least one on either side
        early = [features[: max(1, round(config.early * len(features)))] for features in demonstrations]
        return self.make_classifier(torch.cat([*ends[heldout:], shown]), torch.cat(ends[:heldout]),
                                    evened(torch.cat([*early, *failures]), others))

    def make_classifier(self, positives: Tensor, heldout: Tensor, offline: Tensor) -> GoalClassifier:
        """A classifier with fixed examples (N, F) each, and the visited states where the configuration says so."""
        pool = self.offline = Pool(offline)

        def sample(n: int) -> Tensor:
            return pool.sample(n, self.generator)

        negatives = visited_negatives(self.visited, sample) if self.config.classifier.negatives == "visited" else sample
        config = self.config.place_discriminator if isinstance(self.encoder, PlaceEncoder) else self.config.discriminator
        return GoalClassifier(config, positives, heldout, negatives)
