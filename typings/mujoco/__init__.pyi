# MuJoCo is compiled and ships no stubs for its main module; the type checker takes its names as they come.
from typing import Any

def __getattr__(name: str) -> Any: ...
