"""Asks an operator about clips of what a robot did, and takes what they say. Neither call waits for anybody, and neither fails
because of who is asked: a teacher who is not there, is slow or breaks costs answers, and nothing else.

    episodes that were visited -> clips -> candidates -> how likely each answer is, by each member of the reward
    -> the questions that a query strategy likes best -> ledger -> teacher;   teacher -> ledger -> who fits the reward

A share of the questions is not chosen but drawn by chance, a clip of the newest episodes against one of before: what a strategy likes
best are the questions that a reward is worst at, and answers to these tell nothing of how good it is (see `feedback.alarm`).

Questions are made when the budget's `schedule` says so. What waits for an answer stands in the ledger: after a restart it is asked
again, of the same teacher and once, and what was answered in the meantime counts.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rewardbot.config import setting
from rewardbot.errors import ConfigError, RewardbotError, unknown_name
from rewardbot.feedback import answers, queries
from rewardbot.feedback.feedback import LEVELS, Feedback, Kind, Query, Skip
from rewardbot.feedback.ledger import Ledger
from rewardbot.feedback.records import History
from rewardbot.feedback.repeats import repeat, second
from rewardbot.feedback.schedule import Schedule, due
from rewardbot.feedback.teachers.base import Teacher
from rewardbot.feedback.teachers.recorded import Human, Recorded
from rewardbot.types import Segment

Array = NDArray[np.float64]

ASKED: tuple[Kind, ...] = ("pair", "ranking", "rating")
"""Kinds of questions whose answers' probabilities a reward tells."""

CHECK = "check"
"""Strategy of the questions that show whether a reward agrees with who answers."""

TRIES = 50
"""Draws per clip or question before there are taken to be no more of them."""

_REASONS = {
    "uniform": "drawn by chance", "disagreement": "the rewards that fit the answers so far disagree",
    "entropy": "the reward is unsure of the answer", "mutual_information": "the answer tells most about the reward",
    "volume_removal": "the answer rules out most rewards", "thompson": "two rewards that fit the answers so far disagree",
    CHECK: "drawn by chance, to see whether the reward agrees with you"}

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class AskingConfig:
    """What is asked."""

    strategy: str = setting("disagreement", "which questions: uniform, disagreement, entropy, mutual_information, volume_removal or "
                            "thompson; before there is a reward, uniform")
    spread: Literal["", "k_center", "batch_diverse"] = setting("", "keeps the questions of a round from being alike: k_center or "
                                                               "batch_diverse")
    kinds: tuple[Kind, ...] = setting(("pair",), "kinds of questions: pair, ranking, rating; of several, whichever tells most in the "
                                      "operator's time that it takes")
    steps: int = setting(25, "length of a clip [steps]; a shorter episode is shown whole", min=1)
    recent: int = setting(100, "newest episodes that clips are cut from", min=1)
    clips: int = setting(200, "clips that the questions of a round are made of", min=2)
    candidates: int = setting(1000, "questions that the best are chosen from", min=1)
    ranked: int = setting(3, "clips in a ranking", min=2, max=answers.MAX_RANKED)
    checks: float = setting(0.2, "share of a reward's questions that are pairs drawn by chance, a clip of the newest episodes and "
                            "one of before, by which the alarm measures agreement", min=0.0, max=1.0)
    newest: int = setting(10, "episodes that are the newest ones there", min=1)
    repeats: int = setting(10, "answers after which a person is asked a pair again, with its sides swapped; 0: never", min=0)
    second: float = setting(0.1, "share of a person's answers that are to questions which somebody else has answered, to see how far "
                            "people agree; while two or more answer", min=0.0, max=1.0)
    ties: float = setting(0.0, "how readily two clips alike are called equal, see `answers.pair`", min=0.0)
    schedule: Schedule = setting(Schedule(), "how many questions when")

    def __post_init__(self) -> None:
        if self.strategy not in queries.SCORES:
            raise unknown_name("query strategy", self.strategy, queries.SCORES)
        for kind in self.kinds:
            if kind not in ASKED:
                raise unknown_name("kind of question that a reward can choose", kind, ASKED)
        if len(self.kinds) != 1 and (self.strategy != "mutual_information" or self.spread):
            raise ConfigError(f"kinds names {len(self.kinds)} kinds, to be chosen by {self.strategy} {self.spread}".rstrip() + ".",
                              valid="One kind; or several with the strategy mutual_information and no spread, by information per "
                                    "second of the operator's time.")


