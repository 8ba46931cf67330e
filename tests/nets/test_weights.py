"""Weights come back as they went, and anything else is refused with a word about what it is."""

from __future__ import annotations

import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rewardbot.errors import DataError
from rewardbot.nets import weights

TENSORS = {"a": torch.arange(6.0).reshape(2, 3), "b.c": torch.tensor(3, dtype=torch.int64), "d": torch.zeros(0, 2)}
NOTE = {"version": 7, "task": "réach", "cameras": {"front": [8, 8]}, "nothing": None}


def made() -> bytes:
    return weights.to_bytes(TENSORS, kind="policy", description=NOTE)


def test_round_trip() -> None:
    tensors, description = weights.from_bytes(made(), kind="policy")
    assert tensors.keys() == TENSORS.keys()
    assert all(torch.equal(tensors[name], TENSORS[name]) and tensors[name].dtype == TENSORS[name].dtype for name in TENSORS)
    assert description == {"format": weights.FORMAT, "kind": "policy", **NOTE}


def test_tensors_that_need_a_gradient_or_are_not_contiguous() -> None:
    needs = torch.arange(6.0).reshape(2, 3).requires_grad_()
    tensors, _ = weights.from_bytes(weights.to_bytes({"a": needs, "t": needs.T}, kind="policy", description={}), kind="policy")
    assert torch.equal(tensors["t"], TENSORS["a"].T) and not tensors["a"].requires_grad


def test_another_kind() -> None:
    with pytest.raises(DataError, match="weights of a policy, not of a classifier"):
        weights.from_bytes(made(), kind="classifier")


def test_another_format(monkeypatch: pytest.MonkeyPatch) -> None:
    data = made()
    monkeypatch.setattr(weights, "FORMAT", weights.FORMAT + 1)
    with pytest.raises(DataError, match=r"format 1(.|\n)*reads 2(.|\n)*Train again"):
        weights.from_bytes(data, kind="policy")


@given(st.integers(0, len(made()) - 1))
@settings(max_examples=60, deadline=None)
def test_cut_off_anywhere(length: int) -> None:
    with pytest.raises(DataError, match="not the weights of a rewardbot policy"):
        weights.from_bytes(made()[:length], kind="policy")


@given(st.binary(max_size=300))
@settings(max_examples=60, deadline=None)
def test_bytes_of_something_else(data: bytes) -> None:
    with pytest.raises(DataError, match="not the weights of a rewardbot policy"):
        weights.from_bytes(data, kind="policy")


@pytest.mark.parametrize("metadata", [None, {"other": "{}"}, {"rewardbot": "{"}, {"rewardbot": "[1]"}, {"rewardbot": "3"}])
def test_safetensors_of_others(metadata: dict[str, str] | None) -> None:
    from safetensors.torch import save

    with pytest.raises(DataError):
        weights.from_bytes(save(TENSORS, metadata=metadata), kind="policy")


def test_no_pickle_travels() -> None:
    data = made()
    length = int.from_bytes(data[:8], "little")
    assert json.loads(data[8 : 8 + length])["a"]["dtype"] == "F32"


def test_load_into_takes_its_own_and_names_what_differs() -> None:
    one, other = torch.nn.Linear(2, 3), torch.nn.Linear(2, 3)
    stored = {**weights.named("net", one), "network.weight": torch.zeros(1)}
    weights.load_into(other, stored, "net")
    assert torch.equal(one.weight, other.weight) and torch.equal(one.bias, other.bias)
    for wrong, said in ((torch.nn.Linear(2, 4), "size mismatch"), (torch.nn.LayerNorm(3), "size mismatch"),
                        (torch.nn.Sequential(torch.nn.Linear(2, 3)), "Missing key")):
        with pytest.raises(DataError, match=rf"does not fit this network \('net'\): (.|\n)*{said}(.|\n)*config.yaml"):
            weights.load_into(wrong, stored, "net")
