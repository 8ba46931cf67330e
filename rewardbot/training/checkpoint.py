"""Checkpoints of the learner. A folder whose files are replaced whole; `learner.pt` is written last and names the rest's version.

    policy.safetensors, classifier.safetensors   deployable, the same bytes as on the topics
    learner.pt                                    networks, optimisers, replay numbers, random state (loaded with weights_only)

Images of visited episodes are not in it: their features are, and the encoder that made them is frozen.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from rewardbot.config import to_mapping
from rewardbot.data.replay import Replay
from rewardbot.errors import DataError
from rewardbot.training.files import storing, write_atomic

if TYPE_CHECKING:
    from rewardbot.training.learner import Learner

FORMAT = 2
POLICY, CLASSIFIER, LEARNER = "policy.safetensors", "classifier.safetensors", "learner.pt"


def save(learner: Learner, folder: Path) -> None:
    """Writes the checkpoint.

    Raises:
        StorageError: it cannot be written; an earlier checkpoint there is still whole.
    """
    agent, classifier = learner.agent, learner.classifier
    state: dict[str, Any] = {
        "format": FORMAT,
        "task": learner.task,
        "robot": _robot(learner),
        "config": to_mapping(learner.config),
        "counters": {"env_steps": learner.env_steps, "version": learner.version, "updates": agent.updates,
                     "classifier_version": classifier.version, "baseline_s": learner.baseline_s},
        "judged": list(learner.judged),
        "modules": {name: module.state_dict() for name, module in _modules(learner).items()},
        "optimisers": {name: optimiser.state_dict() for name, optimiser in _optimisers(learner).items()},
        "temperature": agent.log_temperature.detach(),
        "classifier": {**classifier.state(), "offline": learner.offline},
        "demonstrations": _replay_state(learner.demonstrations),
        "visited": _replay_state(learner.visited),
        "random": {"torch": torch.get_rng_state(),
                   **{name: generator.get_state() for name, generator in _generators(learner).items()}},
    }
    buffer = io.BytesIO()
    torch.save(state, buffer)
    with storing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / POLICY, learner.policy_weights())
    write_atomic(folder / CLASSIFIER, learner.classifier_weights())
    write_atomic(folder / LEARNER, buffer.getvalue())


def load(learner: Learner, folder: Path) -> None:
    """Restores a learner that was made with the same configuration.

    Raises:
        DataError: missing, damaged, of another task or robot, or made with other settings.
    """
    path = folder / LEARNER
    try:
        with zipfile.ZipFile(path) as archive:  # torch itself does not look at the checksums
            if (part := archive.testzip()) is not None:
                raise zipfile.BadZipFile(f"{part} is not what was written")
        state = torch.load(path, map_location=learner.config.device, weights_only=True)
    except FileNotFoundError:
        raise DataError(f"There is no checkpoint in {folder}.", valid=f"A checkpoint is a folder with {LEARNER} in it.",
                        next_step="Name the checkpoint folder of an earlier run, or start without 'resume'.") from None
    except Exception as error:  # damaged bytes make a reader raise anything
        raise DataError(f"The checkpoint {path} is damaged: {_first_line(error)}",
                        next_step="Use another run's checkpoint, or start without 'resume'.") from None
    try:
        _refuse_other(learner, state, path)
        _restore(learner, state)
    except (RuntimeError, LookupError, ValueError, TypeError) as error:
        raise DataError(f"The checkpoint {path} does not fit this learner: {_first_line(error)}",
                        next_step="Use the config.yaml of the run that wrote it.") from None


def _restore(learner: Learner, state: dict[str, Any]) -> None:
    _restore_replay(learner.demonstrations, state["demonstrations"])
    _restore_replay(learner.visited, state["visited"])
    learner.encoder = learner.cloning.frozen_encoder()
    learner.agent = learner.new_agent()
    kept = state["classifier"]
    learner.classifier = learner.make_classifier(kept["positives"], kept["heldout"], kept["offline"])
    learner.classifier.level = kept["level"]
    for name, module in _modules(learner).items():
        module.load_state_dict(state["modules"][name])
    for name, optimiser in _optimisers(learner).items():
        optimiser.load_state_dict(state["optimisers"][name])
    with torch.no_grad():
        learner.agent.log_temperature.copy_(state["temperature"])
    counters = state["counters"]
    learner.env_steps, learner.version = counters["env_steps"], counters["version"]
    learner.agent.updates, learner.classifier.version = counters["updates"], counters["classifier_version"]
    learner.baseline_s = counters["baseline_s"]
    learner.judged.clear()
    learner.judged.extend(state["judged"])
    # Last: whatever was made above has drawn from them.
    torch.set_rng_state(state["random"]["torch"].cpu())
    for name, generator in _generators(learner).items():
        generator.set_state(state["random"][name].cpu())


def _modules(learner: Learner) -> dict[str, torch.nn.Module]:
    agent = learner.agent
    return {"cloning": learner.cloning, "plain": learner.plain, "encoder": learner.encoder, "actor": agent.actor,
            "average": agent.average, "critic": agent.critic, "target": agent.target,
            "discriminator": learner.classifier.discriminator}


def _optimisers(learner: Learner) -> dict[str, torch.optim.Optimizer]:
    agent = learner.agent
    return {"critic": agent.critic_optimiser, "actor": agent.actor_optimiser, "temperature": agent.temperature_optimiser,
            "discriminator": learner.classifier.optimiser}


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
    return {"features": replay.features[:stop].clone(), "proprio": replay.proprio[:stop].clone(),
            "actions": replay.actions[:stop].clone(), "continues": replay.continues[:stop].clone(),
            "spans": [list(span) for span in replay.spans]}


def _restore_replay(replay: Replay, state: dict[str, Any]) -> None:
    stop = len(state["features"])
    for name in ("features", "proprio", "actions", "continues"):
        getattr(replay, name)[:stop] = state[name]
    replay.set_spans([(str(name), int(first), int(count)) for name, first, count in state["spans"]])
