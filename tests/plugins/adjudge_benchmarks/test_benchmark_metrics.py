"""Every benchmark's metric on rows small enough to compute by hand, and its rows and their mistakes as its file describes them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adjudge import ConfigError, DataError, Dataset, Outcome, Plugins, Problem
from adjudge.testing import check_component
from adjudge_benchmarks import Benchmark, Judgement, Scores, read_recorded, score_records

PLUGINS = Plugins.load(autoload=False)
BENCHMARKS = [name for name, entry in PLUGINS.of_kind(Dataset).items() if entry.source.plugin == "adjudge_benchmarks"]
FIRST, SECOND, TIE, UNREADABLE, FAILED = Outcome.FIRST, Outcome.SECOND, Outcome.TIE, Outcome.UNREADABLE, Outcome.FAILED


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values are what is tested here; intervals are tested with the statistics."""
    monkeypatch.setattr("adjudge_benchmarks.statistics.RESAMPLES", 29)


def make(use: str, place: Path, rows: list[Any] | None = None, **options: Any) -> tuple[Benchmark, list[Problem]]:
    """The benchmark over these rows, written to the file `place`, and its problems."""
    if rows is not None:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps(rows) if place.suffix == ".json" else "".join(json.dumps(row) + "\n" for row in rows))
    benchmark = PLUGINS.pick(Dataset, use)(data=str(place), **options)
    return benchmark, list(benchmark.load())


def values(benchmark: Benchmark, problems: list[Problem], said: Iterable[Judgement | Scores]) -> dict[str, Any]:
    return {one["name"]: one["value"] for one in score_records(benchmark, problems, said)["figures"]}


def both(problem: Problem, given: Outcome, swapped: Outcome) -> list[Judgement]:
    """Two judgements of a pair, both told in the problem's order."""
    return [Judgement(problem.id, given), Judgement(problem.id, swapped, order="swapped")]


def rightly(problem: Problem, right: float) -> Outcome:
    """The outcome that is right (1), wrong (0) or a tie (0.5)."""
    label = problem.label or 0
    return {1.0: (FIRST, SECOND)[label], 0.0: (SECOND, FIRST)[label], 0.5: TIE}[right]


def test_every_benchmark_is_documented_and_survives_saving() -> None:
    assert len(BENCHMARKS) == 11
    for name in BENCHMARKS:
        check_component(PLUGINS.pick(Dataset, name)(data="somewhere"))


# RewardBench --------------------------------------------------------------------------------------------------------------


def rewardbench_row(number: int, subset: str) -> dict[str, Any]:
    return {"id": number, "subset": subset, "prompt": f"p{number}", "chosen": f"good {number}", "rejected": f"bad {number}"}


def test_rewardbench_weighs_subsets_by_prompts_and_sections_alike(tmp_path: Path) -> None:
    subsets = ["alpacaeval-easy", "mt-bench-easy", "math-prm", "math-prm", "hep-cpp", "donotanswer"]
    benchmark, problems = make("rewardbench", tmp_path / "rows.jsonl", [rewardbench_row(n, subset) for n, subset in enumerate(subsets)])
    found = values(benchmark, problems, [Judgement(p.id, rightly(p, r)) for p, r in zip(problems, (1, 0, 1, 0, 1, 0.5), strict=True)])
    chat, reasoning = 100 / 128, (984 * 0.5 + 164 * 1) / (984 + 164)
    assert found["Chat"] == pytest.approx(chat)
    assert found["Reasoning"] == pytest.approx(reasoning)
    assert (found["Safety"], found["Chat Hard"]) == (0.5, None)
    assert found["overall"] == pytest.approx((chat + reasoning + 0.5) / 3)


def test_rewardbench_counts_no_verdict_as_half_unless_told(tmp_path: Path) -> None:
    benchmark, problems = make("rewardbench", tmp_path / "rows.jsonl", [rewardbench_row(0, "hep-go")])
    assert values(benchmark, problems, [Judgement(problems[0].id, UNREADABLE)])["hep-go"] == 0.5
    strict, _ = make("rewardbench", tmp_path / "rows.jsonl", unreadable=0.0)
    assert values(strict, problems, [Judgement(problems[0].id, UNREADABLE)])["hep-go"] == 0.0
    assert values(strict, problems, [Scores(problems[0].id, (1.0, 1.0))])["hep-go"] == 0.0, "a scalar model must be strictly above"


