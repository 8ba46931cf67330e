"""What the teleoperation window does, without Qt: keys in, commands and service calls out, and the state of things as text."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from rewardbot.data.decode import EpisodeEvent
from rewardbot.gui.level import Level
from rewardbot.gui.metrics import Values, number
from rewardbot.gui.safety import Safety
from rewardbot.gui.silence import SILENT_S
from rewardbot.teleop.bindings import DRIVING, SERVICES, Bindings


@dataclass(frozen=True)
class Row:
    """A line of the state."""

    label: str
    text: str
    level: Level = "plain"


class TeleopSession:
    """The window without its looks. `now` is everywhere the time of a clock that nobody sets [s].

    Args:
        bindings: its keys.
        device: what drives; the window's keys do only if it is `window`.
        cameras: names.
        call: calls a service.
        send: sends which actions of `DRIVING` are held, 0 or 1 each.
        clock: `now` of what is told of safety.

    Attributes:
        safety: what is known of it.
    """

    def __init__(self, bindings: Bindings, device: str, cameras: tuple[str, ...], *, call: Callable[[str], None],
                 send: Callable[[list[int]], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._actions = {row.key: row.action for row in bindings.rows}
        self._keys = {row.action: row.shown for row in bindings.rows}
        self._device, self._call, self._send = device, call, send
        self._held: set[str] = set()
        self._metrics: dict[str, tuple[float, Values]] = {}
        self._seen: dict[str, float] = dict.fromkeys(cameras, float("-inf"))
        self._event: EpisodeEvent | None = None
        self._said: tuple[str, Level] = ("", "plain")
        self.safety = Safety(clock)

    # In ------------------------------------------------------------------------------------------------------------------

    def key(self, name: str, *, down: bool) -> bool:
        """A key went down or up, without repetitions; returns whether it means anything."""
        action = self._actions.get(name)
        if action in SERVICES and down:
            self.ask(action)
        elif action in DRIVING:
            (self._held.add if down else self._held.discard)(action)
            self.beat()
        return action is not None

    def key_of(self, action: str) -> str:
        """The key of an action, `?` if it has none."""
        return self._keys.get(action, "?")

    def ask(self, action: str) -> None:
        """A person asks for one of `SERVICES`."""
        self._call(SERVICES[action])

    def release(self) -> None:
        """All keys are up: the window does not hear of them any more."""
        self._held.clear()
        self.beat()

    def beat(self) -> None:
        """Says which keys are held. To be called 20 times a second: silence stops the arm."""
        if self._device == "window":
            self._send([int(action in self._held) for action in DRIVING])

    def answered(self, service: str, success: bool, text: str) -> None:
        """A service has answered."""
        self._said = (text if success else f"{service} was refused: {text}", "good" if success else "bad")

    def note(self, text: str) -> None:
        """Something came that cannot be used."""
        self._said = text, "warning"

    def metrics(self, node: str, values: Values, now: float) -> None:
        """A node has told its metrics."""
        before, self._metrics[node] = self._of(node), (now, values)
        self.safety.metrics(node, values)
        said = str(values.get("said", ""))
        if said and said != before.get("said", ""):
            self._said = said, "plain"

    def episode(self, event: EpisodeEvent) -> None:
        """Something about an episode was announced."""
        self._event = event

    def saw(self, camera: str, now: float) -> None:
        """An image of a camera has come."""
        self._seen[camera] = now

    # Out -----------------------------------------------------------------------------------------------------------------

    def rows(self, now: float) -> list[Row]:
        """The state of things."""
        teleop = self._of("teleop_node")
        found = [Row("episode", *self._episode_now()), self._robot(now), self._hand(teleop, now)]
        if teleop:
            found.append(Row("speed", f"{number(teleop, 'speed') or 0.0:.0%}, axes of the {teleop.get('frame', '')}"))
        found.append(self._recorder(now))
        found += [Row(f"camera {name}", "no image" if seen < 0 else f"no image for {now - seen:.0f} s", "warning")
                  for name, seen in self._seen.items() if now - seen > SILENT_S]
        return [*found, Row("", *self._said)]

    def _episode_now(self) -> tuple[str, Level]:
        event = self._event
        if event is not None and event.kind == "start":
            steps = number(self._of("policy_node"), "steps") or 0.0
            return f"running, {steps:.0f} steps", "good"
        start = f"{self.key_of('start')} starts one"
        if event is None:
            return f"none; {start}", "plain"
        verdict = {True: "a success", False: "a failure", None: "ended without a verdict"}[event.info.success]
        return f"the last one was {'discarded' if event.kind == 'discard' else verdict}; {start}", "plain"

    def _robot(self, now: float) -> Row:
        policy = self._of("policy_node")
        if self._silent("policy_node", now):
            return Row("robot", "policy_node says nothing", "bad")
        if waiting := policy.get("waiting_for"):
            return Row("robot", f"waiting for {waiting}", "bad")
        if self._of("sim_node").get("stopped"):
            return Row("robot", f"Stopped; {self.key_of('clear')} clears it", "bad")
        operator, mode = policy.get("operator"), policy.get("mode", "")
        return Row("robot", f"{operator} has it" if operator else f"mode {mode}", "good" if operator else "plain")

    def _hand(self, teleop: Values, now: float) -> Row:
        if self._silent("teleop_node", now):
            return Row("device", f"{self._device}: teleop_node says nothing", "bad")
        if not teleop.get("connected"):
            return Row("device", f"{self._device} is not there", "bad")
        held = bool(teleop.get("held"))
        return Row("device", f"{self._device}, {'driving' if held else 'let go'}", "good" if held else "plain")

    def _recorder(self, now: float) -> Row:
        if self._silent("recorder_node", now):
            return Row("recorder", "recorder_node says nothing; nothing is recorded", "bad")
        recorder = self._of("recorder_node")
        trouble = recorder.get("last_problem") or recorder.get("last_rejection")
        saved = f"{number(recorder, 'episodes_saved') or 0.0:.0f} saved"
        return Row("recorder", f"{saved}; {trouble}" if trouble else saved, "warning" if trouble else "plain")

    def _of(self, node: str) -> Values:
        return self._metrics.get(node, (0.0, {}))[1]

    def _silent(self, node: str, now: float) -> bool:
        return now - self._metrics.get(node, (float("-inf"), {}))[0] > SILENT_S
