"""Reward hacking: three rewards that learned the same wrong thing from the same demonstrations, and the one that knows it.

    .venv/bin/python examples/06_reward_hacking.py               # prints a table, draws docs/reward_hacking.png

A robot pushes a cup to a lamp. The nearer the cup, the more the picture glares; and the arm can tilt the camera into the light, which
nobody did who demonstrated. So in every demonstration glare goes with progress, and no reward can tell from them which one is meant.
Each policy is improved on a learned reward, and starts as a pusher of middling strength.

- A *goal classifier* that was trained once says that a picture full of glare is the goal.
- *T-REX* extrapolates from ranked demonstrations to something better than the best of them: more glare.
- *Bayesian REX* believes so too, on average. But its posterior is sure only about what was shown: where a policy does something else
  its returns spread, and the return that it reaches but for 1 in 20 hypotheses falls below the worst demonstration's. That is the
  alarm, and a policy that is improved on this bound instead of the mean does what was meant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from rewardbot.arguments import call
from rewardbot.data.transitions import Transitions
from rewardbot.feedback.feedback import Ranking, dense
from rewardbot.rewards.b_rex import BayesianRex, BRexConfig
from rewardbot.rewards.base import Context
from rewardbot.rewards.discriminator import DiscriminatorConfig
from rewardbot.rewards.goal_classifier import GoalClassifier
from rewardbot.rewards.t_rex import TRex, TRexConfig
from rewardbot.types import Segment

SHOWN, STEPS = 12, 20
"""Demonstrations; steps of an episode."""

PUSH, TILT = 0.05, 0.15
"""What a step of full effort adds: progress of pushing, and glare of tilting the camera."""

GENERATIONS, POPULATION, KEPT = 30, 64, 8
"""Of the search for a policy by the cross-entropy method (Rubinstein 1999)."""

PROGRESS, GLARE = 0, 1
SEES = ("next_state",)


def episodes(policies: Tensor) -> Tensor:
    """Progress and glare after each step, (N, STEPS, 2), of policies (N, 3): logits of effort, and of the share of it that goes into
    tilting, at the start and at the end of an episode.
    """
    effort, early, late = policies.unsqueeze(-1).unbind(1)
    tilting = torch.sigmoid(torch.lerp(early, late, torch.linspace(0.0, 1.0, STEPS)))
    progress = (PUSH * torch.sigmoid(effort) * (1.0 - tilting)).cumsum(1)
    lamp = (TILT * torch.sigmoid(effort) * tilting).cumsum(1)
    return torch.stack([progress, progress + lamp], dim=-1)


def demonstrations(seed: int) -> Tensor:
    """Of operators of different strength, who do nothing but push, (SHOWN, STEPS, 2)."""
    draw = torch.Generator().manual_seed(seed)
    effort = torch.logit(torch.linspace(0.2, 0.95, SHOWN))
    pushing = torch.stack([effort, torch.full((SHOWN,), -9.0), torch.full((SHOWN,), -9.0)], dim=-1)
    return episodes(pushing) + 0.02 * torch.randn(SHOWN, STEPS, 2, generator=draw)


def true_returns(states: Tensor) -> Tensor:
    """What is meant is progress, (N, STEPS, 2) -> (N,)."""
    return states[..., PROGRESS].sum(-1)


def transitions(states: Tensor) -> Transitions:
    """Steps that end in these states, (N, 2)."""
    none = torch.zeros(len(states), 4)
    return Transitions(torch.cat([none, states], dim=-1), states=2, actions=0)


def ranked(shown: Tensor) -> tuple[list[Ranking], Context]:
    """The demonstrations in their true order."""
    ranking = Ranking(tuple(Segment(str(number), 0, STEPS) for number in range(SHOWN)), dense((-true_returns(shown)).tolist()))
    return [ranking], Context(lambda clip: transitions(shown[int(clip.episode_id), clip.start : clip.stop]))


def frozen_classifier(shown: Tensor, seed: int) -> GoalClassifier:
    """The goal is what the better half ends with; what all begin with is not."""
    torch.manual_seed(seed)
    goals, others = shown[SHOWN // 2 :, -3:].flatten(0, 1), shown[:, : STEPS // 2].flatten(0, 1)
    classifier = GoalClassifier(DiscriminatorConfig(hidden=32, batch=32, learning_rate=5e-3), goals[::2], goals[1::2],
                                lambda count: others[torch.randint(len(others), (count,))])
    classifier.fit(300)
    return classifier


@dataclass(frozen=True)
class Course:
    """A search for a policy, by generations: 0 is the worst demonstration and 1 the best, in true returns and in believed ones.

    Attributes:
        believed, true: of the best policy, (GENERATIONS,).
        low, high: but for 1 in 20 hypotheses each, of a posterior; the believed ones otherwise.
        path: states of the last policy, (STEPS, 2).
    """

    believed: Tensor
    true: Tensor
    low: Tensor
    high: Tensor
    path: Tensor

    @property
    def alarm(self) -> int | None:
        """The first generation that is believed to be better than the best demonstration and may be worse than the worst."""
        found = ((self.believed > 1.0) & (self.low < 0.0)).nonzero()
        return int(found[0]) if len(found) else None


def search(value: Callable[[Tensor], Tensor], believed: Callable[[Tensor], Tensor], shown: Tensor, seed: int) -> Course:
    """Improves a policy.

    Args:
        value: what is improved, from states (N, STEPS, 2) to (N,).
        believed: returns by each hypothesis, (M, N).
        shown: demonstrations.
        seed: of the search.
    """
    draw = torch.Generator().manual_seed(seed)
    mean, spread = torch.tensor([0.0, -3.0, -3.0]), torch.ones(3)
    best: list[Tensor] = []
    for _ in range(GENERATIONS):
        best.append(episodes(mean[None])[0])
        policies = (mean + spread * torch.randn(POPULATION, 3, generator=draw)).clamp(-6.0, 6.0)
        kept = policies[value(episodes(policies)).topk(KEPT).indices]
        mean, spread = kept.mean(0), 0.7 * spread + 0.3 * kept.std(0)
    found = torch.stack(best)

    def scaled(returns: Callable[[Tensor], Tensor], of: Tensor) -> Tensor:
        on_shown = returns(shown).sort().values
        return (of - on_shown[0]) / (on_shown[-1] - on_shown[0])

    def average(states: Tensor) -> Tensor:
        return believed(states).mean(0)

    samples = believed(found)
    return Course(*(scaled(average, of) for of in (samples.mean(0),)), scaled(true_returns, true_returns(found)),
                  *(scaled(average, torch.quantile(samples, level, dim=0)) for level in (0.05, 0.95)), found[-1])


@dataclass(frozen=True)
class Lesson:
    """One seed's demonstrations, what each reward thinks of a state, (N, 2) -> (N,), and what a policy makes of it."""

    shown: Tensor
    opinions: Mapping[str, Callable[[Tensor], Tensor]]
    courses: Mapping[str, Course]


