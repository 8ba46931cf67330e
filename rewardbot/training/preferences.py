"""Online learning from preferences, from state vectors: a policy learns from a reward that learns from somebody's answers about what
the policy did.

Soft actor-critic (`state_loop`) explores; clips of its episodes become questions (`feedback.asking`); each round the reward is fitted
anew to all answers there are, and from then on every batch has that reward. The rewards differ in what they add:

    preference   nothing (Christiano et al. 2017): an ensemble, normalised rewards
    pebble       exploring by state entropy before the first questions, and rewards in [-1, 1] (Lee et al. 2021)
    surf         pebble, and labels of its own for clips that nobody was asked about (Park et al. 2022)
    mrn          pebble, and steps of the reward that make the critic prefer what the operator does (Liu et al. 2022)

Before the first answers, and without any, the policy explores by state entropy. With a `bonus` it goes to see, too, what the reward's
members disagree on (RUNE: Liang et al. 2022). The environment's own reward is seen by a simulated teacher and by evaluation, and by
nothing that learns.
"""

from __future__ import annotations

import dataclasses
import io
import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rewardbot.config import from_mapping, merge, overlaid, setting, to_mapping
from rewardbot.data.transitions import Transitions
from rewardbot.errors import ConfigError, DataError
from rewardbot.feedback.asking import Asking, AskingConfig, Judged, draw_clips
from rewardbot.feedback.ledger import Ledger
from rewardbot.feedback.records import History
from rewardbot.feedback.schedule import Schedule
from rewardbot.feedback.teachers.base import Teacher
from rewardbot.feedback.teachers.model import Model
from rewardbot.feedback.teachers.simulated import Simulated, SimulatedConfig
from rewardbot.policies.sac import SAC
from rewardbot.rewards.base import Context
from rewardbot.rewards.comparisons import Comparisons, clips_of, compare
from rewardbot.rewards.mrn import CriticBatch, MetaRewardNet, MRNConfig
from rewardbot.rewards.pebble import PEBBLE, StateEntropy, StateEntropyConfig
from rewardbot.rewards.preference import PreferenceConfig, PreferenceReward
from rewardbot.rewards.surf import Surf, SurfConfig
from rewardbot.robots.start_states import learning_stream, start_seed
from rewardbot.training import stopping
from rewardbot.training.files import write_atomic
from rewardbot.training.kept_clips import KeptClips
from rewardbot.training.state_loop import Env, Spaces, StateLoop, StateLoopConfig, evaluate, name_of, start_seeds
from rewardbot.training.watch import Watch, WatchConfig
from rewardbot.training.weighting import fit_weighted, learned_from
from rewardbot.types import Metrics, Segment

SEES = ("state_action",)
"""What the reward sees unless its settings say otherwise, and the critics do."""

SIZES: Mapping[str, Callable[[Spaces], int]] = {
    "state": lambda spaces: spaces.states, "state_action": lambda spaces: spaces.states + spaces.actions,
    "next_state": lambda spaces: spaces.states}
"""Parts of a transition that a reward may see, and their lengths."""

LEDGER, CLIPS, CHECKPOINT = "ledger.sqlite", "clips", "checkpoint.pt"
SAVE_EVERY_S = 20.0
BONUS_UNTIL = 0.8
"""Share of the run by which the bonus has become nothing."""

WAIT_S = 0.2
"""How long a round waits for somebody else who writes into the ledger [s]; after that it goes on without."""

ONE_MEMBER = ("uniform", "entropy", "volume_removal")
"""Query strategies for which one network is enough."""

