"""A policy as it runs on a robot: weights in, observation in, action out. What the learner publishes and what a checkpoint holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rewardbot.errors import DataError, unknown_name
from rewardbot.nets.encoders import Encoder, stored_encoder, to_tensors
from rewardbot.nets.heads import SquashedGaussianPolicy
from rewardbot.nets.motion import actions_of
from rewardbot.nets.places import UNIT_M
from rewardbot.nets.weights import from_bytes, load_into, named, reading, to_bytes
from rewardbot.policies.placing_policy import Memory, PlacingPolicy
from rewardbot.robots.play import AimedPlay
from rewardbot.types import Observation


def policy_to_bytes(
    encoders: Mapping[str, Encoder],
    actors: Mapping[str, tuple[str, SquashedGaussianPolicy | PlacingPolicy]],
    description: Mapping[str, Any],
) -> bytes:
    """Serialises encoders and the actors that look through them.

    Args:
        encoders: encoder name -> encoder.
        actors: actor name -> (encoder name, policy).
        description: at least `version`, `task`, `robot` and `cameras` (name -> (height, width)). `deployed_share`: share of exploring
            episodes in which `rl` acts as it will be deployed. `aimed`: arguments of `AimedPlay`, which then acts in
            exploring episodes. `learner`: whose policy `rl` is, where that learned otherwise.
    """
    tensors = {name: t for key, encoder in encoders.items() for name, t in named(f"encoder.{key}", encoder).items()}
    for key, (_, policy) in actors.items():
        tensors |= named(f"actor.{key}", policy)
    note = {**description, "actors": {key: encoder for key, (encoder, _) in actors.items()}}
    return to_bytes(tensors, kind="policy", description=note)


class DeployedPolicy:
    """The actors of one set of weights, by name: `rl` (deployed), `explore` (samples while learning), `bc`, `bc_tuned`.

    Args:
        data: what `policy_to_bytes` gave.

    Raises:
        DataError: other or damaged bytes.
    """

    def __init__(self, data: bytes) -> None:
        tensors, self.description = from_bytes(data, kind="policy")
        self._encoders: dict[str, nn.Module] = {}
        self._actors: dict[str, tuple[str, SquashedGaussianPolicy | PlacingPolicy]] = {}
        self._generator = torch.Generator()
        self._explorer = "explore"
        self._memory: Memory | None = None  # of who brings a thing to a place
        with reading("policy"):
            self.version: int = self.description["version"]
            self.task: str = self.description["task"]
            self.robot: str = self.description["robot"]
            self.learner = str(self.description.get("learner", "rl"))
            self._deployed_share = float(self.description.get("deployed_share", 0.0))
            self.cameras = {name: (int(h), int(w)) for name, (h, w) in self.description["cameras"].items()}
            self._aimed = AimedPlay(**aimed) if (aimed := self.description.get("aimed")) else None
            self._build(tensors)

    def _build(self, tensors: Mapping[str, Tensor]) -> None:
        for actor, encoder in self.description["actors"].items():
            if encoder not in self._encoders:
                self._encoders[encoder] = stored_encoder(self.cameras, tensors, f"encoder.{encoder}")
            policy = _empty_policy(tensors, f"actor.{actor}").eval()
            load_into(policy, tensors, f"actor.{actor}")
            self._actors[actor] = (encoder, policy)

    def begin_episode(self, seed: int) -> None:
        """Forgets the episode before, seeds the exploration of the one that begins, and draws who explores in it.

        Without its own episodes the deployed policy could end in states that the exploring one never sees, and that no
        classifier learns to tell from the goal.
        """
        self._generator.manual_seed(seed)
        deployed = bool(torch.rand((), generator=self._generator) < self._deployed_share)
        self._explorer = "rl" if deployed else "explore"
        self._memory = None
        if self._aimed is not None:
            self._aimed.begin_episode(seed)

    @torch.no_grad()
    def act(self, observation: Observation, *, actor: str = "rl", explore: bool = False) -> NDArray[np.float32]:
        """The action for `observation`, float32 (A,) in [-1, 1]; with `explore`, who explores in this episode acts: the actor
        `explore` by a sample, or `rl`.

        Raises:
            ConfigError: unknown actor.
            DataError: the observation lacks a camera or has another image size.
        """
        name = self._explorer if explore else actor
        if name not in self._actors:
            raise unknown_name("actor", name, self._actors)
        for camera, (height, width) in self.cameras.items():
            shape = observation.images[camera].shape if camera in observation.images else None
            if shape != (height, width, 3):
                found = "is missing" if shape is None else f"is {shape[1]}x{shape[0]}"
                raise DataError(f"Camera '{camera}' {found}.", valid=f"This policy was trained at {width}x{height}.",
                                next_step="Set the camera's size in the robot's file, or train for this one.")
        encoder, policy = self._actors[name]
        features = self._encoders[encoder](to_tensors({camera: observation.images[camera] for camera in self.cameras}))
        if isinstance(policy, PlacingPolicy):
            return self._place(policy, features, observation, explore=explore, trembling=name == "explore")
        mean, log_std = policy(features, torch.from_numpy(observation.proprio)[None])
        if explore and name == "explore":
            mean = mean + log_std.exp() * torch.randn(mean.shape, generator=self._generator)
        return torch.tanh(mean)[0].numpy()

    def _place(
        self, policy: PlacingPolicy, features: Tensor, observation: Observation, *, explore: bool, trembling: bool
    ) -> NDArray[np.float32]:
        """The action of who brings a thing to a place, or of play that is aimed at it."""
        proprio = torch.from_numpy(observation.proprio)
        if explore and self._aimed is not None:
            self._memory = policy.look(features, proprio, self._memory)
            return self._aimed.aim(observation.tool_pose[:3], self._memory.places[0, :2].numpy() * UNIT_M)
        action, self._memory = policy.act(features, proprio, self._memory, self._generator, explore=explore and trembling)
        return action


def _empty_policy(tensors: Mapping[str, Tensor], prefix: str) -> SquashedGaussianPolicy | PlacingPolicy:
    """A policy of the kind and sizes that its stored tensors have."""
    if f"{prefix}.goal" in tensors:
        members, inputs, hidden = tensors[f"{prefix}.motion.weights.0"].shape
        return PlacingPolicy(members, actions_of(inputs), hidden)
    latent, features = tensors[f"{prefix}.compress.1.weight"].shape
    actions, hidden = tensors[f"{prefix}.mean.weight"].shape
    return SquashedGaussianPolicy(features, len(tensors[f"{prefix}.proprio_mean"]), actions, latent, hidden)
