"""The simulated tasks. A task's name is its file name; `sim/<name>.xml` is its scene."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

from rewardbot.errors import unknown_name
from rewardbot.robots.tasks.task import Task

_NOT_TASKS = {"__init__", "task"}


def task_names() -> list[str]:
    """Names of all tasks."""
    return sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem not in _NOT_TASKS)


def load_task(name: str) -> Task:
    """The task called `name`.

    Raises:
        ConfigError: unknown name; lists the valid ones and suggests the nearest.
    """
    if name not in task_names():
        raise unknown_name("task", name, task_names())
    module = importlib.import_module(f"{__name__}.{name}")
    (found,) = (
        member for _, member in inspect.getmembers(module, inspect.isclass)
        if issubclass(member, Task) and member.__module__ == module.__name__
    )
    return found()
