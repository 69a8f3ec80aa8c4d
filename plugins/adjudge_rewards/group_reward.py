"""A judge that compares answers as the reward of RL, which wants a number for each: the one core that every adapter calls.

The completions of one prompt are a group. They meet in a tournament, and its result becomes two numbers. The *relative* one is the place
within the group. The *absolute* one is the share of points against fixed reference answers, the anchors, where there are any: it can be
compared between groups and over steps. A completion that nobody could judge is *undecided*: it has no number, and a reason.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from adjudge import (
    Aggregator,
    DataError,
    Match,
    MatchResult,
    Outcome,
    Problem,
    Ranking,
    TournamentResult,
    stable_id,
)
from adjudge_tournament import Reward, as_reward

from .conversations import Said, answer_text, said
from .pointwise import Rated, check_pointwise, rated

if TYPE_CHECKING:
    from adjudge_judge_commands import OpenJudge

Play = Callable[[Sequence[Problem]], list[TournamentResult]]
ALONE = "the only completion of its prompt, and no anchor to compare it with"


@dataclass(frozen=True, slots=True)
class SampleReward:
    """What one completion is worth."""

    value: float | None
    """Its reward within its group; None = undecided."""
    absolute: float | None = None
    """Its share of points against the anchors, or its rating by itself where rewards are pointwise, in [0, 1]; None where neither is."""
    reason: str = ""
    """Why it is undecided."""
    tokens: float = field(default=0.0, compare=False)
    """Its share of the judge's tokens in its group, which all of a group share evenly."""
    seconds: float = field(default=0.0, compare=False)
    """Its share of the seconds of the call in which it was judged, which all of that call share evenly."""

    @property
    def metrics(self) -> dict[str, float]:
        """What a framework logs of a sample: numbers alone, the same names for every one. Sums over a group are what the group took."""
        return {
            "adjudge_undecided": float(self.value is None or bool(self.reason)),
            "adjudge_absolute": 0.0 if self.absolute is None else float(self.absolute),
            "adjudge_tokens": float(self.tokens),
            "adjudge_seconds": float(self.seconds),
        }


@dataclass(frozen=True, slots=True)
class RewardCall:
    """What one call hands over; see `GroupReward.judged`."""

    prompts: Sequence[Said]
    completions: Sequence[Said]
    groups: Sequence[Hashable] | None = None
    anchors: Sequence[Said | Sequence[Said] | None] | None = None


@dataclass(frozen=True, slots=True)
class RewardAnswer:
    """What one call comes to."""

    rewards: list[SampleReward]
    metrics: dict[str, float]
    matches: tuple[tuple[int, int, float | None], ...] = ()
    """Who met whom within a group, as places in the call, and the first one's share of the point; None where nothing could be read."""


