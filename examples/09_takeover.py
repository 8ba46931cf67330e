"""An operator takes over from a weak policy: what the robot saw, and who acted when, as `rewardbot bags show` draws it.

    .venv/bin/rewardbot train --task lift --demos 3 --policy bc      # a clone of three demonstrations
    .venv/bin/python examples/09_takeover.py runs/latest             # into docs/takeover.png

The simulated operator watches, takes over when the policy gets no further, and gives back when it is well on its way again. Shown are
the first two episodes that he brought to success. Orange is his hand: those steps are demonstrations from then on, and what came
just before them is certainly not the goal.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

from PIL import Image

from rewardbot.arguments import call
from rewardbot.data.contact_sheet import sheet, stack
from rewardbot.data.takeovers import TAKEOVERS
from rewardbot.policies.base import DeployedPolicy
from rewardbot.robots.mujoco import MujocoRobot
from rewardbot.robots.robot import load_contract
from rewardbot.robots.takeovers import WatchingOperator
from rewardbot.training.collect import run_episode
from rewardbot.types import Episode, EpisodeInfo

EPISODES = 2


def main(run: str = "runs/latest", file: str = "docs/takeover.png") -> None:
    """Has the policy of a run folder act before the operator's eyes, and draws a contact sheet."""
    policy = DeployedPolicy((Path(run) / "checkpoint" / "policy.safetensors").read_bytes())
    robot = MujocoRobot(policy.task, load_contract(policy.robot))
    operator = WatchingOperator(robot, seed=0)

    def tried() -> Iterator[Episode]:
        for start in count():
            policy.begin_episode(start)
            info = EpisodeInfo(f"{policy.task}-{start}", policy.task, policy.robot, "policy", seed=start)
            yield run_episode(robot, policy.act, info, operator)[0]

    helped = list(islice((episode for episode in tried() if TAKEOVERS in episode.info.extra and episode.info.success), EPISODES))
    robot.close()
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(stack([sheet(episode) for episode in helped])).save(file)
    for episode in helped:
        spans = " and ".join(f"{first} to {stop}" for first, stop in episode.info.extra[TAKEOVERS])
        print(f"{episode.info.id}: the operator's are steps {spans} of {len(episode)}")


if __name__ == "__main__":
    call(main)
