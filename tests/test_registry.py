"""Algorithms are found by file name, described without an import, and a wrong name gets help."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from rewardbot import registry
from rewardbot.commands import show_names
from rewardbot.errors import ConfigError
from rewardbot.measured import MEASURED, NOT_MEASURED

ROOT = Path(__file__).resolve().parents[1]


def test_names():
    assert {"goal_classifier", "vice"} <= set(registry.names("reward"))
    assert {"bc", "rlpd"} <= set(registry.names("policy"))
    assert not {"base", "__init__", "discriminator"} & {n for kind in ("reward", "policy") for n in registry.names(kind)}


@pytest.mark.parametrize("kind", ["reward", "policy", "tabular", "training", "bench", "exchange"])
def test_every_algorithm_says_what_it_is(kind: registry.Kind):
    for name in registry.names(kind):
        assert len(registry.describe(kind, name)) > 10, name


@pytest.mark.parametrize("kind", ["reward", "policy", "tabular", "training"])
def test_every_system_names_its_paper_its_feedback_and_its_tests(kind: registry.Kind):
    for system in (registry.system(kind, name) for name in registry.names(kind)):
        assert system.paper or system.name == "goal_classifier", system
        assert system.consumes and (ROOT / system.tests).is_file(), system


SAYS = """Own: a way.

O'Hara, Smith-Jones and
Fifth 2031, Title. After Doe (1999).

Learns from: a,
and b.
"""


def test_what_a_file_says_is_read_without_importing_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "own.py").write_text(repr(SAYS) + "\nraise RuntimeError\n")
    monkeypatch.setattr(registry, "_folder", lambda kind: tmp_path)
    found = registry.system("tabular", "own")
    assert found == registry.System("own", "Own: a way.", "O'Hara, Smith-Jones and Fifth 2031", "a, and b", "", NOT_MEASURED)


def test_the_list_shows_it(capsys: pytest.CaptureFixture[str]):
    show_names()
    shown = " ".join(capsys.readouterr().out.split())
    for part in ("maxent_irl", "Ziebart, Maas, Bagnell and Dey 2008; learns from demonstrations; tests/tabular/test_maxent_irl.py",
                 "Sukhbaatar et al. 2018; learns from goals that it sets itself; tests/training/test_self_play.py",
                 "Saunders, Sastry, Stuhlmueller and Evans 2018; learns from unsafe intervals; tests/training/test_shield.py"):
        assert part in shown


def test_the_list_shows_what_was_measured_and_what_was_not(capsys: pytest.CaptureFixture[str]):
    show_names()
    shown = " ".join(capsys.readouterr().out.split())
    assert f"tests/policies/test_rlpd.py; measured: {MEASURED['policy', 'rlpd'].result}" in shown
    assert "tests/policies/test_iql.py; not measured" in shown


@pytest.mark.parametrize(("kind", "name"), MEASURED)
def test_what_was_measured_stands_in_the_documents(kind: registry.Kind, name: str):
    """Each figure of the sentence, and the command."""
    found = MEASURED[kind, registry.check(kind, name)]
    texts = [path.read_text() for path in (ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md"))]
    figures = re.findall(r"\d*\.?\d+%?", found.result)
    assert any(all(re.search(rf"(?<![\d.]){re.escape(figure)}(?![\d%])", text) for figure in figures) and found.command in text
               for text in texts), figures
    assert found.result[-1] != "."


def test_an_unknown_name_lists_the_valid_ones():
    with pytest.raises(ConfigError, match=r"rlpd(.|\n)*Did you mean 'rlpd'"):
        registry.load("policy", "rlpdd")


def test_load():
    assert registry.load("policy", "bc").__name__ == "rewardbot.policies.bc"


def test_listing_imports_nothing_heavy():
    program = ("import sys; from rewardbot import registry; registry.names('policy'); registry.describe('policy', 'rlpd');"
               "assert 'torch' not in sys.modules")
    subprocess.run([sys.executable, "-c", program], check=True)