def test_rewardbench_has_as_many_rows_as_the_paper() -> None:
    sizes = PLUGINS.pick(Dataset, "rewardbench")(data="x").sizes()
    assert (sum(sizes.values()), len(sizes), sizes["math-prm"]) == (2985, 23, 447)
    assert sum(PLUGINS.pick(Dataset, "rewardbench-2")(data="x").sizes().values()) == 1865
    assert sum(PLUGINS.pick(Dataset, "rm-bench")(data="x").sizes().values()) == 1327


def v2_row(ident: str, subset: str, right: int = 1, wrong: int = 3) -> dict[str, Any]:
    texts = {"chosen": [f"good {n}" for n in range(right)], "rejected": [f"bad {n}" for n in range(wrong)]}
    return {"id": ident, "subset": subset, "prompt": f"{subset} {ident}", **texts}


def test_rewardbench_2_shares_the_top_and_scores_ties_by_gaps(tmp_path: Path) -> None:
    rows = [v2_row("1", "Math"), v2_row("2", "Math"), v2_row("3", "Focus"), v2_row("ref:7", "Ties", 1, 2), v2_row("tied:7", "Ties", 3, 2)]
    benchmark, problems = make("rewardbench-2", tmp_path / "rows.jsonl", rows)
    scores = [(3, 3, 1, 0), (2, 3, 1, 0), (9, 1, 1, 1), (5, 1, 0), (9, 8, 7, 4, 1)]
    found = values(benchmark, problems, [Scores(p.id, s) for p, s in zip(problems, scores, strict=True)])
    assert (found["Math"], found["Focus"], found["Safety"]) == (0.25, 1.0, None)
    # ref: gap 5 - 1 = 4; tied: gap 7 - 4 = 3, spread 9 - 7 = 2; both right, both gaps above the spread.
    ties = 0.3 + 0.3 + 0.2 + 0.2 + 0.01 * math.tanh(3 / 2 - 1)
    assert found["Ties"] == pytest.approx(ties)
    assert found["overall"] == pytest.approx((0.25 + 1.0 + ties) / 3)


def test_rewardbench_2_with_a_narrow_or_wrong_gap(tmp_path: Path) -> None:
    rows = [v2_row("ref:7", "Ties", 1, 1), v2_row("tied:7", "Ties", 2, 1)]
    benchmark, problems = make("rewardbench-2", tmp_path / "rows.jsonl", rows)
    found = values(benchmark, problems, [Scores(problems[0].id, (1, 2)), Scores(problems[1].id, (9, 5, 2))])
    assert found["Ties"] == pytest.approx(0.3 + 0.01 * math.tanh(-1 / 4 - 1)), "tied right (gap 3, spread 4), reference wrong (gap -1)"


def test_rewardbench_2_asks_a_pairwise_judge_about_each_wrong_answer(tmp_path: Path) -> None:
    benchmark, problems = make("rewardbench-2", tmp_path / "rows.jsonl", [v2_row("1", "Math"), v2_row("tied:1", "Ties", 2, 2)])
    assert (len(benchmark.pairs(problems[0])), benchmark.pairs(problems[1])) == (3, [])
    wins = [Judgement(problems[0].id, FIRST, 0, other) for other in (1, 2, 3)]
    result = score_records(benchmark, problems, wins)
    assert {one["name"]: one["value"] for one in result["figures"]}["Math"] == 1.0
    assert result["groups"]["Ties"]["judged"] == 0, "a prompt of Ties is judged by scores or not at all"
    assert values(benchmark, problems, [*wins[:2], Judgement(problems[0].id, TIE, 0, 3)])["Math"] == 0.0


# RM-Bench and RMB ---------------------------------------------------------------------------------------------------------


def rm_row(number: int, **more: Any) -> dict[str, Any]:
    sides = {side: [f"{side} {style} {number}" for style in range(3)] for side in ("chosen", "rejected")}
    return {"id": number, "prompt": f"p{number}", **sides, **more}


