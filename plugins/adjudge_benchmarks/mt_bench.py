"""MT-bench agreement: how often a judge votes as the people did who compared two models' answers.

{"question_id": 81, "model_a": "vicuna-13b", "model_b": "llama-13b", "winner": "model_a", "judge": "expert_3", "turn": 1,
 "conversation_a": [{"role": "user", "content": "…"}, …], "conversation_b": […]}

arXiv 2306.05685; rows of the data set ``lmsys/mt_bench_human_judgments``, metric of github.com/lm-sys/FastChat. Every human vote on a
pair and turn meets the judge's vote on it; agreement is the share of such meetings that are equal, for each turn. With ties, all are
counted and every kind of tie is one; without, a meeting is left out when either vote is a tie. The judge's vote is what both orders say,
and a tie where they disagree. Different here: a judgement without a verdict agrees with nothing and stays counted, where the authors have
no such case; the interval resamples pairs and not votes, because votes on one pair are not independent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from adjudge import Outcome, Problem, RowError, text_field

from .judgements import Judged, Judgement, Scores
from .pandalm import agreed
from .row_benchmark import RowBenchmark, conversation, field
from .statistics import Metric, bootstrap

TURNS = (1, 2)
VOTES = {"model_a": Outcome.FIRST, "model_1": Outcome.FIRST, "model_b": Outcome.SECOND, "model_2": Outcome.SECOND, "tie": Outcome.TIE}


class MtBench(RowBenchmark):
    """MT-bench: agreement with human votes, per turn, with and without ties."""

    use: Literal["mt-bench"] = "mt-bench"

    def sizes(self) -> Mapping[str, int | None]:
        return {f"turn {turn}": None for turn in TURNS}

    def _problems(self) -> Iterator[Problem]:
        """One problem per pair and turn, with all human votes on it."""
        votes: dict[str, list[str]] = {}
        first: dict[str, Problem] = {}
        for problem in super()._problems():
            votes.setdefault(problem.id, []).extend(problem.meta["votes"])
            first.setdefault(problem.id, problem)
        for problem in first.values():
            yield Problem(problem.id, problem.prompt, problem.answers, None, {**problem.meta, "votes": votes[problem.id]})

    def _read(self, row: dict[str, Any], where: str) -> Iterable[Problem]:
        turn, models = field(row, "turn", *TURNS), [text_field(row, "model_a"), text_field(row, "model_b")]
        said = [field(row, f"conversation_{side}")[: 2 * turn] for side in "ab"]
        if any(len(turns) < 2 * turn for turns in said):
            raise RowError(f"has a conversation of less than {turn} turns")
        # Earlier answers differ between the sides, so what a side said all along is its answer.
        question = conversation([turns for turns in said[0] if turns.get("role") == "user"])
        answers = [conversation([turns for turns in side if turns.get("role") == "assistant"]) for side in said]
        vote = VOTES.get(text_field(row, "winner"), Outcome.TIE)
        flip = models != sorted(models)
        meta = {"group": f"turn {turn}", "votes": [(vote.mirrored if flip else vote).value]}
        yield Problem(_ident(row, sorted(models)), question, tuple(answers[::-1] if flip else answers), None, meta)

    def recorded(self, row: dict[str, Any]) -> Iterable[Judgement | Scores]:
        """A row of FastChat's pairwise judge: both games, whose winners are names already; ``error`` is no verdict."""
        models = [text_field(row, "model_1"), text_field(row, "model_2")]
        flip = models != sorted(models)
        for order, game in (("swapped" if flip else "given", "g1"), ("given" if flip else "swapped", "g2")):
            outcome = VOTES.get(text_field(row, f"{game}_winner"), Outcome.UNREADABLE)
            text, shown = str(row.get(f"{game}_judgment", "")), "given" if order == "given" else "swapped"
            outcome = outcome.mirrored if flip else outcome
            yield Judgement(_ident(row, sorted(models)), outcome, order="given" if shown == "given" else "swapped", text=text)

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


def _ident(row: dict[str, Any], models: Sequence[str]) -> str:
    return f"{field(row, 'question_id')}:{models[0]}:{models[1]}:{field(row, 'turn')}"
