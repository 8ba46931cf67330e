"""What policy_node can be asked for. No rclpy here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rewardbot.config import setting
from rewardbot.types import Source

Mode = Literal["idle", "demonstrate", "teleoperate", "play", "explore", "evaluate"]
SOURCES: dict[str, Source] = {
    "demonstrate": "demonstration", "teleoperate": "demonstration", "play": "play", "explore": "policy", "evaluate": "evaluation"}
ACTORS = {"demonstrate": "operator", "teleoperate": "operator", "play": "play", "explore": "explore"}
"""Who acts in a mode; in evaluate, who is asked for."""

@dataclass(frozen=True)
class Request:
    """What to do now; set the parameters together (set_parameters_atomically)."""

    mode: Mode = setting("idle", "idle, demonstrate, teleoperate, play, explore or evaluate")
    episodes: int = setting(0, "number of episodes, then idle; 0: until changed", min=0, max=1_000_000)
    actor: Literal["bc", "bc_tuned", "rl"] = setting("rl", "who acts in evaluate: bc, bc_tuned or rl")
    run: int = setting(0, "counter; a higher one makes the same request anew", min=0)
    least_version: int = setting(0, "wait for policy weights of at least this version", min=0)
