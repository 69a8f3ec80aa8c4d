"""The benchmark contract: records on disk are judged once and scored later, failures are left out and named, a part is never the whole."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path as FilePath
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adjudge import (
    Completion,
    ConfigError,
    DataError,
    Judge,
    Match,
    Message,
    Order,
    Outcome,
    PluginError,
    Problem,
    ReasoningPath,
    Records,
    Verdict,
)
from adjudge_benchmarks import (
    Benchmark,
    Judged,
    Judgement,
    Metric,
    Scores,
    by_coin,
    evenly,
    exported,
    join,
    judge_problems,
    judged_by,
    proportion,
    read_recorded,
    score_records,
)

PAIRS = [Problem(f"p{n}", f"larger? {n}", (str(n + 1), str(n)), 0, {"group": "even" if n % 2 == 0 else "odd"}) for n in range(4)]


class Larger(Benchmark):
    """Which number is larger?"""

    use: Literal["larger"] = "larger"

    def load(self) -> list[Problem]:
        return PAIRS

    def sizes(self) -> Mapping[str, int | None]:
        return {"even": 2, "odd": 2}

    def score(self, judged: Sequence[Judged]) -> list[Metric]:
        right = {group: [one.credit(0, 1) for one in judged if one.group == group] for group in ("even", "odd")}
        return [
            proportion("all", [*right["even"], *right["odd"]]),
            *(proportion(group, values, [group]) for group, values in right.items()),
        ]


class Plain(Judge):
    """Shows both and reads a word."""

    use: Literal["plain"] = "plain"

    def prompt(self, problem: Problem, order: Order) -> list[Message]:
        return [{"role": "user", "content": " ".join(problem.answers if order == "given" else problem.answers[::-1])}]

    def parse(self, text: str) -> Verdict:
        return Verdict(Outcome(text)) if text in ("first", "second", "tie") else Verdict(Outcome.UNREADABLE)


class Session:
    """Prefers the larger number; stops after so many answers, or fails every call."""

    def __init__(self, stop: int | None = None, error: str | None = None) -> None:
        self.asked, self.stop, self.error = 0, stop, error

    def sample(self, prompts: Sequence[list[Message]], **_: Any) -> Iterator[tuple[int, Completion]]:
        for index, [message] in enumerate(prompts):
            if self.asked == self.stop:
                raise KeyboardInterrupt
            self.asked += 1
            one, other = map(int, message["content"].split())
            yield index, Completion("" if self.error else "first" if one > other else "second", (1, 2), (1, 2), error=self.error)


def figures(result: Mapping[str, Any]) -> dict[str, tuple[float | None, int, bool]]:
    return {one["name"]: (one["value"], one["n"], one["official"]) for one in result["figures"]}


def judge_all(folder: FilePath, session: Session, order: Literal["both", "fixed"] = "both") -> Records:
    records = Records(folder / "judgements.jsonl")
    judge_problems(Larger(), PAIRS, Plain(order=order), session, records)  # type: ignore[arg-type]
    return records


# On disk ------------------------------------------------------------------------------------------------------------------


def test_judging_writes_records_and_scoring_reads_them(tmp_path: FilePath) -> None:
    records = judge_all(tmp_path, Session())
    said = read_recorded(Larger(), [records.file])
    assert len(said) == 8
    result = score_records(Larger(), PAIRS, said)
    assert figures(result) == {"all": (1.0, 4, True), "even": (1.0, 2, True), "odd": (1.0, 2, True)}
    assert (result["judgements"], result["consistency"], result["mean_tokens"]) == (8, 1.0, 2.0)
    assert result["outcomes"]["first"] == 1.0, "outcomes are in the problem's order, whichever was shown"


def test_a_stopped_judging_goes_on_and_asks_nothing_twice(tmp_path: FilePath) -> None:
    with pytest.raises(KeyboardInterrupt):
        judge_all(tmp_path, Session(stop=3))
    rest = Session()
    records = judge_all(tmp_path, rest)
    assert (rest.asked, len(records.ids)) == (5, 8)
    whole = judge_all(tmp_path / "whole", Session())
    assert sorted(records.ids) == sorted(whole.ids)


def test_a_failed_call_is_recorded_named_and_asked_again(tmp_path: FilePath) -> None:
    records = judge_all(tmp_path, Session(error="timeout"))
    result = score_records(Larger(), PAIRS, read_recorded(Larger(), [records.file]))
    assert result["outcomes"]["failed"] == 1.0
    assert figures(result)["all"] == (None, 0, False), "a failure is no score"
    again = Session()
    judge_all(tmp_path, again)
    assert again.asked == 8


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ('{"problem_id": "p0", "outcome": "first"}\n{"problem_id": "p0", "outcome": "second"}\n', "a second judgement of the same pair"),
        ('{"problem_id": "p0", "outcome": "better"}\n', "line 1 is no recorded judgement: outcome"),
        ('[{"problem_id": "p0", "scores": ["a", 1]}]', "row 1 is no recorded judgement: scores.0"),
        ('{"winner": "a"}\n', "line 1 has no field 'problem_id'"),
        ("[1]", "row 1 is a int, not an object"),
        ("[", "begins with '\\[' and is not JSON"),
    ],
)
def test_records_that_cannot_be_scored_are_named(tmp_path: FilePath, rows: str, message: str) -> None:
    file = tmp_path / "said.json"
    file.write_text(rows)
    with pytest.raises(DataError, match=message) as caught:
        read_recorded(Larger(), [file])
    assert "Remedy" in str(caught.value)
    assert str(file) in str(caught.value)


def test_records_of_other_answers_are_refused_and_of_other_problems_counted() -> None:
    with pytest.raises(DataError, match="3 scores for problem p0, which has 2 answers"):
        score_records(Larger(), PAIRS, [Scores("p0", (1, 2, 3))])
    with pytest.raises(DataError, match="answers 0 and 2 for problem p0"):
        score_records(Larger(), PAIRS, [Judgement("p0", Outcome.FIRST, 0, 2)])
    with pytest.raises(ConfigError, match="none of the records is about a problem"):
        score_records(Larger(), PAIRS, [Judgement("elsewhere", Outcome.FIRST)])
    found = score_records(Larger(), PAIRS, [Judgement("p0", Outcome.FIRST), Judgement("elsewhere", Outcome.FIRST)])
    assert found["unmatched_records"] == 1


def test_exported_problems_come_back_with_scores(tmp_path: FilePath) -> None:
    rows = [{**row, "scores": [float(answer) for answer in row["answers"]]} for row in exported(PAIRS)]
    file = tmp_path / "scores.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert figures(score_records(Larger(), PAIRS, read_recorded(Larger(), [file])))["all"] == (1.0, 4, True)


# Official or not ----------------------------------------------------------------------------------------------------------


def test_a_figure_is_official_only_over_complete_groups() -> None:
    result = score_records(Larger(), PAIRS, [Judgement(f"p{n}", Outcome.FIRST) for n in (0, 2, 3)])
    assert figures(result) == {"all": (1.0, 3, False), "even": (1.0, 2, True), "odd": (1.0, 1, False)}
    assert result["figures"][0]["incomplete_groups"] == ["odd"]
    assert result["groups"]["odd"] == {"judged": 1, "of": 2}


def test_a_group_of_unknown_size_is_never_complete() -> None:
    class Unknown(Larger):
        def sizes(self) -> Mapping[str, int | None]:
            return {"even": 2, "odd": None}

    result = score_records(Unknown(), PAIRS, [Judgement(problem.id, Outcome.FIRST) for problem in PAIRS])
    assert [one["official"] for one in result["figures"]] == [False, True, False]


def test_one_failed_order_leaves_its_problem_out() -> None:
    said = [Judgement("p0", Outcome.FIRST), Judgement("p0", Outcome.FAILED, order="swapped"), Judgement("p1", Outcome.UNREADABLE)]
    result = score_records(Larger(), PAIRS, said)
    assert result["problems"] == 1
    assert figures(result)["all"] == (0.0, 1, False)
    assert (result["outcomes"]["failed"], result["outcomes"]["unreadable"]) == (1 / 3, 1 / 3)


def test_a_metric_that_raises_is_an_error_that_names_its_benchmark() -> None:
    class Broken(Larger):
        def score(self, judged: Sequence[Judged]) -> list[Metric]:
            raise KeyError("x")

    with pytest.raises(PluginError, match=r"'larger'.*raised in score"):
        score_records(Broken(), PAIRS, [Judgement("p0", Outcome.FIRST)])


def test_a_group_that_is_left_out_of_the_data_is_named_and_nothing_breaks() -> None:
    class Sizeless(Larger):
        def sizes(self) -> Mapping[str, int | None]:
            return {}

    even = [problem for problem in PAIRS if problem.meta["group"] == "even"]
    result = score_records(Sizeless(), even, [Judgement(problem.id, Outcome.FIRST) for problem in even])
    assert figures(result) == {"all": (1.0, 2, False), "even": (1.0, 2, True), "odd": (None, 0, False)}
    assert result["groups"]["odd"] == {"judged": 0, "of": None}


def test_orders_that_both_say_tie_agree_and_a_failed_call_is_in_no_rate_of_consistency() -> None:
    def said(problem: str, given: Outcome, swapped: Outcome) -> list[Judgement]:
        return [Judgement(problem, given), Judgement(problem, swapped, order="swapped")]

    tied = said("p0", Outcome.TIE, Outcome.TIE)
    assert score_records(Larger(), PAIRS, tied)["consistency"] == 1.0
    failed = said("p1", Outcome.FIRST, Outcome.FAILED)
    assert score_records(Larger(), PAIRS, [*tied, *failed])["consistency"] == 1.0
    unreadable = said("p2", Outcome.UNREADABLE, Outcome.UNREADABLE)
    assert score_records(Larger(), PAIRS, [*tied, *unreadable])["consistency"] == 0.5


def test_samples_in_one_order_are_not_two_orders() -> None:
    said = [Judgement("p0", Outcome.FIRST), Judgement("p0", Outcome.SECOND, index=1)]
    result = score_records(Larger(), PAIRS, said)
    assert (result["consistency"], result["judgements"]) == (None, 2)
    [one] = [item for item in join(PAIRS, said)[0] if item.judgements]
    assert one.samples() == [(Outcome.FIRST,), (Outcome.SECOND,)]


# What was said ------------------------------------------------------------------------------------------------------------


def test_outcomes_are_seen_from_the_side_that_asks() -> None:
    one = Judged(PAIRS[0], (Judgement("p0", Outcome.SECOND, order="swapped"), Judgement("p0", Outcome.TIE)))
    assert one.outcomes(0, 1) == (Outcome.TIE, Outcome.SECOND)
    assert one.outcomes(1, 0) == (Outcome.TIE, Outcome.FIRST)
    assert (one.credit(0, 1), one.credit(1, 0), one.credit(1, 0, tie=0.0)) == (0.25, 0.75, 0.5)


def test_equal_scores_are_a_tie_that_earns_nothing() -> None:
    one = Judged(PAIRS[0], scores=(1.0, 1.0))
    assert (one.outcomes(), one.credit(0, 1), one.credit(1, 0)) == ((Outcome.TIE,), 0.0, 0.0)
    assert Judged(PAIRS[0], scores=(2.0, 1.0)).credit(0, 1) == 1.0


def test_paths_become_judgements_in_the_problems_own_order() -> None:
    path = ReasoningPath("i", "p0", "swapped", 2, Completion("text", (1, 2, 3)), Verdict(Outcome.FIRST))
    item = judged_by(PAIRS, [path])[0]
    assert item.judgements == (Judgement("p0", Outcome.SECOND, order="swapped", index=2, text="text", tokens=3, id="i"),)


@given(st.sampled_from(list(Outcome)), st.booleans())
def test_mirrored_records_say_the_same(outcome: Outcome, swapped: bool) -> None:
    order: Order = "swapped" if swapped else "given"
    one = Judged(PAIRS[0], (Judgement("p0", outcome, 0, 1, order),))
    other = Judged(PAIRS[0], (Judgement("p0", outcome.mirrored, 1, 0, order),))
    assert one.outcomes() == other.outcomes()


def test_pairs_of_many_answers_are_the_right_one_with_each_other_by_a_coin() -> None:
    problems = [Problem(f"q{n}", "best?", ("a", "b", "c"), 1) for n in range(100)]
    pairs = [match for problem in problems for match in Larger().pairs(problem)]
    assert {frozenset((match.first, match.second)) for match in pairs} == {frozenset((0, 1)), frozenset((1, 2))}
    assert 60 < sum(match.first == 1 for match in pairs) < 140, "the right answer is not always first"
    assert by_coin(problems[0], 2, 0) == by_coin(problems[0], 0, 2)
    assert Larger().pairs(PAIRS[0]) == [Match(0, 1)]


@given(st.integers(1, 50), st.integers(1, 60))
def test_a_limit_takes_evenly_from_all(size: int, limit: int) -> None:
    problems = [Problem(str(n), "", ()) for n in range(size)]
    found = [int(problem.id) for problem in evenly(problems, limit)]
    assert len(found) == min(size, limit) == len(set(found))
    assert evenly(problems, None) == problems
    assert max(b - a for a, b in zip([*found, size], [*found[1:], size, size], strict=True)) <= size // min(size, limit) + 1


@given(st.integers(1, 5), st.integers(1, 20), st.integers(1, 100))
def test_a_limit_leaves_every_group_its_share_though_groups_take_turns(groups: int, each: int, limit: int) -> None:
    problems = [Problem(str(place), "?", ("a", "b"), 0, {"group": str(place % groups)}) for place in range(groups * each)]
    found = Counter(problem.meta["group"] for problem in evenly(problems, limit))
    shares = [found[str(group)] for group in range(groups)]
    assert max(shares) - min(shares) <= 1
