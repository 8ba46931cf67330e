"""The learner's hyper-parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rewardbot.config import setting
from rewardbot.nets.autoencoder import AutoencoderConfig
from rewardbot.policies.bc import PLAIN, BCConfig
from rewardbot.policies.placing import PlacingConfig
from rewardbot.policies.rlpd import RLPDConfig
from rewardbot.rewards.discriminator import DiscriminatorConfig
from rewardbot.rewards.preference import PreferenceConfig


@dataclass(frozen=True)
class ClassifierConfig:
    """How the goal classifier is fed. `DiscriminatorConfig` says how it is regularised."""

    success_frames: int = setting(4, "last frames of each demonstration that are success examples", min=1)
    heldout: float = setting(0.2, "share of demonstrations whose success examples only calibrate", min=0.0, max=0.9)
    early: float = setting(0.5, "share of each demonstration, from its start, that are offline negatives", min=0.01, max=0.9)
    negatives: Literal["visited", "offline"] = setting("visited", "visited: refit with the policy's states; offline: frozen")
    reward: Literal["ratio", "probability", "logit"] = setting(
        "ratio", "ratio: what looks more like the goal than success examples do is worth more; probability: it is not; "
                 "logit: also says what is nearer where nothing is near")
    first_steps: int = setting(500, "gradient steps before learning", min=1)
    every: int = setting(5, "learner updates per classifier step", min=1)
    before_takeover: int = setting(5, "steps before an operator's takeover whose outcomes are certain negatives", min=0)


@dataclass(frozen=True)
class CorrectionsConfig:
    """How the policy imitates what operators correct while it learns; beside that, corrections are demonstrations like others."""

    every: int = setting(0, "least episodes between two clonings of demonstrations and corrections; 0: never", min=0)
    cloning: BCConfig = setting(BCConfig(steps=100, learning_rate=5e-4), "each of them, on the frozen encoder's features")


@dataclass(frozen=True)
class LearnerConfig:
    """All of the learner's hyper-parameters."""

    bc: BCConfig = setting(BCConfig(), "behaviour cloning, tuned: it also trains the encoder")
    plain_bc: BCConfig = setting(PLAIN, "behaviour cloning as in the textbook: a baseline only")
    discriminator: DiscriminatorConfig = setting(DiscriminatorConfig(), "the goal classifier's network")
    classifier: ClassifierConfig = setting(ClassifierConfig(), "the goal classifier's examples")
    rewarded_by: Literal["goal", "preferences"] = setting(
        "goal", "what the policy learns to earn: goal, the classifier's verdict, or preferences, what operators answered")
    preference: PreferenceConfig = setting(PreferenceConfig(), "how the reward is learned from preferences")
    corrections: CorrectionsConfig = setting(CorrectionsConfig(), "how what operators correct is cloned")
    prior: Literal["demonstrations", "play"] = setting(
        "demonstrations", "what is there before learning: demonstrations, or random play beside success images")
    autoencoder: AutoencoderConfig = setting(AutoencoderConfig(), "how the encoder learns to see without demonstrations")
    places: bool = setting(True, "without demonstrations: where the goal is one thing's place, learn to see and to reach that place")
    placing: PlacingConfig = setting(PlacingConfig(), "the reinforcement learner of places")
    place_discriminator: DiscriminatorConfig = setting(
        DiscriminatorConfig(dropout=0.0, mixup=False, smoothing=0.01, learning_rate=2e-3),
        "the goal classifier's network where it sees places: of three numbers none is to be left out, and success ends sharply")
    rlpd: RLPDConfig = setting(RLPDConfig(), "the reinforcement learner")
    capacity: int = setting(40_000, "observations that the replay holds", min=1000)
    round_updates: int = setting(10, "updates per call of `update`", min=1)
    most_updates_per_step: float = setting(4.0, "updates per environment step beyond which the learner waits", min=0.01)
    judged_episodes: int = setting(40, "episodes behind the success estimate", min=1)
    deployed_share: float = setting(0.25, "share of exploring episodes in which the deployed policy acts", min=0.0, max=1.0)
    converged_at: float = setting(0.95, "success estimate over twice as many that ends learning; 2: never", min=0.0, max=2.0)
    minutes: float = setting(3.0, "longest time of learning [min]", min=0.0, max=100_000.0)
    pretrain_threads: int = setting(1, "threads of torch while pretraining; two are quicker only on a quiet machine", min=1, max=256)
    device: str = setting("auto", "auto: a GPU if there is one; cpu, cuda, cuda:1")
