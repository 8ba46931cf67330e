"""Against torch's own optimisers, to the last bit; and why it is not one of them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from rewardbot.nets.adam import Adam


def problem() -> tuple[nn.Module, nn.Linear, Callable[[int], Tensor]]:
    """A network, a layer without gradient, and the loss of a batch by its number."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.LayerNorm(16), nn.Linear(16, 2))
    return network, nn.Linear(2, 2), lambda number: network(
        torch.randn(8, 3, 4, 4, generator=torch.Generator().manual_seed(number))).square().mean()


def moved(make: Callable[[list[nn.Parameter]], Adam | torch.optim.Optimizer], steps: int = 5) -> list[Tensor]:
    network, unused, loss = problem()
    parameters = [*unused.parameters(), *network.parameters()]
    optimiser = make(parameters)
    for number in range(steps):
        optimiser.zero_grad()
        loss(number).backward()
        optimiser.step()
    return parameters


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_it_moves_as_torch_does(decay: float) -> None:
    ours = moved(lambda parameters: Adam(parameters, 1e-2, weight_decay=decay))
    theirs = moved(lambda parameters: torch.optim.AdamW(parameters, 1e-2, weight_decay=decay, fused=True))
    adam = moved(lambda parameters: torch.optim.Adam(parameters, 1e-2, fused=True))
    assert all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))
    assert all(torch.equal(one, other) for one, other in zip(ours, adam, strict=True)) == (decay == 0.0)
    assert all(torch.equal(one, start) for one, start in zip(ours[:2], moved(lambda p: Adam(p, 1.0), 0), strict=False))


@pytest.mark.parametrize("theirs", [False, True])
def test_it_goes_on_from_its_state_and_from_torchs(theirs: bool) -> None:
    network, unused, loss = problem()
    parameters = [*unused.parameters(), *network.parameters()]
    first = torch.optim.AdamW(parameters, 1e-2, weight_decay=0.1, fused=True) if theirs else Adam(parameters, 1e-2, weight_decay=0.1)
    for number in range(2):
        first.zero_grad()
        loss(number).backward()
        first.step()
    second = Adam(parameters, 1e-2, weight_decay=0.1)
    loss(9).backward()
    state = {index: {name: tensor.clone() for name, tensor in of.items()} for index, of in first.state_dict()["state"].items()}
    second.load_state_dict({"state": state})
    for number in range(2, 5):
        second.zero_grad()
        loss(number).backward()
        second.step()
    expected = moved(lambda parameters: Adam(parameters, 1e-2, weight_decay=0.1))
    assert all(torch.equal(one, other) for one, other in zip(parameters, expected, strict=True))


def test_the_state_of_other_parameters_is_refused() -> None:
    two, one = Adam(nn.Linear(2, 1).parameters(), 0.1), Adam([torch.zeros(3)], 0.1)
    with pytest.raises(KeyError):
        one.load_state_dict(two.state_dict())
    with pytest.raises(RuntimeError):
        one.load_state_dict(Adam([torch.zeros(2)], 0.1).state_dict())


def test_torchs_compiler_is_not_loaded() -> None:
    """Its import takes longer than that of torch."""
    code = """
import sys, torch
from rewardbot.nets.optimisation import train
net = torch.nn.Linear(2, 2)
train(net, lambda: net(torch.ones(1, 2)).sum(), steps=2, rate=0.1, weight_decay=0.1, progress=lambda share: None)
sys.exit("torch._dynamo" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
