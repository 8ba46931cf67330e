"""How language models are taught: imitate, learn a reward from comparisons, and follow it, but not too far from what was imitated.

    .venv/bin/python examples/10_sequence_rlhf.py            # prints a table, draws docs/sequence_rlhf.png

A language of four words in sentences of three, so that all 64 sentences can be looked at. A writer is a policy: which word, after
those so far. It imitates what a person wrote (SFT: pi_ref). The person then says of pairs of its sentences which is better, and a
reward r is fitted to that with the loss of all rankings here (`plackett_luce.py`). Last the writer learns from its own sentences,

    maximise  E_pi r(x) - beta KL(pi || pi_ref)          whose best is  pi*(x) ~ pi_ref(x) exp(r(x) / beta)

(Stiennon et al. 2020, Learning to summarize from human feedback), by policy gradients whose baseline are the other sentences of the
batch. Direct preference optimisation (Rafailov et al. 2023) turns that round: beta log pi / pi_ref *is* a reward but for a constant,
so it is fitted to the comparisons itself, and no reward model and no samples are needed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from rewardbot.arguments import call
from rewardbot.rewards.plackett_luce import log_likelihood

WORDS, LENGTH = 4, 3
SENTENCES = torch.tensor(list(itertools.product(range(WORDS), repeat=LENGTH)))
"""All there are, (64, 3)."""

BETA, WRITTEN, COMPARED = 0.5, 500, 4000
FIRST_BETTER = torch.tensor([0, 1])


class Writer(nn.Module):
    """pi: a table of logits for each place, with a row for all that may stand before it."""

    def __init__(self) -> None:
        super().__init__()
        self.tables = nn.ParameterList(torch.zeros(WORDS**place, WORDS) for place in range(LENGTH))

    def forward(self) -> Tensor:
        """log pi of every sentence, (64,)."""
        total, before = torch.zeros(len(SENTENCES)), torch.zeros(len(SENTENCES), dtype=torch.long)
        for place, table in enumerate(self.tables):
            total = total + table.log_softmax(-1)[before, SENTENCES[:, place]]
            before = before * WORDS + SENTENCES[:, place]
        return total


def features() -> Tensor:
    """How often each word, and each pair of neighbours, is in every sentence, (64, 20)."""
    words = nn.functional.one_hot(SENTENCES, WORDS).float()
    pairs = nn.functional.one_hot(SENTENCES[:, :-1] * WORDS + SENTENCES[:, 1:], WORDS**2).float()
    return torch.cat([words.sum(1), pairs.sum(1)], dim=1)


def imitate(written: Tensor) -> Tensor:
    """log pi_ref, (64,), from the indices of sentences that were written; a little of every sentence stays."""
    writer = Writer()
    descend(writer, lambda: -writer()[written].mean() - 0.05 * writer().mean(), steps=300)
    return writer().detach()


def compare(taste: Tensor, reference: Tensor, count: int) -> Tensor:
    """Pairs of sentences of pi_ref, the better one first as a person of that taste (64,) says, (count, 2)."""
    pairs = torch.multinomial(reference.exp(), 2 * count, replacement=True).view(-1, 2)
    first = torch.rand(count) < torch.sigmoid(taste[pairs[:, 0]] - taste[pairs[:, 1]])
    return torch.where(first[:, None], pairs, pairs.flip(1))


def fit_reward(pairs: Tensor) -> Tensor:
    """r of every sentence, (64,), linear in `features`."""
    model = nn.Linear(WORDS + WORDS**2, 1, bias=False)

    def r() -> Tensor:
        return model(features())[:, 0]

    descend(model, lambda: -log_likelihood(r()[pairs], FIRST_BETTER).mean(), steps=300)
    return r().detach()


def follow(r: Tensor, reference: Tensor, steps: int = 1500, batch: int = 256) -> Tensor:
    """log pi, (64,), that learned from its own sentences what r and pi_ref are worth together."""
    writer = Writer()

    def loss() -> Tensor:
        log_pi = writer()
        drawn = torch.multinomial(log_pi.detach().exp(), batch, replacement=True)
        worth = (r - BETA * (log_pi.detach() - reference))[drawn]
        others = (worth.sum() - worth) / (batch - 1)
        return -((worth - others) * log_pi[drawn]).mean()

    descend(writer, loss, steps=steps)
    return writer().detach()


def prefer(pairs: Tensor, reference: Tensor, weights: Tensor | None = None) -> Tensor:
    """log pi, (64,), by direct preference optimisation of pairs (N, 2), alike or with weights (N,)."""
    writer, share = Writer(), torch.full((len(pairs),), 1.0 / len(pairs)) if weights is None else weights / weights.sum()

    def loss() -> Tensor:
        implied = BETA * (writer() - reference)
        return -(share * log_likelihood(implied[pairs], FIRST_BETTER)).sum()

    descend(writer, loss, steps=1000)
    return writer().detach()


def best(r: Tensor, reference: Tensor) -> Tensor:
    """log pi*, (64,)."""
    return (reference + r / BETA).log_softmax(0)


def apart(one: Tensor, other: Tensor) -> float:
    """Total variation of two writers, by their logarithms (64,): 0 for the same, 1 for nothing in common."""
    return float((one.exp() - other.exp()).abs().sum() / 2.0)


def descend(model: nn.Module, loss: Callable[[], Tensor], *, steps: int, rate: float = 0.05) -> None:
    """Adam, whose rate falls to 0, so that what samples tell is averaged in the end."""
    optimiser = torch.optim.Adam(model.parameters(), rate)
    falling = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.0, total_iters=steps)
    for _ in range(steps):
        optimiser.zero_grad()
        loss().backward()
        optimiser.step()
        falling.step()


@dataclass(frozen=True)
class Lesson:
    """Of one seed; taste and r (64,), writers as log pi (64,)."""

    taste: Tensor
    reference: Tensor
    r: Tensor
    followed: Tensor
    preferred: Tensor


def teach(seed: int = 0) -> Lesson:
    """A person's sentences and answers, and what is made of them."""
    torch.manual_seed(seed)
    taste = features() @ (0.6 * torch.randn(WORDS + WORDS**2))
    person = (torch.randn(len(SENTENCES)) + 0.3 * taste).softmax(0)
    reference = imitate(torch.multinomial(person, WRITTEN, replacement=True))
    pairs = compare(taste, reference, COMPARED)
    r = fit_reward(pairs)
    return Lesson(taste, reference, r, follow(r, reference), prefer(pairs, reference))


