"""Behaviour cloning: its loss by hand, and that it learns where a thing in the image is."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch

from rewardbot.data.replay import Replay
from rewardbot.nets.heads import SquashedGaussianPolicy
from rewardbot.policies.bc import (
    PLAIN,
    BCConfig,
    BehaviourCloning,
    DemonstrationSet,
    StateCloning,
    advantage_weights,
    cloning_loss,
    fit_policy,
    join,
)
from rewardbot.policies.filtered_bc import top_share

CAMERAS = {"front": (16, 16)}
QUIET = BCConfig(steps=4, batch=8, shift=0, dropout=0.0, proprio_noise=0.0, latent=8, hidden=16)


def dots(n: int) -> DemonstrationSet:
    """A bright dot somewhere; the action is where it is, once as seen and once as felt."""
    draw = torch.Generator().manual_seed(0)
    places = torch.randint(0, 14, (n, 2), generator=draw)
    images = torch.zeros(n, 3, 16, 16, dtype=torch.uint8)
    for image, (row, column) in zip(images, places.tolist(), strict=True):
        image[:, row : row + 3, column : column + 3] = 255
    felt = torch.rand(n, 1, generator=draw) * 1.6 - 0.8
    return DemonstrationSet({"front": images}, 5.0 + 2.0 * felt, torch.cat([places / 10.0 - 0.65, felt], dim=1))


def test_the_loss_is_the_mean_square_of_the_squashed_mean() -> None:
    data = dots(8)
    cloning = BehaviourCloning(QUIET, CAMERAS, 1, 3)
    loss = cloning.bc_loss(data.images, data.proprio, data.actions)
    errors = cloning.policy.mode(cloning.encoder(data.images), data.proprio) - data.actions
    assert loss.item() == pytest.approx(errors.square().mean().item(), rel=1e-5)


def test_augmentation_moves_images_and_shakes_proprioception() -> None:
    data = dots(8)
    plain = BehaviourCloning(QUIET, CAMERAS, 1, 3)
    reference = plain.bc_loss(data.images, data.proprio, data.actions).item()
    assert plain.bc_loss(data.images, data.proprio, data.actions).item() == reference
    for change in ({"shift": 3}, {"proprio_noise": 1.0}):
        plain.config = dataclasses.replace(QUIET, **change)
        assert plain.bc_loss(data.images, data.proprio, data.actions).item() != reference


def test_it_learns_what_is_seen_and_what_is_felt() -> None:
    torch.manual_seed(0)
    data = dots(300)
    cloning = BehaviourCloning(dataclasses.replace(QUIET, steps=250, batch=32, learning_rate=5e-3), CAMERAS, 1, 3)
    shares: list[float] = []
    loss = cloning.fit(data, shares.append, torch.Generator().manual_seed(0))
    assert loss < 0.03, f"{loss}: the actions' variance is {float(data.actions.var(0).mean())}"
    assert not cloning.training and shares[-1] == 1.0 and shares == sorted(shares) and len(shares) == 250
    assert cloning.policy.normalise(data.proprio).mean().abs() < 1e-4  # type: ignore[operator]
    with torch.no_grad():
        errors = (cloning.policy.mode(cloning.encoder(data.images), data.proprio) - data.actions).square().mean(0)
    assert errors.max() < 0.03, "each of row, column and felt number"


def test_the_frozen_encoder_is_a_copy_that_needs_no_gradient() -> None:
    cloning = BehaviourCloning(QUIET, CAMERAS, 1, 3)
    frozen = cloning.frozen_encoder()
    assert not any(parameter.requires_grad for parameter in frozen.parameters())
    before = {name: value.clone() for name, value in frozen.state_dict().items()}
    cloning.fit(dots(8), lambda share: None, torch.Generator())
    assert all(torch.equal(before[name], value) for name, value in frozen.state_dict().items())
    assert all(parameter.requires_grad for parameter in cloning.encoder.parameters())


def test_the_plain_baseline_is_without_help() -> None:
    assert (PLAIN.shift, PLAIN.dropout, PLAIN.proprio_noise, PLAIN.weight_decay) == (0, 0.0, 0.0, 0.0)


# Weights


def test_the_weighted_loss_by_hand() -> None:
    predicted, actions = torch.tensor([[0.0, 0.0], [1.0, 0.0]]), torch.tensor([[1.0, 0.0], [1.0, 2.0]])
    assert cloning_loss(predicted, actions).item() == pytest.approx((0.5 + 2.0) / 2)
    assert cloning_loss(predicted, actions, torch.tensor([1.5, 0.5])).item() == pytest.approx((1.5 * 0.5 + 0.5 * 2.0) / 2)


@pytest.mark.parametrize(("returns", "share", "weights"), [
    ([3.0, 1.0, 2.0, 4.0], 0.5, [2.0, 0.0, 0.0, 2.0]),
    ([3.0, 1.0, 2.0, 4.0], 0.51, [4 / 3, 0.0, 4 / 3, 4 / 3]),
    ([3.0, 1.0, 2.0, 4.0], 1.0, [1.0, 1.0, 1.0, 1.0]),
    ([0.0, 1.0, 1.0, 0.0], 0.25, [0.0, 2.0, 2.0, 0.0]),  # the operator's verdicts
    ([5.0, 5.0], 0.1, [1.0, 1.0]),
])
def test_filtered_weights(returns: list[float], share: float, weights: list[float]) -> None:
    assert top_share(torch.tensor(returns), share).tolist() == pytest.approx(weights)


def test_advantage_weights() -> None:
    weights = advantage_weights(torch.tensor([0.0, 1.0, 2.0]), temperature=1.0)
    assert weights.mean().item() == pytest.approx(1.0)
    assert (weights[1:] / weights[:-1]).tolist() == pytest.approx([math.e, math.e])
    assert advantage_weights(torch.tensor([0.0, 1.0, 2.0]), temperature=1e6).tolist() == pytest.approx([1.0] * 3, abs=1e-4)
    bounded = advantage_weights(torch.tensor([0.0, 100.0, 200.0]), temperature=1.0)
    assert bounded[1] == bounded[2] == 20 * bounded[0]


def test_sets_together() -> None:
    both = join([dots(3), dots(4)])
    assert len(both) == 7 and both.weights is None and both.proprio.shape == (7, 1)
    assert torch.equal(both.images["front"][3:], dots(4).images["front"])


@pytest.mark.parametrize("kind", ["filtered", "advantage-weighted"])
def test_weights_beat_plain_bc_on_mixed_data(kind: str) -> None:
    """Two thirds of the steps are of episodes whose operator did just the opposite."""
    good = dots(240)
    wrong = torch.arange(240) % 3 > 0
    actions = torch.where(wrong[:, None], -good.actions, good.actions)
    verdicts = (~wrong).float()
    weights = top_share(verdicts, 0.3) if kind == "filtered" else advantage_weights(verdicts, 0.2)

    def error(weights: torch.Tensor | None) -> float:
        torch.manual_seed(0)
        cloning = BehaviourCloning(dataclasses.replace(QUIET, steps=150, batch=32, learning_rate=5e-3), CAMERAS, 1, 3)
        data = dataclasses.replace(good, actions=actions, weights=weights)
        cloning.fit(data, lambda share: None, torch.Generator().manual_seed(0))
        with torch.no_grad():
            return cloning_loss(cloning.policy.mode(cloning.encoder(good.images), good.proprio), good.actions).item()

    assert error(weights) < 0.5 * error(None)


def test_states_alone_are_cloned_by_the_same_loss_and_weights() -> None:
    """Two demonstrators do the opposite of each other; the weights say whose steps count."""
    torch.manual_seed(0)
    states = 5.0 + 2.0 * torch.rand(400, 2, generator=torch.Generator().manual_seed(0))
    meant = torch.tanh(states - 6.0)
    actions, weights = torch.cat([meant, -meant]), torch.cat([torch.full((400,), 2.0), torch.zeros(400)])
    cloning = StateCloning(dataclasses.replace(QUIET, steps=250, batch=64, learning_rate=5e-3, hidden=32), 2, 2)
    loss = cloning.fit(torch.cat([states, states]), actions, weights, torch.Generator().manual_seed(0))
    assert loss < 0.01
    with torch.no_grad():
        assert float((cloning(states) - meant).abs().max()) < 0.15
    action = cloning.act(states[0].double().numpy())
    assert action.dtype == "float32" and action.tolist() == pytest.approx(cloning(states[:1])[0].tolist())


def test_a_policy_alone_goes_on_from_what_it_is_on_features() -> None:
    torch.manual_seed(0)
    policy = SquashedGaussianPolicy(features=6, proprio=2, actions=1, latent=4, hidden=16, dropout=0.1).eval()
    replay = Replay(100, features=6, proprio=2, actions=1)
    features, proprio = torch.randn(41, 6), torch.randn(41, 2)
    actions = torch.tanh(proprio[:, :1])
    replay.put("shown", {"features": features, "proprio": proprio, "actions": actions, "continues": torch.ones(41)})

    def error() -> float:
        return (policy.mode(features[:-1], proprio[:-1]) - actions[:-1]).square().mean().item()

    before, config = error(), BCConfig(steps=200, batch=32, learning_rate=5e-3)
    loss = fit_policy(policy, replay.sample, config)
    assert error() < 0.2 * before and loss < before and not policy.training
    learned = error()
    fit_policy(policy, replay.sample, dataclasses.replace(config, steps=2, learning_rate=1e-5))
    assert error() == pytest.approx(learned, abs=0.02), "not from the beginning"
