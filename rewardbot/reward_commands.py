"""`rewardbot reward`: what its actions do. Heavy imports happen inside, so that `--help` and mistakes answer at once."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.markup import escape

from rewardbot import actions, tables
from rewardbot.actions import Action
from rewardbot.arguments import Parser
from rewardbot.config import setting, user_path
from rewardbot.errors import ConfigError

if TYPE_CHECKING:
    from rewardbot.training.reward_file import Episodes, StoredReward
    from rewardbot.training.reward_tests import Outcome

_BAGS = "folders of the episodes that clips are of, as DIR,..."


@dataclass(frozen=True)
class FitOptions:
    """Of `fit`."""

    ledger: str = setting("", "ledger with the answers")
    bags: tuple[str, ...] = setting((), _BAGS)
    encoder: str = setting("", "file of a classifier or another reward, through whose encoder it looks at pictures (default: "
                           "it looks at proprioception and actions only)")
    config: str = setting("", "YAML file with settings of the reward, see PreferenceConfig")
    seed: int = setting(0, "seed of its networks", min=0)


@dataclass(frozen=True)
class TestOptions:
    """Of `test`."""

    tests: str = setting("", "YAML file with what must beat what")
    bags: tuple[str, ...] = setting((), _BAGS)


@dataclass(frozen=True)
class CardOptions:
    """Of `card`."""

    ledger: str = setting("", "ledger with the answers")
    bags: tuple[str, ...] = setting((), _BAGS)
    tests: str = setting("", "YAML file with what must beat what")


def run(parser: Parser, argv: Sequence[str]) -> bool:
    """Runs `rewardbot reward ACTION ...`, see `actions.run`."""
    return actions.run("reward", ACTIONS, parser, argv)


def fit(places: Namespace, options: FitOptions) -> None:
    """`rewardbot reward fit OUT`."""
    _require(ledger=options.ledger, bags=options.bags)
    from rewardbot.config import load
    from rewardbot.feedback.ledger import Ledger
    from rewardbot.rewards.preference import PreferenceConfig
    from rewardbot.training.files import try_out, write_atomic
    from rewardbot.training.reward_file import make_reward

    out, path = user_path(places.out), user_path(options.ledger)
    try_out(out)
    with Ledger(path, read_only=True) as ledger:
        history = ledger.history()
    data, reward = make_reward(history, [user_path(bags) for bags in options.bags],
                               load(PreferenceConfig, user_path(options.config) if options.config else None),
                               encoder=user_path(options.encoder) if options.encoder else None, seed=options.seed, ledger=path.name)
    write_atomic(out, data)
    print(f"{out}: version {reward.version}, sees {', '.join(reward.config.sees)}")


def test(places: Namespace, options: TestOptions) -> bool:
    """`rewardbot reward test REWARD`; whether a test failed."""
    _require(tests=options.tests, bags=options.bags)
    stored, episodes = _open(places.reward, options.bags, options.tests)
    outcomes = _try(stored, episodes, options.tests)
    table = tables.table(options.tests, "#line", "test", "#pairs", "#difference", "#more than", "#members", "passed")
    for one in outcomes:
        table.add_row(str(one.test.line), escape(one.test.name), str(one.pairs), f"{one.difference:+.3g}", f"{one.test.margin:g}",
                      f"{one.members:.0%}", "[green]yes[/]" if one.passed else "[red]no[/]")
    console = tables.console()
    console.print(table)
    failed = sum(not one.passed for one in outcomes)
    console.print(f"{len(outcomes) - failed} of {len(outcomes)} tests passed by version {stored.reward.version}"
                  + (": no policy should learn from it." if failed else "."))
    return failed > 0


def card(places: Namespace, options: CardOptions) -> None:
    """`rewardbot reward card REWARD OUT`."""
    _require(ledger=options.ledger, bags=options.bags)
    from rewardbot.feedback.ledger import Ledger
    from rewardbot.training.files import storing
    from rewardbot.training.reward_card import TEXT, in_words, make_card, write_card
    from rewardbot.training.view import bar

    with Ledger(user_path(options.ledger), read_only=True) as ledger:
        records = ledger.records()
    stored, episodes = _open(places.reward, options.bags, options.tests)
    outcomes = _try(stored, episodes, options.tests) if options.tests else []
    out = user_path(places.out)
    with storing(out):
        out.mkdir(parents=True, exist_ok=True)
    with bar("rewardbot reward card", "fits") as progress:
        made = make_card(stored, records, episodes, outcomes, progress=progress)
    write_card(out, made)
    print(in_words(made))
    print(f"{out / TEXT}")


_REWARD = ("reward", None, "file of a reward, such as fit makes")
ACTIONS = {
    "fit": Action("the reward that a ledger stands for, as a file", fit,
                  (("out", None, "file to write, such as reward.safetensors"),), FitOptions),
    "test": Action("what must beat what, tried; exit code 1 if a test fails", test, (_REWARD,), TestOptions),
    "card": Action("where a reward comes from and how far it can be trusted, as Markdown, JSON and a picture", card,
                   (_REWARD, ("out", None, "folder to write to")), CardOptions),
}


def _open(reward: str, bags: Sequence[str], tests: str) -> tuple[StoredReward, Episodes]:
    from rewardbot.training.reward_file import Episodes, read_reward
    from rewardbot.training.reward_tests import load_tests

    if tests:
        load_tests(user_path(tests))  # a mistake there shows before pictures are looked at
    stored = read_reward(user_path(reward))
    return stored, Episodes([user_path(place) for place in bags], stored.embed)


def _try(stored: StoredReward, episodes: Episodes, tests: str) -> list[Outcome]:
    from rewardbot.training.reward_tests import load_tests, run_tests

    path = user_path(tests)
    return run_tests(load_tests(path), episodes.judge(stored.reward), episodes.steps, path.name)


def _require(**options: object) -> None:
    for name, value in options.items():
        if not value:
            raise ConfigError(f"--{name} is missing.", next_step="rewardbot reward ACTION --help shows what each is.")