class GroupReward:
    """A function from prompts and completions to rewards; `OpenJudge.group_reward` and ``reward.yaml`` make one.

    It may be called from several threads, one call after the other being judged. `metrics` are of the last call; `judge` is who judges.
    """

    def __init__(
        self,
        judge: OpenJudge,
        aggregator: Any = "knockout",
        *,
        reward: Reward = "standardised",
        budget: Any = None,
        voting: Mapping[str, Any] | None = None,
        pointwise: bool = False,
    ) -> None:
        rules = {"on_unreadable": "drop", **(voting or {})}
        self.judge, self.how, self.rules, self.pointwise = judge, reward, rules, pointwise
        if pointwise:
            check_pointwise(judge.options, reward, budget, rules)
        self.metrics: dict[str, float] = {}
        self._play: Play = judge.ranking(aggregator, budget, rules)
        self._against: Callable[[int], Play] = lambda anchors: judge.ranking(Against(anchors=anchors), None, rules)
        self._lock = threading.Lock()
        as_reward(TournamentResult(Problem("", "", ()), Ranking((), ())), reward)  # an unknown name is told before anything is played

    def __call__(self, prompts: Sequence[Said], completions: Sequence[Said], **columns: Any) -> list[float | None]:
        """A reward for every completion, in order; None where it is undecided, and to be masked.

        Of messages, a prompt is the whole conversation as a text, and a completion what its last assistant message says. `groups` and
        `anchors` are those of `judged`; further keywords, as TRL hands over token ids and the other columns of a row, are not looked at.
        """
        groups, anchors = columns.get("groups"), columns.get("anchors")
        return [one.value for one in self.judged(prompts, completions, groups=groups, anchors=anchors)]

    async def call_async(self, prompts: Sequence[Said], completions: Sequence[Said], **columns: Any) -> list[float | None]:
        """The same, in a thread of its own, so that the event loop goes on."""
        return await asyncio.to_thread(self, prompts, completions, **columns)

    def judged(
        self,
        prompts: Sequence[Said],
        completions: Sequence[Said],
        *,
        groups: Sequence[Hashable] | None = None,
        anchors: Sequence[Said | Sequence[Said] | None] | None = None,
    ) -> list[SampleReward]:
        """What every completion is worth, in order.

        `groups` names each completion's group, wherever it stands; without it, completions that follow each other under one prompt are
        one. `anchors` has reference answers for each, one or several; those of a group are put together. A group of one with anchors is
        ranked among them. Completions of a group that say the same are judged once and rewarded alike. Raises `DataError` for lists of
        different lengths, two prompts in one group, what is neither a text nor messages, and anchors where nothing is compared.
        """
        [answer] = self.judged_together([RewardCall(prompts, completions, groups, anchors)])
        return answer.rewards

    def judged_together(self, calls: Sequence[RewardCall]) -> list[RewardAnswer]:
        """Several calls at once, which share the engine's batches; a group belongs to one call. `metrics` are of all together."""
        made = [_groups_of(call) for call in calls]
        every = [group for groups in made for group in groups]
        with self._lock:
            started = time.monotonic()
            self._judge(every)
            took = {"seconds": time.monotonic() - started}
            each = took["seconds"] / max(1, sum(len(group.texts) for group in every))
            for group in every:
                group.rewards = [replace(one, seconds=each) for one in group.rewards]
            self.metrics = {**_counted(every), **took}
        return [
            RewardAnswer(_in_place(groups), {**_counted(groups), **took}, tuple(match for group in groups for match in group.met_whom()))
            for groups in made
        ]

    def rank(self, problems: Sequence[Problem]) -> list[TournamentResult]:
        """Rankings of problems' answers by the same rules, in order; answers with the same text stand in one place."""
        groups = [_Group(one.prompt, range(len(one.answers)), one.answers, []) for one in problems]
        with self._lock:
            played = self._play([group.problem() for group in groups])
        return [group.of_all(result) for group, result in zip(groups, played, strict=True)]

    def _judge(self, groups: Sequence[_Group]) -> None:
        """Play all groups at once, then all matches against anchors, and make the rewards; or rate everything at once."""
        if self.pointwise:
            if any(group.anchors for group in groups):
                raise DataError("anchors: completions are rated by themselves, and compared with nothing.\n  Remedy: give none.")
            asked = [(group.prompt, group.distinct) for group in groups]
            for group, ratings in zip(groups, rated(self.judge, asked, self.rules.get("votes", 1)), strict=True):
                group.rate(ratings, self.how)
            return
        several = [group for group in groups if len(group.contestants) > 1]
        for group, result in zip(several, self._play([group.problem() for group in several]), strict=True):
            group.result = result
        for size in sorted({len(group.anchors) for group in groups} - {0}):
            anchored = [group for group in groups if len(group.anchors) == size]
            for group, result in zip(anchored, self._against(size)([group.with_anchors() for group in anchored]), strict=True):
                group.met = result
        for group in groups:
            group.reward(self.how)


class Against(Aggregator):
    """Every candidate meets each of the last `anchors` once; not registered, for its ranking is of no use by itself."""

    use: Literal["against-anchors"] = "against-anchors"
    anchors: int
    """How many of the candidates are anchors."""

    def tournament(self, size: int, seed: int) -> Generator[list[Match], list[Outcome], Ranking]:
        yield [Match(one, anchor) for one in range(size - self.anchors) for anchor in range(size - self.anchors, size)]
        return Ranking(tuple(range(size)), (0.0,) * size)


