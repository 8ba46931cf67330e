"""Algorithms by name: a file name in `rewards/`, `policies/`, `tabular/`, `bench/` or `data/exchange/`, imported only when asked for.

What `rewardbot list` says of one is read from the text at the head of its file: the first paragraph says what it is, the first
citation, such as "Ziebart, Bagnell and Dey 2010", which paper it is after, and a line "Learns from: ..." what feedback it consumes.
"""

from __future__ import annotations

import ast
import importlib
import re
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Literal

from rewardbot.errors import unknown_name
from rewardbot.measured import MEASURED, NOT_MEASURED

Kind = Literal["reward", "policy", "tabular", "training", "bench", "exchange"]

_FOLDERS: dict[Kind, str] = {
    "reward": "rewards", "policy": "policies", "tabular": "tabular", "training": "training", "bench": "bench",
    "exchange": "data/exchange"}
_CALLED: dict[Kind, str] = {
    "reward": "reward algorithm", "policy": "policy algorithm", "tabular": "tabular algorithm", "training": "way of learning",
    "bench": "comparison", "exchange": "format"}
# Of a folder that holds much else, these are systems of their own.
_SYSTEMS: dict[Kind, set[str]] = {"training": {"self_play", "shield"}}
# What several algorithms of a folder share is no algorithm; nor is `placing` one that is asked for: `rlpd` becomes it.
_SHARED = {
    "__init__", "base", "comparisons", "demonstrations", "deployed_preference", "discriminator", "goal_states", "image_classifier",
    "mdp", "partition", "placing", "placing_policy", "plackett_luce", "trail", "ways"}


_CITATION = re.compile(r"((?:[A-Z][\w'-]+(?:, | and ))*[A-Z][\w'-]+(?: et al\.)?) \(?((?:19|20)\d\d)\b")
_CONSUMES = re.compile(r"Learns from: (.+?)\.(?:\s|$)")


@dataclass(frozen=True)
class System:
    """What `rewardbot list` says of an algorithm; texts are empty where its file says nothing.

    Attributes:
        what: its first paragraph, in one line.
        paper: authors and year.
        consumes: the feedback that it learns from.
        tests: file of its tests, from the root of the repository; empty where that is not here, as after an install.
        measured: what has been measured of it, and by which command, see `measured.py`.
    """

    name: str
    what: str
    paper: str
    consumes: str
    tests: str
    measured: str


def names(kind: Kind) -> list[str]:
    """The valid names of a kind, sorted."""
    found = {path.stem for path in _folder(kind).glob("*.py") if path.stem not in _SHARED and path.stem[0] != "_"}
    return sorted(found & _SYSTEMS.get(kind, found))


def check(kind: Kind, name: str) -> str:
    """Returns `name`.

    Raises:
        ConfigError: it does not exist; lists the valid ones and suggests the nearest.
    """
    if name not in names(kind):
        raise unknown_name(_CALLED[kind], name, names(kind))
    return name


def load(kind: Kind, name: str) -> ModuleType:
    """The module of an algorithm, imported now.

    Raises:
        ConfigError: unknown name.
    """
    folder = _FOLDERS[kind].replace("/", ".")
    return importlib.import_module(f"rewardbot.{folder}.{check(kind, name)}")


def describe(kind: Kind, name: str) -> str:
    """The first paragraph of its module's text in one line, without importing it.

    Raises:
        ConfigError: unknown name.
    """
    return " ".join(_text(kind, name).partition("\n\n")[0].split())


def system(kind: Kind, name: str) -> System:
    """All that its file says, without importing it.

    Raises:
        ConfigError: unknown name.
    """
    text = " ".join(_text(kind, name).split())
    cited, consumed = _CITATION.search(text), _CONSUMES.search(text)
    return System(name, describe(kind, name), " ".join(cited.groups()) if cited else "", consumed[1] if consumed else "",
                  _tests(kind, name), _measured(kind, name))


def _text(kind: Kind, name: str) -> str:
    text = (_folder(kind) / f"{check(kind, name)}.py").read_text(encoding="utf-8")
    return ast.get_docstring(ast.parse(text)) or ""


def _tests(kind: Kind, name: str) -> str:
    """The file named after it, or the first that imports it."""
    root = Path(__file__).parent.parent
    folder = root / "tests" / _FOLDERS[kind]
    own, module = folder / f"test_{name}.py", f"rewardbot.{_FOLDERS[kind].replace('/', '.')}.{name} "
    others = (path for path in sorted(folder.glob("test_*.py")) if module in path.read_text(encoding="utf-8"))
    found = own if own.is_file() else next(others, None)
    return "" if found is None else str(found.relative_to(root))


def _measured(kind: Kind, name: str) -> str:
    found = MEASURED.get((kind, name))
    return f"{found.result} ({found.command})" if found else NOT_MEASURED


def _folder(kind: Kind) -> Path:
    return Path(__file__).parent / _FOLDERS[kind]
