"""The index follows files that are being written, whatever state a killed process left them in."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adjudge import Records, succeeded
from adjudge_view import Library
from adjudge_view.query import Wanted

from .made import append, path, problem, rows_of, write_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run")


def ids(library: Library, **wanted: object) -> list[str]:
    return [item["id"] for item in library.judgements("run", Wanted(**wanted), 0, 500)["items"]]  # type: ignore[arg-type]


def test_what_is_appended_joins_the_list_and_the_search(run: Path) -> None:
    library = Library([run])
    library.read_all()
    before = ids(library)
    assert ids(library, text="77+77") == []
    records, of = Records(run / "records" / "2-sft-evaluation-standard.jsonl"), problem(77)
    made = path(of, "late", 0, random.Random(5))
    append(records, of, made)
    assert ids(library) == before
    changed = dict(library.changes["run"])
    library.look()
    ident = f"2-sft-evaluation-standard/{made.id}"
    assert ids(library) == [*before, ident]
    assert ids(library, text="77+77") == [ident]
    assert library.judgement("run", ident)["text"] == made.completion.text
    assert library.changes["run"]["rows"] == changed["rows"] + 1


def test_a_line_that_is_being_written_waits_until_it_is_whole(run: Path) -> None:
    library = Library([run])
    library.read_all()
    file = run / "records" / "0-base-evaluation-standard.jsonl"
    of = problem(78)
    row = {"id": "late", "problem_id": of.id, "order": "given", "index": 0, "completion": {"text": "hence", "error": None, "tokens": 2},
           "verdict": {"outcome": "first"}, "outcome": "first", "right": True, **of.shown("given")}  # fmt: skip
    line = json.dumps(row) + "\n"
    for start, end, shown in ((0, 20, 0), (20, len(line) - 2, 0), (len(line) - 2, len(line) - 1, 1), (len(line) - 1, len(line), 1)):
        with file.open("a") as out:
            out.write(line[start:end])
        library.read_all()
        assert ids(library).count("0-base-evaluation-standard/late") == shown
    assert ids(library, stage=["0-base"])[-1] == "0-base-evaluation-standard/late"
    assert not library.runs()["runs"][0]["missing"]


def test_a_damaged_line_is_told_of_and_the_rest_is_shown(run: Path) -> None:
    file = run / "records" / "0-base-evaluation-standard.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join([*lines[:2], '{"id": "half\n', *lines[2:]]))
    library = Library([run])
    library.read_all()
    [told] = library.runs()["runs"]
    assert told["state"] == "broken"
    assert told["missing"] == ["0-base-evaluation-standard.jsonl line 3 is damaged and left out"]
    assert len(ids(library, stage=["0-base"])) == len(lines)


def test_records_that_were_taken_out_are_gone(run: Path) -> None:
    library = Library([run])
    library.read_all()
    file = run / "records" / "2-sft-paths.jsonl"
    failed = [row["id"] for row in rows_of(file) if row["outcome"] == "failed"]
    assert failed
    assert len(ids(library, set=["paths"], outcome=["failed"])) == len(failed)
    records = Records(file)
    records.keep(succeeded)
    records.close()
    library.read_all()
    assert ids(library, set=["paths"], outcome=["failed"]) == []
    left = [f"2-sft-paths/{row['id']}" for row in rows_of(file)]
    assert ids(library, set=["paths"]) == left
    assert library.judgement("run", left[-1])["id"] == left[-1]


def test_a_score_counts_whether_it_comes_before_its_path_or_after_it(run: Path) -> None:
    library = Library([run])
    library.read_all()
    scores, paths = run / "records" / "2-sft-scores.jsonl", Records(run / "records" / "2-sft-paths.jsonl")
    of = problem(79, "train")
    for name, first in (("before", True), ("after", False)):
        made = path(of, name, 0, random.Random(1))
        row = {"id": made.id, "path_id": made.id, "problem_id": of.id, "scorer": "rstar", "value": 0.25, "parts": {}, "kept": True}
        for score in (first, not first):
            if score:
                with scores.open("a") as out:
                    out.write(json.dumps(row) + "\n")
            else:
                append(paths, of, made)
            library.look()
        shown = library.judgement("run", f"2-sft-paths/{made.id}")
        assert (shown["score"], shown["kept"], shown["score_name"]) == (0.25, True, "rstar")


@given(st.lists(st.integers(1, 400), max_size=8))
def test_however_a_file_grows_the_list_is_that_of_the_whole_file(tmp_path_factory: pytest.TempPathFactory, cuts: list[int]) -> None:
    folder = tmp_path_factory.mktemp("grows")
    source = write_run(folder / "source", problems=3, paths=2) / "records" / "2-sft-paths.jsonl"
    data, file = source.read_bytes(), folder / "rows.jsonl"
    file.write_bytes(b"")
    library, place = Library([file]), 0
    for cut in [*cuts, len(data)]:
        with file.open("ab") as out:
            out.write(data[place : place + cut])
        place += cut
        library.read_all()
    found = library.judgements("rows", Wanted(), 0, 500)["items"]
    assert [item["id"] for item in found] == [f"rows/{row['id']}" for row in rows_of(source)]


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["text", "outcome", "error", "tokens", "ends"]), inner),
    max_leaves=6,
)
NAMES = (
    "id", "problem_id", "path_id", "order", "index", "completion", "verdict", "outcome", "right", "label", "shown", "answers", "prompt",
    "text", "tokens", "reward", "parts", "step", "value", "kept", "judgements", "judgements_made", "matches", "ratings", "scorer",
)  # fmt: skip


@given(
    st.lists(st.dictionaries(st.sampled_from(NAMES), anything), max_size=4),
    st.sampled_from(["2-sft-paths", "1-grpo-rollouts", "2-sft-scores", "rows"]),
)
def test_whatever_stands_in_a_row_the_others_are_shown(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, object]], name: str
) -> None:
    folder = tmp_path_factory.mktemp("odd") / "records"
    folder.mkdir()
    of = problem(1)
    good = {"id": "good", "problem_id": of.id, "order": "given", "text": "hence", "tokens": 1, "outcome": "first", "right": True, "step": 1,
            "path_id": "good", "value": 0.5, "reward": 1.0, **of.shown("given")}  # fmt: skip
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in [*rows, good]))
    library = Library([folder.parent])
    library.read_all()
    [run] = library.indexes
    library.runs()
    library.curves(run)
    library.groups(run)
    library.tournaments(run)
    found = [item["id"] for item in library.judgements(run, Wanted(), 0, 500)["items"]]
    for ident in found:
        library.judgement(run, ident)
    assert name == "2-sft-scores" or f"{name}/good" in found
