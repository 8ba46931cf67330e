"""What `rewardbot train` is told when it learns from state vectors, and the rewards that can: by name, with what each learns from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from rewardbot.config import setting
from rewardbot.errors import ConfigError
from rewardbot.training.run import CONFIG

COMMAND = "train from state vectors"
"""In `config.yaml`, tells such a run from the others."""


@dataclass(frozen=True)
class StateOptions:
    """`rewardbot train` from state vectors. Each field is an option of the command line."""

    env: str = setting("", "gymnasium environment to learn in, from its state vectors")
    task: str = setting("", "with --state: simulated task of the arm, see `rewardbot list`")
    state: bool = setting(False, "learn --task from its true state, without cameras")
    reward: str = setting("preference", "reward algorithm: preference, pebble, surf or mrn, which learn from preferences; gail, airl "
                          "or gcl, which learn from --demos; true: the environment's own, for experts and comparisons")
    policy: str = setting("sac", "policy algorithm; from state vectors: sac, or ppo for gail, airl and gcl")
    steps: int = setting(20_000, "environment steps", min=100, max=1_000_000_000)
    seed: int = setting(0, "seed of start states, networks, batches and questions", min=0, max=100_000_000)
    episodes: int = setting(20, "evaluation episodes of the final policy", min=1, max=100_000)
    run_dir: str = setting("runs", "folder for run folders")
    config: str = setting("", "YAML file with settings of the reward's job, see `training/preferences.py`")
    teacher: str = setting("simulated", "who answers: simulated, from the environment's own reward")
    answers: int = setting(100, "answers to ask for", min=1, max=1_000_000)
    strategy: str = setting("disagreement", "which questions: uniform, disagreement, entropy, mutual_information, volume_removal or "
                            "thompson")
    demos: str = setting("", "file of demonstrations, from rewardbot eval RUN --demos FILE")


@dataclass(frozen=True)
class Consumes:
    """What some rewards learn from.

    Attributes:
        what: in words.
        options: those of `StateOptions` that no others take.
        module: a `Job`.
        policies: which learn from such a reward.
    """

    what: str
    options: tuple[str, ...]
    module: str
    policies: tuple[str, ...] = ("sac",)


PREFERENCES = Consumes("preferences", ("teacher", "answers", "strategy"), "rewardbot.training.preference_job")

DEMONSTRATIONS = Consumes("demonstrations", ("demos",), "rewardbot.training.adversarial_job", ("sac", "ppo"))

TRUE = Consumes("the environment's own reward", (), "rewardbot.training.true_job")

REWARDS: Mapping[str, Consumes] = {
    "preference": PREFERENCES, "pebble": PREFERENCES, "surf": PREFERENCES, "mrn": PREFERENCES,
    "gail": DEMONSTRATIONS, "airl": DEMONSTRATIONS, "gcl": DEMONSTRATIONS, "true": TRUE}
"""Rewards that are learned from state vectors."""


def is_state_run(path: Path) -> bool:
    """Whether the run in a folder is one of these."""
    try:
        return yaml.safe_load((path / CONFIG).read_text())["command"] == COMMAND
    except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError):
        return False


def check_image_reward(name: str) -> None:
    """Checks that a reward that was named without a place with state vectors is not one that needs them.

    Raises:
        ConfigError: it is.
    """
    if name in REWARDS:
        raise ConfigError(f"Reward '{name}' is learned from state vectors and {REWARDS[name].what}.",
                          valid="--env NAME of a gymnasium environment, or --task NAME --state.",
                          next_step=f"rewardbot train --env Pendulum-v1 --reward {name}")