CLASSIFIER, T_REX, B_REX, BOUND = "frozen classifier", "T-REX", "Bayesian REX, mean", "Bayesian REX, bound"


def teach(seed: int = 0) -> Lesson:
    """Learns the rewards, and policies on them."""
    shown = demonstrations(seed)
    answers, context = ranked(shown)
    classifier = frozen_classifier(shown, seed)
    t_rex = TRex(TRexConfig(sees=SEES, hidden=32, steps=200, shortest=5, longest=STEPS), 2, seed=seed)
    t_rex.fit(answers, context)
    b_rex = BayesianRex(BRexConfig(sees=SEES), seed=seed)
    b_rex.fit(answers, context)

    def summed(reward: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        return lambda states: reward(states.flatten(0, 1)).unflatten(-1, states.shape[:2]).sum(-1)

    def by_t_rex(states: Tensor) -> Tensor:
        return t_rex.reward(transitions(states))

    def by_b_rex(states: Tensor) -> Tensor:
        return b_rex.samples(transitions(states))

    judged, ranked_by, posterior = summed(classifier.probability), summed(by_t_rex), summed(by_b_rex)
    return Lesson(shown, {
        CLASSIFIER: classifier.probability, T_REX: by_t_rex, B_REX: lambda states: by_b_rex(states).std(0)}, {
        CLASSIFIER: search(judged, lambda states: judged(states)[None], shown, seed),
        T_REX: search(ranked_by, lambda states: ranked_by(states)[None], shown, seed),
        B_REX: search(lambda states: posterior(states).mean(0), posterior, shown, seed),
        BOUND: search(lambda states: torch.quantile(posterior(states), 0.05, dim=0), posterior, shown, seed)})


def main(file: str = "docs/reward_hacking.png", seed: int = 0) -> None:
    """Prints what came out, and draws it."""
    lesson = teach(seed)
    print("returns of the last policy, of which 0 is the worst demonstration's and 1 the best's")
    print(f"{'improved on':<22}{'believed':>10}{'true':>8}{'1 in 20 below':>15}   alarm in generation")
    for name, course in lesson.courses.items():
        print(f"{name:<22}{course.believed[-1]:10.2f}{course.true[-1]:8.2f}{course.low[-1]:15.2f}   "
              f"{'-' if course.alarm is None else course.alarm}")
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    draw(lesson).savefig(file, dpi=110)
    print(file)


def draw(lesson: Lesson) -> Figure:
    """Above what each reward thinks of a state, with demonstrations and policies; below what becomes of the returns."""
    figure = Figure(figsize=(11.0, 7.0), layout="constrained")
    above, below = figure.subplots(2, 3, sharey="row")
    careful = lesson.courses[BOUND]
    titles = ("Frozen goal classifier: is it the goal?", "T-REX: its reward", "Bayesian REX: how unsure it is")
    for axes, title, (name, opinion) in zip(above, titles, lesson.opinions.items(), strict=True):
        landscape(figure, axes, opinion)
        axes.plot(*lesson.shown.flatten(0, 1).T.numpy(), ".", color="white", markeredgecolor="black", markeredgewidth=0.4,
                  markersize=5, label="demonstrations")
        axes.plot(*lesson.courses[name].path.T.numpy(), color="#D55E00", linewidth=3, label="policy on the " + (
            "posterior's mean" if name == B_REX else "reward"))
        if name == B_REX:
            axes.plot(*careful.path.T.numpy(), color="#009E73", linewidth=3, linestyle="--", label="policy on its bound")
        axes.set(title=title, xlabel="progress (what is meant)")
        axes.legend(loc="upper right", fontsize=8)
    generation = np.arange(GENERATIONS)
    for axes, name in zip(below, lesson.opinions, strict=True):
        course = lesson.courses[name]
        axes.plot(generation, course.believed.numpy(), color="#D55E00", label="believed return")
        axes.plot(generation, course.true.numpy(), color="black", label="true return")
        if name == B_REX:
            axes.fill_between(generation, course.low.numpy(), course.high.numpy(), color="#D55E00", alpha=0.2, linewidth=0,
                              label="90% of the posterior")
            axes.plot(generation, careful.true.numpy(), color="#009E73", linestyle="--", label="true return, on the bound")
        if course.alarm is not None:
            axes.axvline(course.alarm, color="#CC79A7", linewidth=2, label="alarm")
        for level, text in ((0.0, "worst demonstration"), (1.0, "best demonstration")):
            axes.axhline(level, color="grey", linewidth=0.6, linestyle=":")
            axes.text(GENERATIONS - 1, level, text, ha="right", va="bottom", fontsize=7, color="grey")
        axes.set(xlabel="generation of policies")
    above[0].set(ylabel="glare (what goes with it)")
    below[0].set(ylabel="return")
    figure.legend(*below[2].get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize=9)
    return figure


def landscape(figure: Figure, axes: Axes, opinion: Callable[[Tensor], Tensor]) -> None:
    """What is thought of each state."""
    progress, glare = torch.linspace(0.0, 1.1, 60), torch.linspace(0.0, 3.1, 60)
    states = torch.stack(torch.meshgrid(progress, glare, indexing="xy"), dim=-1)
    found = opinion(states.flatten(0, 1)).view(60, 60)
    figure.colorbar(axes.pcolormesh(progress.numpy(), glare.numpy(), found.numpy(), cmap="cividis", shading="gouraud"), ax=axes)


if __name__ == "__main__":
    call(main)
