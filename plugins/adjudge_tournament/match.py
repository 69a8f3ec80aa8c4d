"""One match between two answers: the votes it still needs while it is played, and how it went."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from adjudge import Judge, JudgeRequest, Match, Outcome, Problem, ReasoningPath, build_requests, combine
from adjudge_judges import tokens_spent

from .soft import mean, points_of, tied_in
from .voting import Voting, disagree, majority, usual_failure


@dataclass(frozen=True, slots=True)
class MatchResult:
    """A match as it went."""

    problem_id: str
    round: int
    match: Match
    outcome: Outcome
    """first, second or tie; a failure only where the match was dropped, which no scheme and no rating ever sees."""
    votes: tuple[Outcome, ...]
    """What each vote said, replays included; none where two answers with the same text were a tie without being judged."""
    inconsistent: int | None
    """Votes whose two orders were read and disagree, each of which counts as a tie; None when votes are shown in one order only."""
    path_ids: tuple[str, ...]
    tokens: int
    """Tokens that the judge wrote."""
    probability: float | None = None
    """That the first is better, over all votes that decide, where the scheme counts by that; None = it counts by who won."""

    tied: float = 0.0
    """The share of those votes that say *tie*, where the scheme counts by probabilities."""

    @property
    def points(self) -> float:
        """What the first slot gets of the match's one point. Raises `ValueError` for one that was dropped."""
        return self.outcome.points if self.probability is None else self.probability

    @property
    def undecided(self) -> bool:
        """Whether no vote could be read, replays included, so that the outcome is nobody's judgement."""
        return bool(self.votes) and not any(vote.decided for vote in self.votes)

    @property
    def dropped(self) -> bool:
        """Whether the match is left out of the ranking."""
        return not self.outcome.decided


@dataclass(slots=True)
class OpenMatch:
    """A match in play."""

    pair: Problem
    match: Match
    judge: Judge
    voting: Voting
    seed: int
    purpose: tuple[str, int, int]
    """What its judgements are for: round and place in its own group, so that their seeds do not depend on the other groups."""
    attempt: int = 0
    start: int = 0
    """Where the votes of this attempt begin."""
    votes: list[Outcome] = field(default_factory=list)
    paths: list[ReasoningPath] = field(default_factory=list)
    disagreements: int = 0
    soft: bool = False
    """Whether its scheme counts by probabilities; every vote then says something, and only a stated doubt stops them early."""
    shares: list[float] = field(default_factory=list)
    """What the first slot gets of every vote that decides."""
    ties: list[float] = field(default_factory=list)
    """What of each of them says *tie*."""

    @property
    def free(self) -> bool:
        """Whether it is a tie without a judge."""
        return self.voting.same == "tie" and len(set(self.pair.answers)) == 1

    def wanted(self) -> int:
        """How many votes to ask for now; a match without a readable one may start again."""
        if self.free:
            return 0
        more = self._more(self.votes[self.start :])
        again = self.voting.on_unreadable == "retry" and self.attempt < self.voting.replays
        if more == 0 and again and majority(self.votes) is None:
            self.attempt, self.start = self.attempt + 1, len(self.votes)
            return self._more([])
        return more

    def _more(self, cast: Sequence[Outcome]) -> int:
        """How many further votes to ask for now."""
        return self.voting.votes - len(cast) if self.soft and self.voting.confidence is None else self.voting.more(cast)

    def requests(self, count: int) -> list[JudgeRequest]:
        """The requests of the next so many votes."""
        done, purpose = len(self.votes) - self.start, [*self.purpose, self.attempt]
        requests = build_requests([self.pair], self.judge, samples=self.voting.votes, seed=self.seed, purpose=purpose)
        return [request for request in requests if done <= request.index < done + count]

    def take(self, paths: Sequence[ReasoningPath]) -> int:
        """Count these judgements, and say how many votes they are."""
        ballots: dict[int, list[ReasoningPath]] = {}
        for path in paths:
            ballots.setdefault(path.index, []).append(path)
        self.votes += map(combine, ballots.values())
        self.paths += paths
        self.disagreements += sum(map(disagree, ballots.values()))
        for ballot in ballots.values():
            if (points := points_of(ballot)) is not None:
                self.shares.append(points)
                self.ties.append(tied_in(ballot))
        return len(ballots)

    def played(self, problem: Problem) -> MatchResult:
        """The match of this problem as it went, as far as it went."""
        default = usual_failure(self.votes) if self.votes and self.voting.on_unreadable == "drop" else Outcome.TIE
        outcome = majority(self.votes) or default
        return MatchResult(
            problem.id, self.purpose[1], self.match, outcome, tuple(self.votes),
            self.disagreements if self.judge.order == "both" else None,
            tuple(path.id for path in self.paths), sum(map(tokens_spent, self.paths)),
            self._share(outcome) if self.soft else None,
            self._tied(outcome) if self.soft else 0.0,
        )  # fmt: skip

    def _share(self, outcome: Outcome) -> float | None:
        """What the first slot gets in the mean of all votes that decide, and of a match without one by its outcome."""
        return mean(self.shares) if self.shares else outcome.points if outcome.decided else None

    def _tied(self, outcome: Outcome) -> float:
        """The share of these votes that is a tie; a match without one is what its outcome says."""
        return mean(self.ties) or 0.0 if self.ties else float(outcome is Outcome.TIE)
