"""Behaviour cloning: its loss by hand, and that it learns where a thing in the image is."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from rewardbot.policies.bc import PLAIN, BCConfig, BehaviourCloning, DemonstrationSet

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
