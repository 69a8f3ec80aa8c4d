"""Rows are the same rows in every format that people have them in, read no further than they are taken, and texts stay texts."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adjudge import ConfigError, DataError, Dataset, Plugins, open_lines, read_rows

Row = dict[str, Any]
ROWS: list[Row] = [
    {"prompt": "What is 2+3?", "chosen": "5", "rejected": "42"},
    {"prompt": "三?\n\"quoted\", 🙂", "chosen": "true", "rejected": ""},
    {"prompt": "null", "chosen": "1e3", "rejected": " 007 "},
]  # fmt: skip
TALK: list[Row] = [
    {"prompt": "2+3", "chosen": "42", "rejected": [{"role": "assistant", "content": "43"}]},
    {"prompt": "2+4", "chosen": [{"role": "assistant", "content": "plain"}], "rejected": "true"},
    {"prompt": "2+5", "chosen": "a \"quoted\" text", "rejected": "[1"},
]  # fmt: skip


def lines(rows: list[Row]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def table(rows: list[Row], delimiter: str = ",") -> bytes:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def zstandard(data: bytes) -> bytes:
    pyarrow = pytest.importorskip("pyarrow")
    sink = pyarrow.BufferOutputStream()
    with pyarrow.CompressedOutputStream(sink, "zstd") as packed:
        packed.write(data)
    return bytes(sink.getvalue())


WRITTEN: dict[str, Callable[[], bytes]] = {
    "rows.jsonl": lambda: lines(ROWS),
    "bom-and-crlf.jsonl": lambda: b"\xef\xbb\xbf" + lines(ROWS).replace(b"\n", b"\r\n\r\n"),
    "no-last-newline.jsonl": lambda: lines(ROWS).rstrip(),
    "list.json": lambda: json.dumps(ROWS, indent=1).encode(),
    "list-on-one-line.json": lambda: b"\xef\xbb\xbf \n" + json.dumps(ROWS).encode() + b"\n\n",
    "list-of-lines.json": lambda: b"[\n" + lines(ROWS).rstrip().replace(b"\n", b",\n") + b"\n]",
    "rows.jsonl.gz": lambda: gzip.compress(lines(ROWS)),
    "two-members.jsonl.gz": lambda: gzip.compress(lines(ROWS[:1])) + gzip.compress(lines(ROWS[1:])),
    "packed-without-saying-so.jsonl": lambda: gzip.compress(lines(ROWS)),
    "list.json.gz": lambda: gzip.compress(json.dumps(ROWS).encode()),
    "rows.jsonl.zst": lambda: zstandard(lines(ROWS)),
    "two-frames.jsonl.zst": lambda: zstandard(lines(ROWS[:1])) + zstandard(lines(ROWS[1:])),
    "rows.csv": lambda: table(ROWS),
    "with-bom.csv": lambda: b"\xef\xbb\xbf" + table(ROWS),
    "rows.tsv": lambda: table(ROWS, "\t"),
    "rows.csv.gz": lambda: gzip.compress(table(ROWS)),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_rows_are_the_same_in_every_format_of_text(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_bytes(WRITTEN[name]())
    assert list(read_rows(file)) == ROWS


@pytest.mark.parametrize("name", [name for name in WRITTEN if "csv" not in name and "tsv" not in name])
def test_pipes_and_standard_input_are_read_like_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    written = WRITTEN[name]()
    stream = io.TextIOWrapper(io.BytesIO(written), encoding="ascii")
    monkeypatch.setattr("sys.stdin", stream)
    assert list(read_rows(Path("-"))) == ROWS
    assert not stream.closed
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(written,))
    writer.start()
    assert list(read_rows(pipe)) == ROWS
    writer.join()


@pytest.mark.parametrize("name", ["rows.parquet", "rows.arrow", "rows.feather", "a-name-that-says-nothing"])
@pytest.mark.parametrize(
    "rows", [ROWS, [{"prompt": [{"role": "user", "content": "2+3"}], "chosen": "5", "rejected": "6", "meta": {"n": 1}}]]
)
def test_files_of_columns_hold_the_same_rows(tmp_path: Path, name: str, rows: list[Row]) -> None:
    pyarrow, parquet, ipc = (pytest.importorskip(module) for module in ("pyarrow", "pyarrow.parquet", "pyarrow.ipc"))
    found, file = pyarrow.Table.from_pylist(rows), tmp_path / name
    if name == "rows.arrow":
        with ipc.new_stream(str(file), found.schema) as stream:
            stream.write_table(found)
    elif name == "rows.feather":
        with ipc.new_file(str(file), found.schema) as whole:
            whole.write_table(found)
    else:
        parquet.write_table(found, file)
    assert list(read_rows(file)) == rows


def test_folders_that_datasets_saved_are_read(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    saved = datasets.Dataset.from_list(ROWS)
    saved.save_to_disk(tmp_path / "set", num_shards=2)
    assert list(read_rows(tmp_path / "set")) == ROWS
    saved.select([2, 0]).save_to_disk(tmp_path / "some")
    assert list(read_rows(tmp_path / "some")) == [ROWS[2], ROWS[0]]
    datasets.DatasetDict(train=saved, test=saved.select([1])).save_to_disk(tmp_path / "splits")
    assert list(read_rows(tmp_path / "splits" / "test")) == [ROWS[1]]
    with pytest.raises(DataError, match=r"splits: holds several splits \(train, test\)(.|\n)*name one, such as .*splits/train"):
        list(read_rows(tmp_path / "splits"))


def test_texts_of_a_column_of_mixed_types_stay_texts(tmp_path: Path) -> None:
    """`datasets` keeps such a column as JSON: reading the file through it gives the number 42, and saved texts come with their quotes."""
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    file = tmp_path / "rows.jsonl"
    file.write_bytes(lines(TALK))
    assert list(read_rows(file)) == TALK
    read = datasets.load_dataset("json", data_files=str(file), split="train", cache_dir=str(tmp_path / "cache"))
    read.save_to_disk(tmp_path / "saved")
    assert list(read_rows(tmp_path / "saved")) == TALK


@pytest.mark.parametrize("name", ["rows.parquet", "saved"])
def test_contents_of_messages_of_mixed_types_stay_texts(tmp_path: Path, name: str) -> None:
    """`datasets` keeps the contents alone as JSON, inside a list of messages; read as they lie there, they have quotes."""
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    contents = ["plain", 'with "quotes"', "two\nlines", "42", [{"type": "text", "text": "in parts"}], None]
    rows = [{"prompt": [{"role": "user", "content": content}], "chosen": "plain"} for content in contents]
    mixed = datasets.Dataset.from_list(rows, on_mixed_types="use_json")
    assert mixed[3]["prompt"] != rows[3]["prompt"], "the number 42"
    mixed.to_parquet(tmp_path / name) if name.endswith("parquet") else mixed.save_to_disk(tmp_path / name)
    assert list(read_rows(tmp_path / name)) == rows


def test_a_folder_and_a_pattern_are_files_of_one_split(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for name, row in (("train-00000.jsonl", ROWS[0]), ("train-00001.jsonl", ROWS[1]), ("test-00000.jsonl", ROWS[2])):
        (tmp_path / "data" / name).write_bytes(lines([row]))
    (tmp_path / "README.md").write_text("# no rows")
    assert list(read_rows(tmp_path / "data" / "train-*.jsonl")) == ROWS[:2]
    with pytest.raises(DataError, match=r"holds files of several splits \(test, train\)"):
        list(read_rows(tmp_path))
    (tmp_path / "data" / "test-00000.jsonl").unlink()
    assert list(read_rows(tmp_path)) == ROWS[:2]
    with pytest.raises(DataError, match="no files of rows there"):
        list(read_rows(tmp_path / "data" / "*.csv"))


# No further than needed ---------------------------------------------------------------------------------------------------


class Endless(io.RawIOBase):
    """Rows without end, which counts what was read of it."""

    def __init__(self, start: bytes, row: bytes) -> None:
        self.rest, self.row, self.read_so_far = start, row, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while len(self.rest) < len(buffer):
            self.rest += self.row
        size = len(buffer)
        buffer[:size], self.rest = self.rest[:size], self.rest[size:]
        self.read_so_far += size
        return size


@pytest.mark.parametrize("start", ["", "["])
def test_a_limit_reads_no_further_than_it_needs(monkeypatch: pytest.MonkeyPatch, start: str) -> None:
    row = json.dumps({"prompt": "2+3", "answers": ["5", "6" * 100]}) + (",\n" if start else "\n")
    endless = Endless(start.encode(), row.encode())
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(endless)))
    found = list(Plugins.load(autoload=False).pick(Dataset, "jsonl")(file="-", limit=10).load())
    assert (len(found), endless.read_so_far < 100_000) == (10, True)


def test_a_list_on_one_line_is_not_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    endless = Endless(b"[", json.dumps(ROWS[0]).encode() + b",")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(endless)))
    rows = read_rows(Path("-"))
    assert [next(rows) for _ in range(3)] == [ROWS[0]] * 3
    assert endless.read_so_far < 4 << 20


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)


@given(
    rows=st.lists(st.dictionaries(st.text(max_size=5), values, max_size=3), max_size=5),
    indent=st.sampled_from([None, 0, 2]),
    piece=st.integers(1, 30),
)
def test_a_list_is_read_back_however_it_is_cut(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Row], indent: int | None, piece: int
) -> None:
    file = tmp_path_factory.mktemp("rows") / "rows.json"
    file.write_text(json.dumps(rows, ensure_ascii=False, indent=indent), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("adjudge_data.texts.PIECE", piece)
        assert list(read_rows(file)) == rows


# What is wrong ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "written", "message"),
    [
        ("rows.json", b'[{"a": 1}, 2]', "row 2 is a int, not an object"),
        ("rows.json", b'[{"a": 1}, {"a"]', "begins with '[' and is not JSON"),
        ("rows.json", b'[{"a": 1} {"a": 2}]', "begins with '[' and is not JSON: '{' after a member"),
        ("rows.json", b'[{"a": 1}', "begins with '[' and is not JSON: its list does not end"),
        ("rows.json", b'[{"a": 1}] {"a": 2}', "goes on after its list has ended"),
        ("rows.json", rb'[{"a": "\ud800"}]', "row 1 holds half of a character"),
        ("rows.jsonl", b'{"a": 1, "b": 2, "a": 3}', "line 1 has the field 'a' twice"),
        ("rows.jsonl.gz", gzip.compress(b'{"a": 1}\n' * 999, mtime=0)[:-20], "cannot be read"),
        ("rows.jsonl.zst", b"\x28\xb5\x2f\xfd and no more", "cannot be read"),
        ("rows.csv", b"a,b\n1,2\n1,2,3\n", "row 2 has 3 cells, and its table 2 columns"),
        ("rows.csv", b'a,b\n1,"2\n', "cannot be read as a table"),
        ("rows.csv", b"a,a\n1,2\n", "two of its columns have one name"),
        ("rows.parquet", b"PAR1 and no more", "cannot be read as Parquet"),
        ("rows.arrow", b"no arrow", "cannot be read as Arrow"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read_says_where_and_why(tmp_path: Path, name: str, written: bytes, message: str) -> None:
    file = tmp_path / name
    file.write_bytes(written)
    with pytest.raises(DataError) as caught:
        list(read_rows(file))
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{file}: ")
    assert "\n  Remedy: " in str(caught.value)


@pytest.mark.parametrize(
    ("name", "library"),
    [("rows.parquet", "pyarrow"), ("rows.arrow", "pyarrow"), ("rows.jsonl.zst", "pyarrow"), ("hub:o/n@train", "datasets")],
)
def test_the_base_install_names_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, library: str) -> None:
    monkeypatch.chdir(tmp_path)
    if not name.startswith("hub:"):
        Path(name).write_bytes(b"\x28\xb5\x2f\xfd" if name.endswith(".zst") else b"PAR1")
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.setitem(sys.modules, "compression", None)
    with pytest.raises(ConfigError, match=rf"needs the library {library}, which is not installed(.|\n)*pip install 'adjudge\[data\]'"):
        list(read_rows(Path(name)))


# The Hub ------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the Hub with a data set of two splits in it; nothing is fetched."""
    pytest.importorskip("datasets")
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path / "datasets"))
    place, revision = tmp_path / "hub" / "datasets--o--sums", "0" * 40
    for split, rows in (("train", TALK), ("test", ROWS)):
        file = place / "snapshots" / revision / "data" / f"{split}.jsonl"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(lines(rows))
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text(revision)
    return place