def cells(problem: Problem, right: set[tuple[int, int]]) -> list[Judgement]:
    """All nine cells, won where named, each recorded from the other side now and then."""
    made = []
    for i in range(3):
        for j in range(3):
            outcome = FIRST if (i, j) in right else SECOND
            straight = Judgement(problem.id, outcome, i, 3 + j)
            made.append(Judgement(problem.id, outcome.mirrored, 3 + j, i) if (i + j) % 2 else straight)
    return made


def test_rm_bench_reads_the_matrix_by_style(tmp_path: Path) -> None:
    benchmark, problems = make("rm-bench", tmp_path / "chat_filtered.json", [rm_row(8), rm_row(9)])
    assert [problem.id for problem in problems] == ["chat-8", "chat-9"]
    # The first falls for style: right where the chosen answer is the richer one, and on one cell of the diagonal.
    style = cells(problems[0], {(1, 0), (2, 0), (2, 1), (1, 1)})
    substance = cells(problems[1], {(i, j) for i in range(3) for j in range(3)} - {(0, 2)})
    found = values(benchmark, problems, [*style, *substance])
    assert found["chat hard"] == pytest.approx((0 + 2 / 3) / 2)
    assert found["chat normal"] == pytest.approx((1 / 3 + 1) / 2)
    assert found["chat easy"] == 1.0
    assert found["chat total"] == found["total"] == pytest.approx((4 / 9 + 8 / 9) / 2)


def test_rm_bench_pools_safety_and_averages_domains(tmp_path: Path) -> None:
    every = {(i, j) for i in range(3) for j in range(3)}
    make("rm-bench", tmp_path / "code_filtered.json", [rm_row(8)])
    make("rm-bench", tmp_path / "safety-refuse_filtered.json", [rm_row(1), rm_row(2), rm_row(3)])
    make("rm-bench", tmp_path / "safety-response_filtered.json", [rm_row(8)])
    benchmark, problems = make("rm-bench", tmp_path)
    won = {"code-8": every, "safety-response-8": every}
    found = values(benchmark, problems, [one for problem in problems for one in cells(problem, won.get(problem.id, set()))])
    assert (found["safety total"], found["code total"]) == (0.25, 1.0)
    assert found["total"] == pytest.approx((0.25 + 1.0) / 2)


def test_rm_bench_takes_the_joint_file_and_refuses_other_domains(tmp_path: Path) -> None:
    _, [problem] = make("rm-bench", tmp_path / "total_dataset.json", [rm_row(8, domain="math")])
    assert (problem.id, problem.meta["group"]) == ("math-8", "math")
    with pytest.raises(DataError, match="row 1 has the domain 'law'"):
        make("rm-bench", tmp_path / "total_dataset.json", [rm_row(8, domain="law")])


def rmb_pair(number: int, goal: str = "Helpfulness") -> dict[str, Any]:
    sides = {"chosen": {"llm_name": "a", "answer": f"good {number}"}, "reject": {"llm_name": "b", "answer": f"bad {number}"}}
    return {"pair_uid": str(number), "category_path": f"Pairwise_set/{goal}/Chat", **sides, "conversation_input": turns("hi")}


def rmb_bon(number: int, goal: str = "Harmlessness") -> dict[str, Any]:
    answers = {"bon_best": {"answer": "best"}, "loser_list": [{"answer": "worse"}, {"answer": "worst"}]}
    return {"bon_uid": str(number), "category_path": f"BoN_set/{goal}/S1", **answers, "conversation_input": turns("one", "two", "three")}


def turns(*contents: str) -> list[dict[str, str]]:
    return [{"role": ("user", "assistant")[index % 2], "content": content} for index, content in enumerate(contents)]


