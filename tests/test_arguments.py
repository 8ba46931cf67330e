"""Command lines become dataclasses; whatever is wrong is named with what would be right."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from rewardbot.arguments import Parser, add_options, parse
from rewardbot.config import setting
from rewardbot.errors import ConfigError


@dataclass(frozen=True)
class Options:
    """For the tests."""

    name: str = setting("a", "a text, 100% free")
    count: int = setting(3, "a number", min=1, max=9)
    share_of: float = setting(0.5, "another", min=0.0, max=1.0)
    loud: bool = setting(False, "a switch")
    quiet: bool = setting(True, "a switch that is on")
    seeds: tuple[int, ...] = setting((), "several", min=0)


def parsed(*argv: str) -> Options:
    parser = Parser(prog="rewardbot test", allow_abbrev=False)
    add_options(parser, Options)
    return parse(parser, Options, argv)[0]


def test_defaults_and_values():
    assert parsed() == Options()
    assert parsed("--name", "b", "--count=4", "--share-of", "1", "--loud", "--no-quiet", "--seeds", "0,1,2") == Options(
        "b", 4, 1.0, True, False, (0, 1, 2))


@pytest.mark.parametrize(("argv", "said"), [
    (["--cuont", "1"], r"no option --cuont(.|\n)*Did you mean --count"),
    (["--count", "x"], r"--count is 'x'(.|\n)*whole number"),
    (["--count", "1.5"], r"--count is '1.5'(.|\n)*whole number"),
    (["--count", "0"], r"--count is 0(.|\n)*at least 1 and at most 9"),
    (["--share-of", "nan"], r"--share-of is nan"),
    (["--share-of", "2"], r"--share-of is 2.0"),
    (["--seeds", "1,b"], r"--seeds is 'b'"),
    (["--seeds", "1,-2"], r"--seeds is -2"),
    (["--count"], r"expected one argument(.|\n)*--help"),
    (["extra"], r"does not take 'extra'"),
    (["--loud=3"], r"--loud"),
    (["--nam", "b"], r"--nam(.|\n)*Did you mean --name"),
])
def test_mistakes(argv: list[str], said: str):
    with pytest.raises(ConfigError, match=said):
        parsed(*argv)


def test_help_shows_everything(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        parsed("--help")
    text = capsys.readouterr().out
    assert ended.value.code == 0 and "100% free" in text and "(default: 3)" in text and "--share-of" in text
