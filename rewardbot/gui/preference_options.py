"""Options of the window for preferences on recorded bags. No Qt."""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from typing import Literal

from rewardbot.config import setting
from rewardbot.feedback.feedback import Kind


@dataclass(frozen=True)
class LabelOptions:
    """Of `rewardbot label`."""

    annotator: str = setting("", "who answers (default: you, by your login)")
    kinds: tuple[Kind, ...] = setting(("pair",), "kinds of questions: pair, ranking, rating, mark, interval; of several of the first "
                                      "three, whichever tells most in the time that it takes")
    strategy: str = setting("disagreement", "which questions: uniform, disagreement, entropy, mutual_information, volume_removal or "
                            "thompson; uniform before the first answers are learned from")
    spread: Literal["", "k_center", "batch_diverse"] = setting("", "keeps the questions of a round from being alike: k_center or "
                                                               "batch_diverse")
    budget: int = setting(200, "answers in the ledger after which no more is asked; 0: only what others ask is answered", min=0)
    steps: int = setting(25, "length of a clip [steps]; a shorter episode is shown whole", min=1)
    ranked: int = setting(3, "clips in a ranking", min=2, max=5)
    repeats: int = setting(10, "every so many answers a pair is asked again, with its sides swapped; 0: never", min=0)
    second: float = setting(0.1, "share of a person's answers that are to questions which somebody else has answered, while two "
                            "or more people answer into the same ledger", min=0.0, max=1.0)
    look: Literal["system", "dark", "light"] = setting("system", "colours of the window")
    scale: float = setting(1.0, "size of texts", min=0.5, max=3.0)
    seed: int = setting(0, "seed of clips, questions and reward", min=0)
    trace: str = setting("", "file for what was shown when, a JSON object a line, for who measures the window")


def annotator(options: LabelOptions) -> str:
    """Who answers."""
    return options.annotator or getpass.getuser()