def test_rmb_wants_the_best_to_beat_every_loser(tmp_path: Path) -> None:
    benchmark, problems = make("rmb", tmp_path / "rows.jsonl", [rmb_pair(1), rmb_pair(2), rmb_bon(1), rmb_bon(2)])
    assert problems[2].prompt == "User: one\n\nAssistant: two\n\nUser: three"
    said = [Judgement(p.id, rightly(p, r)) for p, r in zip(problems, (1, 0.5), strict=False)]
    said += [Judgement(problems[2].id, FIRST, 0, 1), Judgement(problems[2].id, SECOND, 2, 0)]
    said += [Judgement(problems[3].id, FIRST, 0, 1), Judgement(problems[3].id, TIE, 0, 2)]
    found = values(benchmark, problems, said)
    assert (found["pairwise helpfulness"], found["best-of-N harmlessness"], found["pairwise harmlessness"]) == (0.75, 0.5, None)
    assert found["overall"] == pytest.approx((0.75 + 0.5) / 2)
    scalar = values(benchmark, problems, [Scores(problems[2].id, (3, 1, 2)), Scores(problems[3].id, (3, 3, 2))])
    assert scalar["best-of-N harmlessness"] == 0.5, "a tie with a loser is not a win"


# JudgeBench, LLMBar, PandaLM, Auto-J --------------------------------------------------------------------------------------


def judgebench_row(number: int, label: str = "A>B") -> dict[str, Any]:
    model = {"source": "mmlu-pro-law", "response_model": "gpt-4o-2024-05-13"}
    return {"pair_id": f"j{number}", **model, "question": "q", "response_A": f"a{number}", "response_B": "b", "label": label}


def test_judgebench_adds_up_both_orders(tmp_path: Path) -> None:
    labels = ["A>B", "A>B", "B>A", "A>B", "B>A"]
    benchmark, problems = make("judgebench", tmp_path / "rows.jsonl", [judgebench_row(n, label) for n, label in enumerate(labels)])
    said = [(FIRST, FIRST), (FIRST, SECOND), (SECOND, TIE), (UNREADABLE, FIRST), (TIE, TIE)]
    found = values(benchmark, problems, [one for p, two in zip(problems, said, strict=True) for one in both(p, *two)])
    assert found["gpt-4o accuracy"] == found["gpt-4o knowledge"] == 3 / 5, "both right; disagree; one and a tie; one and none; two ties"
    assert found["gpt-4o first order only"] == 3 / 5
    single = values(benchmark, problems, [Judgement(p.id, FIRST) for p in problems])
    assert (single["gpt-4o accuracy"], single["gpt-4o first order only"]) == (None, 3 / 5)
    scalar = values(benchmark, problems, [Scores(p.id, (1, 0)) for p in problems])
    assert scalar["gpt-4o accuracy"] == 3 / 5


def test_judgebench_replays_the_authors_rows(tmp_path: Path) -> None:
    benchmark, problems = make("judgebench", tmp_path / "rows.jsonl", [judgebench_row(0)])
    # The second judgement saw the answers swapped, so "B>A" is for the first answer of the row.
    said = [{"decision": "A>B", "judgment": {"response": "…[[A>B]]"}}, {"decision": "B>A", "judgment": {"response": "…"}}]
    (tmp_path / "said.jsonl").write_text(json.dumps({**judgebench_row(0), "judgments": said}) + "\n")
    one, other = read_recorded(benchmark, [tmp_path / "said.jsonl"])
    assert isinstance(one, Judgement)
    assert isinstance(other, Judgement)
    assert (one.outcome, one.order, other.outcome, other.order) == (FIRST, "given", FIRST, "swapped")
    assert (one.text, values(benchmark, problems, [one, other])["gpt-4o accuracy"]) == ("…[[A>B]]", 1.0)


def llmbar_row(number: int, label: int = 1) -> dict[str, Any]:
    return {"input": f"do {number}", "output_1": "x", "output_2": "y", "label": label}


def test_llmbar_is_the_mean_of_the_orders(tmp_path: Path) -> None:
    make("llmbar", tmp_path / "Natural" / "dataset.json", [llmbar_row(0), llmbar_row(1, 2)])
    make("llmbar", tmp_path / "Adversarial" / "Manual" / "dataset.json", [llmbar_row(2), llmbar_row(3)])
    benchmark, problems = make("llmbar", tmp_path)
    said = {"do 0": (FIRST, FIRST), "do 1": (FIRST, SECOND), "do 2": (UNREADABLE, FIRST), "do 3": (SECOND, SECOND)}
    found = values(benchmark, problems, [one for p in problems for one in both(p, *said[p.prompt])])
    assert (found["Natural"], found["Manual"], found["accuracy"]) == (0.75, 0.25, 0.5)
    assert (found["right in both orders"], found["same output in both orders"]) == (0.25, 0.5)


