"""Command lines become dataclasses; whatever is wrong is named with what would be right."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from rewardbot.arguments import Parser, add_options, call, parse
from rewardbot.config import setting
from rewardbot.errors import ConfigError, DataError


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


def test_a_small_program_takes_words_and_tells_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    given: list[tuple[str, int]] = []

    def main(file: str = "a.png", seeds: int = 5) -> None:
        """Draws it."""
        if file == "bad":
            raise DataError("It is bad.", next_step="Take another.")
        given.append((file, seeds))

    call(main, [])
    call(main, ["b/c.png", "3"])
    assert given == [("a.png", 5), ("b/c.png", 3)]
    for argv, code, said in (
        (["--help"], 0, "Draws it."), (["b.png", "x"], 2, "invalid int value: 'x'"), (["b.png", "1", "2"], 2, "2"),
        (["bad"], 2, "Take another."), (["--sede"], 2, "--sede"),
    ):
        with pytest.raises(SystemExit) as ended:
            call(main, argv)
        told = capsys.readouterr()
        assert ended.value.code == code and said in (told.err if code else told.out)
    assert len(given) == 2
