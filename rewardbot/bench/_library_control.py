"""The part of `rewardbot bench library` with continuous states: imitation of an expert from ten episodes, and the arm's push.

What counts is the true return, as a share of the way from acting at random (0) to the expert (1), or true success.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import mean

import gymnasium
import numpy as np
import torch
from torch import Tensor

from rewardbot.data.state_demonstrations import StateDemonstrations
from rewardbot.data.transitions import Transitions
from rewardbot.policies.bc import BCConfig, StateCloning
from rewardbot.policies.sac import SACConfig
from rewardbot.rewards.discriminator import DiscriminatorConfig
from rewardbot.rewards.goal_classifier import GoalClassifier
from rewardbot.robots.demonstrators import ScriptedDemonstrator
from rewardbot.robots.state_env import StateEnv, state_env_id
from rewardbot.training.adversarial import AdversarialConfig, AdversarialLoop, demonstrate
from rewardbot.training.bench import Cell, Report, Target
from rewardbot.training.state_loop import Act, Env, Spaces, StateLoop, StateLoopConfig, evaluate, start_seeds

EPISODES = 10
"""Demonstrations of an expert."""

ENOUGH = 0.9
"""Share of the expert's return, above that of acting at random."""

IMITATORS = ("gail", "airl")
EXPERT_SEED = 100
"""Of the expert and of what it shows, which no learner's seed is."""


@dataclass(frozen=True)
class World:
    """How an environment is tried.

    Attributes:
        expert, steps: environment steps that the expert learns for, on the true reward, and each learner.
        sac: settings of all of them.
    """

    expert: int
    steps: int
    sac: SACConfig


SMALL = SACConfig(hidden=64, batch=128, rate=1e-3, discount=0.97)
WORLDS = {"Pendulum-v1": World(10_000, 8_000, SMALL), "HalfCheetah-v5": World(100_000, 60_000, SACConfig())}
PUSH = World(0, 40_000, SACConfig(discount=0.95))
PUSH_DEMONSTRATIONS, HAND_TREMOR = 20, 0.2
START_STEPS = 1_000
RECENT = 5_000
"""Newest visited states that a goal classifier takes for no goal."""


def control(seeds: Sequence[int], quick: bool, report: Report) -> tuple[list[dict[str, Cell]], list[Target]]:
    """Rows and targets of this part.

    Args:
        seeds: of the learners.
        quick: a smoke version.
        report: told the share of this part that is done.
    """
    torch.set_num_threads(1)
    worlds = {"Pendulum-v1": replace(WORLDS["Pendulum-v1"], expert=300, steps=300)} if quick else WORLDS
    push = replace(PUSH, steps=300, sac=SMALL) if quick else PUSH
    episodes = 2 if quick else 20
    total = sum(world.expert + world.steps * len(IMITATORS) * len(seeds) for world in worlds.values()) + len(seeds) * 4 * push.steps
    done = 0

    def tell(steps: int, what: str) -> None:
        report(min(1.0, (done + steps) / total), what)

    rows: list[dict[str, Cell]] = []
    targets: list[Target] = []
    for name, world in worlds.items():
        env, judge = gymnasium.make(name), gymnasium.make(name)
        expert = _learn(env, world.expert, world.sac, EXPERT_SEED, lambda steps, name=name: tell(steps, f"{name}: expert"))
        done += world.expert
        shown = demonstrate(judge, expert, start_seeds(EXPERT_SEED, EPISODES))
        shares: dict[str, list[float]] = {imitator: [] for imitator in IMITATORS}
        for seed in seeds:
            at = start_seeds(seed, episodes)
            found = {"expert": expert, "random": _random(judge, seed), "bc": _cloned(shown, seed)}
            for imitator in IMITATORS:
                config = AdversarialConfig(loop=StateLoopConfig(steps=world.steps, start_steps=_start(world.steps), sac=world.sac))
                learning = AdversarialLoop(env, imitator, "sac", config, shown, seed=seed)
                while not learning.over:
                    learning.advance()
                    tell(learning.loop.steps, f"{name}, seed {seed}: {imitator}")
                done += world.steps
                found[imitator] = learning.loop.best
            returns = {actor: mean(evaluate(judge, act, at)) for actor, act in found.items()}
            span = returns["expert"] - returns["random"]
            for actor, value in returns.items():
                share = (value - returns["random"]) / span
                rows.append({"world": name, "seed": seed, "method": actor, "true return": value, "share of the expert": share})
                if actor in shares:
                    shares[actor].append(share)
        env.close()
        judge.close()
        targets += [Target.at_least(f"{name}: {imitator}, share of the expert's return", mean(of), ENOUGH)
                    for imitator, of in shares.items()]
    for seed in seeds:
        shown = _shown_push(4 if quick else PUSH_DEMONSTRATIONS, seed)
        for method, learn in _PUSH.items():
            env = gymnasium.make(state_env_id("push"))
            act = learn(env, shown, push, seed, lambda steps, method=method, seed=seed: tell(steps, f"push, seed {seed}: {method}"))
            done += push.steps
            rows.append({"world": "push from state", "seed": seed, "method": method,
                         "true success": success(env, act, start_seeds(seed, episodes if quick else 50))})
            env.close()
        rows += [{"world": "push from state", "seed": seed, "method": "bc", "true success": _success_of_bc(shown, seed, episodes)}]
    return rows, targets


