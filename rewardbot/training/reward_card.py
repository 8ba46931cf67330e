"""The card of a reward: where it comes from, who answered, how far it can be trusted. Made from its file, the ledger and the bags
alone: the same from the same.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from rewardbot.config import to_mapping
from rewardbot.errors import DataError
from rewardbot.feedback import alarm, annotators, meter
from rewardbot.feedback.annotators import Annotators
from rewardbot.feedback.feedback import Ranking, Rating, Skip
from rewardbot.feedback.records import History, Record
from rewardbot.rewards.base import Context
from rewardbot.rewards.comparisons import clips_of, compare
from rewardbot.rewards.preference import PreferenceReward
from rewardbot.training.calibration import Foretold, calibration_error, cross_validate, promised, reliability, trust
from rewardbot.training.certainty import sampled_returns
from rewardbot.training.files import atomic_path, storing, write_atomic
from rewardbot.training.reward_file import StoredReward
from rewardbot.training.reward_tests import Outcome
from rewardbot.training.summary import wilson
from rewardbot.training.weighting import fit_weighted, learned_from
from rewardbot.types import Segment

CARD, TEXT, PICTURE = "card.json", "card.md", "calibration.png"

NEWEST = 10
"""Episodes of the policy that stand for the present one."""

Progress = Callable[[float], None]


class Known(Protocol):
    """What a card is made from beside the ledger; `reward_file.Episodes` of bags is one."""

    @property
    def context(self) -> Context:
        """Of all that answers are about."""
        ...

    @property
    def steps(self) -> Mapping[str, int]:
        """Of each whole episode, by its id."""
        ...

    def own(self) -> list[Segment]:
        """Those of them that a policy acted in, the oldest version first."""
        ...


def make_card(
    stored: StoredReward, records: Sequence[Record], episodes: Known, outcomes: Sequence[Outcome] = (), *,
    progress: Progress = lambda share: None,
) -> dict[str, Any]:
    """All that can be said about a reward, as plain values that JSON takes; what cannot be measured is None.

    Args:
        stored: the reward.
        records: of the ledger; those after the last that the reward was fitted to are left out.
        episodes: what the answers are about, and what the policy did.
        outcomes: of its tests.
        progress: told the share that is done.

    Raises:
        ConfigError, DataError: no answer to learn from, or a clip that is not there.
    """
    last = records[-1].id if stored.records is None and records else stored.records or 0
    history = History(record for record in records if record.id <= last)
    answers, reward = learned_from(history), stored.reward
    again, known = _again(reward, history, episodes)
    progress(0.15)
    weighted = episodes.context if known is None else replace(episodes.context, weight=known.weight)
    try:
        foretold = cross_validate(reward, answers, weighted, progress=lambda share: progress(0.15 + 0.75 * share))
    except DataError:
        foretold = None
    judged, own = annotators.judgements(history), episodes.own()
    if known is None:
        alone = annotators.alone(judged)
        known = Annotators([one for one in judged if one.annotator not in alone])
    return _plain({
        "reward": {"sha256": stored.digest, "version": reward.version, "seed": reward.seed, "config": to_mapping(reward.config)},
        "provenance": {
            **{name: stored.description[name] for name in ("ledger", "task", "commit", "also") if name in stored.description},
            "records": last, "episodes": len(episodes.steps), "rebuilt_from_the_ledger": again},
        "answers": {
            "learned_from": len(answers), "skipped": sum(isinstance(one, Skip) for one in history.responses.values()),
            "by_kind": dict(Counter(type(one).__name__.lower() for one in history.active().values())),
            "agreement": annotators.agreement(judged), "conflicts": len(annotators.conflicts(judged))},
        "annotators": _people(history, known, foretold),
        "held_out": None if foretold is None else _held_out(foretold),
        "meter": _meter(reward, answers, episodes, own),
        "alarm": _alarm(reward, history, episodes, own, foretold),
        "tests": [{"name": one.test.name, "difference": one.difference, "margin": one.test.margin, "passed": one.passed}
                  for one in outcomes],
    })


def write_card(folder: Path, card: Mapping[str, Any]) -> None:
    """Writes `card.json`, `card.md` and `calibration.png` into a folder, which is made.

    Raises:
        StorageError: they cannot be written.
    """
    with storing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / CARD, json.dumps(card, indent=2, allow_nan=False) + "\n")
    write_atomic(folder / TEXT, in_words(card))
    if card["held_out"]:
        _draw(folder / PICTURE, card["held_out"])


def in_words(card: Mapping[str, Any]) -> str:
    """The card as Markdown."""
    reward, origin, given, held_out = (card[name] for name in ("reward", "provenance", "answers", "held_out"))
    agreement = "not defined (nothing was judged twice, or all alike)" if given["agreement"] is None else f"{given['agreement']:.2f}"
    lines = [
        f"# Reward, version {reward['version']}", "",
        f"- file: SHA-256 `{reward['sha256'][:16]}`, seed {reward['seed']}, sees {', '.join(reward['config']['sees'])}",
        f"- made from: ledger {origin.get('ledger') or '(not said)'} up to record {origin['records']}, task "
        f"{origin.get('task') or '(not said)'}, {origin['episodes']} episodes, commit {origin.get('commit') or '(not said)'}",
        "- the ledger gives it again to the bit: " + _again_in_words(origin),
        f"- answers learned from: {given['learned_from']}; {given['skipped']} skipped; "
        + ", ".join(f"{count} of kind {kind}" for kind, count in given["by_kind"].items()),
        f"- Krippendorff's alpha: {agreement}; clips answered both ways: {given['conflicts']}", "",
        "| annotator | answers | rationality | error | leans left | weight | held-out accuracy |", "|---|---|---|---|---|---|---|"]
    for one in card["annotators"]:
        cells = [_cell(one[key]) for key in ("rationality", "error", "bias", "weight")]
        name = "".join(f"\\{sign}" if sign in "|`*_[]<>\\" else sign for sign in one["name"])
        lines.append(f"| {name} | {one['answers']} | {' | '.join(cells)} | {_cell(one['held_out_accuracy'], '.0%')} |")
    lines += ["", "## How far it can be trusted", ""]
    if held_out is None:
        lines.append("- held-out accuracy: not measured, there are too few comparisons")
    else:
        lines += [f"- held-out accuracy: {held_out['accuracy']:.0%} ({held_out['low']:.0%} to {held_out['high']:.0%}, 95%) of "
                  f"{held_out['answers']:g} answers",
                  f"- calibration error (ECE): {held_out['calibration_error']:.3f}; {held_out['trust']:.0%} of its confidence is "
                  f"borne out; see [{PICTURE}]({PICTURE})"]
    lines += [f"- enough feedback? {card['meter']['words']}", f"- reward hacking? {card['alarm']['words']}"]
    tests = card["tests"]
    passed = sum(one["passed"] for one in tests)
    lines += ["", "## Tests", "", f"{passed} of {len(tests)} passed." if tests else "None were given.", ""]
    lines += [f"- {'passed' if one['passed'] else '**failed**'}: {one['name']} ({one['difference']:+.3g}, more than "
              f"{one['margin']:g})" for one in tests]
    return "\n".join(lines).rstrip() + "\n"


def _again_in_words(origin: Mapping[str, Any]) -> str:
    if origin["rebuilt_from_the_ledger"]:
        return "yes"
    return f"no, it depends on {origin['also']}, too" if origin.get("also") else "**no**"


def _again(reward: PreferenceReward, history: History, episodes: Known) -> tuple[bool, Annotators | None]:
    """Whether a fit to the ledger gives the reward again, to the bit; and the annotators, if their weights are in it."""
    weights = reward.network.state_dict()

    def same(other: PreferenceReward) -> bool:
        return all(torch.equal(value, weights[name]) for name, value in other.network.state_dict().items())

    copy = PreferenceReward(reward.config, reward.size, seed=reward.seed)
    _, known = fit_weighted(copy, history, episodes.context)
    if same(copy):
        return True, known
    copy.fit(learned_from(history), episodes.context)
    return same(copy), None


def _people(history: History, known: Annotators, foretold: Foretold | None) -> list[dict[str, Any]]:
    counts = Counter(one.given.annotator for one in history.active().values())
    found = []
    for name, count in sorted(counts.items()):
        one = known.people.get(name)
        found.append({"name": name, "answers": count, "rationality": one and one.rationality, "error": one and one.error,
                      "bias": one and one.bias, "weight": 1.0 if one is None else one.weight,
                      "held_out_accuracy": None if foretold is None else foretold.accuracy(name)[0]})
    return found


def _held_out(foretold: Foretold) -> dict[str, Any]:
    accuracy, low, high, count = foretold.accuracy()
    bins = reliability(foretold)
    return {"accuracy": accuracy, "low": low, "high": high, "answers": count, "calibration_error": calibration_error(bins),
            "trust": trust(foretold), "bins": [asdict(one) for one in bins]}


def _meter(
    reward: PreferenceReward, answers: Sequence[Ranking | Rating], episodes: Known, own: Sequence[Segment]
) -> dict[str, Any]:
    context, sees = episodes.context, reward.config.sees
    whole = [Segment(id, 0, steps) for id, steps in episodes.steps.items()]
    clips = clips_of(whole, context, sees, reward.device)
    returns = sampled_returns(reward, compare(answers, context, sees), clips, seed=reward.seed)
    newest = own[-NEWEST:]
    columns = [n for n, clip in enumerate(whole) if clip in newest] or [int(returns.mean(0).argmax())]
    reading = meter.Meter().update(returns[:, columns].mean(-1), returns)
    of = f"the policy's {len(columns)} newest episodes" if own else "the best episode, as there is none of a policy"
    return {**to_mapping(reading), "words": f"{reading} Measured with {of} against {len(whole)} episodes."}


def _alarm(
    reward: PreferenceReward, history: History, episodes: Known, own: Sequence[Segment], foretold: Foretold | None
) -> dict[str, Any]:
    sure, agreed = alarm.fresh(history)
    if not agreed or foretold is None:
        return {"state": None, "words": "Not measured: of no question drawn by chance the answer was foretold."}
    learned = reward.returns(clips_of(own, episodes.context, reward.config.sees, reward.device)).mean(0) if own else torch.zeros(0)
    returns = learned.double().cpu().numpy()
    half = len(own) // 2
    expected = promised(np.array(sure), trust(foretold.about(alarm.by_chance(history))))
    reading = alarm.Alarm().update(agreed, expected.tolist(), returns[:half], returns[half:])
    return {**to_mapping(reading), "words": str(reading)}


def _draw(path: Path, held_out: Mapping[str, Any]) -> None:
    figure = Figure(figsize=(5.0, 6.0), layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    bins = held_out["bins"]
    above.plot([0.5, 1.0], [0.5, 1.0], color="0.6", linestyle="--", label="believed as much as it deserves")
    agreed = np.array([one["agreed"] for one in bins])
    reach = np.array([wilson(one["agreed"] * one["count"], one["count"]) for one in bins]).T
    above.errorbar([one["confidence"] for one in bins], agreed, np.abs(reach - agreed), fmt="o-", color="#0072B2", capsize=3,
                   label="this reward, with 95% intervals")
    above.set(ylabel="share of answers that agree", ylim=(0.0, 1.05),
              title=f"Held-out answers: accuracy {held_out['accuracy']:.0%}, ECE {held_out['calibration_error']:.3f}")
    above.legend(loc="lower right", fontsize="small")
    below.bar([one["low"] for one in bins], [one["count"] for one in bins], [one["high"] - one["low"] for one in bins], align="edge",
              color="#56B4E9", edgecolor="white")
    below.set(xlabel="how sure the reward is", ylabel="answers", xlim=(0.48, 1.02))
    for axes in (above, below):
        axes.grid(alpha=0.3)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=100)


def _cell(value: float | None, form: str = ".2f") -> str:
    return "-" if value is None else format(value, form)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
