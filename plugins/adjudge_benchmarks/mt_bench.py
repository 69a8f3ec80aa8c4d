"""MT-bench agreement: how often a judge votes as the people did who compared two models' answers.

{"question_id": 81, "model_a": "vicuna-13b", "model_b": "llama-13b", "winner": "model_a", "judge": "expert_3", "turn": 1,
 "conversation_a": [{"role": "user", "content": "…"}, …], "conversation_b": […]}

arXiv 2306.05685; rows of the data set ``lmsys/mt_bench_human_judgments``, metric of github.com/lm-sys/FastChat. Every human vote on a pair
and turn meets the judge's vote on it; agreement is the share of such meetings that are equal, for each turn. With ties, all are counted and
every kind of tie is one; without, a meeting is left out when either vote is a tie. The judge's vote is what both orders say, and a tie
where they disagree. Different here: a judgement without a verdict agrees with nothing and stays counted, where the authors have no such
case; the interval resamples pairs and not votes, because votes on one pair are not independent. The split ``gpt4_pair`` of the same data
set holds no people's votes, and is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from adjudge import Match, Outcome, Problem, RowError, text_field

from .judgements import Judged, Judgement, Scores
from .pandalm import agreed
from .row_benchmark import RowBenchmark
from .row_fields import VOTES, conversation, field, ident, listed, meaning, messages, said_text
from .statistics import Metric, bootstrap

TURNS = (1, 2)
GAMES = {"model_1": Outcome.FIRST, "model_2": Outcome.SECOND, "tie": Outcome.TIE, "error": Outcome.UNREADABLE}
"""What FastChat records of a game; an error is a reply without a verdict."""


class MtBench(RowBenchmark):
    """MT-bench: agreement with human votes, per turn, with and without ties."""

    use: Literal["mt-bench"] = "mt-bench"

    def sizes(self) -> Mapping[str, int | None]:
        return {f"turn {turn}": None for turn in TURNS}

    def _problems(self) -> Iterator[Problem]:
        """One problem per pair and turn, with all human votes on it."""
        votes: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
        first: dict[tuple[str, str, tuple[str, ...]], Problem] = {}
        for problem in super()._problems():
            key = (problem.id, problem.prompt, problem.answers)
            votes.setdefault(key, []).extend(problem.meta["votes"])
            first.setdefault(key, problem)
        for key, problem in first.items():
            yield Problem(problem.id, problem.prompt, problem.answers, None, {**problem.meta, "votes": votes[key]})

    def _read(self, row: dict[str, Any], where: str) -> Iterable[Problem]:
        turn, models = field(row, "turn", *TURNS), [text_field(row, "model_a"), text_field(row, "model_b")]
        _check_voter(row.get("judge"))
        said = [messages(listed(row, f"conversation_{side}")[: 2 * turn]) for side in "ab"]
        if any([message["role"] for message in side] != ["user", "assistant"] * turn for side in said):
            raise RowError(f"has a conversation that does not begin with {turn} turns of a user and an assistant")
        # Earlier answers differ between the sides, so what a side said all along is its answer.
        question = conversation([turns for turns in said[0] if turns["role"] == "user"])
        answers = [conversation([turns for turns in side if turns["role"] == "assistant"]) for side in said]
        vote = meaning(row, "winner", VOTES)
        flip = models != sorted(models)
        meta = {"group": f"turn {turn}", "votes": [(vote.mirrored if flip else vote).value]}
        yield Problem(_ident(row, sorted(models)), question, tuple(answers[::-1] if flip else answers), None, meta)

    def recorded(self, row: dict[str, Any]) -> Iterable[Judgement | Scores]:
        """A row of FastChat's pairwise judge: both games, whose winners are names already; ``error`` is no verdict."""
        models = [text_field(row, "model_1"), text_field(row, "model_2")]
        flip = models != sorted(models)
        for order, game in (("swapped" if flip else "given", "g1"), ("given" if flip else "swapped", "g2")):
            outcome = meaning(row, f"{game}_winner", GAMES)
            text, shown = said_text(row.get(f"{game}_judgment")), "given" if order == "given" else "swapped"
            outcome = outcome.mirrored if flip else outcome
            yield Judgement(_ident(row, sorted(models)), outcome, order="given" if shown == "given" else "swapped", text=text)

    def better(self, problem: Problem, match: Match) -> Outcome | None:
        """What all people say who voted on the pair; None where they disagree."""
        votes = {Outcome(vote) for vote in problem.meta["votes"]}
        return votes.pop() if len(votes) == 1 else None

    def score(self, judged: Sequence[Judged]) -> list[Metric]:
        metrics = []
        for turn in TURNS:
            group = f"turn {turn}"
            pairs = [meetings(one) for one in judged if one.group == group]
            decided = [[both for both in one if Outcome.TIE not in both] for one in pairs]
            metrics.append(bootstrap(f"{group}, ties counted", pairs, agreement, [group]))
            metrics.append(bootstrap(f"{group}, without ties", decided, agreement, [group]))
        return metrics


Meeting = tuple[Outcome, Outcome]


def meetings(one: Judged) -> list[Meeting]:
    """The judge's vote with every human vote on the same pair."""
    mine = agreed(one)
    return [(mine, Outcome(vote)) for vote in one.problem.meta["votes"]]


def agreement(pairs: Sequence[Sequence[Meeting]]) -> float | None:
    """Share of equal votes over all meetings; None without one."""
    all_met = [both for one in pairs for both in one]
    return sum(one == other for one, other in all_met) / len(all_met) if all_met else None


def _check_voter(judge: Any) -> None:
    """Raise `RowError` where a model voted, as in the split `gpt4_pair`, whose rows look like those of `human`."""
    names = judge if isinstance(judge, list) else [judge]
    if any(str(name).startswith("gpt-4") for name in names):
        raise RowError(f"has the vote of the judge {judge!r} and not of a person; the people's votes are the split 'human'")


def _ident(row: dict[str, Any], models: Sequence[str]) -> str:
    return f"{ident(row, 'question_id')}:{models[0]}:{models[1]}:{field(row, 'turn', *TURNS)}"
