"""Modules that take seconds to import, such as whatever needs torch: imported beside what a node does meanwhile, when it is known
that they will be needed. A graph in which nobody learns never needs them.
"""

from __future__ import annotations

import importlib
import sys
from threading import Thread


class Loading:
    """One module.

    Args:
        name: of the module.
    """

    def __init__(self, name: str) -> None:
        self._name, self._here = name, name in sys.modules
        self._thread: Thread | None = None

    def done(self) -> bool:
        """Whether it is there; the first call begins."""
        if self._thread is None and not self._here:
            self._thread = Thread(target=importlib.import_module, args=(self._name,), daemon=True)
            self._thread.start()
        return self._here or (self._thread is not None and not self._thread.is_alive())