def main(file: str = "docs/sequence_rlhf.png", seed: int = 0) -> None:
    """Prints how good each writer is, and draws them."""
    found = teach(seed)
    aims = {"imitates": (found.reference, found.reference), "follows r": (found.followed, best(found.r, found.reference)),
            "prefers (DPO)": (found.preferred, best(found.taste, found.reference))}
    print("writer           taste       KL   apart from pi*")
    for name, (log_pi, aim) in aims.items():
        pi = log_pi.exp()
        print(f"{name:<14}{float(pi @ found.taste):8.2f} {float(pi @ (log_pi - found.reference)):8.2f} {apart(log_pi, aim):8.3f}")
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    draw(found).savefig(file, dpi=110)
    print(file)


def draw(found: Lesson) -> Figure:
    """How much likelier than in pi_ref each sentence became, by its worth; its area is how likely it is."""
    figure = Figure(figsize=(9.0, 4.2), layout="constrained")
    both = figure.subplots(1, 2)
    for axes, log_pi, worth, title, label in (
        (both[0], found.followed, found.r, "Reinforcement learning on r", r"$r(x) / \beta$"),
        (both[1], found.preferred, found.taste, "Direct preference optimisation", r"the person's taste / $\beta$"),
    ):
        aim = best(worth, found.reference)
        shift = float((aim - found.reference - worth / BETA).mean())
        axes.axline((0.0, shift), slope=1.0, color="black", linewidth=0.8, label=r"$\pi^*$")
        axes.scatter(worth / BETA, log_pi - found.reference, s=12.0 + 600.0 * log_pi.exp(), color="#0072B2", alpha=0.5, linewidth=0)
        axes.set(title=title, xlabel=label, ylabel=r"$\log\, \pi / \pi_{ref}$")
        axes.legend(loc="upper left")
    return figure


if __name__ == "__main__":
    call(main)
