"""The learner over ROS: demonstrations from bags, experience from topics, weights back on topics. It never sees true success."""

from __future__ import annotations

import json
import os
import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from rclpy.subscription import Subscription
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import UInt8MultiArray
from std_srvs.srv import SetBool, Trigger

from rewardbot.config import setting, user_path
from rewardbot.data import decode
from rewardbot.data.assembler import EpisodeAssembler
from rewardbot.data.library import Library
from rewardbot.data.verdicts import read_verdicts
from rewardbot.errors import DataError
from rewardbot.robots.robot import load_contract
from rewardbot.ros import convert, params, qos
from rewardbot.ros.environment import STARTER_VARIABLE
from rewardbot.ros.node import LONGEST_WAIT_S, Interrupted, Polled, RewardbotNode, start, take_all
from rewardbot.ros.waiting import Waiting
from rewardbot.training import checkpoint
from rewardbot.training.clips import BagClips
from rewardbot.training.files import StorageError
from rewardbot.training.fitting import LEDGER, RewardFitter
from rewardbot.training.gating import gate_of
from rewardbot.training.generations import starter_of
from rewardbot.training.learner import Learner
from rewardbot.training.learner_config import LearnerConfig
from rewardbot.training.pretraining import pretrain, take_up
from rewardbot.types import Episode, Metrics

WAITING_S = 0.02
"""Time given to messages when the learner has used up its experience [s]."""

MOST_SAID = 64
"""Episodes that were spoken of and are not here yet, if they ever come: demonstrations are spoken of, too."""

LATE_S = 0.5
"""Time without looking after which somebody else takes what the topics bring [s]."""

STANDSTILL_S = 1.0
"""Time without a message after which the robot stands still: that is no time of learning [s]."""


@dataclass(frozen=True)
class LearnerSettings:
    """Read-only parameters of the node itself; those of the learner stand beside them."""

    task: str = setting("lift", "task of the demonstrations")
    robot: str = setting("sim_arm", "robot contract in config/robots")
    seed: int = setting(0, "seed of networks and batches", min=0, max=2**31 - 1)
    run_folder: str = setting("runs/up", f"folder for '{checkpoint.CHECKPOINT}'")
    demonstrations: str = setting("", "folder of demonstration bags; empty: 'demonstrations' in the run folder")
    resume: bool = setting(False, "go on from the run folder's checkpoint, if there is one; after a crash it always does")
    ledger: str = setting("", f"with rewarded_by preferences: file of the answers; empty: '{LEDGER}' in the run folder")
    bags: str = setting("", "likewise: folder of the bags that answers are about; empty: those of the run folder")
    reward_tests: str = setting("", "likewise: YAML file of tests that a reward must pass before the policy learns from it")
    refit_s: float = setting(5.0, "likewise: least time between two fits of the reward [s]", min=0.0, max=3600.0)
    publish_s: float = setting(2.0, "least time between two publications of weights [s]", min=0.0, max=600.0)
    checkpoint_s: float = setting(10.0, "time between two checkpoints while learning [s]; 0: only when asked", min=0.0)
    threads: int = setting(1, "threads of torch", min=1, max=256)