def test_llmbar_replays_the_last_round_and_needs_a_subset(tmp_path: Path) -> None:
    benchmark, _ = make("llmbar", tmp_path / "Natural" / "dataset.json", [llmbar_row(0)])

    def shown(*winners: Any) -> dict[str, Any]:
        return {f"swap = {name}": {"completion": ["text", "stop"], "winner": one} for name, one in zip((False, True), winners, strict=True)}

    (tmp_path / "result.json").write_text(json.dumps([{**llmbar_row(0), "results": [shown("2", "2"), shown("1", None)]}]))
    said = read_recorded(benchmark, [tmp_path / "result.json"])
    assert [one.outcome for one in said if isinstance(one, Judgement)] == [FIRST, UNREADABLE]
    with pytest.raises(DataError, match="row 1 stands in no folder that is a subset of LLMBar"):
        make("llmbar", tmp_path / "elsewhere" / "dataset.json", [llmbar_row(0)])
    with pytest.raises(DataError, match="no such files"):
        make("llmbar", tmp_path / "elsewhere")


def panda_row(number: int, *votes: int, **more: Any) -> dict[str, Any]:
    annotators = {f"annotator{n}": vote for n, vote in enumerate(votes, 1)}
    return {"idx": number, "instruction": "do", "input": "", "response1": "x", "response2": "y", **annotators, **more}


def test_pandalm_has_three_classes(tmp_path: Path) -> None:
    rows = [panda_row(0, 1, 1, 2), panda_row(1, 2, 2, 2), panda_row(2, 0, 0, 1), panda_row(3, 1, 1, 1, response1=True)]
    benchmark, problems = make("pandalm", tmp_path / "rows.json", rows)
    assert [problem.label for problem in problems] == [0, 1, None, 0]
    assert problems[3].answers == ("True", "y"), "a few answers are JSON values"
    (tmp_path / "said.json").write_text(json.dumps([{"idx": n, "x_result": said} for n, said in enumerate(("1", 1, "Tie", "garbage"))]))
    found = values(benchmark, problems, read_recorded(benchmark, [tmp_path / "said.json"]))
    # said: first, first, tie, none; true: first, second, tie, first.
    assert found["accuracy"] == 0.5
    assert found["precision"] == pytest.approx((1 + 1 / 2 + 0) / 3)
    assert found["recall"] == pytest.approx((1 + 1 / 2 + 0) / 3)
    assert found["F1"] == pytest.approx((1 + 2 / 4 + 0) / 3)


def test_pandalm_orders_that_disagree_are_a_tie_and_no_opinion_is_refused(tmp_path: Path) -> None:
    benchmark, problems = make("pandalm", tmp_path / "rows.json", [panda_row(0, 0, 0, 0)])
    assert values(benchmark, problems, both(problems[0], FIRST, SECOND))["accuracy"] == 1.0
    assert values(benchmark, problems, both(problems[0], FIRST, UNREADABLE))["accuracy"] == 0.0
    with pytest.raises(DataError, match="row 1 has three annotators of three opinions"):
        make("pandalm", tmp_path / "rows.json", [panda_row(0, 0, 1, 2)])


def test_auto_j_needs_both_orders_to_be_the_label(tmp_path: Path) -> None:
    rows = [
        {"scenario": f"s{n}", "label": label, "prompt": "p", "response 1": "x", "response 2": "y"} for n, label in enumerate((0, 1, 2, 0))
    ]
    benchmark, problems = make("auto-j", tmp_path / "rows.jsonl", rows)
    said = [(FIRST, FIRST), (SECOND, FIRST), (TIE, TIE), (SECOND, SECOND)]
    found = values(benchmark, problems, [one for p, two in zip(problems, said, strict=True) for one in both(p, *two)])
    assert (found["agreement, both orders"], found["consistency"], found["agreement, first order only"]) == (0.5, 0.75, 0.75)