def test_a_data_set_of_the_hub_is_read_from_the_cache(cache: Path) -> None:
    assert list(read_rows(Path("hub:o/sums@train"))) == TALK
    assert list(read_rows("hub:o/sums@test")) == ROWS
    with pytest.raises(ConfigError, match=r"has several splits \(train, test\)(.|\n)*name one, as hub:o/sums@train"):
        list(read_rows("hub:o/sums"))
    with pytest.raises(ConfigError, match=r"there is no split 'dev'; it has train, test"):
        list(read_rows("hub:o/sums@dev"))


def test_what_is_not_in_the_cache_comes_with_the_command_that_fetches_it(cache: Path) -> None:
    with pytest.raises(ConfigError, match=r"hub:o/none@train cannot be loaded(.|\n)*run 'hf download --repo-type dataset o/none'"):
        list(read_rows("hub:o/none@train"))


def test_an_id_without_its_mark_is_told_how_to_write_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"o/sums: no such file(.|\n)*is written as hub:o/sums@SPLIT"):
        list(read_rows(Path("o/sums")))


def test_lines_are_those_of_the_text_whatever_packs_it(tmp_path: Path) -> None:
    (tmp_path / "rows.gz").write_bytes(gzip.compress(b"\xef\xbb\xbfa\n\nb", mtime=0))
    assert list(open_lines(tmp_path / "rows.gz")) == ["a\n", "\n", "b"]
