"""Checkpoints of the learner: `checkpoint/` of a run.

    generation-<number>/                         see generations.py; `newest` and links lead to the newest one's files
      policy.safetensors, classifier.safetensors   deployable, the same bytes as on the topics
      learner.pt                                   networks, optimisers, random state (loaded with weights_only)
    visited/<lineage>/                           each visited episode from the moment the learner took it, see visited.py

A generation is a snapshot of some moment; visited episodes that came after it are taken again when it is restored, so that
nothing finished is lost. Their images are not kept: their features are, and the encoder that made them is frozen.
"""

from __future__ import annotations

import copy
import io
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from rewardbot.config import to_mapping
from rewardbot.data.replay import Replay
from rewardbot.errors import DataError
from rewardbot.nets.adam import Adam
from rewardbot.nets.places import PlaceEncoder, camera_of
from rewardbot.policies.rlpd import RLPD
from rewardbot.training import generations
from rewardbot.training.files import StorageError
from rewardbot.training.visited import Journal, remove_other_lineages, sync
from rewardbot.types import EpisodeInfo

if TYPE_CHECKING:
    from rewardbot.training.learner import Learner

FORMAT = 5
POLICY, CLASSIFIER, LEARNER = "policy.safetensors", "classifier.safetensors", "learner.pt"
CHECKPOINT, VISITED = "checkpoint", "visited"
"""Names of the run folder's checkpoint folder, and of the folder for visited episodes in it."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Snapshot:
    """All that a generation holds; nothing in it changes while the learner goes on."""

    state: dict[str, Any]
    weights: dict[str, bytes]
    unsynced: list[Path]
    last: int
    needs: frozenset[str]
    """Ids of the visited episodes that are in the replay; `last` is the highest number on disk."""


class Checkpoints:
    """The checkpoint folder of a learner that goes on learning: cheap for it, and nothing finished is ever lost.

    `keep` stores an episode at once. `snapshot` only copies what the learner is; a thread writes it. When the disk is full, what
    is there stays whole, `warn` says so, and what is missing is written when there is space again.

    Args:
        folder: the checkpoint folder.
        warn: told what goes wrong, in the thread of whoever calls.
        starter: see `generations.starter_of`.
    """

    def __init__(self, folder: Path, *, warn: Callable[[str], object] = _log.warning, starter: str = "") -> None:
        self.folder = folder
        self._warn, self._starter = warn, starter
        self._journal = Journal(folder / VISITED / "none")
        self._missing: dict[str, EpisodeInfo] = {}  # taken, but not on disk
        self._failing = False
        self._before: _Snapshot | None = None  # the newest generation
        self._lineage = ""  # of it
        self._damaged: list[Path] = []
        self._writer: threading.Thread | None = None
        self._written: _Snapshot | StorageError | None = None  # what the thread came to

    def keep(self, learner: Learner, info: EpisodeInfo) -> None:
        """Stores the episode that the learner has just taken."""
        if self._writer is not None and not self._writer.is_alive():
            self.finish()  # what went wrong is told soon
        self._missing[info.id] = info
        self._store_missing(learner)

    def snapshot(self, learner: Learner) -> bool:
        """Begins to write a generation, unless one is being written still; returns whether it did."""
        if self._writer is not None and self._writer.is_alive():
            return False
        self.finish()
        snapshot = self._prepare(learner)

        def write() -> None:
            try:
                self._write(snapshot)
                self._written = snapshot
            except StorageError as error:
                self._written = error

        self._writer = threading.Thread(target=write, name="checkpoint")
        self._writer.start()
        return True

    def save(self, learner: Learner) -> Path:
        """Writes a generation and waits for it.

        Raises:
            StorageError: it cannot be written; earlier ones are as they were.
        """
        self.finish()
        snapshot = self._prepare(learner)
        path = self._write(snapshot)
        self._written = snapshot
        self.finish()
        return path

    def finish(self) -> None:
        """Waits for what is being written, and removes visited episodes that neither kept generation needs."""
        if self._writer is not None:
            self._writer.join()
        written, self._writer, self._written = self._written, None, None
        if isinstance(written, StorageError):
            self._warn(f"{written} Learning goes on without this checkpoint.")
        elif written is not None:
            if (before := self._before) is not None:
                for name in [name for name, number in self._journal.stored.items()
                             if number <= before.last and name not in before.needs | written.needs]:
                    self._journal.remove(name)
            self._before = written

    def restore(self, learner: Learner) -> Path:
        """Brings a learner that was made with the same configuration to where the newest whole generation and all episodes
        visited after it lead; returns the generation.

        Raises:
            DataError: none there, all damaged, of another task or robot, or made with other settings.
        """
        path, content = self._newest_whole()
        state = _read(content, path / LEARNER, learner)
        kept, journal = state["visited"], Journal(path.parent / VISITED / str(state["visited"]["lineage"]))
        spans: list[tuple[str, int, int]] = []
        for name, first, count in kept["spans"]:
            if (found := self._read_visited(journal, name)) is not None:
                learner.visited.write(first, found[1])
                spans.append((name, first, count))
        learner.visited.set_spans(spans)
        self._journal, self._lineage = journal, learner.lineage
        self._before = _Snapshot({}, {}, [], int(kept["last"]), frozenset(name for name, _, _ in spans))
        for name in [name for name, number in journal.stored.items() if number > kept["last"]]:
            if name not in self._before.needs and (found := self._read_visited(journal, name)) is not None:
                learner.take(*found)
        return path

    # Parts ---------------------------------------------------------------------------------------------------------------

    def _newest_whole(self) -> tuple[Path, bytes]:
        all_files = (POLICY, CLASSIFIER, LEARNER)
        known = generations.numbered(self.folder)
        if not known and (self.folder / LEARNER).is_file():  # one generation was named itself
            return self.folder, generations.read(self.folder, all_files)[LEARNER]
        for path, files in generations.newest_whole(self.folder, all_files, self._warn):
            self._damaged = [other for number, other in known.items() if other.name > path.name]
            return path, files[LEARNER]
        anew = "Move this folder away to learn anew from what was recorded. " if known else ""
        raise DataError(f"There is no {'whole ' if known else ''}checkpoint in {self.folder}.",
                        valid=f"A checkpoint is a folder with generations, each with {LEARNER} in it.",
                        next_step=f"{anew}Name the checkpoint folder of an earlier run, or start without 'resume'.")

    def _read_visited(self, journal: Journal, name: str) -> tuple[EpisodeInfo, dict[str, torch.Tensor]] | None:
        try:
            return journal.read(name)
        except DataError as error:
            self._warn(f"{error.what} It is left out.")
            return None

    def _store_missing(self, learner: Learner) -> None:
        """Stores what is not on disk: usually the episode taken last, or all of the replay in a folder of its own."""
        folder = self.folder / VISITED / learner.lineage
        if self._journal.folder != folder:
            self._journal = Journal(folder)
        try:
            for name, first, count in [span for span in learner.visited.spans if span[0] not in self._journal.stored]:
                info = self._missing.get(name) or EpisodeInfo(name, learner.task, learner.contract.name, "policy")
                self._journal.write(info, learner.visited.numbers(first, count))
        except StorageError as error:
            if not self._failing:
                self._warn(f"{error} Learning goes on; visited episodes are stored when there is space again.")
            self._failing = True
            return
        self._missing.clear()  # the replay has forgotten what was not in it
        if self._failing:
            self._warn(f"Visited episodes are stored in {folder} again.")
        self._failing = False

    def _prepare(self, learner: Learner) -> _Snapshot:
        self._store_missing(learner)
        weights = {POLICY: learner.policy_weights(), CLASSIFIER: learner.classifier_weights()}
        needs = frozenset(name for name, _, _ in learner.visited.spans)
        last = self._journal.last
        return _Snapshot(_copied(_state(learner, last)), weights, self._journal.take_unsynced(), last, needs)

    def _write(self, snapshot: _Snapshot) -> Path:
        """To be called by one thread at a time."""
        buffer = io.BytesIO()
        torch.save(snapshot.state, buffer)
        sync(snapshot.unsynced)
        lineage = snapshot.state["visited"]["lineage"]
        first_of_lineage = lineage != self._lineage
        for path in self._damaged:
            generations.set_aside(path)
        self._damaged = []
        path = generations.write(self.folder, {**snapshot.weights, LEARNER: buffer.getvalue()}, starter=self._starter,
                                 links=(POLICY, CLASSIFIER), keep=1 if first_of_lineage else generations.KEPT)
        if first_of_lineage:
            remove_other_lineages(self.folder / VISITED / lineage)
        self._lineage = lineage
        return path


def save(learner: Learner, folder: Path) -> None:
    """Writes a checkpoint into a folder of any state.

    Raises:
        StorageError: it cannot be written; an earlier checkpoint there is still whole.
    """
    Checkpoints(folder).save(learner)


def load(learner: Learner, folder: Path) -> None:
    """Restores a learner that was made with the same configuration. See `Checkpoints.restore`."""
    Checkpoints(folder).restore(learner)


def exists(folder: Path) -> bool:
    """Whether there is a checkpoint, whole or not."""
    return bool(generations.numbered(folder)) or (folder / LEARNER).is_file()


def newest(folder: Path) -> Path:
    """The newest whole generation in a checkpoint folder.

    Raises:
        DataError: there is none.
    """
    return Checkpoints(folder)._newest_whole()[0]


def _state(learner: Learner, last: int) -> dict[str, Any]:
    agent, classifier = learner.agent, learner.classifier
    return {
        "format": FORMAT,
        "task": learner.task,
        "robot": _robot(learner),
        "config": to_mapping(learner.config),
        "counters": {"env_steps": learner.env_steps, "version": learner.version, "updates": agent.updates,
                     "classifier_version": classifier.version, "baseline_s": learner.baseline_s,
                     "episodes": learner.episodes, "last_seed": learner.last_seed, "learn_s": learner.learn_s,
                     "best_estimate": learner.best_estimate, "uncloned": learner.uncloned, "cloned_at": learner.cloned_at,
                     "played_steps": learner.played_steps},
        "judged": list(learner.judged),
        "modules": {name: module.state_dict() for name, module in _modules(learner).items()},
        "optimisers": {name: optimiser.state_dict() for name, optimiser in _optimisers(learner).items()},
        "temperature": agent.log_temperature.detach() if isinstance(agent, RLPD) else None,
        "classifier": {**classifier.state(), "offline": learner.offline.fixed, "more_offline": learner.offline.added},
        "demonstrations": _replay_state(learner.demonstrations),
        "visited": {"lineage": learner.lineage, "last": last, "spans": [list(span) for span in learner.visited.spans]},
        "random": {"torch": torch.get_rng_state(),
                   **{name: generator.get_state() for name, generator in _generators(learner).items()}},
    }


def _copied(value: Any) -> Any:
    """The same in main memory, with no tensor that the learner goes on changing."""
    if isinstance(value, torch.Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value


def _read(content: bytes, path: Path, learner: Learner) -> dict[str, Any]:
    """The state in a file's content, put into the learner except for visited episodes."""
    try:
        state = torch.load(io.BytesIO(content), map_location=learner.device, weights_only=True)
    except Exception as error:  # damaged bytes make a reader raise anything
        raise DataError(f"The checkpoint {path} is damaged: {_first_line(error)}",
                        next_step="Use another run's checkpoint, or start without 'resume'.") from None
    try:
        _refuse_other(learner, state, path)
        _restore(learner, state)
    except (RuntimeError, LookupError, ValueError, TypeError) as error:
        raise DataError(f"The checkpoint {path} does not fit this learner: {_first_line(error)}",
                        next_step="Use the config.yaml of the run that wrote it.") from None
    return state


