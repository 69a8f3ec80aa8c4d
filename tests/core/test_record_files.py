"""Record files: lines for people, token numbers in Arrow files, an index, and what is left of each after a kill or a person's hand."""

from __future__ import annotations

import json
import os
import random
import signal
import struct
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adjudge import (
    Completion,
    ConfigError,
    JobError,
    Outcome,
    ReasoningPath,
    Records,
    Verdict,
    join_parts,
    succeeded,
    token_files,
    tokens_back,
)
from adjudge.store import record_index
from adjudge.store import token_files as files

numbers = pytest.importorskip("numpy", reason="numpy comes with adjudge")


def path_of(number: int, size: int = 7, *, error: str | None = None, **more: Any) -> ReasoningPath:
    draw = random.Random(number)
    ends, end = [], 0
    for _ in range(size):
        silent = draw.random() < 0.1
        end += 0 if silent else draw.randrange(0, 200)
        ends.append(-1 if silent else end)
    logprobs = tuple(float(numbers.float32(-draw.expovariate(2))) for _ in range(size)) or None
    made = Completion("x" * end, tuple(draw.randrange(200_000) for _ in range(size)), tuple(ends), logprobs, error=error, **more)
    verdict = Verdict(Outcome.FAILED) if error else Verdict(Outcome.FIRST, (0, end // 2), (end // 2, end))
    return ReasoningPath(f"path-{number}", f"problem-{number // 4}", "given", number % 4, made, verdict)


def test_lines_are_for_people_and_tokens_come_back_from_their_files(tmp_path: Path) -> None:
    paths = [path_of(number, size=number % 40) for number in range(60)]
    records = Records(tmp_path / "paths.jsonl")
    for path in paths:
        records.append(path, outcome=path.outcome)
    lines = [json.loads(line) for line in (tmp_path / "paths.jsonl").read_text().splitlines()]
    assert [line["completion"]["tokens"] for line in lines] == [len(path.completion.token_ids) for path in paths]
    assert not any({"token_ids", "ends", "logprobs"} & set(line["completion"]) for line in lines)
    assert Records(tmp_path / "paths.jsonl").load(ReasoningPath) == paths  # of the tail, which another process may read
    records.close()
    assert Records(tmp_path / "paths.jsonl").load(ReasoningPath) == paths  # of the Arrow file
    assert list(records.read(ReasoningPath, ["path-7", "path-3"])) == [paths[7], paths[3]]
    with pytest.raises(KeyError, match="no-such"):
        list(records.read(ReasoningPath, ["no-such"]))


def test_anyone_reads_the_arrow_files(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow", reason="pyarrow comes with the extras data and train")
    records = Records(tmp_path / "paths.jsonl")
    for number in range(5):
        records.append(path_of(number))
    records.close()
    (file,) = (tmp_path / "paths.tokens").iterdir()
    table = arrow.ipc.open_file(str(file)).read_all()
    assert table.column("id").to_pylist() == [f"path-{number}" for number in range(5)]
    assert tuple(table.column("token_ids")[3].as_py()) == path_of(3).completion.token_ids
    assert tuple(table.column("logprobs")[3].as_py()) == path_of(3).completion.logprobs


@given(
    st.lists(
        st.tuples(
            st.lists(st.integers(0, 2**31 - 1), max_size=9),
            st.none() | st.lists(st.floats(-1e4, 0, width=32), max_size=9),
            st.lists(st.integers(-1, 2**20), max_size=9),
        ),
        max_size=9,
    ),
    st.booleans(),
)
def test_whatever_tokens_an_engine_tells_come_back(tmp_path_factory: Any, rows: list[Any], closed: bool) -> None:
    """Also ends that go back, lists of several lengths, and no log-probabilities."""
    file = tmp_path_factory.mktemp("rows") / "paths.jsonl"
    records = Records(file)
    made = [
        ReasoningPath(str(number), "p", "given", 0, Completion("t", tuple(ids), tuple(ends), None if logprobs is None else tuple(logprobs)),
                      Verdict(Outcome.UNREADABLE))
        for number, (ids, logprobs, ends) in enumerate(rows)
    ]  # fmt: skip
    for path in made:
        records.append(path)
    if closed:
        records.close()
    found = Records(file).load(ReasoningPath)
    assert [(one.completion.token_ids, one.completion.token_ends) for one in found] == [
        (one.completion.token_ids, one.completion.token_ends) for one in made
    ]
    assert [one.completion.logprobs or None for one in found] == [one.completion.logprobs or None for one in made]


def test_a_number_that_is_not_finite_is_refused(tmp_path: Path) -> None:
    records = Records(tmp_path / "paths.jsonl")
    for number in (float("nan"), float("-inf")):
        with pytest.raises(ValueError, match="Out of range float values are not JSON compliant"):
            records.append(ReasoningPath("a", "p", "given", 0, Completion("t", (1,), (1,), (number,)), Verdict(Outcome.FIRST)))
    assert not list(records)


def test_a_number_too_large_for_single_precision_stays_in_its_line(tmp_path: Path) -> None:
    made = Completion("t", (1, 2), (1, 1), (-0.5, -1.0), statistics={"perplexity": (1e60, 2.0)})
    path = ReasoningPath("a", "p", "given", 0, made, Verdict(Outcome.FIRST))
    Records(tmp_path / "paths.jsonl").append(path)
    assert Records(tmp_path / "paths.jsonl").load(ReasoningPath) == [path]
    assert not (tmp_path / "paths.tokens").exists()


def test_full_tails_become_files_and_rows_of_all_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "FULL", 2000)
    monkeypatch.setattr(files, "BATCH", 40)
    monkeypatch.setattr(files, "KEPT", 2)
    records = Records(tmp_path / "paths.jsonl")
    paths = [path_of(number, size=15) for number in range(80)]
    for path in paths:
        records.append(path)
    assert list(Records(tmp_path / "paths.jsonl").read(ReasoningPath, [path.id for path in paths])) == paths, "also while files are made"
    records.close()
    assert {file.suffix for file in (tmp_path / "paths.tokens").iterdir()} == {".arrow"}
    assert len(list((tmp_path / "paths.tokens").iterdir())) > 5
    order = random.Random(0).sample(paths, len(paths))
    assert list(Records(tmp_path / "paths.jsonl").read(ReasoningPath, [path.id for path in order])) == order
    assert [ident for ident, _ in token_files(tmp_path / "paths.jsonl")] == [path.id for path in paths]


def test_tails_count_until_an_arrow_file_has_their_rows(tmp_path: Path) -> None:
    """As kills leave them: several tails, a torn row at the end of each, tails of rows that have their Arrow file."""
    file, folder = tmp_path / "paths.jsonl", tmp_path / "paths.tokens"
    paths = [path_of(number) for number in range(12)]
    for start in range(0, 9, 3):
        records = Records(file)
        for path in paths[start : start + 3]:
            records.append(path)
        assert Records(file).load(ReasoningPath) == paths[: start + 3]
        newest = max(folder.glob("*.tail"))
        newest.write_bytes(newest.read_bytes() + b'{"id":"torn","columns":[["token_ids","<i4",7]]}\n1234')
    assert sorted(one.name for one in folder.iterdir()) == [f"{start:012}.tail" for start in (0, 3, 6)]
    tails = {one: one.read_bytes() for one in folder.iterdir()}
    Records(file).close()
    assert [one.name for one in folder.iterdir()] == ["000000000000.arrow"]
    for one, data in tails.items():
        one.write_bytes(data)
    records = Records(file)
    for path in paths[9:]:
        records.append(path)
    assert Records(file).load(ReasoningPath) == paths
    records.close()
    assert sorted(one.suffix for one in folder.iterdir()) == [".arrow", ".arrow"]
    assert Records(file).load(ReasoningPath) == paths


def test_two_that_write_by_turns_and_read_what_the_other_wrote_lose_nothing(tmp_path: Path) -> None:
    one, other = (Records(tmp_path / "paths.jsonl") for _ in range(2))
    made = [path_of(number) for number in range(6)]
    for number, path in enumerate(made):
        (one if number % 2 else other).append(path)
        assert Records(tmp_path / "paths.jsonl").load(ReasoningPath) == made[: number + 1]
        for records in (one, other):
            assert [ident for ident, _ in records.tokens] == [path.id for path in made[: number + 1]]
    one.close()
    assert Records(tmp_path / "paths.jsonl").load(ReasoningPath) == made


def test_what_keeps_an_arrow_file_from_being_made_is_told_and_loses_nothing(tmp_path: Path) -> None:
    records = Records(tmp_path / "paths.jsonl")
    for number in range(4):
        records.append(path_of(number))
    (in_the_way := tmp_path / "paths.tokens" / "000000000000.partial").mkdir()
    with pytest.raises(JobError, match=r"000000000000\.arrow cannot be written: .*\n  Remedy: make room"):
        records.close()
    assert Records(tmp_path / "paths.jsonl").load(ReasoningPath) == [path_of(number) for number in range(4)]
    in_the_way.rmdir()
    records.append(path_of(4))
    records.close()
    assert [one.name for one in (tmp_path / "paths.tokens").iterdir()] == ["000000000000.arrow"]
    assert Records(tmp_path / "paths.jsonl").load(ReasoningPath) == [path_of(number) for number in range(5)]


def test_the_index_is_made_again_where_it_is_lost_cut_or_of_another_file(tmp_path: Path) -> None:
    file, index = tmp_path / "paths.jsonl", tmp_path / "paths.index"
    records = Records(file)
    for number in range(6):
        records.append(path_of(number))
    records.close()
    ids = {f"path-{number}" for number in range(6)}
    whole = index.read_bytes()
    for damaged in (b"", whole[:50], b"\xff" * len(whole), whole[32:] + whole[:32], whole[32:], whole[:32] + whole[64:], whole + whole):
        index.write_bytes(damaged)
        assert Records(file).ids == ids
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[1:]))  # by hand
    assert Records(file).ids == ids - {"path-0"}
    assert [path.id for path in Records(file).load(ReasoningPath)] == [f"path-{number}" for number in range(1, 6)]
    file.unlink()
    assert Records(file).ids == set()