@dataclass(frozen=True)
class Judged:
    """What a reward holds of C clips.

    Attributes:
        utility: how good each member finds each clip, in units of log-odds, float64 (M, C).
        features: what tells clips apart, float64 (C, D).
    """

    utility: Array
    features: Array


Judge = Callable[[Sequence[Segment]], Judged]

Choice = tuple[Kind, int, tuple[float, ...]]
"""A candidate by its kind and its number among those, and how likely each answer to it is held."""


class Asking:
    """See the module.

    Args:
        ledger: where questions and answers are. One with a short `wait_s`: somebody else may be writing.
        teacher: who is asked. The answers of any but a `Human` are put into the ledger here.
        config: see `AskingConfig`.
        seed: of clips and questions.
        clock: tells the time [s since 1970].
        say: told what is the matter with the teacher or the ledger, once each time it changes.

    Attributes:
        trouble: what is the matter now, empty if nothing.
        skipped, answered, waiting: questions that this ledger has of each kind, as of the last call.

    Raises:
        ConfigError: the teacher does not answer such questions.
        LedgerError: the ledger cannot be read.
    """

    def __init__(
        self, ledger: Ledger, teacher: Teacher, config: AskingConfig, *, seed: int = 0, clock: Callable[[], float] = time.time,
        say: Callable[[str], object] = _log.warning,
    ) -> None:
        if unknown := set(config.kinds) - set(teacher.kinds):
            raise ConfigError(f"Teacher '{teacher.name}' does not answer: {', '.join(sorted(unknown))}.",
                              valid=f"It answers: {', '.join(teacher.kinds)}.")
        self._ledger, self._config, self._seed, self._clock, self._say = ledger, config, seed, clock, say
        self._teacher = teacher if isinstance(teacher, (Human, Recorded)) else Recorded(teacher, ledger)
        self._active: dict[int, Feedback] = {}
        self.trouble = ""
        self.answered = self.skipped = self.waiting = 0
        self._look(ledger.history())

    def poll(self) -> bool:
        """Takes answers that came; True when what counts in the ledger is not what it was at the last call: answers came, were undone
        or amended. The first call is True if there are any.
        """
        with self._costing_only_answers():
            self._teacher.poll()
        before = self._active
        with self._costing_only_answers(quiet=True):
            self._active = self._look(self._ledger.history()).active()
        return self._active != before

    def ask(
        self, episodes: Sequence[Segment], judge: Judge | None = None, *, progress: float, minutes: float = math.inf,
        version: int = 0, keep: Callable[[Segment], object] = lambda clip: None,
    ) -> int:
        """Asks what is due; returns how many questions that were.

        Args:
            episodes: whatever of each episode clips can be cut from, the oldest first.
            judge: the present reward; None if there is none yet, and questions are drawn by chance.
            progress, minutes: see `schedule.due`.
            version: of that reward.
            keep: told each clip before it is asked about, so that it is still there when the answer comes.
        """
        history = None
        with self._costing_only_answers(quiet=True):
            history = self._look(self._ledger.history())
        if history is None:
            return 0
        config = self._config
        # As many skips as the budget are made up for; who always skips is not asked for ever.
        answered = self.answered + max(0, self.skipped - config.schedule.budget)
        count = due(config.schedule, progress=progress, minutes=minutes, answered=answered, waiting=self.waiting)
        asked = 0
        if count:
            rng = np.random.default_rng([self._seed, len(history.queries)])
            questions = self._repeats(history)[:count]
            if count > len(questions):
                questions += self._questions(history, episodes, judge, count - len(questions), version, rng)
            for query in questions:
                with self._costing_only_answers():
                    for clip in query.options:
                        keep(clip)
                    self._teacher.ask(query)
                if self.trouble:
                    break
                asked += 1
        self.waiting += asked
        return asked

    def close(self) -> None:
        """Lets the teacher go; what waits is asked again by whoever opens the ledger next."""
        self._teacher.close()

    def _questions(
        self, history: History, episodes: Sequence[Segment], judge: Judge | None, count: int, version: int, rng: np.random.Generator
    ) -> list[Query]:
        config = self._config
        episodes = episodes[-config.recent :]
        clips = draw_clips(episodes, config.steps, config.clips, rng)
        before = {frozenset(query.options) for query in history.queries.values()}
        checks = [] if judge is None else [
            pair for pair in draw_checks(episodes, config.newest, config.steps, self._checks_due(history, count), rng)
            if frozenset(pair) not in before]
        judged, rows = None, np.zeros((0, 2), np.intp)
        if judge is not None and clips:
            seen = list(dict.fromkeys([*clips, *itertools.chain.from_iterable(checks)]))
            judged = judge(seen)
            good = np.flatnonzero(np.isfinite(judged.utility).all(0) & np.isfinite(judged.features).all(-1))  # nobody can see NaN
            judged = Judged(judged.utility[:, good], judged.features[good])
            place = {seen[index]: number for number, index in enumerate(good)}
            checks = [pair for pair in checks if place.keys() >= set(pair)]
            clips = [clip for clip in clips if clip in place]  # which `seen` begins with
            rows = np.array([[place[clip] for clip in pair] for pair in checks], np.intp).reshape(-1, 2)
            before |= {frozenset(pair) for pair in checks}
        options: dict[Kind, NDArray[np.intp]] = {}
        for kind in config.kinds:
            found = draw_options({"pair": 2, "rating": 1}.get(kind, config.ranked), len(clips), config.candidates, rng)
            new = [row for row in found if frozenset(clips[index] for index in row) not in before]
            if new:
                options[kind] = np.array(new)
        strategy = "uniform" if judged is None else config.strategy
        made: list[Query] = []

        def make(kind: Kind, chosen: Sequence[Segment], predicted: Sequence[float], by: str) -> None:
            made.append(Query(f"q{len(history.queries) + len(made) + 1}", kind, tuple(chosen),
                              tuple(map(int, rng.permutation(len(chosen)))), asked=self._clock(), reward_version=version,
                              strategy=by if judged is None or by == CHECK else f"{by} {config.spread}".strip(), reason=_REASONS[by],
                              predicted=tuple(float(min(share, 1.0)) for share in predicted)))

        if options:
            for kind, index, predicted in choose(strategy, config, options, judged, history, count - len(checks), rng):
                make(kind, [clips[clip] for clip in options[kind][index]], predicted, strategy)
        if judged is not None and checks:
            for pair, shares in zip(checks, probabilities("pair", judged.utility, rows, config.ties).mean(0), strict=True):
                make("pair", pair, shares, CHECK)
        return made

    def _repeats(self, history: History) -> list[Query]:
        """At most one of each kind for each person who is there; a machine's consistency is known."""
        if not isinstance(self._teacher, Human):
            return []
        config, now = self._config, self._clock()
        people = history.there(now)
        again = [repeat(history, config.repeats, person, self._seed, now) for person in people if "pair" in config.kinds]
        return [*(query for query in again if query is not None),
                *(second(history, config.second, people, self._seed, now) if len(people) > 1 and not self._teacher.name else ())]

    def _checks_due(self, history: History, count: int) -> int:
        """How many of so many questions are checks, so that their share is right over all that a reward has asked."""
        if "pair" not in self._config.kinds:
            return 0
        asked = [query.strategy == CHECK for query in history.queries.values() if query.predicted]
        return min(count, max(0, math.floor(self._config.checks * (len(asked) + count) + 1e-9) - sum(asked)))

    def _look(self, history: History) -> History:
        self.answered = history.answered()
        self.skipped = sum(isinstance(response, Skip) for response in history.responses.values())
        asked = {self._teacher.name, *(history.there(self._clock()) if isinstance(self._teacher, Human) else ())}
        self.waiting = sum(query.to in asked for query in history.waiting())  # whoever has gone leaves their questions to nobody
        return history

    @contextlib.contextmanager
    def _costing_only_answers(self, *, quiet: bool = False) -> Iterator[None]:
        """`quiet`: that it goes well here says nothing of the trouble that there was elsewhere."""
        try:
            yield
            if not quiet:
                self.trouble = ""
        except Exception as error:  # whatever a teacher of the user's raises; and a ledger that is locked, or a full disk
            said = str(error) if isinstance(error, RewardbotError) else f"{type(error).__name__}: {error}"
            said = f"{said}\n  Questions and answers wait; everything else goes on."
            if said != self.trouble:
                self._say(said)
            self.trouble = said