def _restore(learner: Learner, state: dict[str, Any]) -> None:
    camera = camera_of(state["modules"]["encoder"])
    learner.see_through(learner.cloning.frozen_encoder() if camera is None else PlaceEncoder(camera).to(learner.device))
    _restore_replay(learner.demonstrations, state["demonstrations"])
    learner.agent = learner.new_agent()
    learner.best = copy.deepcopy(learner.agent.average)
    kept = state["classifier"]
    learner.classifier = learner.make_classifier(kept["positives"], kept["heldout"], kept["offline"])
    learner.classifier.level = kept["level"]
    learner.classifier.positives.add(kept["more_positives"])
    learner.offline.add(kept["more_offline"])
    for name, module in _modules(learner).items():
        module.load_state_dict(state["modules"][name])
    for name, optimiser in _optimisers(learner).items():
        optimiser.load_state_dict(state["optimisers"][name])
    if isinstance(learner.agent, RLPD):
        with torch.no_grad():
            learner.agent.log_temperature.copy_(state["temperature"])
    counters = state["counters"]
    learner.env_steps, learner.version = counters["env_steps"], counters["version"]
    learner.agent.updates, learner.classifier.version = counters["updates"], counters["classifier_version"]
    learner.baseline_s, learner.best_estimate = counters["baseline_s"], counters["best_estimate"]
    learner.episodes, learner.last_seed, learner.learn_s = counters["episodes"], counters["last_seed"], counters["learn_s"]
    learner.uncloned, learner.cloned_at = counters["uncloned"], counters["cloned_at"]
    learner.played_steps = counters["played_steps"]
    learner.lineage = str(state["visited"]["lineage"])
    learner.judged.clear()
    learner.judged.extend(state["judged"])
    # Last: whatever was made above has drawn from them.
    torch.set_rng_state(state["random"]["torch"].cpu())
    for name, generator in _generators(learner).items():
        kept_state = state["random"].get(name)
        if kept_state is not None and len(kept_state) == len(generator.get_state()):  # else saved on another kind of device
            generator.set_state(kept_state.cpu())