def test_many_records_are_found_by_id_and_by_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_index, "FEW", 8)
    few = lambda ident: struct.pack("<QQ", len(ident), hash(ident) & 0xFFFFFFFF)  # noqa: E731 - few keys, so that many are equal
    monkeypatch.setattr(record_index, "_hash", few)
    records = Records(tmp_path / "many.jsonl")
    for number in range(100):
        records.append({"id": f"é{number}", "value": number})
        records.append({"id": f"é{number}", "value": -1})
    for found in (records, Records(tmp_path / "many.jsonl")):
        assert [*found.ids] == [f"é{number}" for number in range(100)]
        assert [found.ids.number(f"é{number}") for number in range(101)] == [*range(100), None]
        assert [found.ids.row(number)["value"] for number in range(100)] == [*range(100)]
        found.close()


def test_ten_bytes_a_record_are_held_of_an_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_index, "FEW", 500)
    index, held = record_index.RecordIndex(tmp_path / "many.jsonl", tmp_path / "many.index"), []
    tracemalloc.start()
    for start in (0, 20_000, 40_000):
        for number in range(start, start + 20_000):
            index.add(f"record-{number}", 100 * number, 100, False)
        held.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.reset_peak()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert held[2] - held[1] < 10 * 20_000
    assert peak < held[2] + 100_000  # and no more while they are sorted in
    assert index.number("record-59999") == 59_999


