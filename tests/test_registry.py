"""Algorithms are found by file name, described without an import, and a wrong name gets help."""

from __future__ import annotations

import subprocess
import sys

import pytest

from rewardbot import registry
from rewardbot.errors import ConfigError


def test_names():
    assert {"goal_classifier", "vice"} <= set(registry.names("reward"))
    assert {"bc", "rlpd"} <= set(registry.names("policy"))
    assert not {"base", "__init__", "discriminator"} & {n for kind in ("reward", "policy") for n in registry.names(kind)}


@pytest.mark.parametrize("kind", ["reward", "policy", "bench", "exchange"])
def test_every_algorithm_says_what_it_is(kind: registry.Kind):
    for name in registry.names(kind):
        assert len(registry.describe(kind, name)) > 10, name


def test_an_unknown_name_lists_the_valid_ones():
    with pytest.raises(ConfigError, match=r"rlpd(.|\n)*Did you mean 'rlpd'"):
        registry.load("policy", "rlpdd")


def test_load():
    assert registry.load("policy", "bc").__name__ == "rewardbot.policies.bc"


def test_listing_imports_nothing_heavy():
    program = ("import sys; from rewardbot import registry; registry.names('policy'); registry.describe('policy', 'rlpd');"
               "assert 'torch' not in sys.modules")
    subprocess.run([sys.executable, "-c", program], check=True)
