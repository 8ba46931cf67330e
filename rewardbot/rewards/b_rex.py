"""Bayesian REX: not one reward but all that explain the rankings, and so how sure a return is.

Brown, Coleman, Srinivasan and Niekum 2020, Safe Imitation Learning via Fast Bayesian Reward Inference from Preferences. On fixed
features phi the return of a clip is w . Phi, Phi its summed features, so that a sample of the posterior costs one small product:

    P(w | answers) ~ prod_answers P(order | beta w . Phi),   w on the unit sphere, drawn by Metropolis and Hastings

A policy that lives off a feature about which the rankings say nothing has a high mean return and a low bound: the sign of reward
hacking.

Learns from: rankings and ratings.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from rewardbot.config import setting
from rewardbot.data.replay import Batch
from rewardbot.data.transitions import Transitions
from rewardbot.errors import DataError
from rewardbot.feedback.feedback import Ranking, Rating
from rewardbot.rewards.base import Context, RewardModel
from rewardbot.rewards.comparisons import Clips, Comparisons, compare, inputs
from rewardbot.rewards.plackett_luce import Returns, log_likelihood, returns
from rewardbot.types import Metrics

Features = Callable[[Tensor], Tensor]
"""What the reward sees, (N, D), to fixed features (N, F): such as the last hidden layer of a T-REX reward, or what is seen itself."""

TARGET_ACCEPTANCE = 0.3


@dataclass(frozen=True)
class BRexConfig:
    """Hyper-parameters of model and sampler."""

    sees: tuple[str, ...] = setting(("next_features", "next_proprio"), "parts of a transition that the reward looks at")
    returns: Returns = setting("sum", "a clip's goodness: sum of its rewards, or their mean, which is blind to its length")
    rationality: float = setting(10.0, "beta: log-odds with which two clips a typical distance apart are told apart", min=0.0)
    chains: int = setting(8, "chains side by side", min=2, max=1000)
    burn_in: int = setting(500, "steps that are thrown away; the size of the proposals is found in them", min=1)
    steps: int = setting(1000, "steps of each chain after them", min=4)
    thin: int = setting(10, "every so many steps give a sample", min=1)


class BayesianRex(RewardModel):
    """Samples of w; see the module. Every `fit` begins anew from the seed.

    Args:
        config: see `BRexConfig`.
        features: phi.
        device: where it computes.
        seed: of the chains.

    Attributes:
        weights: the samples, (M, F), M of all chains one after the other; none before the first fit.
    """

    consumes: ClassVar[tuple[type, ...]] = (Ranking, Rating)

    def __init__(
        self, config: BRexConfig, features: Features = lambda x: x, *, device: torch.device | str = "cpu", seed: int = 0
    ) -> None:
        self.config, self.features, self.device, self.seed = config, features, torch.device(device), seed
        self.weights = torch.zeros(0, 0, device=self.device)

    def fit(self, feedback: Sequence[Ranking | Rating], context: Context) -> Metrics:
        """Draws the posterior of all `feedback`; see `fit_comparisons`.

        Raises:
            ConfigError, DataError: see `comparisons.compare`.
        """
        self.check(feedback)
        return self.fit_comparisons(compare(feedback, context, self.config.sees, device=self.device))

    def fit_comparisons(self, data: Comparisons) -> Metrics:
        """As `fit`, from tensors on this model's device.

        Returns:
            `acceptance` of the proposals; `r_hat`, the worst of Gelman and Rubin's over the weights: above 1.1 the chains have not
            met yet, and `steps` should be more.
        """
        total = self.counts(data.clips)
        # One number for all features, so that nothing but the unit of beta changes.
        total = total / (total - total.mean(0)).norm(dim=-1).square().mean().sqrt().clamp(min=1e-12)
        options = self.config.rationality * total[data.options]

        def log_posterior(w: Tensor) -> Tensor:
            utility = (options.flatten(0, 1) @ w.T).T.view(len(w), *data.options.shape)
            return (data.weight * log_likelihood(utility, data.place)).sum(-1)

        generator = torch.Generator(self.device).manual_seed(self.seed)
        chains, acceptance = metropolis_hastings(log_posterior, total.shape[-1], self.config, generator)
        self.weights = chains.flatten(0, 1)
        self.version += 1
        return {"acceptance": acceptance, "r_hat": float(r_hat(chains).max())}

    @torch.no_grad()
    def counts(self, clips: Clips) -> Tensor:
        """Phi of each clip, summed or mean features, (C, F)."""
        features = self.features(clips.steps.flatten(0, 1)).unflatten(0, clips.mask.shape)
        return returns(features.transpose(1, 2), clips.mask.unsqueeze(1), self.config.returns)

    def samples(self, batch: Batch | Transitions) -> Tensor:
        """Reward of each transition by each sample of the posterior, (M, N).

        Raises:
            DataError: before the first fit.
        """
        if not len(self.weights):
            raise DataError("There is no posterior yet.", next_step="Fit the reward to some answers first.")
        with torch.no_grad():
            return self.weights @ self.features(inputs(batch, self.config.sees)).T

    def reward(self, batch: Batch | Transitions) -> Tensor:
        """Posterior mean, (N,)."""
        return self.samples(batch).mean(0)

    def bound(self, counts: Tensor, level: float = 0.05) -> Tensor:
        """The return that each policy reaches but for the probability `level`, a value at risk, from its Phi, (P, F) -> (P,)."""
        return torch.quantile(self.weights @ counts.T, level, dim=0)


def metropolis_hastings(
    log_posterior: Callable[[Tensor], Tensor], size: int, config: BRexConfig, generator: torch.Generator
) -> tuple[Tensor, float]:
    """Draws from a density on the unit sphere.

    A proposal is the present point plus a normal one, back on the sphere; that is as likely one way as the other.

    Args:
        log_posterior: (C, F) -> (C,), up to a constant.
        size: F.
        config: the sampler's.
        generator: on the device to compute on.

    Returns:
        Samples (C, S, F), and the share of accepted proposals after the burn-in.
    """

    def normal() -> Tensor:
        return torch.randn(config.chains, size, generator=generator, device=generator.device)

    def on_sphere(w: Tensor) -> Tensor:
        return w / w.norm(dim=-1, keepdim=True)

    w = on_sphere(normal())
    present = log_posterior(w)
    log_step, accepted, kept = math.log(0.5), 0.0, []
    for step in range(-config.burn_in, config.steps):
        proposal = on_sphere(w + math.exp(log_step) * normal())
        proposed = log_posterior(proposal)
        accept = torch.rand(config.chains, generator=generator, device=generator.device).log() < proposed - present
        w = torch.where(accept.unsqueeze(-1), proposal, w)
        present = torch.where(accept, proposed, present)
        if step < 0:
            # Robbins and Monro; afterwards the step stays, or this would not be a Markov chain.
            log_step += (float(accept.float().mean()) - TARGET_ACCEPTANCE) / math.sqrt(config.burn_in + step + 1)
        else:
            accepted += float(accept.float().mean()) / config.steps
            if step % config.thin == 0:
                kept.append(w)
    return torch.stack(kept, dim=1), accepted


def r_hat(chains: Tensor) -> Tensor:
    """Potential scale reduction of each number (Gelman and Rubin 1992), (C, S, F) -> (F,); 1 when the chains agree."""
    length = chains.shape[1]
    within = chains.var(1).mean(0)
    between = chains.mean(1).var(0)
    return ((length - 1) / length + between / within.clamp(min=1e-12)).sqrt()