def test_another_index_of_the_same_file_takes_nothing_from_the_first(tmp_path: Path) -> None:
    first, second = Records(tmp_path / "a.jsonl"), Records(tmp_path / "a.jsonl")
    for number in range(300):
        first.append({"id": f"first-{number}"})
    second.append({"id": "second"})
    second.close()
    first.append({"id": "first-300"})
    first.close()
    assert first.ids == {f"first-{number}" for number in range(301)}
    assert [first.ids.row(number)["id"] for number in (0, 299, 300)] == ["first-0", "first-299", "first-300"]
    assert Records(tmp_path / "a.jsonl").ids == {*first.ids, "second"}


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files are counted in /proc")
def test_few_files_of_many_are_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "FULL", 300)
    monkeypatch.setattr(files, "KEPT", 3)
    records = Records(tmp_path / "paths.jsonl")
    for number in range(40):
        records.append(path_of(number))
    records.close()
    assert len(list((tmp_path / "paths.tokens").iterdir())) > 15
    assert list(records.read(ReasoningPath, [f"path-{number}" for number in range(40)])) == [path_of(number) for number in range(40)]
    opened = [os.readlink(one) for one in Path("/proc/self/fd").iterdir() if one.exists()]
    assert sum(one.startswith(str(tmp_path)) and one.endswith(".arrow") for one in opened) <= 4


def test_files_of_earlier_versions_are_read_and_gone_on_with(tmp_path: Path) -> None:
    file, old, new = tmp_path / "paths.jsonl", path_of(1), path_of(2)
    made = old.completion
    row = {
        "id": old.id, "problem_id": old.problem_id, "order": "given", "index": 1, "outcome": "first",
        "completion": {"text": made.text, "token_ids": made.token_ids, "ends": made.token_ends, "logprobs": made.logprobs,
                       "truncated": False, "error": None},
        "verdict": {"outcome": "first", "reasoning": old.verdict.reasoning, "answer": old.verdict.answer},
    }  # fmt: skip
    file.write_text(json.dumps(row) + "\n")
    records = Records(file)
    records.append(old)
    records.append(new)
    assert Records(file).load(ReasoningPath) == [old, new]
    assert tokens_back(file)(row) == row