class LearnerNode(RewardbotNode):
    """Waits for `pretrain`, then for `learn`; between updates it takes what the topics brought. While it is at long work, such as
    learning to see anew, a thread takes it: what nobody takes is lost, for queues are short. Learned from it is afterwards.

    States, in metrics as `state`: waiting, pretraining, ready, learning.
    """

    def __init__(self) -> None:
        super().__init__("learner_node")
        self.settings = params.declare(self, LearnerSettings, self.given)
        torch.set_num_threads(self.settings.threads)
        config = params.declare(self, LearnerConfig, self.given)
        self.contract = load_contract(self.settings.robot)
        self.learner = Learner(config, self.contract, self.settings.task, self.settings.seed)
        # In lockstep the clock runs ten times as fast as the wall: while an update runs, seconds of it pass.
        lag_s = 2.0 * qos.STATE.depth / self.contract.control_hz
        self.assembler = EpisodeAssembler(self.contract, keep_s=lag_s, wait_s=lag_s)
        self._run_folder = user_path(self.settings.run_folder)
        self._state, self._pretrain_asked = "waiting", False
        self._published_version, self._published_at, self._saved_at = -1, 0.0, 0.0
        self._heard_at = self._counted_at = 0.0
        self._waiting = Waiting(self.get_logger().name)
        self._policy_weights = self.create_publisher(UInt8MultiArray, "weights/policy", qos.LATCHED)
        self._classifier_weights = self.create_publisher(UInt8MultiArray, "weights/classifier", qos.LATCHED)
        self._fitter: RewardFitter | None = None
        if config.rewarded_by == "preferences":
            self._reward_weights = self.create_publisher(UInt8MultiArray, "weights/reward", qos.LATCHED)
            self.create_subscription(DiagnosticArray, "metrics", self._on_metrics, qos.EVENTS)
            self._fitter = self._make_fitter()
        self._fitted_at, self._frozen = 0.0, False
        self._data: dict[str, Subscription[Any]] = {}
        self._came: deque[Episode | DiagnosticArray] = deque()  # episodes, and what was said of them, in the order of their coming
        self._taking, self._taken_at = threading.Lock(), time.monotonic()
        self._closing = threading.Event()
        self._said: dict[str, bool | None] = {}  # id -> verdict on an episode that is not here yet, None: given up
        self._polled = Polled()  # between two updates `take_all` costs a tenth of the executor's rounds
        self._subscribe()
        self.create_service(Trigger, "pretrain", self._on_pretrain)
        self.create_service(SetBool, "learn", self._on_learn)
        self.create_service(Trigger, "save", self._on_save)
        self._resume()
        self._stand_in = threading.Thread(target=self._take_when_late, name="stand-in", daemon=True)
        self._stand_in.start()

    def _resume(self) -> None:
        """Goes on where the run folder's checkpoint is: if asked to, or if this graph wrote it and we were started again."""
        folder, starter = self._run_folder / checkpoint.CHECKPOINT, os.environ.get(STARTER_VARIABLE, "")
        self.checkpoints = checkpoint.Checkpoints(folder, warn=self.get_logger().warning, starter=starter)
        started_again = bool(starter) and starter_of(folder) == starter
        if (self.settings.resume or started_again) and checkpoint.exists(folder):
            path = self.checkpoints.restore(self.learner)
            learner = self.learner
            take_up(learner, self._run_folder)
            for name, verdict in read_verdicts(self._run_folder).items():  # perhaps after that checkpoint
                self._apply(name, verdict)
            self.get_logger().info(f"goes on from {path}: {learner.episodes} episodes, {learner.env_steps} steps, "
                                   f"{learner.learn_s:.0f} s of learning")
            self._become_ready()

    def _make_fitter(self) -> RewardFitter:
        settings, folder = self.settings, self._run_folder
        warn = self.get_logger().warning
        self._library = Library([Path(settings.bags) if settings.bags else folder], settings.task, self.contract, warn=warn)
        # Not the method itself: pretraining puts another encoder into its place.
        clips = BagClips(self._library, lambda episode: self.learner.embed(episode))
        path = user_path(settings.ledger) if settings.ledger else folder / LEDGER
        tests = user_path(settings.reward_tests) if settings.reward_tests else None
        check = gate_of(tests, self._library, clips) if tests is not None else lambda reward: None
        return RewardFitter(path, clips, self.learner.config.preference, seed=settings.seed, device=self.learner.device, check=check,
                            warn=warn)

    def _subscribe(self) -> None:
        kinds: dict[str, tuple[Any, Any]] = {
            decode.EPISODE: (DiagnosticArray, qos.EVENTS),  # first: what was sent after an end is not taken before it
            decode.JOINT_STATES: (JointState, qos.STATE), decode.TOOL_POSE: (PoseStamped, qos.STATE),
            decode.REQUESTED_ACTION: (JointState, qos.STATE), decode.APPLIED_ACTION: (JointState, qos.STATE),
            **{decode.camera_topic(name): (Image, qos.IMAGES_ALL) for name in self.contract.cameras}}
        for topic, (kind, quality) in kinds.items():
            self._data[topic] = self.create_subscription(kind, topic, _never, quality, callback_group=self._polled)

    def work(self) -> float:
        """One round of updates while learning; otherwise only takes what came."""
        if self._pretrain_asked:
            self._pretrain_asked = False
            self._pretrain()
        before = self._heard_at
        self._drain()
        silent = self._state == "learning" and self._heard_at == before
        self.metrics["waiting_for"] = self._waiting.look(["sim_node"] if silent else [])
        self._tell()
        if self._fitter is not None and self._state in ("ready", "learning") and not self._frozen:
            self._refit(self._fitter)
        if self._state != "learning" or self._frozen:
            return LONGEST_WAIT_S
        moving = time.monotonic() - self._heard_at < STANDSTILL_S
        metrics = self.learner.update()
        self.metrics |= metrics
        self.tick()
        now = time.monotonic()
        if moving:
            self.learner.learn_s += now - self._counted_at
        self._counted_at = now
        if time.monotonic() - self._published_at >= self.settings.publish_s:
            self._publish_weights()
        if (self.settings.checkpoint_s and time.monotonic() - self._saved_at >= self.settings.checkpoint_s
                and self.checkpoints.snapshot(self.learner)):
            self._saved_at = time.monotonic()
        return WAITING_S if metrics.get("waiting") else 0.0

    def close(self) -> None:
        """Keeps what was learned since the last checkpoint, whatever ends us."""
        self._closing.set()
        self._stand_in.join()
        self.checkpoints.finish()
        if self._fitter is not None:
            self._fitter.close()
        say = self.get_logger().info
        if self._state == "learning" and not self._save():
            say(f"stored in {self.checkpoints.folder}; started again with resume:=true, it goes on")
        elif self._state == "pretraining":
            say("stopped while pretraining, of which nothing is kept; started again, it begins anew with the same demonstrations")

    def _drain(self) -> None:
        """Learns from all that waits. Demonstrations come from bags, evaluation is never learned from."""
        with self._taking:
            self._take()
            rejected, self.assembler.rejected = self.assembler.rejected, []
        while self._came:
            came = self._came.popleft()
            if isinstance(came, DiagnosticArray):
                self._hear(came)
            # Before pretraining there is no encoder to see them with; what a policy did then was not this learner's.
            elif self._state in ("ready", "learning") and came.info.source in ("policy", "intervention"):
                if reason := self._learn_from(came):
                    rejected.append((came.info.id, reason))
                self.metrics["dealt_with"] = came.info.id
        for name, reason in rejected:
            if self._said.pop(name, True) is None:
                continue  # its operator has given it up while it ran
            self.metrics |= {"episodes_rejected": int(self.metrics.get("episodes_rejected", 0)) + 1, "dealt_with": name}
            self.get_logger().warning(f"episode {name} is not learned from: {reason}")

    def _take(self) -> None:
        """Feeds the assembler with all that waits."""
        self._taken_at = time.monotonic()
        for topic, subscription in self._data.items():
            for message in take_all(subscription):
                self._heard_at = self._taken_at
                episode = self.assembler.add(topic, message)
                if topic == decode.EPISODE:
                    self._came.append(message)
                if episode is not None:
                    self._came.append(episode)

    def _take_when_late(self) -> None:
        """Takes what waits, and says that we live, whenever nobody has done so for a while. A thread of its own."""
        while not self._closing.wait(LATE_S):
            with self._taking:
                late = time.monotonic() - self._taken_at > LATE_S
                if late:
                    self._take()
            if late:
                self.say_again()

    def _learn_from(self, episode: Episode) -> str:
        """Returns why not, if it cannot be learned from."""
        try:
            self.learner.add_episode(episode)
        except DataError as error:
            return error.what
        self.checkpoints.keep(self.learner, episode.info)
        if episode.info.id in self._said:
            self._correct(episode.info.id, self._said.pop(episode.info.id))
        self._tell()  # not before it is on disk: whoever hears of it may count on it
        return ""

    def _hear(self, message: DiagnosticArray) -> None:
        """What an operator says of an episode that has ended, perhaps before all of its messages are here."""
        try:
            event = decode.episode_event(message)
        except DataError:
            return  # the assembler tells it
        if event.kind == "verdict" or event.kind == "discard":
            verdict = event.info.success if event.kind == "verdict" else None
            if not (self._state in ("ready", "learning") and self._correct(event.info.id, verdict)):
                self._said[event.info.id] = verdict
                while len(self._said) > MOST_SAID:
                    self._said.pop(next(iter(self._said)))

    def _correct(self, name: str, verdict: bool | None) -> bool:
        """Takes a late verdict, None: the episode is given up. Returns whether the learner has the episode."""
        known = self._apply(name, verdict)
        if known:
            said = "given up by its operator" if verdict is None else f"a {'success' if verdict else 'failure'}, says its operator"
            self.get_logger().info(f"episode {name} is {said}")
            if not self.checkpoints.snapshot(self.learner):  # one is being written, from before
                self._saved_at = 0.0
        return known

    def _apply(self, name: str, verdict: bool | None) -> bool:
        return self.learner.discard(name) if verdict is None else self.learner.judge(name, verdict)

    def _refit(self, fitter: RewardFitter) -> None:
        """Fits the reward to what counts now, if that is something else than before; also in a learner that was started again."""
        if time.monotonic() - self._fitted_at < self.settings.refit_s or not fitter.due():
            return
        self._library.refresh()
        reward, metrics = fitter.fit(self._go_on)
        self.learner.preference = reward
        self._fitted_at = self._counted_at = time.monotonic()
        known = {f"reward_{name}": value for name, value in metrics.items()}
        self.metrics |= {**known, "reward_version": reward.version if reward else 0, "reward_answers": fitter.answers,
                         "reward_trouble": fitter.trouble}
        self.publish(self._reward_weights, convert.weights(self.learner.reward_weights(fitter.answers) if reward else b""))
        self.publish_metrics()

    def _go_on(self, share: float) -> None:
        """Called out of a fit of the reward; what was learned so far is stored on the way out, and the answers are in the ledger."""
        if self.stopping():
            raise Interrupted

    def _on_metrics(self, message: DiagnosticArray) -> None:
        """An alarm freezes the reward: it is not fitted anew, and the policy learns nothing from it, until somebody clears it."""
        told = convert.metrics_of(message).get("preference_node")
        if told is not None:
            frozen = bool(told.get("alarm"))
            if frozen != self._frozen:
                self.get_logger().warning(f"the reward is frozen: {told['alarm']}" if frozen else "the reward is free again")
            self._frozen, self.metrics["frozen"] = frozen, int(frozen)

    # Pretraining ---------------------------------------------------------------------------------------------------------

    def _pretrain(self) -> None:
        self._state = "pretraining"
        self.metrics |= pretrain(self.learner, self._run_folder, self._progress, demonstrations=self.settings.demonstrations)
        self._become_ready()
        self._save()

    def _progress(self, stage: str, share: float) -> None:
        """Called by the learner out of its long work: answers services, publishes metrics, and ends it when asked to."""
        if self.stopping():
            raise Interrupted
        self.metrics |= {"stage": stage, "progress": share}
        self._drain()
        self._tell()
        assert self.executor is not None
        self.executor.spin_once(timeout_sec=0.0)

    def _become_ready(self) -> None:
        self._state = "ready"
        self.metrics |= {"stage": "", "progress": 1.0}
        self._publish_weights()
        self._tell()
        self.publish_metrics()

    # Weights and checkpoints ---------------------------------------------------------------------------------------------

    def _publish_weights(self) -> None:
        self._published_at = time.monotonic()
        if self.learner.version == self._published_version:
            return
        self._published_version = self.learner.version
        self.publish(self._policy_weights, convert.weights(self.learner.policy_weights()))
        self.publish(self._classifier_weights, convert.weights(self.learner.classifier_weights()))

    def _save(self) -> str:
        """Writes a checkpoint and waits for it; returns what went wrong, if anything did."""
        self._saved_at = time.monotonic()
        try:
            self.checkpoints.save(self.learner)
        except StorageError as error:
            self.get_logger().warning(f"{error} Learning goes on without this checkpoint.")
            return str(error)
        return ""

    # Services ------------------------------------------------------------------------------------------------------------

    def _on_pretrain(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        if self._state != "waiting" or self._pretrain_asked:
            response.success, response.message = False, f"pretraining begins once, from state waiting; now: {self._state}"
            return response
        self._pretrain_asked = response.success = True
        response.message = "pretraining begins; see metrics"
        return response

    def _on_learn(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        if self._state not in ("ready", "learning"):
            response.success, response.message = False, f"nothing to learn from yet: pretrain first; now: {self._state}"
            return response
        if not request.data:
            self._drain()  # what came before the request counts
        self._state = "learning" if request.data else "ready"
        self._saved_at = self._counted_at = time.monotonic()
        if not request.data:
            self._publish_weights()  # whoever is told that learning has stopped can wait for exactly these
        response.success = True
        response.message = json.dumps({"version": self.learner.version, "env_steps": self.learner.env_steps,
                                       "learn_s": self.learner.learn_s})
        return response

    def _on_save(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        if self._state not in ("ready", "learning"):
            response.success, response.message = False, f"nothing to save yet; now: {self._state}"
            return response
        problem = self._save()
        response.success, response.message = not problem, problem or str(self.checkpoints.folder)
        return response

    def _tell(self) -> None:
        learner = self.learner
        known: Metrics = {"version": learner.version, "env_steps": learner.env_steps, "episodes": learner.episodes,
                          "last_seed": learner.last_seed, "learn_s": learner.learn_s,
                          "demonstrated_steps": len(learner.demonstrations),  # grows with each takeover
                          "visited_steps": len(learner.visited)}
        if self._state in ("ready", "learning"):
            known["success_examples"] = len(learner.classifier.positives)
        self.metrics |= {"state": self._state, **known}


def _never(message: Any) -> None:
    """The callback of a polled subscription."""


def main() -> None:
    """The program `learner_node`."""
    start(LearnerNode)


if __name__ == "__main__":
    main()
