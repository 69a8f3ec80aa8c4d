"""JSON Lines files that people made: what is read, and how a line that cannot be used is told or counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adjudge import DataError, RowError, not_empty, read_rows, text_field

values = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3), max_leaves=5)


@given(rows=st.lists(st.dictionaries(st.text(max_size=5), values, max_size=3), max_size=5), ascii_only=st.booleans())
def test_what_json_writes_is_read_back(tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]], ascii_only: bool) -> None:
    file = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    file.write_text("\n\n".join(json.dumps(row, ensure_ascii=ascii_only) for row in rows), encoding="utf-8", newline="\n")
    assert list(read_rows(file)) == rows


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{oops", "is not JSON"),
        ("[1]", "is a list, not an object"),
        ('"text"', "is a str, not an object"),
        (r'{"a": "\ud800"}', "holds half of a character, '\\ud800'"),
        ('{"a": ' + "1" * 5000 + "}", "is not JSON (Exceeds the limit"),
        ("[" * 100_000, "is not JSON (maximum recursion depth exceeded"),
    ],
)
def test_a_broken_line_names_file_and_number(tmp_path: Path, line: str, reason: str) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"a": 1}\n\n' + line + "\n")
    with pytest.raises(DataError) as caught:
        list(read_rows(file))
    assert f"{file}: line 3 {reason}" in str(caught.value)
    assert "--skip-bad-lines" in str(caught.value)


def test_bad_lines_are_skipped_and_counted_where_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"a": 1}\nbad\n[2]\n{"a": 3}\n')
    assert list(read_rows(file, skip_bad_lines=True)) == [{"a": 1}, {"a": 3}]
    told = capsys.readouterr().err
    assert f"{file}: 2 bad lines skipped; the first: line 2 is not JSON" in told


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"a": 1}\n', encoding="utf-8-sig")
    assert list(read_rows(file)) == [{"a": 1}]


def test_a_parser_that_refuses_a_row_is_quoted_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"a": "x"}\n{"b": "y"}\n')
    with pytest.raises(DataError, match=r"line 2 has no field 'a' \(it has: b\)"):
        list(read_rows(file, parse=lambda row: text_field(row, "a")))


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.jsonl: no such file"):
        list(read_rows(tmp_path / "none.jsonl"))
    latin = tmp_path / "latin.jsonl"
    latin.write_bytes(b'{"a": "\xe9"}\n')
    with pytest.raises(DataError, match=r"latin\.jsonl: cannot be read as UTF-8"):
        list(read_rows(latin))
    with pytest.raises(DataError, match="cannot be read"):
        list(read_rows(tmp_path))


def test_a_field_has_to_be_a_text() -> None:
    assert text_field({"a": ""}, "a") == ""
    with pytest.raises(RowError, match="'a' that is a int, not a text"):
        text_field({"a": 1}, "a")


def test_an_empty_data_set_is_a_mistake() -> None:
    assert not_empty(iter([1]), "data") == [1]
    with pytest.raises(DataError, match=r"evaluation\.sets\.x: the data set is empty"):
        not_empty([], "evaluation.sets.x")