def _start(steps: int) -> int:
    return min(START_STEPS, steps // 4)


def _learn(env: Env, steps: int, sac: SACConfig, seed: int, tell: Callable[[int], None]) -> Act:
    """Soft actor-critic on the true reward."""
    loop = StateLoop(env, StateLoopConfig(steps=steps, start_steps=_start(steps), sac=sac), seed=seed)
    while loop.steps < steps:
        loop.episode()
        tell(loop.steps)
    return loop.best


def _random(env: Env, seed: int) -> Act:
    draw, sizes = np.random.default_rng(seed), Spaces.of(env)
    return lambda state: draw.uniform(-1.0, 1.0, sizes.actions).astype(np.float32)


def _cloned(shown: StateDemonstrations, seed: int) -> Act:
    """Behaviour cloning."""
    torch.manual_seed(seed)
    steps = shown.transitions()
    cloning = StateCloning(BCConfig(steps=1000, dropout=0.0, proprio_noise=0.0), *shown.sizes)
    cloning.fit(steps.state, steps.state_action[:, steps.states :], None, torch.Generator().manual_seed(seed))
    return cloning.act


# The arm's push ----------------------------------------------------------------------------------------------------------


def _shown_push(count: int, seed: int) -> StateDemonstrations:
    """The simulated operator, whose hand trembles; only what succeeded."""
    env = gymnasium.make(state_env_id("push"))
    inner = env.unwrapped
    assert isinstance(inner, StateEnv)
    operator = ScriptedDemonstrator(inner.robot, noise=HAND_TREMOR, seed=seed)
    episodes, start, one = [], 0, None
    while one is None or len(episodes) < count:
        operator.begin_episode(start)
        one = demonstrate(env, lambda state: operator.act(), [EXPERT_SEED + start])
        start += 1
        if inner.robot.true_success():
            episodes += one.episodes
    env.close()
    return replace(one, episodes=episodes)


def success(env: Env, act: Act, seeds: Sequence[int]) -> float:
    """Share of episodes at whose end the goal holds."""
    held = []
    for seed in seeds:
        evaluate(env, act, [seed])
        inner = env.unwrapped
        assert isinstance(inner, StateEnv)
        held.append(inner.robot.true_success())
    return float(np.mean(held))


def _success_of_bc(shown: StateDemonstrations, seed: int, episodes: int) -> float:
    env = gymnasium.make(state_env_id("push"))
    try:
        return success(env, _cloned(shown, seed), start_seeds(seed, episodes))
    finally:
        env.close()


def _with_demonstrations(loop: StateLoop, shown: StateDemonstrations) -> None:
    """The replay begins with what was shown, as the main job's does."""
    for number, episode in enumerate(shown.episodes):
        loop.replay.begin(f"demonstration-{number}")
        for state, action, after in zip(episode.states, episode.actions, episode.states[1:], strict=False):
            loop.replay.add(state, action, 0.0, after, terminated=False)


Tell = Callable[[int], None]


def _adversarial(name: str) -> Callable[[Env, StateDemonstrations, World, int, Tell], Act]:
    def learn(env: Env, shown: StateDemonstrations, world: World, seed: int, tell: Tell) -> Act:
        config = AdversarialConfig(loop=StateLoopConfig(steps=world.steps, start_steps=_start(world.steps), sac=world.sac))
        learning = AdversarialLoop(env, name, "sac", config, shown, seed=seed)
        while not learning.over:
            learning.advance()
            tell(learning.loop.steps)
        return learning.loop.best

    return learn


def _classifier(*, online: bool) -> Callable[[Env, StateDemonstrations, World, int, Tell], Act]:
    """The last steps of the demonstrations are successes, their first ones are not; and, online, what the policy visits is not."""

    def learn(env: Env, shown: StateDemonstrations, world: World, seed: int, tell: Tell) -> Act:
        loop = StateLoop(env, StateLoopConfig(steps=world.steps, start_steps=_start(world.steps), sac=world.sac), seed=seed)
        _with_demonstrations(loop, shown)
        goal, early = (torch.from_numpy(np.concatenate([episode.states[part] for episode in shown.episodes]))
                       for part in (slice(-4, None), slice(0, 5)))
        draw = torch.Generator().manual_seed(seed)

        def negatives(n: int) -> Tensor:
            some = early[torch.randint(len(early), (n,), generator=draw)]
            if not online or loop.steps < 100:
                return some
            # Not the demonstrations, with which the replay begins: their ends are the goal.
            visited = loop.replay.newest(min(loop.steps, RECENT)).next_state
            return torch.cat([visited[torch.randint(len(visited), (3 * n // 4,), generator=draw)], some[3 * n // 4 :]])

        torch.manual_seed(seed)
        held_out = max(4, len(goal) // 5)
        model = GoalClassifier(DiscriminatorConfig(), goal[held_out:], goal[:held_out], negatives)
        model.fit(200)

        def reward(batch: Transitions) -> Tensor:
            with torch.no_grad():
                return torch.sigmoid(model.discriminator(batch.next_state)) / model.level

        def after_update(batch: Transitions) -> None:
            if online and loop.updates % 4 == 0:
                model.step()

        loop.reward = reward
        while loop.steps < world.steps:
            loop.episode(after_update)
            tell(loop.steps)
        return loop.best

    return learn


_PUSH = {"gail": _adversarial("gail"), "airl": _adversarial("airl"), "vice": _classifier(online=True),
         "goal_classifier": _classifier(online=False)}