Rewards = Callable[[Segment], np.ndarray]
"""The environment's own reward of each step of a clip, (T,)."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PreferenceLoopConfig:
    """How a policy and a reward learn together."""

    loop: StateLoopConfig = setting(StateLoopConfig(), "of the policy")
    asking: AskingConfig = setting(AskingConfig(), "of the questions")
    reward: PreferenceConfig = setting(PreferenceConfig(sees=SEES), "of the reward")
    entropy: StateEntropyConfig = setting(StateEntropyConfig(sees=("next_state",)), "of exploring before there are answers")
    simulated: SimulatedConfig = setting(SimulatedConfig(), "of a simulated teacher")
    explore_steps: int = setting(0, "steps of exploring by state entropy, after those drawn uniformly, before the first questions",
                                 min=0)
    bonus: float = setting(0.0, "spreads of its members that are added to what the policy learns of the reward, ever fewer in time: "
                                "worth seeing is what they disagree on", min=0.0)
    asked_by: float = setting(0.6, "share of the run by which all questions are asked", min=0.01, max=1.0)
    every: int = setting(500, "steps between two rounds, in each of which questions are asked and the reward is fitted", min=1)
    unlabelled: int = setting(500, "surf: clips that nobody was asked about, drawn anew for each fit", min=2)
    meta_every: int = setting(50, "mrn: updates of the policy for each outer step of the reward", min=1)
    evaluations: int = setting(5, "episodes behind each point of the curve", min=1)
    look: bool = setting(False, "see whether the answers are enough, to ask no more, and whether the policy hacks the reward, to end")
    watch: WatchConfig = setting(WatchConfig(), "of that")


@dataclass(frozen=True)
class Method:
    """A way to learn a reward from preferences: its model and its settings."""

    model: type[PreferenceReward]
    config: PreferenceLoopConfig


_SCHEDULE = Schedule(budget=100, first=20, per_minute=float("inf"), waiting=100)
_BASE = PreferenceLoopConfig(asking=AskingConfig(schedule=_SCHEDULE))
# Of the paper's reward the depth and the bounds; a quarter of its width, since here it is fitted anew each round.
_PEBBLE = {**{field.name: getattr(PEBBLE, field.name) for field in dataclasses.fields(PEBBLE)}, "sees": SEES, "hidden": 64,
           "rate": 1e-3}
_EXPLORING = dataclasses.replace(_BASE, explore_steps=1000)

METHODS: Mapping[str, Method] = {
    "preference": Method(PreferenceReward, _BASE),
    "pebble": Method(PreferenceReward, dataclasses.replace(_EXPLORING, reward=PreferenceConfig(**_PEBBLE))),
    "surf": Method(Surf, dataclasses.replace(_EXPLORING, reward=SurfConfig(**_PEBBLE))),
    "mrn": Method(MetaRewardNet, dataclasses.replace(_EXPLORING, reward=MRNConfig(**_PEBBLE))),
}


def settings_of(name: str, changes: Mapping[str, Any], *, where: str = "") -> PreferenceLoopConfig:
    """The settings of a method, with `changes` as a YAML file has them, which errors call `where`.

    Raises:
        ConfigError: an unknown setting, or a wrong type or value.
    """
    default = METHODS[name].config
    reward = overlaid(default.reward, changes.get("reward", {}), where=f"{where}.reward" if where else "reward")
    values = merge(to_mapping(default), changes)
    del values["reward"]  # its settings are of a class of its own
    return dataclasses.replace(from_mapping(PreferenceLoopConfig, values, where=where), reward=reward)


def check(name: str, config: PreferenceLoopConfig) -> None:
    """Checks what can be known before a run of the method `name` begins.

    Raises:
        ConfigError: settings that contradict each other.
    """
    valid = SEES if name == "mrn" else tuple(SIZES)  # the critics, whose preferences mrn compares, see the same as the reward
    if not config.reward.sees or not set(config.reward.sees) <= set(valid):
        raise ConfigError(f"The reward '{name}' sees {', '.join(config.reward.sees) or 'nothing'}.", valid=f"Of: {', '.join(valid)}.")
    if config.reward.members < 2 and config.asking.strategy not in ONE_MEMBER:
        raise ConfigError(f"Query strategy '{config.asking.strategy}' asks what the reward's members disagree on, and it has one.",
                          valid=f"members: 2 or more, or the strategies {', '.join(ONE_MEMBER)}.")
    if config.bonus and config.reward.members < 2:
        raise ConfigError("A bonus is for what the reward's members disagree on, and it has one.",
                          valid="members: 2 or more, or bonus: 0.")
    begin = config.loop.start_steps + config.explore_steps
    if config.loop.steps <= begin:
        raise ConfigError(f"Of {config.loop.steps} steps, the first {begin} are for exploring before anything is asked.",
                          next_step="Give the run more steps, or lower start_steps and explore_steps.")
    if not config.asking.schedule.budget:
        raise ConfigError("There are 0 answers to learn from.", valid="1 or more, 100 are good.")


class PreferenceLoop:
    """See the module.

    Args:
        env: what to learn in; the caller closes it.
        name: of `METHODS`.
        config: see `PreferenceLoopConfig`.
        folder: where ledger, clips and checkpoint are. What is there is gone on with: what was answered is learned from, and what
            waits for an answer is asked again.
        teacher: who is asked, made from the true reward of each step of a clip; None: a simulated person.
        seed: of everything.
        show: told each episode before it is asked about, for people and models: its name, the seed that the environment was reset
            with, and all of its steps.
        say: told what is the matter with teacher, ledger or answers.

    Attributes:
        loop: policy, critics and replay.
        model: the reward.
        asking: questions and answers.
        fitted: metrics of the last fit, empty before the first.
        fitted_to: id of the ledger's last record then.
        ledger: questions and answers.
        watch: meter and alarm, with `look`.

    Raises:
        ConfigError: see `check` and `StateLoop`; a teacher who does not answer such questions.
        LedgerError: the ledger cannot be used.
        DataError: a checkpoint that is damaged, or of other settings.
    """

    def __init__(
        self, env: Env, name: str, config: PreferenceLoopConfig, folder: Path, *,
        teacher: Callable[[Rewards], Teacher] | None = None, seed: int = 0,
        show: Callable[[str, int, Transitions], object] | None = None,
        say: Callable[[str], object] = _log.warning,
    ) -> None:
        check(name, config)
        self.config, self.seed, self._say, self._checkpoint, self._show = config, seed, say, folder / CHECKPOINT, show
        self.ledger = Ledger(folder / LEDGER, wait_s=WAIT_S)
        self._clips = KeptClips(folder / CLIPS)
        # A life after a kill goes otherwise than the one before it: its episodes have names of their own.
        self.loop = StateLoop(env, config.loop, reward=self.reward, seed=seed,
                              name=f"{re.sub(r'[^A-Za-z0-9_]+', '-', name_of(env))}-{seed}-{self.ledger.history().last}")
        size = sum(SIZES[part](self.loop.spaces) for part in config.reward.sees)
        self.model = METHODS[name].model(config.reward, size, seed=seed)
        self.model.version = max((query.reward_version for query in self.ledger.history().queries.values()), default=0)
        self.fitted: Metrics = {}
        self.fitted_to = 0
        self._entropy = StateEntropy(config.entropy, seed)

        def true_rewards(clip: Segment) -> np.ndarray:
            return self._clips.transitions(clip).reward.numpy()

        made = teacher(true_rewards) if teacher else Simulated(true_rewards, config.simulated, seed=seed)
        self._labeller = made if isinstance(made, Model) else None
        self.watch = Watch(config.watch, self.ledger.history())
        # Nobody looks at what checks would tell.
        asked = config.asking if config.look else dataclasses.replace(config.asking, checks=0.0)
        self.asking = Asking(self.ledger, made, asked, seed=seed, say=say)
        self._data: Comparisons | None = None
        self._restored = False  # with critics of a learned reward
        self._due, self._changed, self._trouble, self._unseen = 0, False, "", ""
        self._started = self._saved_at = time.monotonic()
        if self._checkpoint.exists():
            self._restore()

    def run(self, report: Callable[[Metrics], object] = lambda metrics: None, *, judge: Env | None = None) -> None:
        """Learns until the steps are over.

        Args:
            report: told the metrics after each round, with `true_return` if there is a `judge`.
            judge: another environment of the same kind, to evaluate the policy in.

        Raises:
            RewardFrozen: with `look`, the policy pleases the reward and not who answers. Whoever runs it again has looked.
        """
        if self.asking.poll():  # what was answered before this process
            self._fit()
        while self.loop.steps < self.config.loop.steps:
            self.loop.episode(self._after_update)
            self._changed |= self.asking.poll()
            if self._labeller and (news := self._labeller.news()):
                self._say(news)
            if self.loop.steps >= self._due or self.loop.steps >= self.config.loop.steps:
                self._due = (self.loop.steps // self.config.every + 1) * self.config.every
                self._round()
                report(self._metrics(judge))
                if time.monotonic() - self._saved_at > SAVE_EVERY_S or self.loop.steps >= self.config.loop.steps:
                    self.save()

    def save(self) -> None:
        """Stores what learning goes on from; the reward is in the ledger.

        Raises:
            StorageError: it cannot be stored; what was stored before is as it was.
        """
        content = io.BytesIO()
        torch.save({**self.loop.state(), "fitted": bool(self.fitted)}, content)
        write_atomic(self._checkpoint, content.getvalue())
        self._saved_at = time.monotonic()

    def close(self) -> None:
        """Lets teacher and ledger go."""
        self.asking.close()
        self.ledger.close()

    def reward(self, batch: Transitions) -> Tensor:
        """What the policy learns from now, (N,): the learned reward and the bonus, before that state entropy, before that nothing."""
        if self.fitted:
            left = max(0.0, 1.0 - self.loop.steps / (BONUS_UNTIL * self.config.loop.steps))
            if not (bonus := left * self.config.bonus):
                return self.model.reward(batch)
            rewards = self.model.samples(batch)
            return rewards.mean(0) + bonus * rewards.std(0)
        return self._entropy.reward(batch) if self._entropy.version else torch.zeros(len(batch.rows))

    def context(self) -> Context:
        """What the reward is fitted in now: clips of episodes and of those that were asked about, and of SURF some that were not."""
        if not isinstance(self.model, Surf):
            return Context(self._transitions)
        rng = np.random.default_rng([self.seed, self.model.version])
        clips = draw_clips(self.loop.replay.episodes(), self.config.asking.steps, self.config.unlabelled, rng)
        return Context(self._transitions, unlabelled=clips)

    def _round(self) -> None:
        replay, config = self.loop.replay, self.config
        begin = config.loop.start_steps + config.explore_steps
        if self.loop.steps >= begin and not self._enough:
            last = begin + config.asked_by * (config.loop.steps - begin)
            self.asking.ask(
                replay.episodes(), self._judge if self.fitted else None, version=self.model.version,
                progress=min(1.0, (self.loop.steps - begin) / (last - begin)), minutes=(time.monotonic() - self._started) / 60.0,
                keep=self._keep)
            self._changed |= self.asking.poll()
        if self._changed:
            self._fit()
        if not self.fitted and len(replay) > config.entropy.neighbours:
            self._entropy.fit(replay.newest(config.entropy.particles).next_state)

    def _keep(self, clip: Segment) -> None:
        replay, id = self.loop.replay, clip.episode_id
        self._clips.keep(clip, replay.transitions(clip))
        if self._show is None:
            return
        stop = next(episode.stop for episode in replay.episodes() if episode.episode_id == id)
        number = int(id.rpartition("-")[2])
        self._show(id, start_seed(learning_stream(self.seed), number), replay.transitions(Segment(id, 0, stop)))

    def _fit(self) -> None:
        """To all answers that count now. Where they say nothing, the reward stays as it was."""
        episodes, context = self.loop.replay.episodes(), self.context()
        first = not self.fitted and not self._restored
        try:
            history = self.ledger.history()
            self.fitted, _ = fit_weighted(self.model, history, context, stopping.check)
            self.fitted_to = history.last
            if isinstance(self.model, MetaRewardNet):
                self._data = compare(learned_from(history), context, SEES, pairs=self.config.reward.rankings == "pairs")
        except DataError as error:  # nothing to learn yet, or somebody else writes into the ledger
            if str(error) != self._trouble:
                self._say(str(error))
            self._trouble = str(error)
            return
        self._trouble, self._changed = "", False
        if first:
            forget_values(self.loop.agent)
        if self.config.look:
            self._look(history, context, episodes)

    def _look(self, history: History, context: Context, episodes: Sequence[Segment]) -> None:
        asked_enough = self._enough
        try:
            self.watch.look(self.model, history, context, episodes, progress=stopping.check)
        except DataError as error:  # of too few answers, or too much alike
            if str(error) != self._unseen:
                self._say(str(error))
            self._unseen = str(error)
        if self._enough and not asked_enough:
            self._say(f"{self.watch.enough} Nothing more is asked.")
        self.watch.alarm.check()

    @property
    def _enough(self) -> bool:
        return self.watch.enough is not None and self.watch.enough.enough

    def _restore(self) -> None:
        try:
            state = torch.load(self._checkpoint, weights_only=True)
            self.loop.restore(state)
            self._restored = bool(state["fitted"])
        except Exception as error:  # damaged bytes make a reader raise anything
            raise DataError(f"The checkpoint {self._checkpoint} cannot be used: {' '.join(str(error).split())[:200]}",
                            next_step="Begin a new run; its ledger and clips can be copied there.") from None

    def _transitions(self, clip: Segment) -> Transitions:
        try:
            return self.loop.replay.transitions(clip)
        except DataError:
            return self._clips.transitions(clip)

    def _judge(self, clips: Sequence[Segment]) -> Judged:
        seen = clips_of(clips, Context(self._transitions), self.config.reward.sees, self.model.device)
        means = (seen.steps * seen.mask.unsqueeze(-1)).sum(1) / seen.lengths.unsqueeze(-1)
        return Judged(self.model.returns(seen).double().numpy(), means.double().numpy())

    def _after_update(self, batch: Transitions) -> None:
        model = self.model
        if isinstance(model, MetaRewardNet) and self._data is not None and self.loop.updates % self.config.meta_every == 0:
            model.meta_step(self.loop.agent.critic, CriticBatch(batch.state_action, future(self.loop.agent, batch)), self._data)

    def _metrics(self, judge: Env | None) -> Metrics:
        found: Metrics = {"answers": float(self.asking.answered), "reward_version": float(self.model.version),
                          **{f"reward_{name}": value for name, value in self.fitted.items()},
                          **{name: float(value) for name, value in self.loop.metrics.items()}}
        if self.watch.enough and self.watch.hacked:
            found |= {"regret_bound": self.watch.enough.bound, "alarm": self.watch.hacked.evidence}
        if judge is not None:
            seeds = start_seeds(self.seed, self.config.evaluations)
            found["true_return"] = float(np.mean(evaluate(judge, self.loop.best, seeds, longest=self.config.loop.longest)))
        return found


@torch.no_grad()
def future(agent: SAC, batch: Transitions) -> Tensor:
    """gamma (1 - terminated) V(s') by the agent's target critics, (N,)."""
    action, log_prob = agent.actor.sample(batch.next_state)
    value = agent.target(torch.cat([batch.next_state, action], dim=-1)).amin(0) - agent.temperature * log_prob
    return agent.config.discount * batch.continues * value


def forget_values(agent: SAC) -> None:
    """New critics: those there are say what another reward is worth (PEBBLE, section 4.1)."""
    for module in agent.critic.modules():
        if isinstance(module, nn.Linear):
            module.reset_parameters()
    agent.target.load_state_dict(agent.critic.state_dict())
    agent.critic_optimiser.load_state_dict({"state": {}})  # as if it had never moved them
