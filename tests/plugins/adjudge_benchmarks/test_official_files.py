"""Official files load as they are, and nothing in a row that nobody knows is taken for something else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from adjudge import DataError, Dataset, Match, Outcome, Plugins, Problem
from adjudge_benchmarks import Benchmark, Judged, Judgement, Recording, Scores, read_recorded, recordings, score_records

DATA = Path(__file__).parents[4] / "shared" / "data"
PLUGINS = Plugins.load(autoload=False)
FIRST, SECOND, TIE, UNREADABLE = Outcome.FIRST, Outcome.SECOND, Outcome.TIE, Outcome.UNREADABLE


def there(place: str) -> list[pytest.MarkDecorator]:
    return [pytest.mark.realdata, pytest.mark.skipif(not (DATA / place).exists(), reason=f"no {place} at {DATA}")]


def turns(*contents: str) -> list[dict[str, str]]:
    return [{"role": ("user", "assistant")[index % 2], "content": content} for index, content in enumerate(contents)]


ROWS: dict[str, dict[str, Any]] = {
    "auto-j": {"scenario": "planning", "label": 0, "prompt": "p", "response 1": "x", "response 2": "y"},
    "judgebench": {
        "pair_id": "j", "source": "mmlu-pro-law", "response_model": "gpt-4o", "question": "q", "response_A": "x", "response_B": "y",
        "label": "A>B",
    },
    "llmbar": {"input": "do", "output_1": "x", "output_2": "y", "label": 1},
    "mt-bench": {
        "question_id": 81, "model_a": "a", "model_b": "b", "winner": "model_a", "judge": "expert_3", "turn": 1,
        "conversation_a": turns("q", "x"), "conversation_b": turns("q", "y"),
    },
    "pandalm": {
        "idx": 0, "instruction": "do", "input": "", "response1": "x", "response2": "y", "annotator1": 1, "annotator2": 1, "annotator3": 2,
    },
    "ppe-correctness": {
        "question_id": "q", "model_name": "m", "prompt": "p", "scores": [True, False], "sampled_conflict_pairs": [[0, 1]],
        "response_1": "x", "response_2": "y",
    },
    "ppe-preference": {
        "question_id": "v", "model_a": "a", "model_b": "b", "winner": "model_a", "prompt": "p", "response_1": "x", "response_2": "y",
        "language": "English", "hard_prompt": True, "is_code": False,
    },
    "rewardbench": {"id": 1, "subset": "hep-go", "prompt": "p", "chosen": "x", "rejected": "y"},
    "rewardbench-2": {"id": "1", "subset": "Math", "prompt": "p", "chosen": ["x"], "rejected": ["y", "z"], "num_correct": 1},
    "rm-bench": {"id": 8, "domain": "chat", "prompt": "p", "chosen": ["a", "b", "c"], "rejected": ["d", "e", "f"]},
    "rmb": {
        "pair_uid": "1", "category_path": "Pairwise_set/Helpfulness/Chat", "conversation_input": turns("hi"), "chosen": {"answer": "x"},
        "reject": {"answer": "y"},
    },
}  # fmt: skip
"""One row of each, as its authors write it."""


def made(use: str, folder: Path, rows: list[dict[str, Any]], **options: Any) -> tuple[Benchmark, list[Problem]]:
    place = folder / "Natural" / "dataset.json" if use == "llmbar" else folder / "rows.json"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps(rows))
    benchmark = PLUGINS.pick(Dataset, use)(data=str(place), **options)
    return benchmark, list(benchmark.load())


def test_there_is_a_row_of_every_benchmark() -> None:
    built_in = {name for name, entry in PLUGINS.of_kind(Dataset).items() if entry.source.plugin == "adjudge_benchmarks"}
    assert set(ROWS) == built_in


# What nobody knows --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("use", "change", "message"),
    [
        ("mt-bench", {"winner": "model_c"}, "has the winner 'model_c', which is none of 'model_a', 'model_b', 'tie', 'tie \\(bothbad\\)'"),
        ("mt-bench", {"winner": None}, "has the winner None"),
        ("mt-bench", {"judge": ["gpt-4", "pair-v2"]}, "not of a person; the people's votes are the split 'human'"),
        ("mt-bench", {"question_id": None}, "has the question_id None, which is neither a text nor a number"),
        ("mt-bench", {"conversation_a": [{"role": "model", "content": "q"}, *turns("x")]}, "has the role 'model', which is none of"),
        ("mt-bench", {"conversation_a": turns("q")}, "does not begin with 1 turns of a user and an assistant"),
        ("ppe-preference", {"winner": "A"}, "has the winner 'A', which is none of 'model_a'"),
        ("ppe-preference", {"hard_prompt": "yes"}, "has the hard_prompt 'yes', which is none of True, False"),
        ("ppe-preference", {"language": 3}, "has a field 'language' that is a int, not a text"),
        ("ppe-correctness", {"scores": ["False", "True"]}, "has the score 'False', which is none of 0.0, 1.0"),
        ("ppe-correctness", {"scores": [0.5, 1]}, "has the score 0.5"),
        ("ppe-correctness", {"response_3": "z"}, "has more answers than its 2 scores"),
        ("ppe-correctness", {"sampled_conflict_pairs": [[0, 7]]}, r"has the conflict pair \[0, 7\]"),
        ("ppe-correctness", {"sampled_conflict_pairs": [["0", "1"]]}, "has the conflict pair"),
        ("pandalm", {"annotator1": True}, "has the annotator1 True, which is none of 0, 1, 2"),
        ("pandalm", {"annotator1": "1"}, "has the annotator1 '1'"),
        ("pandalm", {"response1": None}, "has the response1 None, which is no text"),
        ("pandalm", {"response1": ["x"]}, r"has the response1 \['x'\], which is no text"),
        ("auto-j", {"label": True}, "has the label True, which is none of 0, 1, 2"),
        ("auto-j", {"label": "0"}, "has the label '0'"),
        ("auto-j", {"label": -1}, "has the label -1"),
        ("llmbar", {"label": True}, "has the label True, which is none of 1, 2"),
        ("judgebench", {"label": "A=B"}, "has the label 'A=B', which is none of 'A>B', 'B>A'"),
        ("judgebench", {"source": "law"}, "has the source 'law'"),
        ("judgebench", {"response_model": "gpt-4o-mini"}, "has the response_model 'gpt-4o-mini', which is none of 'gpt-4o'"),
        ("rewardbench", {"subset": "chat"}, "has the subset 'chat'"),
        ("rewardbench", {"id": None}, "has the id None"),
        ("rewardbench-2", {"num_correct": 2}, "has the num_correct 2, which is none of 1"),
        ("rewardbench-2", {"subset": "Ties"}, "has the id '1', and those of the subset Ties begin with 'ref:' or 'tied:'"),
        ("rm-bench", {"domain": "safety"}, "has the domain 'safety'"),
        ("rm-bench", {"id": {}}, "has the id {}"),
        ("rmb", {"category_path": "Pairwise_set/Honesty"}, "names neither Helpfulness nor Harmlessness"),
        ("rmb", {"conversation_input": [{"content": "a"}, {"content": "b"}]}, "has no field 'role'"),
    ],
)
def test_a_value_that_nobody_knows_is_refused_with_its_row(use: str, change: dict[str, Any], message: str, tmp_path: Path) -> None:
    made(use, tmp_path, [ROWS[use]])
    with pytest.raises(DataError, match=f"row 2 .*{message}"):
        made(use, tmp_path, [ROWS[use], {**ROWS[use], **change}])


JUDGED = {"decision": "A>B"}


@pytest.mark.parametrize(
    ("use", "row", "message"),
    [
        ("pandalm", {"idx": 0, "x_result": "3"}, "has the x_result '3', which is none of 0, Tie, 1, 2, garbage"),
        ("pandalm", {"idx": 0, "x_result": None}, "has the x_result None"),
        ("pandalm", {"idx": 0, "x_result": 1, "y_result": 2}, "has 2 fields that end in '_result'"),
        ("mt-bench", {"question_id": 81, "model_1": "a", "model_2": "b", "turn": 1, "g1_winner": "model_a", "g2_winner": "tie"},
         "has the g1_winner 'model_a', which is none of 'model_1', 'model_2', 'tie', 'error'"),
        ("judgebench", {"pair_id": "j", "judgments": [{"decision": "A>>B"}]}, "has the decision 'A>>B'"),
        ("judgebench", {"pair_id": "j", "judgments": [JUDGED, JUDGED, JUDGED]}, "has 3 judgments, and there are two orders"),
        ("judgebench", {"pair_id": "j", "judgments": ["A>B"]}, "has a str where an object with the field 'decision' is expected"),
        ("llmbar", {**ROWS["llmbar"], "results": [{"swap = False": {"winner": 1}}]}, "has the winner 1, which is none of '1', '2', None"),
        ("llmbar", {**ROWS["llmbar"], "results": []}, "has a field 'results' that is no list of 1 or more"),
        ("auto-j", {"output": 3}, "has the output 3, which is none of 0, 1, 2, -1"),
        ("auto-j", {"output": True}, "has the output True"),
        ("rm-bench", {"id": 8, "domain": "chat", "score_chosen": [1, 2], "score_rejected": [1, 2, 3]}, "no list of 3 numbers"),
        ("rm-bench", {"problem_id": "chat-8", "scores": [1, 2, 3, 4, 5, float("nan")]}, "has nan among its scores, which is no finite"),
        ("rm-bench", {"problem_id": "chat-8", "scores": [1, 2, 3, 4, 5, True]}, "has True among its scores"),
        ("llmbar", {"problem_id": "x", "outcome": "A"}, "is no recorded judgement: outcome: Input should be 'first', 'second'"),
        ("llmbar", {"problem_id": "x", "outcome": "first", "order": "reversed"}, "no recorded judgement: order: Input should be 'given'"),
    ],
)  # fmt: skip
def test_a_recorded_verdict_that_nobody_knows_is_refused(use: str, row: dict[str, Any], message: str, tmp_path: Path) -> None:
    benchmark, problems = made(use, tmp_path, [ROWS[use]])
    (tmp_path / "said.json").write_text(json.dumps([row]))
    with pytest.raises(DataError, match=f"row 1 .*{message}"):
        read_recorded(benchmark, [tmp_path / "said.json"], problems)


@pytest.mark.parametrize(
    ("winner", "gold"), [("tie", TIE), ("tie (bothbad)", TIE), ("both_bad", TIE), ("model_a", FIRST), ("model_b", SECOND)]
)
def test_the_votes_of_the_arena_are_known_in_all_their_spellings(winner: str, gold: Outcome, tmp_path: Path) -> None:
    _, [problem] = made("ppe-preference", tmp_path, [{**ROWS["ppe-preference"], "winner": winner}])
    assert problem.meta["gold"] == gold.value
    _, [problem] = made("mt-bench", tmp_path, [{**ROWS["mt-bench"], "winner": winner}])
    assert problem.meta["votes"] == [gold.value]


def test_a_slice_that_is_not_told_is_no_slice(tmp_path: Path) -> None:
    row = {**ROWS["ppe-preference"], "language": None}
    _, problems = made("ppe-preference", tmp_path, [ROWS["ppe-preference"], row])
    assert [problem.meta["slices"] for problem in problems] == [["hard", "English"], ["hard"]]


# Rows that repeat, and equal answers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("use", [use for use in ROWS if use != "mt-bench"])
def test_rows_that_repeat_have_ids_of_their_own(use: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, problems = made(use, tmp_path, [ROWS[use]] * 3)
    first = problems[0].id
    assert [problem.id for problem in problems] == [first, f"{first}-2", f"{first}-3"]
    assert "2 problems repeat earlier ones and have ids of their own" in capsys.readouterr().err


def test_votes_that_repeat_are_votes_on_one_pair(tmp_path: Path) -> None:
    _, [problem] = made("mt-bench", tmp_path, [ROWS["mt-bench"]] * 3)
    assert problem.meta["votes"] == ["first"] * 3


EQUAL: dict[str, dict[str, Any]] = {
    "auto-j": {"response 2": "x"},
    "judgebench": {"response_B": "x"},
    "llmbar": {"output_2": "x"},
    "mt-bench": {"conversation_b": turns("q", "x")},
    "pandalm": {"response2": "x"},
    "ppe-correctness": {"response_2": "x"},
    "ppe-preference": {"response_2": "x"},
    "rewardbench": {"rejected": "x"},
    "rewardbench-2": {"rejected": ["y", "x"]},
    "rm-bench": {"rejected": ["d", "a", "f"]},
    "rmb": {"reject": {"answer": "x"}},
}


@pytest.mark.parametrize("use", ROWS)
def test_equal_answers_with_a_label_are_left_out_and_told(use: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = {"mt-bench": "question_id", "judgebench": "pair_id", "pandalm": "idx"}.get(use, "id")
    rows = [{**ROWS[use], **EQUAL[use], name: 7}, ROWS[use]] if name != "pair_id" else [{**ROWS[use], **EQUAL[use], name: "7"}, ROWS[use]]
    benchmark, problems = made(use, tmp_path, rows)
    told = capsys.readouterr().err
    assert len(problems) == 1
    assert "left out because equal answers are compared and one of them is called better: 1, " in told
    assert "identical: count" in told
    _, counted = made(use, tmp_path, rows, identical="count")
    assert len(counted) == 2
    assert len(list(benchmark.everything())) == 2


@pytest.mark.parametrize(
    ("use", "change"),
    [
        ("auto-j", {"label": 2}),
        ("pandalm", {"annotator1": 0, "annotator2": 0}),
        ("ppe-preference", {"winner": "tie"}),
        ("mt-bench", {"winner": "tie"}),
    ],
)
def test_equal_answers_that_are_a_tie_stay(use: str, change: dict[str, Any], tmp_path: Path) -> None:
    _, problems = made(use, tmp_path, [{**ROWS[use], **EQUAL[use], **change}])
    assert len(problems) == 1


def test_styles_that_are_the_same_on_one_side_are_no_equal_pair(tmp_path: Path) -> None:
    benchmark, [problem] = made("rm-bench", tmp_path, [{**ROWS["rm-bench"], "chosen": ["a", "b", "b"]}])
    assert {benchmark.better(problem, match) for match in benchmark.pairs(problem) if match.first < match.second} == {FIRST}
    assert benchmark.better(problem, Match(4, 0)) == SECOND


def test_what_is_right_is_never_made_up() -> None:
    with pytest.raises(Exception, match="problem p has neither a label nor a 'gold'"):
        _ = Judged(Problem("p", "larger?", ("1", "2"))).gold
    with pytest.raises(Exception, match="problem p has 3 answers and no label"):
        Benchmark(use="some").pairs(Problem("p", "larger?", ("1", "2", "3")))


# Verdicts that name no problem ------------------------------------------------------------------------------------------------


def auto_j_rows() -> list[dict[str, Any]]:
    """Four problems, of which the last is the first again."""
    rows = [{**ROWS["auto-j"], "scenario": f"s{number}", "label": label} for number, label in enumerate((0, 1, 2))]
    return [*rows, rows[0]]


def outputs(file: Path, *said: int) -> Path:
    file.write_text("".join(json.dumps({"output": one}) + "\n" for one in said))
    return file


def test_verdicts_in_the_order_of_the_data_are_about_their_places(tmp_path: Path) -> None:
    benchmark, problems = made("auto-j", tmp_path, auto_j_rows())
    given = outputs(tmp_path / "given.jsonl", 0, 1, 2, 1)
    swapped = outputs(tmp_path / "exchanged.jsonl", 1, 1, 2, -1)
    found = read_recorded(benchmark, recordings([str(given), f"swapped:{swapped}"]), problems)
    by_place = {
        (one.problem_id, one.order): one.outcome for one in found if isinstance(one, Judgement)
    }  # what was said of exchanged responses is told in the problem's own order
    assert [by_place[problem.id, "given"] for problem in problems] == [FIRST, SECOND, TIE, SECOND]
    assert [by_place[problem.id, "swapped"] for problem in problems] == [FIRST, FIRST, TIE, UNREADABLE]
    figures = {one["name"]: one["value"] for one in score_records(benchmark, problems, found)["figures"]}
    assert figures == {"agreement, both orders": 0.5, "consistency": 0.5, "agreement, first order only": 0.75}


def test_verdicts_of_other_data_or_of_an_unknown_order_are_refused(tmp_path: Path) -> None:
    benchmark, problems = made("auto-j", tmp_path, auto_j_rows())
    short = outputs(tmp_path / "short.jsonl", 0, 1)
    with pytest.raises(DataError, match="2 of its 2 rows name no problem, and the data have 4 problems"):
        read_recorded(benchmark, [short], problems)
    one, other = outputs(tmp_path / "one.jsonl", 0, 1, 2, 0), outputs(tmp_path / "other.jsonl", 0, 1, 2, 0)
    with pytest.raises(DataError, match="--replay swapped:FILE"):
        read_recorded(benchmark, [one, other], problems)
    with pytest.raises(DataError, match=r"no such file: swapped:.*none"):
        recordings([f"swapped:{tmp_path / 'none'}"])
    assert recordings([f"given:{one}"]) == [Recording(one)]


def test_rm_bench_replays_the_scores_that_its_scripts_write(tmp_path: Path) -> None:
    benchmark, problems = made("rm-bench", tmp_path, [ROWS["rm-bench"]])
    (tmp_path / "said.json").write_text(json.dumps([{**ROWS["rm-bench"], "score_chosen": [3, 2, 1], "score_rejected": [2.5, 0, 0]}]))
    [said] = read_recorded(benchmark, [tmp_path / "said.json"], problems)
    assert said == Scores("chat-8", (3.0, 2.0, 1.0, 2.5, 0.0, 0.0))


# The files themselves ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("use", "place", "size", "left_out"),
    [
        pytest.param("auto-j", "auto_j/testdata_pairwise.jsonl", 1392, 1, marks=there("auto_j/testdata_pairwise.jsonl")),
        pytest.param("judgebench", "judgebench/data", 620, 1, marks=there("judgebench/data")),
        pytest.param("llmbar", "llmbar/Dataset/LLMBar", 419, 0, marks=there("llmbar/Dataset/LLMBar")),
        pytest.param("pandalm", "pandalm/testset-v1.json", 999, 0, marks=there("pandalm/testset-v1.json")),
        pytest.param("rm-bench", "rm_bench", 798, 0, marks=there("rm_bench")),
        pytest.param("rmb", "rmb", 600, 1, marks=there("rmb")),
    ],
)
def test_official_files_load_as_they_are(use: str, place: str, size: int, left_out: int) -> None:
    benchmark = PLUGINS.pick(Dataset, use)(data=str(DATA / place))
    assert (len(list(benchmark.everything())), len(list(benchmark.load()))) == (size, size - left_out)


@pytest.mark.realdata
@pytest.mark.skipif(not (DATA / "mt_bench").is_dir(), reason=f"no MT-bench at {DATA}")
def test_the_recorded_games_of_mt_bench_are_read() -> None:
    benchmark = PLUGINS.pick(Dataset, "mt-bench")(data="nowhere")
    said = read_recorded(benchmark, [DATA / "mt_bench" / "sample.jsonl"])
    outcomes = [one.outcome for one in said if isinstance(one, Judgement)]
    assert (len(said), outcomes.count(UNREADABLE)) == (150, 3)


@pytest.mark.realdata
@pytest.mark.skipif(not (DATA / "auto_j").is_dir(), reason=f"no Auto-J at {DATA}")
def test_the_recorded_verdicts_of_auto_j_give_the_published_figures() -> None:
    place = DATA / "auto_j"
    benchmark = PLUGINS.pick(Dataset, "auto-j")(data=str(place / "testdata_pairwise.jsonl"), identical="count")
    problems = list(benchmark.load())
    files = [str(place / "pairwise_example_output.jsonl"), f"swapped:{place / 'pairwise_exchange_example_output.jsonl'}"]
    result = score_records(benchmark, problems, read_recorded(benchmark, recordings(files), problems))
    figures = {one["name"]: (round(100 * one["value"], 2), one["n"], one["official"]) for one in result["figures"]}
    assert figures == {
        "agreement, both orders": (54.96, 1392, True),
        "consistency": (83.41, 1392, True),
        "agreement, first order only": (59.99, 1392, True),
    }
