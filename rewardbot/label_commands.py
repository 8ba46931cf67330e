"""`rewardbot label`: answers about recorded bags, from a person in a window, a simulated teacher or a model. No graph, no robot."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.console import Console

from rewardbot.config import setting, user_path
from rewardbot.errors import ConfigError, DataError
from rewardbot.gui.preference_options import LabelOptions

if TYPE_CHECKING:
    from rewardbot.feedback.asking import Asking
    from rewardbot.feedback.teachers.model import Model
    from rewardbot.training.choosing import Chooser
    from rewardbot.training.questioner import Questioner

LEDGER = "feedback.db"
"""Beside the bags, where no other ledger is named."""

POLL_S = 0.05


@dataclass(frozen=True)
class LabelBagsOptions(LabelOptions):
    """Of `rewardbot label`: those of its window, and who answers instead of a person."""

    ledger: str = setting("", f"file for questions and answers (default: {LEDGER} in the folder of the bags)")
    teacher: Literal["window", "simulated", "model"] = setting(
        "window", "who answers: window (a person), simulated (knows the simulator's truth) or model (an endpoint)")
    url: str = setting("http://127.0.0.1:8000/v1", "with --teacher model: OpenAI-compatible endpoint; its key, if it needs one, "
                       "is in REWARDBOT_LABELLER_KEY")
    model: str = setting("default", "with --teacher model: name of the model there")
    goal: str = setting("", "with --teacher model: what the robot should do, in words")
    rationality: float = setting(
        float("inf"), "with --teacher simulated: log-odds by which a return larger by 1 is preferred", min=0.0)


def label(bags: str, options: LabelBagsOptions) -> None:
    """`rewardbot label BAGS`.

    Raises:
        DataError: no bags, or fewer than two episodes that can be compared; a ledger that cannot be used, or of which it is not known
            that it holds all that was said.
        ConfigError: no screen for the window; an unknown strategy.
        RewardbotError: a model that refuses to answer.
    """
    place = user_path(bags)
    if not place.is_dir():
        raise DataError(f"There is no folder {place}.", valid="A folder of recorded episodes, such as runs/latest/demonstrations.")
    ledger = user_path(options.ledger) if options.ledger else place / LEDGER
    if options.teacher == "window":
        from rewardbot.gui.preference_window import label as in_a_window

        in_a_window(place, ledger, options)
    else:
        _ask(place, ledger, options)


def _ask(place: Path, path: Path, options: LabelBagsOptions) -> None:
    """Asks a program until the budget is spent or there is nothing left to ask."""
    from rewardbot.data.library import Library
    from rewardbot.feedback.asking import AskingConfig
    from rewardbot.feedback.ledger import Ledger
    from rewardbot.feedback.schedule import Schedule
    from rewardbot.feedback.teachers.endpoint import EndpointConfig
    from rewardbot.feedback.teachers.model import AUDIT, Model
    from rewardbot.feedback.teachers.simulated import SimulatedConfig
    from rewardbot.training.bag_teachers import TeacherConfig, make_teacher
    from rewardbot.training.choosing import REFIT, Chooser
    from rewardbot.training.questioner import Questioner

    say = Console(stderr=True, soft_wrap=True, highlight=False, markup=False).print
    library = Library([place], warn=say)
    if library.refresh() < 2:
        raise DataError(f"{place} holds {len(library)} episodes that can be compared.", valid="Two or more of one task and robot.",
                        next_step="rewardbot bags list shows what is there.")
    config = AskingConfig(strategy=options.strategy, spread=options.spread, kinds=options.kinds, steps=options.steps,
                          ranked=options.ranked, checks=0.0,
                          schedule=Schedule(budget=options.budget, first=options.budget, waiting=REFIT))
    assert options.teacher != "window"
    who = TeacherConfig(options.teacher, options.annotator, SimulatedConfig(rationality=options.rationality),
                        EndpointConfig(options.url, options.model, options.goal))
    with Ledger(path) as ledger:
        teacher = make_teacher(who, ledger, library, options.seed)
        model = teacher if isinstance(teacher, Model) else None
        # What ends the command is told when it does.
        questioner = Questioner(library, ledger, teacher, config, seed=options.seed,
                                say=lambda text: None if model and model.refused else say(text))
        asking, chooser = questioner.asking, Chooser(path, library, seed=options.seed)
        try:
            _until_enough(questioner, chooser, options, say, model)
        finally:
            questioner.close()
            chooser.close()
        audits = sum(query.id.endswith(AUDIT) for query in ledger.waiting())
    if not asking.answered and not asking.skipped:
        raise ConfigError("Nothing was answered.", next_step=questioner.trouble or "Look at what was said above.")
    if asking.trouble and asking.answered < options.budget:
        raise DataError(f"{path}: {asking.answered} answered, {asking.skipped} skipped, and no more can be asked: {asking.trouble}",
                        next_step="The same command goes on from there.")
    more = _why_no_more(asking, options)
    print(f"{path}: {asking.answered} answered, {asking.skipped} skipped.{more} rewardbot ledger show {path}")
    if audits:
        print(f"{audits} of these questions wait for a person, too, to see how far the model can be relied on:\n"
              f"  rewardbot label {place} --ledger {path} --budget 0")


def _until_enough(
    questioner: Questioner, chooser: Chooser, options: LabelBagsOptions, say: Callable[[str], object], model: Model | None
) -> None:
    from rewardbot.training.view import bar

    asking = questioner.asking
    with bar(f"rewardbot label: {options.teacher}", "answers") as report:
        while asking.answered < options.budget:
            questioner.look(progress=1.0, ask=False)
            if model and model.refused:
                raise model.refused
            if (reward := chooser.newer()) is not None:
                questioner.take_reward(reward)
            asked = questioner.look(progress=1.0)
            if model and (news := model.news()):  # nobody should wait without a word
                say(news)
            if not asked and not asking.waiting:
                break
            report(min(1.0, asking.answered / options.budget))
            time.sleep(POLL_S)


def _why_no_more(asking: Asking, options: LabelBagsOptions) -> str:
    if asking.answered >= options.budget:
        return ""
    if asking.answered + asking.skipped < 2 * options.budget:
        return " There is nothing more to ask about."
    unsure = " What a model says of a pair counts if it says the same with the sides swapped." if options.teacher == "model" else ""
    return f" So many were skipped that no more is asked.{unsure}"
