"""The services by which a person conducts episodes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from std_srvs.srv import Trigger

from rewardbot.ros.node import RewardbotNode
from rewardbot.ros.telling import Answer, Teller


class Start(Protocol):
    """Begins an episode, from the start state of the one before if `again`."""

    def __call__(self, *, again: bool = False) -> Answer: ...


class EpisodeServices:
    """`episode/start`, `stop`, `success`, `failure`, `discard` and `again`.

    Args:
        node: gets the services.
        teller: of its episodes.
        start: see there.
        answered: called with what each request came to.
    """

    def __init__(self, node: RewardbotNode, teller: Teller, start: Start, answered: Callable[[str], None]) -> None:
        self._teller, self._start, self._answered = teller, start, answered
        for name, do in {"start": start, "stop": partial(teller.stop, None), "success": partial(teller.stop, True),
                         "failure": partial(teller.stop, False), "discard": teller.discard, "again": self._again}.items():
            node.create_service(Trigger, f"episode/{name}", partial(self._serve, do))

    def _again(self) -> Answer:
        discarded, said = self._teller.discard()
        begun, reason = self._start(again=True)
        return begun, f"{said}; {reason}" if discarded else reason

    def _serve(self, do: Callable[[], Answer], request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success, response.message = do()
        self._answered(response.message)
        return response