def test_token_files_of_earlier_versions_are_read_and_gone_on_with(tmp_path: Path) -> None:
    """Their ends are the characters that each token writes, -1 for none, in Arrow files and in tails."""
    arrow = pytest.importorskip("pyarrow", reason="pyarrow comes with the extras data and train")
    file, folder, made = tmp_path / "paths.jsonl", tmp_path / "paths.tokens", [path_of(number, 30) for number in range(6)]
    records = Records(file)
    for path in made[:4]:
        records.append(path)
    records.close()
    written = []
    for path in made[:4]:
        end, row = 0, []
        for one in path.completion.token_ends:
            row.append(-1 if one < 0 else one - end)
            end = max(end, one)
        written.append(row)
    assert any(-1 in row for row in written)
    whole = arrow.ipc.open_file(str(folder / "000000000000.arrow")).read_all()
    columns = {
        "id": whole.column("id").to_pylist()[:2],
        "token_ids": arrow.array([path.completion.token_ids for path in made[:2]], arrow.list_(arrow.int32())),
        "ends": arrow.array(written[:2], arrow.list_(arrow.int16())),
        "logprobs": arrow.array([path.completion.logprobs for path in made[:2]], arrow.list_(arrow.float32())),
    }
    table = arrow.table(columns).replace_schema_metadata({"adjudge": json.dumps({"starts": [0], "rows": 2})})
    with arrow.ipc.new_file(str(folder / "000000000000.arrow"), table.schema) as out:
        out.write_table(table)
    with (folder / "000000000002.tail").open("wb") as tail:
        for path, row in zip(made[2:4], written[2:], strict=True):
            head = {"id": path.id, "columns": [["token_ids", "<i4", 30], ["ends", "<i4", 30], ["logprobs", "<f4", 30]]}
            numbers = (path.completion.token_ids, row, path.completion.logprobs or ())
            packed = [struct.pack(kind, *some) for kind, some in zip(("<30i", "<30i", "<30f"), numbers, strict=True)]
            tail.write(b"\n".join([json.dumps(head).encode(), b"".join(packed)]))
    assert Records(file).load(ReasoningPath) == made[:4]
    records = Records(file)
    for path in made[4:]:
        records.append(path)
    assert Records(file).load(ReasoningPath) == made
    records.close()
    assert sorted(one.suffix for one in folder.iterdir()) == [".arrow", ".arrow"]
    assert Records(file).load(ReasoningPath) == made


def test_failed_calls_are_dropped_and_their_siblings_keep_their_tokens(tmp_path: Path) -> None:
    file = tmp_path / "paths.jsonl"
    records = Records(file)
    for number in range(6):
        records.append(path_of(number, error="late" if number % 2 else None))
    records.keep(succeeded)
    assert records.ids == {"path-0", "path-2", "path-4"}
    assert Records(file).load(ReasoningPath) == [path_of(number) for number in (0, 2, 4)]
    records.append(path_of(1))
    assert list(records.read(ReasoningPath, ["path-1", "path-4"])) == [path_of(1), path_of(4)]


def test_parts_of_processes_are_joined_with_their_tokens(tmp_path: Path) -> None:
    file = tmp_path / "paths.jsonl"
    for rank in range(3):
        part = Records(file.with_name(f"{file.name}.part{rank}"))
        for number in range(rank, 12, 3):
            part.append(path_of(number))
    join_parts(file)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["paths.index", "paths.jsonl", "paths.tokens"]
    assert list(Records(file).read(ReasoningPath, [f"path-{number}" for number in range(12)])) == [path_of(number) for number in range(12)]


def test_tokens_that_were_deleted_are_missed_in_words(tmp_path: Path) -> None:
    records = Records(tmp_path / "paths.jsonl")
    records.append(path_of(1))
    (tmp_path / "paths.tokens" / "000000000000.tail").unlink()
    with pytest.raises(ConfigError, match=r"paths\.tokens has no row 0\.\n  Remedy: bring the folder back"):
        Records(tmp_path / "paths.jsonl").load(ReasoningPath)


WRITER = """
import sys
from pathlib import Path
from adjudge import Records
from adjudge.store import token_files
sys.path.insert(0, sys.argv[2])
from test_record_files import path_of
token_files.FULL = 30_000
records = Records(Path(sys.argv[1]))
for number in range(100_000):
    records.append(path_of(number, 50))
    print(number, flush=True)
"""


def test_a_kill_loses_nothing_but_the_torn_tail_and_makes_nothing_twice(tmp_path: Path) -> None:
    file = tmp_path / "paths.jsonl"
    for turn in range(4):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(file), str(Path(__file__).parent)], stdout=subprocess.PIPE, text=True
        )  # fmt: skip
        assert writer.stdout is not None
        for line in writer.stdout:
            if int(line) >= 150 * (turn + 1):
                break
        time.sleep(random.Random(turn).random() / 20)
        os.kill(writer.pid, signal.SIGKILL)
        told = [int(line) for line in writer.stdout]
        writer.wait()
        found = Records(file).load(ReasoningPath)
        assert found == [path_of(number, 50) for number in range(len(found))]
        assert len(found) > max(told, default=150 * (turn + 1))