def _modules(learner: Learner) -> dict[str, torch.nn.Module]:
    return {"cloning": learner.cloning, "plain": learner.plain, "encoder": learner.encoder, "best": learner.best,
            "discriminator": learner.classifier.discriminator, **learner.agent.parts}


def _optimisers(learner: Learner) -> dict[str, Adam]:
    return {"discriminator": learner.classifier.optimiser, **learner.agent.optimisers}


def _generators(learner: Learner) -> dict[str, torch.Generator]:
    return {"learner": learner.generator, "demonstrations": learner.demonstrations.generator,
            "visited": learner.visited.generator}


def _robot(learner: Learner) -> dict[str, Any]:
    """What images and actions mean."""
    contract = to_mapping(learner.contract)
    return {key: contract[key] for key in ("cameras", "action_names", "action_scale", "control_hz", "base_frame")}


def _refuse_other(learner: Learner, state: dict[str, Any], path: Path) -> None:
    found = state.get("format") if isinstance(state, dict) else None
    if found != FORMAT:
        raise DataError(f"The checkpoint {path} has format {found}.", valid=f"This version reads {FORMAT}.",
                        next_step="Train again, or use the version of rewardbot that wrote it.")
    if state["task"] != learner.task:
        raise DataError(f"The checkpoint {path} is of task '{state['task']}', not of '{learner.task}'.",
                        next_step=f"Name --task {state['task']}, or another checkpoint.")
    ours, theirs = _robot(learner), state["robot"]
    different = sorted(name for name in ours if ours[name] != theirs.get(name))
    if different:
        raise DataError(f"The checkpoint {path} is of a robot with other {', '.join(different)}.",
                        valid=f"It has: {', '.join(f'{name} {theirs.get(name)}' for name in different)}.",
                        next_step="Use the robot contract of the run that wrote it.")
    ours, theirs = to_mapping(learner.config), state["config"]
    different = sorted(name for name in ours if name != "pretrain_threads" and ours[name] != theirs.get(name))
    if different:
        raise DataError(f"The checkpoint {path} was made with other settings of: {', '.join(different)}.",
                        next_step="Use the config.yaml of the run that wrote it.")


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)[:200]


def _replay_state(replay: Replay) -> dict[str, Any]:
    stop = max((first + count for _, first, count in replay.spans), default=0)
    return {"numbers": replay.numbers(0, stop), "spans": [list(span) for span in replay.spans]}


def _restore_replay(replay: Replay, state: dict[str, Any]) -> None:
    replay.write(0, state["numbers"])
    replay.set_spans([(str(name), int(first), int(count)) for name, first, count in state["spans"]])
