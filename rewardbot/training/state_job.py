"""`rewardbot train --env NAME`: from options to a run folder, for every reward that is learned from state vectors.

`combinations.REWARDS` says what each reward learns from, and so which options it takes. The way of a job is the same for all:
`resolve` checks everything that can be known beforehand, a run folder is made, the kind's own `train` learns, and the policy is
evaluated by its true return on fresh start states.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import yaml

import rewardbot
from rewardbot.config import from_mapping, read_yaml, to_mapping, user_path
from rewardbot.errors import ConfigError, DataError
from rewardbot.training.adversarial import AdversarialConfig, check_ends
from rewardbot.training.combinations import POLICIES, REWARDS, SELF_PLAY, check, needs_demonstrations, why_not
from rewardbot.training.device import one_thread
from rewardbot.training.files import write_atomic
from rewardbot.training.resuming import check_given, read_config
from rewardbot.training.run import CONFIG, RunFolder
from rewardbot.training.safe_learning import SafetyConfig
from rewardbot.training.safety import SETTINGS as SHIELD_SETTINGS
from rewardbot.training.safety import check_unsafe, guarding, settings_of
from rewardbot.training.shown import check_enough, read_shown
from rewardbot.training.state_loop import Env, Outcome, Spaces, make_env, outcomes, start_seeds
from rewardbot.training.state_options import COMMAND, StateOptions, is_state_run
from rewardbot.training.state_policy import StateAgent, StatePolicy, state_policy_to_bytes
from rewardbot.training.state_summary import StateSummary, draw_state_curves
from rewardbot.training.stopping import Interruptible, Stopped, listening
from rewardbot.training.view import Progress, View
from rewardbot.types import Metrics

POLICY, SUMMARY = "policy.safetensors", "summary.json"
NONE = "none"
HEADLINES = ("true_return", "true_success", "answers", "reward_accuracy", "regret_bound", "true_unsafe_per_1000",
             "effective_samples", "reward_effective_sample_size")
"""Metrics that the terminal shows, of those that there are."""


@dataclass
class Trained:
    """What a job hands back: the agent, and how many answers counted and questions were skipped."""

    agent: StateAgent
    steps: int
    answers: int = 0
    skipped: int = 0


class Report(Protocol):
    """Told the metrics after each round, and the steps so far."""

    def __call__(self, metrics: Metrics, steps: int) -> None: ...


class Job(Protocol):
    """A module that learns from what some rewards consume."""

    def resolve(self, options: StateOptions, settings: Mapping[str, Any]) -> Any:
        """The settings as a frozen dataclass; `settings` are those of the user's file.

        Raises:
            ConfigError: they cannot be used.
        """
        ...

    def train(self, options: StateOptions, config: Any, env: Env, judge: Env, folder: Path, report: Report) -> Trained:
        """Learns in `env`, evaluates on the way in `judge`, and goes on with whatever is in `folder`."""
        ...


def prepare(options: StateOptions, given: Collection[str]) -> tuple[StateOptions, Any, RunFolder]:
    """Checks everything that can be checked before a long job, and makes its run folder.

    Args:
        options: see `StateOptions`.
        given: names of those that were named.

    Returns:
        The options, with `env` filled in, the settings of the reward's job and the run folder.

    Raises:
        ConfigError: options that do not fit together, an unknown name, an environment that cannot be learned in, a wrong setting, a
            reward that early ends break.
        DataError: demonstrations that cannot be read, or of another environment; unsafe intervals from which nothing can be learned.
        StorageError: the run folder cannot be made.
    """
    options = named(dataclasses.replace(options, env=environment(options)), given)
    config = resolve(options, given)
    env = make_env(options.env)
    Spaces.of(env)
    if options.demos:
        shown = read_shown(options.demos, env, seed=options.seed)
        check_enough(options.reward, shown)
        if isinstance(config, AdversarialConfig):
            check_ends(options.reward, config, shown, env, options.seed)
    safety = safety_settings(options)
    if options.unsafe:
        check_unsafe(options.unsafe, safety, env)
    env.close()
    saved = {"command": COMMAND, "options": to_mapping(options), "settings": to_mapping(config), SHIELD_SETTINGS: to_mapping(safety)}
    name = "".join(sign if sign.isalnum() or sign in "-_." else "-" for sign in options.env)
    return options, config, RunFolder.create(Path(options.run_dir), name, options.seed, saved)


def environment(options: StateOptions) -> str:
    """Name of the environment that is meant.

    Raises:
        ConfigError: none, two, or an unknown task; with self-play, one whose goal cannot be set.
    """
    if options.env and (options.task or options.state):
        raise ConfigError("--env and --task name two places to learn in.", valid="--env NAME, or --task NAME --state.")
    if options.env:
        return options.env
    if not options.task or not options.state:
        raise ConfigError("Nothing says where to learn from state vectors.", valid="--env NAME, or --task NAME --state.")
    from rewardbot.robots.goal_env import check_goal_task, goal_env_id
    from rewardbot.robots.state_env import state_env_id
    from rewardbot.robots.tasks import load_task

    load_task(options.task)
    if options.reward == SELF_PLAY:
        check_goal_task(options.task)
        return goal_env_id(options.task)
    return state_env_id(options.task)


def named(options: StateOptions, given: Collection[str]) -> StateOptions:
    """With what is meant where one of both is named: policies that imitate need no reward, and praise has a policy of its own."""
    if options.reward == "tamer" and "policy" not in given:
        return dataclasses.replace(options, policy="myopic")
    imitates = options.policy in POLICIES and "reward" not in given and not why_not(NONE, options.policy, "env")
    return dataclasses.replace(options, reward=NONE) if imitates else options


def resolve(options: StateOptions, given: Collection[str]) -> Any:
    """The settings of the job, after all checks of names.

    Raises:
        ConfigError: see `prepare`.
    """
    check(options.reward, options.policy, "state" if options.state else "env")
    source, shown = REWARDS[options.reward], needs_demonstrations(options.reward, options.policy)
    ours = {*source.options, *(["demos"] if shown else [])}
    foreign = {name: kind.what for kind in reversed(list(REWARDS.values())) for name in kind.options if name not in ours}
    for name in given:
        if name in foreign:
            raise ConfigError(f"--{name.replace('_', '-')} is for rewards from {foreign[name]}; '{options.reward}' learns from "
                              f"{source.what}.",
                              valid=f"It takes: {', '.join(f'--{option}' for option in sorted(ours)) or 'none of its own'}.")
    if shown and not options.demos:
        who = f"Reward '{options.reward}'" if "demos" in source.options and options.reward != NONE else f"Policy '{options.policy}'"
        ways = ("--demos FILE.", f"rewardbot train --env {options.env} --reward true and rewardbot eval --demos FILE make some.")
        if options.task:
            ways = ("--demos FILE, FOLDER or N.", "--demos 20 are the simulated operator's; a folder holds recorded ones.")
        raise ConfigError(f"{who} learns from demonstrations, and there are none.", valid=ways[0], next_step=ways[1])
    config = _job(options).resolve(options, {name: value for name, value in _settings(options).items() if name != SHIELD_SETTINGS})
    _check_discounts(to_mapping(config), options.file)
    return config


def _check_discounts(settings: Mapping[str, Any], where: str) -> None:
    """Refuses a sum of rewards without end: a timeout is no end, so that no episode here has one for sure."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            _check_discounts(value, f"{where}.{name}")
        elif name == "discount" and value == 1.0:
            raise ConfigError(f"{where}.discount is 1, and the future after a timeout counts, too: a sum of rewards without end need "
                              "not be a number.", valid="Below 1; 0.99 looks some hundred steps ahead.")


