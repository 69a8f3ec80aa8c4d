"""Local JSON Lines data sets: rows become problems, the split keeps prompts apart, and every unusable row names its line."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adjudge import DataError, Dataset, Plugins, Problem
from adjudge.testing import check_component

PLUGINS = Plugins.load(autoload=False)


def load(use: str, file: Path, rows: list[Any] | None = None, **options: Any) -> list[Problem]:
    if rows is not None:
        file.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), encoding="utf-8")
    return list(PLUGINS.pick(Dataset, use)(file=file, **options).load())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "rows.jsonl"


def turns(*contents: str, first: str = "user") -> list[dict[str, str]]:
    roles = ("user", "assistant") if first == "user" else ("assistant", "user")
    return [{"role": roles[index % 2], "content": content} for index, content in enumerate(contents)]


def right_answer(problem: Problem) -> str:
    assert problem.label is not None
    return problem.answers[problem.label]


@pytest.mark.parametrize("use", ["jsonl", "preference"])
def test_options_are_documented_and_survive_saving(use: str) -> None:
    check_component(PLUGINS.pick(Dataset, use)(file="rows.jsonl"))


# jsonl --------------------------------------------------------------------------------------------------------------------


def test_jsonl_rows_stand_as_they_are(file: Path) -> None:
    rows = [
        {"prompt": "37+48?", "answers": ["85", "75"], "label": 0, "id": "sum-1", "meta": {"level": 1}},
        {"prompt": "é?", "answers": ["a", "b", "c"]},
    ]
    one, other = load("jsonl", file, rows)
    assert one == Problem("sum-1", "37+48?", ("85", "75"), 0, {"level": 1})
    assert (other.prompt, other.answers, other.label, other.meta) == ("é?", ("a", "b", "c"), None, {})


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"answers": ["a", "b"]}, "has no field 'prompt' (it has: answers)"),
        ({"prompt": 1, "answers": ["a", "b"]}, "has no field 'prompt' that is a text or a list of messages"),
        ({"prompt": "p"}, "has no field 'answers' that is a list of texts"),
        ({"prompt": "p", "answers": "ab"}, "has no field 'answers' that is a list of texts"),
        (
            {"prompt": "p", "answers": ["a", 2]},
            "has no field 'answers' that is a list of texts (nor the texts 'chosen' and 'rejected'): answer number 2 is a int",
        ),
        ({"prompt": "p", "answers": ["a"]}, "has 1 answers; a problem needs two or more"),
        ({"prompt": "p", "answers": ["a", "b"], "label": 2}, "has the label 2; its 2 answers have the indices 0 to 1"),
        ({"prompt": "p", "answers": ["a", "b"], "label": -1}, "has the label -1"),
        ({"prompt": "p", "answers": ["a", "b"], "label": "0"}, "has the label '0'; a label is the right answer's index"),
        ({"prompt": "p", "answers": ["a", "b"], "label": True}, "has the label True; a label is the right answer's index"),
        ({"prompt": "p", "answers": ["a", "b"], "id": [1]}, "has the id [1], which is neither a text nor a whole number"),
        ({"prompt": "p", "answers": ["a", "b"], "meta": 3}, "has a field 'meta' that is a int, not an object"),
        ("{", "is not JSON"),
    ],
)
def test_a_jsonl_row_that_cannot_be_used_names_its_line(file: Path, row: Any, reason: str) -> None:
    good = {"prompt": "p", "answers": ["a", "b"]}
    with pytest.raises(DataError, match=re.escape(f"{file}: line 2 {reason}")):
        load("jsonl", file, [good, row, good])
    assert len(load("jsonl", file, skip_bad_lines=True)) == 2


def test_ids_are_unique_and_made_from_the_row_alone(file: Path) -> None:
    row = {"prompt": "p", "answers": ["a", "b"]}
    alone = load("jsonl", file, [row])[0].id
    idents = [problem.id for problem in load("jsonl", file, [{"prompt": "q", "answers": ["a", "b"]}, row, row, row])]
    assert idents[1:] == [alone, f"{alone}-2", f"{alone}-3"]
    with pytest.raises(DataError, match="line 2 has the id 'x', which an earlier line has too"):
        load("jsonl", file, [{**row, "id": "x"}, {**row, "id": "x"}])


# preference ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "prompt", "chosen", "rejected"),
    [
        ({"prompt": "p", "chosen": "good", "rejected": "bad"}, "p", "good", "bad"),
        (
            {"prompt": turns("p"), "chosen": turns("good", first="assistant"), "rejected": turns("bad", first="assistant")},
            "p", "good", "bad",
        ),
        ({"chosen": turns("p", "good"), "rejected": turns("p", "bad")}, "p", "good", "bad"),
        (
            {"chosen": turns("p", "a", "q", "good"), "rejected": turns("p", "a", "q", "bad")},
            "User: p\n\nAssistant: a\n\nUser: q", "good", "bad",
        ),
        (
            {"chosen": turns("p", "good", "more", "yes"), "rejected": turns("p", "bad")},
            "p", "Assistant: good\n\nUser: more\n\nAssistant: yes", "bad",
        ),
        (
            {"prompt": [{"role": "system", "content": "s"}, *turns("p")], "chosen": turns("a", first="assistant"), "rejected": "b"},
            "System: s\n\nUser: p", "a", "b",
        ),
    ],
)  # fmt: skip
def test_both_of_trl_forms_are_read(file: Path, row: Any, prompt: str, chosen: str, rejected: str) -> None:
    (problem,) = load("preference", file, [row])
    assert problem.prompt == prompt
    assert set(problem.answers) == {chosen, rejected}
    assert right_answer(problem) == chosen


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"prompt": "p", "chosen": "a"}, "has no field 'rejected' that is a text or a list of messages"),
        ({"prompt": "p", "chosen": [], "rejected": "b"}, "has no field 'chosen' that is a text or a list of messages"),
        ({"prompt": "p", "chosen": [{"role": "user"}], "rejected": "b"}, "has a message in 'chosen' without the texts"),
        ({"prompt": ["p"], "chosen": "a", "rejected": "b"}, "has a message in 'prompt' without the texts"),
        (
            {"chosen": "a", "rejected": "b"},
            "has no field 'prompt'; only conversations, or dialogues of 'Human:' and 'Assistant:', may leave it out",
        ),
        ({"chosen": turns("p", "a"), "rejected": turns("q", "b")}, "do not begin with one conversation"),
        ({"chosen": turns("p", "a"), "rejected": turns("p")}, "do not begin with one conversation"),
    ],
)
def test_a_preference_row_that_cannot_be_used_names_its_line(file: Path, row: Any, reason: str) -> None:
    with pytest.raises(DataError, match=re.escape(f"{file}: line 1 ") + ".*" + re.escape(reason)):
        load("preference", file, [row])


def test_the_presented_order_is_a_fair_coin_that_does_not_know_the_label(file: Path) -> None:
    rows = [{"prompt": f"p{n}", "chosen": f"x{n}", "rejected": f"y{n}"} for n in range(400)]
    flipped = [{"prompt": row["prompt"], "chosen": row["rejected"], "rejected": row["chosen"]} for row in rows]
    shown, again = load("preference", file, rows), load("preference", file, flipped)
    assert [problem.answers for problem in shown] == [problem.answers for problem in again]
    assert all(one.label != other.label for one, other in zip(shown, again, strict=True))
    assert 150 < sum(problem.label == 0 for problem in shown) < 250
    assert [problem.label for problem in load("preference", file, rows, seed=1)] != [problem.label for problem in shown]


texts = st.text(min_size=1, max_size=20)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(texts, texts, texts).filter(lambda row: row[1] != row[2]), min_size=1, max_size=8), seed=st.integers(0, 99))
def test_the_label_follows_the_chosen_answer(file: Path, rows: list[tuple[str, str, str]], seed: int) -> None:
    data = [{"prompt": prompt, "chosen": chosen, "rejected": rejected} for prompt, chosen, rejected in rows]
    problems = load("preference", file, data, seed=seed)
    assert [right_answer(problem) for problem in problems] == [chosen for _, chosen, _ in rows]
    assert len({problem.id for problem in problems}) == len(rows)


# Both -----------------------------------------------------------------------------------------------------------------------


def test_the_split_is_by_prompt_and_loses_nothing(file: Path) -> None:
    rows = [{"prompt": f"p{n % 300}", "chosen": f"a{n}", "rejected": f"b{n}"} for n in range(900)]
    every = load("preference", file, rows)
    train, test = load("preference", file, part="train", test_share=0.3), load("preference", file, part="test", test_share=0.3)
    assert not {problem.prompt for problem in train} & {problem.prompt for problem in test}
    assert sorted(problem.id for problem in train + test) == sorted(problem.id for problem in every)
    assert 0.2 < len(test) / len(every) < 0.4


def test_the_limit_counts_problems_of_the_part(file: Path) -> None:
    rows = [{"prompt": f"p{n}", "answers": ["a", "b"]} for n in range(50)]
    test = load("jsonl", file, rows, part="test", test_share=0.5)
    assert load("jsonl", file, part="test", test_share=0.5, limit=5) == test[:5]


def test_missing_and_empty_files_are_named(file: Path) -> None:
    with pytest.raises(DataError, match=r"rows\.jsonl: no such file"):
        load("jsonl", file)
    with pytest.raises(DataError, match=r"rows\.jsonl: the data set is empty"):
        load("jsonl", file, [])
    with pytest.raises(DataError, match=r"rows\.jsonl, part test: the data set is empty"):
        load("jsonl", file, [{"prompt": "p", "answers": ["a", "b"]}], part="test", test_share=0.001)


def test_each_file_opens_with_a_row_that_loads(file: Path) -> None:
    for use in ("jsonl", "preference"):
        module = __import__(PLUGINS.pick(Dataset, use).__module__, fromlist=["__doc__"])
        row = next(line for line in str(module.__doc__).splitlines() if line.startswith("{"))
        assert right_answer(load(use, file, [json.loads(row)])[0]) == "85"
