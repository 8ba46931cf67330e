"""A labeller behind an OpenAI-compatible HTTP endpoint (`/chat/completions`), local or not, with the standard library alone."""

from __future__ import annotations

import base64
import json
import os
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any, get_args

from rewardbot.config import setting
from rewardbot.errors import ConfigError
from rewardbot.feedback.feedback import Side
from rewardbot.feedback.teachers.model import LabellerRefused, LabellerUnavailable
from rewardbot.types import Segment

Describe = Callable[[Segment], Sequence[str | bytes]]
"""What a model is shown of a clip: texts, and images as PNG files."""

LARGEST_ANSWER = 1_000_000
"""Bytes of an answer that are read."""

_PASSING = {408, 425, 429}


@dataclass(frozen=True)
class EndpointConfig:
    """Which endpoint, and what it is told."""

    url: str = setting("http://127.0.0.1:8000/v1", "base address, to which /chat/completions is added")
    model: str = setting("default", "name of the model there")
    task: str = setting("", "what the robot should do, in words")
    timeout_s: float = setting(60.0, "longest wait for the server [s]", min=0.001)
    key_variable: str = setting("REWARDBOT_LABELLER_KEY", "environment variable that holds the key, if one is needed")


class Endpoint:
    """A `Labeller`.

    Args:
        describe: what is shown of a clip.
        config: see `EndpointConfig`.

    Raises:
        ConfigError: an address that is not http or https.
    """

    def __init__(self, describe: Describe, config: EndpointConfig) -> None:
        if not re.match(r"https?://[^/]", config.url):
            raise ConfigError(f"The labeller's address is '{config.url}'.", valid="http://... or https://...")
        self._describe, self._config = describe, config
        self._address = config.url.rstrip("/") + "/chat/completions"

    def __call__(self, left: Segment, right: Segment) -> Side:
        """Asks, and waits for the answer. Anything but one of the four words alone is a skip.

        Raises:
            LabellerUnavailable: no connection, a timeout, an overloaded or broken server.
            LabellerRefused: a wrong key, model or address.
        """
        document = self._post({"model": self._config.model, "temperature": 0, "messages": self._messages(left, right)})
        try:
            text = document["choices"][0]["message"]["content"]
        except (KeyError, IndexError, TypeError):
            raise self._no_endpoint() from None
        found = set(re.findall(rf"\b(?:{'|'.join(get_args(Side))})\b", str(text).lower()))  # null where a model refuses
        return next((side for side in get_args(Side) if found == {side}), "skip")

    def _messages(self, left: Segment, right: Segment) -> list[dict[str, Any]]:
        task = f" It should do this: {self._config.task}" if self._config.task else ""
        parts: list[dict[str, Any]] = []
        for side, clip in (("Left", left), ("Right", right)):
            parts.append({"type": "text", "text": f"{side} clip:"})
            parts += [{"type": "text", "text": part} if isinstance(part, str) else
                      {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{base64.b64encode(part).decode()}"}}
                      for part in self._describe(clip)]
        return [{"role": "system", "content": f"You compare two clips of a robot.{task} Which clip is better? Answer with one word: "
                 "left, right, equal, or skip if you cannot say."}, {"role": "user", "content": parts}]

    def _post(self, body: dict[str, Any]) -> Any:
        headers = {"Content-Type": "application/json"}
        if key := os.environ.get(self._config.key_variable):
            headers["Authorization"] = f"Bearer {key}"
        request = urllib.request.Request(self._address, json.dumps(body).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=self._config.timeout_s) as response:
                content = response.read(LARGEST_ANSWER)
        except urllib.error.HTTPError as error:
            if error.code >= 500 or error.code in _PASSING:
                raise LabellerUnavailable(f"{self._address} answers {error.code} {error.reason}.") from None
            said = error.read(300).decode(errors="replace")
            raise LabellerRefused(f"{self._address} answers {error.code} {error.reason}: {said}",
                                  next_step=f"Check the address, the model '{self._config.model}' and the key in "
                                            f"{self._config.key_variable}.") from None
        except TimeoutError:
            raise LabellerUnavailable(f"{self._address} gave no answer within {self._config.timeout_s} s.") from None
        except (OSError, HTTPException) as error:
            raise LabellerUnavailable(f"{self._address} cannot be reached: {getattr(error, 'reason', error)}.") from None
        try:
            return json.loads(content)
        except ValueError:
            raise self._no_endpoint() from None

    def _no_endpoint(self) -> LabellerRefused:
        return LabellerRefused(f"{self._address} does not answer as OpenAI's does.",
                               valid='JSON with choices[0].message.content.', next_step="Check the address.")
