"""What a learner goes on from: whatever changes as it learns is stored, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from rewardbot.errors import DataError
from rewardbot.nets.adam import Adam
from rewardbot.policies.iql import IQL, IQLConfig
from rewardbot.training.kept_state import load, restore, save, state_of


class Learner:
    """Of all kinds of parts."""

    version = 0

    def __init__(self, start: float) -> None:
        self.name, self.rate = "any", 0.1
        self.network = nn.Linear(1, 1)
        self.free = torch.full((), start, requires_grad=True)
        self.several = {"all": Adam([*self.network.parameters(), self.free], 0.1)}

    def step(self) -> None:
        self.several["all"].zero_grad()
        (self.network(torch.ones(1, 1)).sum() * self.free).backward()
        self.several["all"].step()
        self.version += 1


def test_it_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    one = Learner(2.0)
    assert state_of(one).keys() == {"network", "free", "several", "version"}
    one.step()
    save(tmp_path / "state", state_of(one))
    one.step()
    again = Learner(5.0)
    load(tmp_path / "state", lambda state: restore(again, state))
    again.step()
    assert (again.version, again.free.item()) == (one.version, one.free.item())
    assert torch.equal(again.network.weight, one.network.weight)
    assert again.several["all"].parameters[-1] is again.free


def test_without_a_file_nothing_happens(tmp_path: Path) -> None:
    load(tmp_path / "nothing", lambda state: pytest.fail("there is nothing to take"))


@pytest.mark.parametrize("what", ["damaged", "of others"])
def test_a_file_that_cannot_be_used(tmp_path: Path, what: str) -> None:
    small, large = (IQL(IQLConfig(hidden=hidden), 1, 1) for hidden in (4, 8))
    save(tmp_path / "state", state_of(small))
    if what == "damaged":
        (tmp_path / "state").write_bytes((tmp_path / "state").read_bytes()[:500])
    with pytest.raises(DataError, match=r"The checkpoint .*state cannot be used(.|\n)*Begin a new run"):
        load(tmp_path / "state", lambda state: restore(large, state))
