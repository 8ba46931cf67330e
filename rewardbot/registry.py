"""Algorithms by name: a file name in `rewards/`, `policies/`, `bench/` or `data/exchange/`, imported only when asked for."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path
from types import ModuleType
from typing import Literal

from rewardbot.errors import unknown_name

Kind = Literal["reward", "policy", "bench", "exchange"]

_FOLDERS: dict[Kind, str] = {"reward": "rewards", "policy": "policies", "bench": "bench", "exchange": "data/exchange"}
_CALLED: dict[Kind, str] = {
    "reward": "reward algorithm", "policy": "policy algorithm", "bench": "comparison", "exchange": "format"}
# What several algorithms of a folder share is no algorithm.
_SHARED = {"__init__", "base", "comparisons", "deployed_preference", "discriminator", "image_classifier", "partition", "plackett_luce"}


def names(kind: Kind) -> list[str]:
    """The valid names of a kind, sorted."""
    return sorted(path.stem for path in _folder(kind).glob("*.py") if path.stem not in _SHARED and path.stem[0] != "_")


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
    text = (_folder(kind) / f"{check(kind, name)}.py").read_text(encoding="utf-8")
    return " ".join((ast.get_docstring(ast.parse(text)) or "").partition("\n\n")[0].split())


def _folder(kind: Kind) -> Path:
    return Path(__file__).parent / _FOLDERS[kind]