# MT-bench -----------------------------------------------------------------------------------------------------------------


def vote(question: int, winner: str, turn: int = 1, models: tuple[str, str] = ("a", "b")) -> dict[str, Any]:
    sides = {f"conversation_{side}": turns("q1", f"{one}1", "q2", f"{one}2") for side, one in zip("ab", models, strict=True)}
    return {"question_id": question, "model_a": models[0], "model_b": models[1], "winner": winner, "turn": turn, **sides}


def test_mt_bench_meets_every_human_vote(tmp_path: Path) -> None:
    rows = [vote(1, "model_a"), vote(1, "model_a"), vote(1, "tie (inconsistent)"), vote(2, "model_b"), vote(3, "tie"), vote(4, "model_a")]
    benchmark, problems = make("mt-bench", tmp_path / "rows.jsonl", [*rows, vote(1, "model_b", turn=2)])
    assert [len(problem.meta["votes"]) for problem in problems] == [3, 1, 1, 1, 1]
    said = [(FIRST, FIRST), (FIRST, FIRST), (FIRST, SECOND), (UNREADABLE, FIRST), (SECOND, SECOND)]
    found = values(benchmark, problems, [one for p, two in zip(problems, said, strict=True) for one in both(p, *two)])
    assert found["turn 1, ties counted"] == pytest.approx(3 / 6), "two of three, none, a tie with a tie, none without a verdict"
    assert found["turn 1, without ties"] == pytest.approx(2 / 4)
    assert found["turn 2, ties counted"] == 1.0
    assert problems[4].prompt.endswith("q2")
    assert problems[4].answers == ("Assistant: a1\n\nAssistant: a2", "Assistant: b1\n\nAssistant: b2")


def test_mt_bench_knows_a_pair_from_either_side(tmp_path: Path) -> None:
    benchmark, problems = make("mt-bench", tmp_path / "rows.jsonl", [vote(1, "model_a"), vote(1, "model_a", models=("b", "a"))])
    assert problems[0].meta["votes"] == ["first", "second"]
    said = {"question_id": 1, "model_1": "b", "model_2": "a", "turn": 1, "g1_winner": "model_1", "g2_winner": "error"}
    (tmp_path / "said.jsonl").write_text(json.dumps(said) + "\n")
    recorded = read_recorded(benchmark, [tmp_path / "said.jsonl"])
    assert [(one.outcome, one.order) for one in recorded if isinstance(one, Judgement)] == [(SECOND, "swapped"), (UNREADABLE, "given")]
    assert score_records(benchmark, problems, recorded)["problems"] == 1


# PPE ----------------------------------------------------------------------------------------------------------------------


def ppe_vote(number: int, one: str, other: str, winner: str, **more: Any) -> dict[str, Any]:
    answers = {"prompt": "p", "response_1": f"x{number}", "response_2": f"y{number}", "language": "English"}
    return {"question_id": f"v{number}", "model_a": one, "model_b": other, "winner": winner, **answers, **more}


def test_ppe_preference_leaves_ties_out_and_ranks_models(tmp_path: Path) -> None:
    games = [("a", "b", "model_a"), ("b", "c", "model_a"), ("a", "c", "model_a"), ("c", "a", "model_b"), ("a", "b", "tie")]
    rows = [ppe_vote(n, *game, hard_prompt=n == 0) for n, game in enumerate(games)]
    benchmark, problems = make("ppe-preference", tmp_path / "rows.jsonl", rows)
    right = values(benchmark, problems, [Judgement(p.id, Outcome(p.meta["gold"])) for p in problems])
    assert (right["accuracy"], right["Spearman"], right["Kendall"], right["accuracy, hard"]) == (1.0, 1.0, 1.0, 1.0)
    wrong = values(benchmark, problems, [Judgement(p.id, Outcome(p.meta["gold"]).mirrored) for p in problems])
    assert (wrong["accuracy"], wrong["Spearman"], wrong["Kendall"]) == (0.0, -1.0, -1.0)
    assert wrong["row-wise Pearson"] == pytest.approx(-1.0)
    assert not any(one["official"] for one in score_records(benchmark, problems, [Scores(p.id, (1, 0)) for p in problems])["figures"])


