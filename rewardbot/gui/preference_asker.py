"""The process that asks about recorded bags, `preference_asking`, as it is seen from that of the window. No Qt, and no torch."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from rewardbot.feedback.messages import Question, Questions, people_from_text
from rewardbot.feedback.people import People
from rewardbot.gui.preference_options import LabelOptions


class Asker:
    """Begins to ask at once; see the module.

    Args:
        ledger: file of the ledger.
        bags: a bag, or a folder of bags.
        options: what is asked.
        annotator: who answers.

    Attributes:
        open: what waits, with the reward of each step where it is known.
        version: of the reward; 0 before the first fit.
        people: who has answered; the same object until something changes.
        trouble: what is the matter, empty if nothing.
    """

    def __init__(self, ledger: Path, bags: Path, options: LabelOptions, annotator: str) -> None:
        self.open: tuple[Question, ...] = ()
        self.version, self.trouble = 0, ""
        self.people = People()
        plain = {spec.name: getattr(options, spec.name) for spec in fields(LabelOptions)}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "rewardbot.gui.preference_asking"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._say({"ledger": str(ledger), "bags": str(bags), "annotator": annotator, "options": {**plain, "annotator": annotator}})
        self._thread = threading.Thread(target=self._hear, name="asker", daemon=True)
        self._thread.start()

    def answered(self) -> None:
        """Something was answered: there may be room for a question."""
        self._say({})

    def close(self) -> None:
        """Ends the process; a fit that is under way is given up."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._process.wait()
        self._thread.join()

    def _say(self, values: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # it has ended, which is told elsewhere
            self._process.stdin.write(json.dumps(values) + "\n")
            self._process.stdin.flush()

    def _hear(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            values = json.loads(line)
            self.open = Questions.from_text(values["questions"]).open
            self.version, self.trouble = values["version"], values["trouble"]
            if (people := people_from_text(values["people"])) != self.people:
                self.people = people
        if self._process.wait() != 0:
            self.trouble = "What chooses the questions has broken down, see the terminal. What was answered is on the disk."