class _Group:
    """The completions of one prompt, and what becomes of them."""

    def __init__(self, prompt: str, places: Sequence[int], texts: Sequence[str], anchors: Sequence[str]) -> None:
        self.prompt, self.places, self.texts, self.anchors = prompt, places, texts, anchors
        self.distinct = self._in_order(texts)
        several = len(self.distinct) > 1 or not anchors
        self.answers = list(texts) if several else [*texts, *anchors]
        """Who has a place in the group: the completions, and the anchors where there is nothing else to compare one with."""
        self.contestants = self._in_order(self.answers)
        if len(self.contestants) == 1 and len(self.answers) > 1:
            self.contestants *= 2  # equal ones draw, without being judged
        self.result: TournamentResult | None = None
        self.met: TournamentResult | None = None
        self.rated: Rated | None = None
        self.rewards: list[SampleReward] = []

    def _in_order(self, texts: Sequence[str]) -> list[str]:
        """Each text once, in an order that depends on what they say; so seeds and brackets do not depend on which came first."""
        return sorted(dict.fromkeys(texts), key=lambda text: stable_id(self.prompt, text))

    def problem(self) -> Problem:
        return self._problem(self.contestants)

    def with_anchors(self) -> Problem:
        return self._problem([*self.distinct, *self._in_order(self.anchors)])

    def _problem(self, answers: Sequence[str]) -> Problem:
        return Problem(stable_id("reward", self.prompt, *answers), self.prompt, tuple(answers))

    def reward(self, how: Reward) -> None:
        """Make the rewards of what was played."""
        values = [None] * len(self.answers) if self.result is None else as_reward(self.of_all(self.result), how)
        shares, tokens = self._shares_against_anchors(), sum(one.tokens for one in self.played) / len(self.texts)
        self.rewards = [
            SampleReward(value, shares.get(text), "" if value is not None else self._reason(text), tokens)
            for text, value in zip(self.texts, values[: len(self.texts)], strict=True)
        ]

    def rate(self, ratings: Rated, how: Reward) -> None:
        """Make the rewards of ratings."""
        self.rated, tokens = ratings, ratings.tokens / len(self.texts)
        self.rewards = [
            SampleReward(value, ratings.absolute(text), ratings.ratings[text].reason, tokens)
            for text, value in zip(self.texts, ratings.values(self.texts, how), strict=True)
        ]

    def _shares_against_anchors(self) -> dict[str, float]:
        """Of each text its share of points in its own matches, whatever its siblings and equal anchors made of theirs."""
        points: dict[str, list[float]] = {}
        for one in () if self.met is None else self.met.played:
            if not one.undecided:
                points.setdefault(self.distinct[one.match.first], []).append(one.outcome.points)
        return {text: sum(won) / len(won) for text, won in points.items()}

    def met_whom(self) -> list[tuple[int, int, float | None]]:
        """The matches among the group's own, by their places in the call."""
        if self.result is None or len(self.contestants) < 2:
            return []
        place = {text: self.places[number] for number, text in reversed(list(enumerate(self.texts)))}
        met = [(self.contestants[one.match.first], self.contestants[one.match.second], one) for one in self.result.played]
        return [
            (place[first], place[second], None if one.undecided else one.outcome.points)
            for first, second, one in met
            if first != second and first in place and second in place
        ]

    def of_all(self, result: TournamentResult) -> TournamentResult:
        """The tournament of the contestants as one of all answers, in which equal ones stand where the first of them does."""
        at = [self.contestants.index(answer) for answer in self.answers]
        first = [self.answers.index(text) for text in self.contestants]
        best = sorted(range(len(at)), key=lambda place: result.ranking.order.index(at[place]))
        ranking = Ranking(tuple(best), tuple(result.ranking.ratings[place] for place in at))
        played = [replace(one, match=Match(first[one.match.first], first[one.match.second])) for one in result.played]
        return replace(result, problem=replace(result.problem, answers=tuple(self.answers)), ranking=ranking, played=played)

    def _reason(self, text: str) -> str:
        if self.result is None:
            return ALONE
        place = self.contestants.index(text)
        votes = Counter(vote.value for one in self.result.played if place in (one.match.first, one.match.second) for vote in one.votes)
        if votes:
            return f"none of its judgements could be read: {', '.join(f'{count} {name}' for name, count in votes.most_common())}"
        return f"the budget of {self.result.stopped} ended before it was compared"

    @property
    def votes(self) -> list[Outcome]:
        """What every judgement, or every vote of a match, came to."""
        votes = [vote for one in self.played for vote in one.votes]
        return votes if self.rated is None else [*votes, *self.rated.outcomes]

    @property
    def played(self) -> list[MatchResult]:
        return [one for result in (self.result, self.met) if result is not None for one in result.played]


