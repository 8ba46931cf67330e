"""What a whole job is told: the options of `rewardbot demo` and `rewardbot train`, and of an evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rewardbot.config import setting
from rewardbot.robots.hand import HESITATION, NOISE

SETTINGS_FILES = ("config/tasks/{task}.yaml", "config/policies/{policy}.yaml", "{config}", "config/rewards/{reward}.yaml")
"""Files with settings of the learner, for the command line and for learner_node alike; a later one wins. One whose name is
not given is left out. The reward comes last because it is only named by who wants another than the one that is configured.
"""

WITHOUT_DEMONSTRATIONS = "config/success_images.yaml"
"""Comes after the first two of them for a job with `--demos 0`."""

TAKEOVERS = "config/takeovers.yaml"
"""Likewise for a job with `--takeovers`. Over ROS it is given as `config:=`."""

FILTERED, ROUNDS = "filtered_bc", ("dagger", "hg_dagger")
IMITATORS = ("bc", FILTERED, *ROUNDS)
"""Policy algorithms that need no reward: they imitate an operator."""

ACTORS = ("bc", "bc_tuned", "rl")
"""Who is evaluated in the end; without demonstrations there is nobody to clone, and only the last is."""


def phases(demos: int) -> tuple[str, ...]:
    """What a job with so many demonstrations goes through."""
    return ("demonstrations" if demos else "play", "pretraining", "learning", "evaluation")


@dataclass(frozen=True)
class JobOptions:
    """One job: demonstrations, pretraining, learning, evaluation. Each field is an option of the command line."""

    task: str = setting("lift", "simulated task, see `rewardbot list`")
    seed: int = setting(0, "seed of start states, demonstrator, networks and batches", min=0, max=100_000_000)
    demos: int = setting(30, "number of successful demonstrations (--demonstrations DIR takes recorded ones); 0: none, see "
                         "--success-images", min=0, max=10_000)
    minutes: float = setting(0.0, "longest time for learning after pretraining [min]; 0: as configured for the task",
                             min=0.0, max=100_000.0)
    episodes: int = setting(100, "evaluation episodes of each policy", min=1, max=100_000)
    compare: bool = setting(False, "add the frozen classifiers and the true-reward oracle (three more times --minutes)")
    run_dir: str = setting("runs", "folder for run folders")
    demonstrations: str = setting("", "folder of recorded demonstrations; all of them are used, and no new ones made")
    success_images: str = setting("", "folder of pictures of the goal, DIR/<camera>/*.png, and without it, DIR/not/<camera>/*.png; "
                                  "beside demonstrations or, with --demos 0, all that is shown")
    play: int = setting(40, "with --demos 0: episodes of random motion, to learn to see from", min=2, max=10_000)
    robot: str = setting("sim_arm", "robot contract, see `rewardbot list`")
    reward: str = setting("", "vice (negatives: what the policy visits) or goal_classifier (frozen); default: as configured")
    policy: str = setting("rlpd", "policy algorithm, see `rewardbot list`; of `rewardbot train` also those that imitate an operator: "
                          "bc, filtered_bc, dagger, hg_dagger")
    rounds: int = setting(0, "of dagger and hg_dagger: rounds of 5 episodes; 0: 10 of them", min=0, max=10_000)
    config: str = setting("", "YAML file with settings of the learner")
    noise: float = setting(NOISE, "tremor of the simulated operator's hand, share of a full action", min=0.0, max=1.0)
    hesitation: float = setting(HESITATION, "mean time for which that hand hesitates before it closes or opens [s]", min=0.0, max=5.0)
    takeovers: bool = setting(False, "of `rewardbot train`: the simulated operator watches the policy learn, and takes over when "
                              "it gets no further")


@dataclass(frozen=True)
class ImageOptions:
    """Success images from the simulator: the simulated operator reaches the goal and moves the hand about."""

    task: str = setting("push", "simulated task, see `rewardbot list`")
    count: int = setting(200, "number of moments to picture", min=10, max=100_000)
    seed: int = setting(0, "seed of start states and hand", min=0, max=100_000_000)
    robot: str = setting("sim_arm", "robot contract, see `rewardbot list`")


@dataclass(frozen=True)
class EvalOptions:
    """An evaluation of a saved policy in simulation."""

    episodes: int = setting(100, "number of fresh episodes", min=1, max=100_000)
    seed: int = setting(1, "seed of the start states", min=0, max=100_000_000)
    actor: str = setting("rl", "who acts: bc, bc_tuned or rl")
    task: str = setting("", "task; the checkpoint's own if not given")
    video: str = setting("", "MP4 file for the first episodes")
    demos: str = setting("", "of a policy of state vectors: file for the episodes, for --demos of `rewardbot train`")


TeacherName = Literal["human", "simulated", "model"]

Pictures = Literal["camera", "sim", "topics"]
PICTURES_HELP = ("where pictures come from: camera (camera_node), sim (the simulated cell, where an operator works), "
                 "topics (another driver publishes them)")


@dataclass(frozen=True)
class LabelOptions:
    """A window in which a person labels pictures of a goal."""

    pictures: Pictures = setting("camera", PICTURES_HELP)
    source: str = setting("0", "number or path of a video device, a stream, a video file, a folder of images; or NAME=SOURCE,...")
    robot: str = setting("", "robot contract, which names the cameras (default: webcam for camera, sim_arm otherwise)")
    rate: float = setting(10.0, "pictures a second from the cameras [Hz]", min=0.1, max=240.0)
    task: str = setting("lift", "with sim: what the simulated operator does")
    look: Literal["system", "dark", "light"] = setting("system", "colours of the window")
