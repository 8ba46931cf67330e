"""A check that crashes, hangs or talks is one row, ends with everything that it started, and stops no other."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from rewardbot import cli
from rewardbot.doctor.finding import DoctorOptions
from rewardbot.doctor.run import CHECKS, Check, examine, run_check, timed
from rewardbot.errors import ConfigError, RewardbotError

BAD = """
import ctypes, os, subprocess, sys, time
from rewardbot.doctor.finding import Finding
from rewardbot.errors import ConfigError

def hang(options):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    print(child.pid, file=open(os.path.join(options.run_dir, "pid"), "w"), flush=True)
    print("half way", file=sys.stderr, flush=True)
    time.sleep(600)

def crash(options):
    ctypes.string_at(0)

def leave(options):
    os._exit(7)

def fail(options):
    raise ValueError("no such luck")

def mistake(options):
    raise ConfigError("What.", valid="Valid.", next_step="Next.")

def talk(options):
    os.write(1, b"noise from a library")
    print("noise from Python")
    return [Finding("talk", "ok", f"[b]{options.free_gb}", values={"a": 1})]
"""


@pytest.fixture
def checks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Check]:
    (tmp_path / "bad_checks.py").write_text(BAD)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    return {name: Check(name, f"bad_checks:{name}", mend=f"mend {name}")
            for name in ("hang", "crash", "leave", "fail", "mistake", "talk")}


@pytest.mark.parametrize(("name", "found"), [
    ("crash", "crashed with signal 11 (SIGSEGV)"), ("leave", "failed with exit code 7"),
    ("fail", "failed with exit code 1: ValueError: no such luck"),
])
def test_a_crash_is_a_problem(checks: dict[str, Check], name: str, found: str):
    (row,) = run_check(checks[name], DoctorOptions())
    assert (row.check, row.level, row.found, row.mend) == (name, "problem", found, f"mend {name}")


def alive(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()  # a dead one may wait for init to bury it
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_hang_is_ended_with_what_it_started(checks: dict[str, Check], tmp_path: Path):
    begin = time.monotonic()
    hanging = Check("hang", checks["hang"].place, 8.0, "mend it")
    (row,) = run_check(hanging, DoctorOptions(run_dir=str(tmp_path)))
    assert time.monotonic() - begin < 30.0
    assert (row.level, row.found, row.mend) == ("problem", "no answer within 8 s: half way", "mend it")
    child = int((tmp_path / "pid").read_text())
    while alive(child):  # it has got its SIGKILL, but dies on its own time
        assert time.monotonic() - begin < 40.0
        time.sleep(0.01)


def test_the_others_go_on(checks: dict[str, Check]):
    names: list[str] = []
    rows = examine(DoctorOptions(free_gb=3.0), checks=[checks[name] for name in ("crash", "mistake", "talk")],
                   progress=names.append)
    assert names == ["crash", "mistake", "talk"] and [row.level for row in rows] == ["problem", "problem", "ok"]
    assert (rows[1].found, rows[1].mend) == ("What.", "Valid. Next.")
    assert rows[2].found == "[b]3.0" and rows[2].values == {"a": 1}


def test_only_some():
    assert [row.check for row in examine(DoctorOptions(only=("python", "machine")))] == ["Python", "machine"]
    with pytest.raises(ConfigError, match=r"no check named 'rendring'(.|\n)*Did you mean 'rendering'"):
        examine(DoctorOptions(only=("rendring",)))


def test_checks_have_names_of_their_own():
    assert len({check.name for check in CHECKS}) == len(CHECKS)


def test_the_best_of_several_rates():
    calls = iter(range(1000))
    rate = timed(lambda: time.sleep(0.05 if next(calls) < 2 else 0.001), 0.5)  # a slow start does not count
    assert 100.0 < rate <= 1000.0


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    file = tmp_path / "doctor.json"
    cli.run(["doctor", "--only", "python,machine", "--json", str(file)])  # returns: no problem
    content = json.loads(file.read_text())
    assert content["name"] == "doctor" and content["problems"] == 0
    assert [set(row) for row in content["checks"]] == [{"check", "level", "found", "mend", "values"}] * 2
    with pytest.raises(SystemExit) as ended:
        cli.run(["doctor", "--only", "disk", "--free-gb", "1e9", "--json", str(file)])
    assert ended.value.code == 1 and json.loads(file.read_text())["problems"] == 1
    said = capsys.readouterr().out
    assert "problem: disk: At least 1e+09 GB (--free-gb): free some space" in said


@pytest.mark.parametrize(("argv", "said"), [
    (["--only", "dsk"], "Did you mean 'disk'"), (["--free-gb", "-1"], "--free-gb is -1"),
    (["--only", "disk", "--json", "nowhere/doctor.json"], "nowhere"), (["--jsn", "x"], "Did you mean --json"),
])
def test_mistakes(argv: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RewardbotError, match=said) as caught:
        cli.run(["doctor", *argv])
    assert caught.value.exit_code == 2