def _groups_of(call: RewardCall) -> list[_Group]:
    texts = said(call.prompts, call.completions)
    if call.groups is not None and len(call.groups) != len(texts):
        raise DataError(f"there are {len(texts)} completions and {len(call.groups)} groups.\n  Remedy: name the group of each.")
    return _grouped(texts, call.groups, _anchor_texts(call.anchors, len(texts)))


def _in_place(groups: Sequence[_Group]) -> list[SampleReward]:
    """The rewards of all groups of a call, in the order of its completions."""
    found = {place: one for group in groups for place, one in zip(group.places, group.rewards, strict=True)}
    return [found[place] for place in range(len(found))]


def _grouped(texts: Sequence[tuple[str, str]], groups: Sequence[Hashable] | None, anchors: Sequence[Sequence[str]]) -> list[_Group]:
    """The groups in the order in which they begin; without names, completions that follow each other under one prompt."""
    places: dict[Hashable, list[int]] = {}
    run = 0
    for place, (prompt, _) in enumerate(texts):
        run += place > 0 and prompt != texts[place - 1][0]
        places.setdefault(run if groups is None else groups[place], []).append(place)
    found = []
    for name, group in places.items():
        prompts = {texts[place][0] for place in group}
        if len(prompts) > 1:
            raise DataError(f"groups: {name!r} has {len(prompts)} prompts.\n  Remedy: a group is the completions of one prompt.")
        fixed = dict.fromkeys(anchor for place in group for anchor in anchors[place])
        found.append(_Group(prompts.pop(), group, [texts[place][1] for place in group], list(fixed)))
    return found


def _anchor_texts(given: Any, size: int) -> list[list[str]]:
    """The reference answers of every completion: none, one, or several; an empty text is none."""
    if given is None:
        return [[] for _ in range(size)]
    if len(given) != size:
        raise DataError(f"there are {size} completions and {len(given)} anchors.\n  Remedy: give one, a list of some, or None for each.")
    found = []
    for number, one in enumerate(given, 1):
        some = [one] if isinstance(one, str) or (one and isinstance(one[0], Mapping)) else one or []
        found.append([text for text in (answer_text(anchor, f"anchor {number}") for anchor in some) if text])
    return found


def _counted(groups: Sequence[_Group]) -> dict[str, float]:
    """What a call took, in numbers alone and always by the same names, as every framework can log them."""
    rewards = [one for group in groups for one in group.rewards]
    played = [one for group in groups for one in group.played]
    votes = [vote for group in groups for vote in group.votes]
    absolute = [one.absolute for one in rewards if one.absolute is not None]
    return {
        "groups": len(groups),
        "samples": len(rewards),
        "repeated": sum(len(group.texts) - len(group.distinct) for group in groups),
        "undecided": sum(one.value is None for one in rewards) / max(1, len(rewards)),
        "absolute": sum(absolute) / len(absolute) if absolute else 0.0,
        "matches": len(played),
        "votes": len(votes),
        "unreadable": sum(not vote.decided for vote in votes) / max(1, len(votes)),
        "failed": sum(vote is Outcome.FAILED for vote in votes) / max(1, len(votes)),
        "tokens": sum(one.tokens for one in played) + sum(group.rated.tokens for group in groups if group.rated is not None),
    }
