"""Which reward goes with which policy, and where: the one table of it. `rewardbot train` refuses by it, the tests start each entry of
it, and docs/combinations.md is written from it:

    python -m rewardbot.training.combinations > docs/combinations.md

A reward has a source, what it is learned from and when; a policy has a manner, how it learns. Every pair of a source and a manner
goes together unless `WHY_NOT` says why it does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from rewardbot.errors import ConfigError, unknown_name

Place = Literal["env", "state", "cameras"]
PLACES: Mapping[Place, tuple[str, str]] = {
    "env": ("gymnasium environment", "--env NAME"), "state": ("arm's task from its state", "--task NAME --state"),
    "cameras": ("arm's task over cameras", "--task NAME")}
"""Where a policy can learn: in words, and the options that say so."""

STATES: tuple[Place, ...] = ("env", "state")
CAMERAS: tuple[Place, ...] = ("cameras",)
EVERYWHERE: tuple[Place, ...] = (*STATES, *CAMERAS)


@dataclass(frozen=True)
class Source:
    """What some rewards are learned from.

    Attributes:
        what: in words.
        when: they are learned: before the policy, against it, or while it learns; empty where nothing is learned.
        options: those of `StateOptions` that no others take.
        module: a `state_job.Job`; empty where there is none.
        places: where.
    """

    what: str
    when: str
    options: tuple[str, ...] = ()
    module: str = ""
    places: tuple[Place, ...] = STATES


@dataclass(frozen=True)
class Manner:
    """How some policies learn.

    Attributes:
        what: in words.
        demos: from state vectors it needs --demos, whatever the reward.
        places: where.
    """

    what: str
    demos: bool = False
    places: tuple[Place, ...] = STATES


SELF_PLAY = "self_play"
_JOBS = "rewardbot.training"
ANSWERS = Source("preferences", "while the policy learns", ("teacher", "url", "model", "goal", "answers", "watch", "strategy"),
                 f"{_JOBS}.preference_job")
CONTEST = Source("demonstrations", "against the policy", ("demos",), f"{_JOBS}.adversarial_job")
SETTLED = Source("demonstrations", "before the policy", ("demos",), f"{_JOBS}.settled_job")
RANKED = Source("ranked demonstrations", "before the policy", ("demos",), f"{_JOBS}.settled_job")
TRUE = Source("the environment's own reward", "", (), f"{_JOBS}.settled_job")
GOAL = Source("success examples", "before the policy", ("demos",), f"{_JOBS}.settled_job", EVERYWHERE)
VISITED = Source("success examples", "while the policy learns", ("demos",), f"{_JOBS}.adversarial_job", EVERYWHERE)
GOALS = Source("goals that it sets itself", "while the policy learns", (), f"{_JOBS}.self_play_job", ("state",))
NOTHING = Source("nothing", "", ("demos",), f"{_JOBS}.cloning_job", EVERYWHERE)
PRAISE = Source("praise and blame", "while the policy learns", (), f"{_JOBS}.praising_job")

REWARDS: Mapping[str, Source] = {
    **dict.fromkeys(("preference", "pebble", "surf", "mrn"), ANSWERS), **dict.fromkeys(("gail", "airl", "gcl"), CONTEST),
    **dict.fromkeys(("relative_entropy_irl", "perturbation_irl", "d_rex"), SETTLED), **dict.fromkeys(("t_rex", "b_rex"), RANKED),
    "true": TRUE, "vice": VISITED, "goal_classifier": GOAL, "none": NOTHING, SELF_PLAY: GOALS, "tamer": PRAISE}
"""All rewards by name; `true`, `none` and `self_play` are no algorithms of `rewards/`."""

REPLAYS = Manner("online, from all steps there were")
ROLLOUTS = Manner("online, from its newest steps alone")
OFFLINE = Manner("from recorded steps alone", demos=True)
CLONES = Manner("does what was done", demos=True, places=EVERYWHERE)
PLEASES = Manner("does what would be praised most right now")
ASKS = Manner("does what an operator does, who corrects it", places=CAMERAS)
SEES = Manner("online, through cameras", places=CAMERAS)

POLICIES: Mapping[str, Manner] = {
    "sac": REPLAYS, "ppo": ROLLOUTS, "iql": OFFLINE, "cql": OFFLINE, "rlpd": SEES, **dict.fromkeys(("bc", "filtered_bc"), CLONES),
    **dict.fromkeys(("dagger", "hg_dagger"), ASKS), "myopic": PLEASES}
"""All policies by name."""

_NO_REWARD = "{policy} does what an operator does, and no reward plays a part in that"
_FOR_CAMERAS = "{policy} looks through cameras, and {reward} is learned from state vectors"
_STANDS_STILL = "{policy} does nothing while it learns, and {reward} is learned from what the policy does"
_GOALS_ARE_STATES = "{reward} sets goals that are states, and {policy} looks through cameras"
_PLAYED = "{reward} plays while it learns, with a policy that learns from all steps there were"
_SHORT_SIGHTED = "{policy} looks no step ahead, and what {reward} is good for shows when it is added up over time"
_LEARNED = (ANSWERS, CONTEST, SETTLED, RANKED, TRUE)

WHY_NOT: Mapping[tuple[Source, Manner], str] = {
    (ANSWERS, ROLLOUTS): "{policy} keeps its newest steps only, and each answer to {reward} changes the worth of all that was done",
    **{(source, OFFLINE): _STANDS_STILL for source in (ANSWERS, CONTEST, VISITED)},
    **{(source, SEES): _FOR_CAMERAS for source in _LEARNED},
    **{(source, manner): _NO_REWARD for source in (*_LEARNED, GOAL, VISITED, GOALS, PRAISE) for manner in (CLONES, ASKS)},
    **{(source, PLEASES): _SHORT_SIGHTED for source in (*_LEARNED, GOAL, VISITED, GOALS)},
    **{(NOTHING, manner): "{policy} learns from a reward" for manner in (REPLAYS, ROLLOUTS, OFFLINE, SEES, PLEASES)},
    **{(PRAISE, manner): "{reward} says how good an action is all in all, and {policy} would add that up over time"
       for manner in (REPLAYS, ROLLOUTS, OFFLINE, SEES)},
    **{(GOALS, manner): _PLAYED for manner in (ROLLOUTS, OFFLINE)}, (GOALS, SEES): _GOALS_ARE_STATES,
}

ELSEWHERE: Mapping[str, str] = {
    "tamer": "with a trainer who is there: a program of yours hands on what they say, `Tamer.add`",
    "preference": "over cameras: `rewardbot up preferences`, with `rlpd`",
    **dict.fromkeys(("vice", "goal_classifier"), "over ROS 2: `rewardbot demo`, `rewardbot up sim`")}
"""Other ways to some of them."""


@dataclass(frozen=True)
class Combination:
    """A reward and a policy that go together in a place."""

    reward: str
    policy: str
    place: Place

    def __str__(self) -> str:
        """For example `gail-sac-env`."""
        return f"{self.reward}-{self.policy}-{self.place}"


@cache
def why_not(reward: str, policy: str, place: Place) -> str:
    """Why they do not go together; empty if they do. Names are of `REWARDS` and `POLICIES`."""
    source, manner = REWARDS[reward], POLICIES[policy]
    if reason := WHY_NOT.get((source, manner), ""):
        return reason.format(reward=reward, policy=policy)
    for name, places in ((reward, source.places), (policy, manner.places)):
        if place not in places:
            return f"{name} does not learn in a place of this kind ({PLACES[place][1]})"
    return ""


def combinations() -> list[Combination]:
    """All that there are."""
    return [Combination(reward, policy, place) for reward in REWARDS for policy in POLICIES for place in PLACES
            if not why_not(reward, policy, place)]


def check(reward: str, policy: str, place: Place) -> None:
    """Checks a combination.

    Raises:
        ConfigError: unknown names, or a combination that cannot be: the reason, and the valid ones.
    """
    for kind, name, known in (("reward", reward, REWARDS), ("policy", policy, POLICIES)):
        if name not in known:
            raise unknown_name(f"{kind} algorithm", name, known)
    if not (reason := why_not(reward, policy, place)):
        return
    valid = (_takes("reward", reward, "policy", place, [one for one in combinations() if one.reward == reward]),
             _takes("policy", policy, "reward", place, [one for one in combinations() if one.policy == policy]))
    raise ConfigError(f"Reward '{reward}' and policy '{policy}' do not go together here: {reason}.",
                      valid=" ".join(filter(None, valid)), next_step=f"{reward}, {ELSEWHERE[reward]}." if reward in ELSEWHERE else "")


def _takes(kind: str, name: str, other: str, place: Place, found: Sequence[Combination]) -> str:
    """With what one of them goes together: here, or else where."""
    if not found:
        return ""
    here = [one for one in found if one.place == place]
    others = _either(list(dict.fromkeys(getattr(one, other) for one in here or found)))
    where = "" if here else f" and {_either([PLACES[there][1] for there in PLACES if there in {one.place for one in found}])}"
    return f"--{kind} {name} takes --{other} {others}{where}."


def _either(names: Sequence[str]) -> str:
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def check_cameras(reward: str, policy: str) -> None:
    """Checks that a reward that was named for learning over cameras is not one of state vectors; `preparing.prepare` checks the rest.

    Raises:
        ConfigError: it is, see `check`.
    """
    if reward in REWARDS and "cameras" not in REWARDS[reward].places:
        check(reward, policy, "cameras")


def knows_no_cameras(reward: str, policy: str) -> bool:
    """Whether one of two names, of which either may be empty or wrong, is of something that learns from state vectors alone."""
    return any(name in known and "cameras" not in known[name].places for known, name in ((REWARDS, reward), (POLICIES, policy)))


def needs_demonstrations(reward: str, policy: str) -> bool:
    """Whether learning from state vectors begins with a file of demonstrations."""
    return "demos" in REWARDS[reward].options or POLICIES[policy].demos


def page() -> str:
    """docs/combinations.md."""
    reasons: list[str] = []

    def cell(reward: str, policy: str) -> str:
        places = [place for place in PLACES if not why_not(reward, policy, place)]
        if places:
            return ", ".join(places)
        template = WHY_NOT.get((REWARDS[reward], POLICIES[policy]), "")
        reason = template.format(reward="the reward", policy="the policy")
        reasons.extend([reason] * (reason not in reasons))
        return f"({reasons.index(reason) + 1})"

    columns = [f"`{policy}`" for policy in POLICIES]
    rows = [["reward", "learned from", *columns], ["---"] * (len(columns) + 2)]
    rows += [[f"`{reward}`", ", ".join(filter(None, (source.what, source.when))),
              *(cell(reward, policy) for policy in POLICIES)] for reward, source in REWARDS.items()]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    listed = "\n".join(f"{number}. {reason[0].upper()}{reason[1:]}." for number, reason in enumerate(reasons, 1))
    manners = "\n".join(f"- `{policy}`: {manner.what}" for policy, manner in POLICIES.items())
    places = "\n".join(f"| {place} | {what} | `rewardbot train {options} --reward REWARD --policy POLICY` |"
                       for place, (what, options) in PLACES.items())
    elsewhere = "\n".join(f"- `{name}`: {way}" for name, way in ELSEWHERE.items())
    return _PAGE.format(table=table, reasons=listed, manners=manners, places=places, elsewhere=elsewhere)


_PAGE = """# Which reward goes with which policy

Written by `python -m rewardbot.training.combinations > docs/combinations.md` from
[training/combinations.py](../rewardbot/training/combinations.py). A test starts each combination and sees that every other one is
refused.

| place | what it is | command |
|---|---|---|
{places}

A cell names the places in which the two go together, or the reason why they do not, below.

{table}

{reasons}

How each policy learns:

{manners}

Where reward or policy knows no cameras, `--task NAME` means its state; `--state` need not be said.

From state vectors, rewards from demonstrations and policies that learn from recorded steps need `--demos FILE`, which
`rewardbot eval RUN --demos FILE` makes; with `--task` also `--demos 20`, which the simulated operator shows, and `--demos FOLDER`, of
recorded demonstrations. Success examples are the last states of the demonstrations; over cameras, the last images. The reward `true`
is the environment's own, for experts and for comparisons; with `iql` and `cql` it is the one that was recorded.

Other ways:

{elsewhere}
"""


if __name__ == "__main__":
    print(page(), end="")