def safety_settings(options: StateOptions) -> SafetyConfig:
    """The settings of a shield.

    Raises:
        ConfigError: wrong ones, some without a shield, or self-play with one.
    """
    changes = _settings(options).get(SHIELD_SETTINGS, {})
    if options.unsafe and options.reward == SELF_PLAY:
        raise ConfigError(f"'{SELF_PLAY}' has no shield: setter and reacher play in a world without one.",
                          next_step="Leave --unsafe out.")
    if changes and not options.unsafe:
        raise ConfigError(f"{options.config} has settings of a shield, and there is none.",
                          valid="--unsafe LEDGER, or --unsafe simulated.")
    return settings_of(changes, where=f"{options.file}.{SHIELD_SETTINGS}")


def train(options: StateOptions, config: Any, run: RunFolder, *, live: bool | None = None) -> StateSummary:
    """The job; fills the run folder and returns the summary.

    Args:
        options, config, run: see `prepare`.
        live: see `View`.

    Raises:
        Stopped: Ctrl-C or SIGTERM.
    """
    one_thread()
    progress = Progress(f"rewardbot train: {options.env}, {options.reward}, seed {options.seed}", ("learning", "evaluation"))
    env, judge = Interruptible(make_env(options.env)), Interruptible(make_env(options.env))
    safety = settings_of(yaml.safe_load((run.path / CONFIG).read_text()).get(SHIELD_SETTINGS, {}))
    try:
        with (listening(), View(progress, live=live) as view,
              guarding(options.unsafe, safety, env, judge, run.path, steps=options.steps, seed=options.seed) as guards):

            def report(metrics: Metrics, steps: int) -> None:
                metrics = {**metrics, **guards.metrics()}
                run.log(metrics, steps)
                progress.values = {name: f"{metrics[name]:.3g}" for name in HEADLINES if name in metrics}
                progress.share, progress.detail = steps / options.steps, f"{steps} steps"
                view.refresh()

            progress.begin("learning")
            view.refresh()
            trained = learn(options, config, guards.env, guards.judge, run.path, report)
            write_atomic(run.path / POLICY, state_policy_to_bytes(trained.agent, {
                "env": options.env, "reward": options.reward, "seed": options.seed, "steps": trained.steps}))
            progress.begin("evaluation")
            view.refresh()
            found = judge_policy((run.path / POLICY).read_bytes(), guards.judge, options.seed, options.episodes)
    except Stopped:
        raise Stopped(f"Stopped. To go on with it:\n  rewardbot train --resume {run.path}") from None
    finally:
        env.close()
        judge.close()
    summary = StateSummary(options.env, options.reward, options.policy, options.seed, trained.steps, trained.answers, trained.skipped,
                           tuple(one.total for one in found), successes(found), round(run.elapsed(), 1))
    write_atomic(run.path / SUMMARY, summary.to_json())
    draw_state_curves(run.path / "curves.png", run.history, f"{options.env}, {options.reward}, seed {options.seed}")
    return summary


