"""The task of docs/tasks.md, taken from the page and put where the page says, works without anything else."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from rewardbot.config import from_mapping
from rewardbot.training.learner_config import LearnerConfig

ROOT = Path(__file__).resolve().parents[2]

PROGRAM = """
import gymnasium
import rewardbot.robots.env
from rewardbot.robots.demonstrators import ScriptedDemonstrator
from rewardbot.robots.tasks import task_names

assert "press" in task_names()
env = gymnasium.make("rewardbot/Press-v0").unwrapped
operator = ScriptedDemonstrator(env.robot, seed=0)
successes = 0
for start in range(10):
    operator.begin_episode(start)
    observation, info = env.reset(options={"start": start})
    assert not info["success"] and observation["front"].any()
    done = False
    while not done:
        *_, done, info = env.step(operator.act())
    successes += info["success"]
print(successes)
env.reset(options={"start": 0})
button = env.robot.data.joint("button")
before = button.qpos.copy()
for _ in range(5):
    env.step(env.action_space.sample() * 0)
assert abs(button.qpos - before) < 1e-3, "what nobody touches rests"
env.close()
"""


def test_the_task_of_the_page(tmp_path: Path):
    for folder in ("rewardbot", "sim", "config"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    page = (ROOT / "docs" / "tasks.md").read_text()
    files = re.findall(r"^`([\w/.]+)` [^\n]+:\n\n```\w+\n(.*?)```", page, re.MULTILINE | re.DOTALL)
    assert [Path(name).name for name, _ in files] == ["press.xml", "press.py", "press.yaml"]
    for name, text in files:
        assert not (tmp_path / name).exists()
        (tmp_path / name).write_text(text)
    ran = subprocess.run([sys.executable, "-c", PROGRAM], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout.split()[-1]) >= 9
    from_mapping(LearnerConfig, yaml.safe_load(files[-1][1])["/**"]["ros__parameters"])