def draw_clips(episodes: Sequence[Segment], steps: int, count: int, rng: np.random.Generator) -> list[Segment]:
    """Up to `count` different clips of `steps` steps, or of whole episodes where these are shorter; each step of all is as likely."""
    if not episodes:
        return []
    lengths = np.array([episode.stop - episode.start for episode in episodes], np.float64)
    found: dict[Segment, None] = {}
    for _ in range(TRIES):
        for index in rng.choice(len(episodes), count, p=lengths / lengths.sum()):
            episode, length = episodes[index], int(min(steps, lengths[index]))
            start = episode.start + int(rng.integers(int(lengths[index]) - length + 1))
            found.setdefault(Segment(episode.episode_id, start, start + length))
            if len(found) == count:
                return list(found)
    return list(found)


def draw_checks(
    episodes: Sequence[Segment], newest: int, steps: int, count: int, rng: np.random.Generator
) -> list[tuple[Segment, Segment]]:
    """Up to `count` different pairs: a clip of the newest so many episodes, and one of the earlier ones; without any of these two of
    the newest.
    """
    now, earlier = episodes[-newest:], episodes[:-newest] or episodes[-newest:]
    found: dict[frozenset[Segment], tuple[Segment, Segment]] = {}
    for _ in range(TRIES * count):
        if len(found) == count:
            break
        pair = (*draw_clips(now, steps, 1, rng), *draw_clips(earlier, steps, 1, rng))
        if len(set(pair)) == 2:
            found.setdefault(frozenset(pair), (pair[0], pair[1]))
    return list(found.values())