def learn(options: StateOptions, config: Any, env: Env, judge: Env, folder: Path, report: Report) -> Trained:
    """What the reward's own job does; see `Job`."""
    return _job(options).train(options, config, env, judge, folder, report)


def judge_policy(data: bytes, env: Env, seed: int, episodes: int) -> list[Outcome]:
    """What a stored policy truly comes to."""
    return outcomes(env, StatePolicy(data).act, start_seeds(seed, episodes))


def successes(found: Sequence[Outcome]) -> tuple[bool, ...]:
    """Of all episodes; empty where the environment does not say so."""
    return tuple(one.success for one in found if one.success is not None)


def reopen(path: Path, given: Mapping[str, Any]) -> tuple[StateOptions, Any, RunFolder]:
    """The run in `path`, to go on with; see `is_state_run`.

    Args:
        path: the run folder.
        given: options that were named beside it, which cannot differ from what the run has.

    Raises:
        DataError: there is no such run, or it is of another version or over.
        ConfigError: other options than the run's; another process works at it.
    """
    if (path / CONFIG).is_file() and not is_state_run(path):
        raise DataError(f"The run {path} does not learn from state vectors.", next_step="Leave --env and --state out.")
    saved = read_config(path, {"rewardbot": str, "options": dict, "settings": dict})
    if saved["rewardbot"] != rewardbot.__version__:
        raise DataError(f"The run {path} is of rewardbot {saved['rewardbot']}.", valid=f"This is {rewardbot.__version__}.",
                        next_step="Use that version, or begin a new run.")
    options = from_mapping(StateOptions, saved["options"], where=CONFIG)
    check_given(path, options, given)
    if (path / SUMMARY).exists():
        raise DataError(f"The run {path} is finished: there is nothing to go on with.",
                        next_step=f"rewardbot eval {path} evaluates its policy anew.")
    return options, _job(options).resolve(options, saved["settings"]), RunFolder(path)


def _settings(options: StateOptions) -> dict[str, Any]:
    return read_yaml(user_path(options.config)) if options.config else {}


def _job(options: StateOptions) -> Job:
    module: Any = importlib.import_module(REWARDS[options.reward].module)
    return module