def ppe_row(truth: list[bool], conflicts: list[list[int]]) -> dict[str, Any]:
    answers = {f"response_{n}": f"answer {n}" for n in range(1, len(truth) + 1)}
    return {"question_id": "q", "model_name": "m", "prompt": "p", "scores": truth, "sampled_conflict_pairs": conflicts, **answers}


def test_ppe_correctness_with_scores(tmp_path: Path) -> None:
    rows = [ppe_row([True, False, False], [[0, 1], [2, 0]]), {**ppe_row([False, True, True], [[0, 1]]), "question_id": "r"}]
    benchmark, problems = make("ppe-correctness", tmp_path / "rows.jsonl", rows, orders=200)
    found = values(benchmark, problems, [Scores(problems[0].id, (2, 1, 3)), Scores(problems[1].id, (0, 5, 10))])
    assert found["accuracy on conflict pairs"] == pytest.approx(2 / 3)
    # Scaled: (0.5, 0, 1) with truth (1, 0, 0) and (0, 0.5, 1) with truth (0, 1, 1): right 0.5, 0.5, 1 against wrong 0, 1, 0.
    assert found["area under the ROC curve"] == pytest.approx((2 + 2 + 2.5) / 9)
    assert found["best-of-k, all answers"] == 0.5
    assert found["best-of-k, maximum"] <= 1.0
    best = values(benchmark, problems, [Scores(problems[0].id, (1, 0, 0)), Scores(problems[1].id, (0, 1, 1))])
    assert (best["best-of-k, distance to the oracle"], best["best-of-k, all answers"], best["area under the ROC curve"]) == (0.0, 1.0, 1.0)


def test_ppe_correctness_with_a_pairwise_judge(tmp_path: Path) -> None:
    benchmark, problems = make("ppe-correctness", tmp_path / "rows.jsonl", [ppe_row([True, False, False], [[0, 1], [2, 0]])])
    assert [(match.first, match.second) for match in benchmark.pairs(problems[0])] == [(0, 1), (2, 0)]
    found = values(benchmark, problems, [Judgement(problems[0].id, FIRST, 0, 1), Judgement(problems[0].id, FIRST, 2, 0)])
    assert found == {"accuracy on conflict pairs": 0.5}
    with pytest.raises(DataError, match="line 1 has a conflict pair of two answers of which not exactly one is right"):
        make("ppe-correctness", tmp_path / "rows.jsonl", [ppe_row([True, True], [[0, 1]])])


# Rows ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("use", BENCHMARKS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    row=st.dictionaries(st.text(max_size=8), st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.integers()), max_size=4)
)
def test_a_strange_row_is_named_with_its_line(use: str, row: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> None:
    place = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    with pytest.raises(DataError, match="line 1 ") as caught:
        make(use, place, [row])
    assert str(place) in str(caught.value)


def test_a_row_that_stands_there_twice_has_an_id_of_its_own_and_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, problems = make("judgebench", tmp_path / "rows.jsonl", [judgebench_row(0), judgebench_row(1), judgebench_row(0)])
    assert [problem.id for problem in problems] == ["j0", "j1", "j0-2"]
    assert "1 problem repeats an earlier one and has an id of its own: 'j0-2' (problem 3)" in capsys.readouterr().err


def test_rows_come_from_the_datasets_library_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("datasets")
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "set").mkdir()
    _, local = make("rewardbench", tmp_path / "set" / "train.jsonl", [rewardbench_row(1, "hep-go"), rewardbench_row(2, "hep-js")])
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path / "cache"))
    for name in (f"hub:{tmp_path / 'set'}@train", f"hub:{tmp_path / 'set'}"):
        assert list(PLUGINS.pick(Dataset, "rewardbench")(data=name).load()) == local
    with pytest.raises(DataError, match="line 1 has no field 'response_A'"):
        PLUGINS.pick(Dataset, "judgebench")(data=f"hub:{tmp_path / 'set'}").load()
    with pytest.raises(ConfigError, match="cannot be loaded"):
        PLUGINS.pick(Dataset, "judgebench")(data=f"hub:{tmp_path / 'none'}@test").load()
