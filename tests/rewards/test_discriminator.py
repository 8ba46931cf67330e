"""Why batches are balanced, on a state space small enough to know the optimum, with the real discriminator."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from rewardbot.rewards.discriminator import Discriminator, DiscriminatorConfig

STATES = 6
SUCCESS = 0
BARE = DiscriminatorConfig(hidden=16, dropout=0.0, noise=0.0, smoothing=0.0, mixup=False, weight_decay=0.0)
LEAKS = (0.0, 0.25, 0.5, 0.75, 1.0)


def states(n: int, leak: float) -> Tensor:
    """One-hot states, the share `leak` of them successes and the rest spread evenly over the others."""
    successes = round(leak * n)
    others = torch.arange(n - successes) % (STATES - 1) + 1
    return F.one_hot(torch.cat([torch.full((successes,), SUCCESS), others]), STATES).float()


def scaled(config: DiscriminatorConfig) -> Discriminator:
    torch.manual_seed(0)
    found = Discriminator(config, STATES)
    found.set_scale(torch.eye(STATES))
    return found


def trained(config: DiscriminatorConfig, leak: float, steps: int = 250) -> Tensor:
    """p(success) of each state after training on balanced batches of successes and leaking negatives."""
    found = scaled(config).train()
    optimiser = torch.optim.AdamW(found.parameters(), 1e-2, weight_decay=config.weight_decay)
    positives, negatives = states(60, 1.0), states(60, leak)
    for _ in range(steps):
        optimiser.zero_grad()
        found.bce_loss(positives, negatives).backward()
        optimiser.step()
    with torch.no_grad():
        return torch.sigmoid(found.eval()(torch.eye(STATES)))


@pytest.mark.parametrize("leak", LEAKS)
def test_balanced_batches_keep_success_states_at_a_half_whatever_leaks(leak: float) -> None:
    """Bayes: p = 1 / (1 + leak) where successes are, 0 elsewhere."""
    p = trained(BARE, leak)
    assert float(p[SUCCESS]) == pytest.approx(1.0 / (1.0 + leak), abs=0.01)
    if leak < 1.0:
        assert p[1:].max() < 0.05


@pytest.mark.parametrize("leak", LEAKS)
def test_regularisation_does_not_change_that(leak: float) -> None:
    """The defaults draw the probability towards a half, from either side."""
    p = trained(DiscriminatorConfig(hidden=16), leak, steps=400)
    assert float(p[SUCCESS]) >= 0.5 - 0.02  # at full leak it is a half, give or take the last batches
    if leak < 1.0:
        assert p[1:].max() < 0.5


@pytest.mark.parametrize("leak", LEAKS)
def test_five_percent_positives_at_full_leak_give_five_percent(leak: float) -> None:
    """The same network without balance: p = 0.05 / (0.05 + 0.95 leak), the collapse that balance prevents."""
    found = scaled(BARE).train()
    optimiser = torch.optim.AdamW(found.parameters(), 1e-2, weight_decay=0.0)
    x = torch.cat([states(20, 1.0), states(380, leak)])
    label = (torch.arange(len(x)) < 20).float()
    for _ in range(400):
        optimiser.zero_grad()
        F.binary_cross_entropy_with_logits(found(x), label).backward()
        optimiser.step()
    with torch.no_grad():
        p = float(torch.sigmoid(found.eval()(torch.eye(STATES)))[SUCCESS])
    assert p == pytest.approx(0.05 / (0.05 + 0.95 * leak), abs=0.02)
    assert (p < 0.5) == (leak > 0.1)


@pytest.mark.parametrize(("positives", "negatives"), [(5, 95), (1, 0), (0, 1), (64, 63)])
def test_an_unbalanced_batch_is_refused(positives: int, negatives: int) -> None:
    with pytest.raises(ValueError, match=rf"{positives} positives and {negatives} negatives: balance"):
        scaled(BARE).bce_loss(states(positives, 1.0), states(negatives, 0.0))


def test_the_loss_by_hand() -> None:
    found = scaled(BARE)
    positives, negatives = states(3, 1.0), states(3, 0.0)
    p = torch.sigmoid(found(torch.eye(STATES)))
    expected = -(p[0].log() + (1 - p[1:4]).log().mean()) / 2
    assert found.bce_loss(positives, negatives).item() == pytest.approx(expected.item(), rel=1e-5)


def test_smoothed_labels() -> None:
    """With labels 0.9 and 0.1 the optimum is 0.9 and 0.1, without leak."""
    p = trained(dataclasses.replace(BARE, smoothing=0.1), 0.0)
    assert float(p[SUCCESS]) == pytest.approx(0.9, abs=0.01) and p[1:].tolist() == pytest.approx([0.1] * 5, abs=0.03)


def test_mixup_mixes_inputs_and_labels_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    found = scaled(dataclasses.replace(BARE, mixup=True))
    seen: list[tuple[Tensor, Tensor]] = []

    def capture(logits: Tensor, label: Tensor) -> Tensor:
        seen.append((logits, label))
        return logits.sum()

    monkeypatch.setattr(F, "binary_cross_entropy_with_logits", capture)
    # One number that is 1 for successes and 0 otherwise is, mixed, its own label.
    monkeypatch.setattr(Discriminator, "forward", lambda self, x: x[:, SUCCESS])
    found.bce_loss(states(50, 1.0), states(50, 0.0))
    (mixed, label), = seen
    torch.testing.assert_close(mixed, label)
    assert ((label > 0.01) & (label < 0.99)).sum() > 30, "pairs of a success and another"


def test_the_scale_is_that_of_the_features() -> None:
    found = Discriminator(BARE, 2)
    features = torch.tensor([[1.0, 10.0], [3.0, 30.0], [5.0, 50.0]])
    found.set_scale(features)
    other = Discriminator(BARE, 2)
    other.load_state_dict(found.state_dict())
    assert found.mean.tolist() == [3.0, 30.0] and found.std.tolist() == pytest.approx([2.001, 20.001])  # type: ignore[operator]
    assert torch.equal(found.eval()(features), other.eval()(features)), "it is saved with the weights"
