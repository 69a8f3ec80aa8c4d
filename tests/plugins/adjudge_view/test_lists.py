"""Lists of judgements hold what fits, whatever is asked for together, and their pages join up to the whole."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import pstdev
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adjudge_view import Library, texts
from adjudge_view.query import Wanted

from .made import rows_of, write_run

FILES = ("0-base-evaluation-standard", "1-grpo-rollouts", "1-grpo-evaluation-standard", "2-sft-paths", "2-sft-evaluation-standard")


@dataclass(frozen=True)
class Plain:
    """A judgement as its line has it, read without the index."""

    id: str
    stage: str
    set: str
    row: dict[str, Any]
    score: float | None
    kept: bool | None

    @property
    def tokens(self) -> int | None:
        made = self.row.get("completion", self.row)
        found = made["tokens"] if "tokens" in made else len(made["token_ids"])
        return found or (None if made["text"] else 0)

    @property
    def text(self) -> str:
        made = self.row.get("completion", self.row)
        return "\n".join([self.row["prompt"], *self.row["shown"], made["text"], made.get("error") or ""])


def plain(run: Path) -> Iterator[Plain]:
    """All judgements of a run, in the order of its stages."""
    scores = {row["path_id"]: row for row in rows_of(run / "records" / "2-sft-scores.jsonl")}
    for name in FILES:
        stage = "-".join(name.split("-")[:2])
        for row in rows_of(run / "records" / f"{name}.jsonl"):
            scored = scores.get(row["id"], {}) if name == "2-sft-paths" else {}
            kind = name.removeprefix(f"{stage}-").removeprefix("evaluation-")
            yield Plain(f"{name}/{row['id']}", stage, kind, row, scored.get("value", row.get("reward")), scored.get("kept"))


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> tuple[Library, list[Plain]]:
    run = write_run(tmp_path_factory.mktemp("lists") / "run")
    library = Library([run])
    library.read_all()
    return library, list(plain(run))


def fits(one: Plain, wanted: Wanted) -> bool:
    yes_no = {True: "yes", False: "no", None: "none"}
    pairs = [
        (wanted.stage, one.stage), (wanted.set, one.set), (wanted.outcome, one.row["outcome"]), (wanted.order, one.row["order"]),
        (wanted.right, yes_no[one.row["right"]]), (wanted.kept, yes_no[one.kept]), (wanted.problem, one.row["problem_id"]),
        (wanted.step, one.row.get("step")),
    ]  # fmt: skip
    score, tokens = one.score, one.tokens
    bounds = [(wanted.score_min, wanted.score_max, score), (wanted.length_min, wanted.length_max, tokens)]
    within = all(
        value is not None and (low is None or value >= low) and (high is None or value <= high)
        for low, high, value in bounds
        if low is not None or high is not None
    )
    return within and all(value in asked for asked, value in pairs if asked) and wanted.text.lower() in one.text.lower()


some = st.lists(st.sampled_from(["yes", "no", "none"]), max_size=2)
wanted = st.builds(
    Wanted,
    stage=st.lists(st.sampled_from(["0-base", "1-grpo", "2-sft", "nowhere"]), max_size=2),
    set=st.lists(st.sampled_from(["standard", "paths", "rollouts"]), max_size=2),
    outcome=st.lists(st.sampled_from(["first", "second", "tie", "unreadable", "truncated", "failed"]), max_size=3),
    right=some,
    kept=some,
    order=st.lists(st.sampled_from(["given", "swapped"]), max_size=1),
    step=st.lists(st.sampled_from([1, 2, 3]), max_size=1),
    score_min=st.none() | st.floats(-1, 1),
    score_max=st.none() | st.floats(-1, 1),
    length_min=st.none() | st.integers(0, 20),
    length_max=st.none() | st.integers(0, 20),
    text=st.sampled_from(["", "", "carry", "ÜBERTRAG", "i̇stanbul", "🧮", '"quoted"', "\\boxed{first}", "yes no", "connection", "2 test"]),
    sort=st.sampled_from(["given", "newest", "score", "-score", "length", "-length"]),
)


@given(wanted)
def test_a_list_has_exactly_what_fits(opened: tuple[Library, list[Plain]], wanted: Wanted) -> None:
    library, everything = opened
    found = library.judgements("run", wanted, 0, 500)
    expected = [one for one in everything if fits(one, wanted)]
    assert found["total"] == len(expected)
    assert found["of"] == len(everything)
    assert {item["id"] for item in found["items"]} == {one.id for one in expected}
    outcomes = [one.row["outcome"] for one in expected]
    assert found["counts"]["outcome"] == {outcome: outcomes.count(outcome) for outcome in set(outcomes)}


@given(wanted, st.integers(1, 20))
def test_pages_join_up_to_the_whole(opened: tuple[Library, list[Plain]], wanted: Wanted, size: int) -> None:
    library, _ = opened
    whole = [item["id"] for item in library.judgements("run", wanted, 0, 500)["items"]]
    pages = [library.judgements("run", wanted, start, size)["items"] for start in range(0, len(whole), size)]
    assert [item["id"] for page in pages for item in page] == whole


@pytest.mark.parametrize(("sort", "of"), [("score", "score"), ("length", "tokens")])
def test_what_is_not_known_stands_last_in_both_directions(opened: tuple[Library, list[Plain]], sort: str, of: str) -> None:
    library, _ = opened
    for sign, direction in ((1, sort), (-1, f"-{sort}")):
        values = [item[of] for item in library.judgements("run", Wanted(sort=direction), 0, 500)["items"]]
        keys = [math.inf if value is None else sign * value for value in values]
        assert keys == sorted(keys)
        assert (None in values) == (sort == "score")
    assert len({value for value in values if value is not None}) > 2


short = st.text(max_size=30) | st.text("abc", min_size=3, max_size=12)


@given(st.lists(short, max_size=12), st.text(min_size=1, max_size=3) | st.text("abc", min_size=3, max_size=5), st.integers(1, 200))
def test_a_search_finds_the_texts_that_have_the_words(many: list[str], words: str, piece: int) -> None:
    held = texts.PIECE
    texts.PIECE = piece
    try:
        searched = texts.Texts()
        for text in many:
            searched.add(text)
        found = searched.search(words)
    finally:
        texts.PIECE = held
    plain = [text.lower().replace("\0", " ") for text in many]
    assert found.tolist() == [words.lower().replace("\0", " ") in text for text in plain]


def test_groups_are_found_by_words_of_their_completions_and_sorted_by_spread(opened: tuple[Library, list[Plain]]) -> None:
    library, everything = opened
    rollouts = [one for one in everything if one.set == "rollouts"]
    for words in ("carry", "ÜBERTRAG", "2+2 train", "nowhere"):
        having = [one.row for one in rollouts if words.lower() in one.text.lower()]
        expected = {f"1-grpo-rollouts/{row['step']}/{row['problem_id']}-{row['order']}" for row in having}
        found = library.groups("run", text=words)
        assert {one["id"] for one in found["items"]} == expected
    for one in library.groups("run", sort="-spread")["items"]:
        rewards = [each["reward"] for each in library.group("run", one["id"])["members"]]
        assert math.isclose(one["spread"], pstdev(rewards), abs_tol=1e-12)
        assert one["skipped"] == (len(set(rewards)) == 1)
    spreads = [one["spread"] for one in library.groups("run", sort="-spread")["items"]]
    assert spreads == sorted(spreads, reverse=True)
    assert {one["step"] for one in library.groups("run", step=[2])["items"]} == {2}