def draw_options(size: int, clips: int, count: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Up to `count` different sets of `size` of so many clips, int (N, size), in no order."""
    if clips < size:
        return np.zeros((0, size), np.intp)
    if math.comb(clips, size) <= count:
        return np.array(list(itertools.combinations(range(clips), size)), np.intp)
    found: dict[tuple[int, ...], None] = {}
    for _ in range(TRIES * count):
        found.setdefault(tuple(sorted(map(int, rng.choice(clips, size, replace=False)))))
        if len(found) == count:
            break
    return np.array(list(found), np.intp)


def choose(
    strategy: str, config: AskingConfig, options: dict[Kind, NDArray[np.intp]], judged: Judged | None, history: History, count: int,
    rng: np.random.Generator,
) -> list[Choice]:
    """The best candidates; `options` of each kind are int (N, k)."""
    if judged is None:
        each = math.ceil(count / len(options))
        drawn: list[Choice] = [(kind, index, ()) for kind, rows in options.items()
                               for index in queries.choose("uniform", np.ones((1, len(rows), 1)), each, rng)]
        return drawn[:count]
    p: dict[Kind, Array] = {kind: probabilities(kind, judged.utility, rows, config.ties) for kind, rows in options.items()}
    for of in p.values():
        queries.check(of)
    chosen: list[tuple[Kind, int]]
    if len(config.kinds) > 1:
        information: dict[Kind, Array] = {kind: queries.mutual_information(of, rng) for kind, of in p.items()}
        chosen = queries.by_rate(information, queries.operator_seconds(history.queries, history.responses.values()), count)
    else:
        ((kind, of),) = p.items()
        chosen = [(kind, index) for index in _spread(strategy, config, of, judged.features[options[kind]], count, rng)]
    expected = [tuple(map(float, p[kind][:, index].mean(0))) for kind, index in chosen]
    return [(*question, shares) for question, shares in zip(chosen, expected, strict=True)]


def probabilities(kind: Kind, utility: Array, options: NDArray[np.intp], ties: float) -> Array:
    """How likely each member (M, C) holds each answer to each candidate, int (N, k): (M, N, K)."""
    given = utility[:, options]
    if kind == "pair":
        return answers.pair(given, ties)
    if kind == "ranking":
        return answers.ranking(given)
    shares = np.arange(1, len(LEVELS)) / len(LEVELS)  # every level is as frequent as any other among the clips there are
    cuts = np.quantile(utility, shares, axis=-1).T
    return np.stack([answers.rating(one[:, 0], by) for one, by in zip(given, cuts, strict=True)])


def _spread(strategy: str, config: AskingConfig, p: Array, features: Array, count: int, rng: np.random.Generator) -> list[int]:
    """Numbers of the best candidates; `features` (N, k, D) are those of their clips."""
    if not config.spread:
        return queries.choose(strategy, p, count, rng)
    scores = queries.SCORES[strategy](p, rng)
    if config.spread == "batch_diverse":
        return queries.batch_diverse(scores, queries.deviations(p), count)
    # A question is told by how its clips differ, a rating by its clip.
    differences = features - features.mean(axis=1, keepdims=True) if features.shape[1] > 1 else features
    return queries.k_center(scores, differences.reshape(len(features), -1), count)
