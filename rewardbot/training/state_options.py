"""What `rewardbot train` is told when it learns from state vectors. Which reward goes with which policy: `combinations.py`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from rewardbot.config import setting
from rewardbot.training.run import CONFIG

COMMAND = "train from state vectors"
"""In `config.yaml`, tells such a run from the others."""


@dataclass(frozen=True)
class StateOptions:
    """`rewardbot train` from state vectors. Each field is an option of the command line."""

    env: str = setting("", "gymnasium environment to learn in, from its state vectors")
    task: str = setting("", "instead of --env: simulated task of the arm, see `rewardbot list`")
    state: bool = setting(False, "learn --task from its true state, without cameras; need not be said where reward or policy knows "
                          "no cameras")
    reward: str = setting("preference", "reward algorithm: preference, pebble, surf or mrn, which learn from preferences; gail, "
                          "airl, gcl, vice, goal_classifier, relative_entropy_irl, perturbation_irl, t_rex, b_rex or d_rex, which "
                          "learn from --demos; true: "
                          "the environment's own, for experts and comparisons; self_play: none, it sets goals for itself; tamer: "
                          "praise of a simulated trainer; see docs/combinations.md")
    policy: str = setting("sac", "policy algorithm: sac or ppo, which learn online; iql or cql, which learn from the steps of "
                          "--demos alone; bc or filtered_bc, which imitate them without a reward; myopic, which does "
                          "what tamer says would be praised")
    steps: int = setting(20_000, "environment steps; of iql, cql, bc and filtered_bc: updates", min=100, max=1_000_000_000)
    seed: int = setting(0, "seed of start states, networks, batches and questions", min=0, max=100_000_000)
    episodes: int = setting(20, "evaluation episodes of the final policy", min=1, max=100_000)
    run_dir: str = setting("runs", "folder for run folders")
    config: str = setting("", "YAML file with settings of the reward's job; config.yaml of a run shows all that there are")
    teacher: str = setting("simulated", "who answers: simulated (from the environment's own reward), human (the operator's window; "
                           "learning does not wait for it) or model (an endpoint)")
    url: str = setting("http://127.0.0.1:8000/v1", "with --teacher model: OpenAI-compatible endpoint; its key, if it needs one, is "
                       "in REWARDBOT_LABELLER_KEY")
    model: str = setting("default", "with --teacher model: name of the model there")
    goal: str = setting("", "with --teacher model: what should be done, in words")
    answers: int = setting(100, "answers to ask for", min=1, max=1_000_000)
    watch: bool = setting(False, "see whether the answers are enough, to ask no more, and whether the policy pleases the reward and "
                          "not who answers, to stop; a fifth of the questions is drawn by chance for that")
    strategy: str = setting("disagreement", "which questions: uniform, disagreement, entropy, mutual_information, volume_removal or "
                            "thompson")
    demos: tuple[str, ...] = setting((), "demonstrations: files, from rewardbot eval RUN --demos FILE; with --task also a number, "
                                     "which the simulated operator shows, and folders of recorded ones")
    unsafe: str = setting("", "ledger with unsafe intervals, from which a shield in front of the policy is learned; or simulated: a "
                          "simulated person marks what the settings' shield.zone says, on the way")

    @property
    def file(self) -> str:
        """What the file with settings is called in errors."""
        return Path(self.config).name


def is_state_run(path: Path) -> bool:
    """Whether the run in a folder is one of these."""
    try:
        return yaml.safe_load((path / CONFIG).read_text())["command"] == COMMAND
    except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError):
        return False
