"""Rows come from files and from standard input, which stays open, and a metric that needs more than the base install says so."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from adjudge import ConfigError, DataError, Dataset, Plugins
from adjudge_benchmarks import read_objects, sources

VOTES = {f"annotator{n}": 1 for n in (1, 2, 3)}
ROWS = [{"idx": n, "instruction": "larger?", "input": "", "response1": "2", "response2": "1", **VOTES} for n in range(3)]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS)


@pytest.mark.parametrize("text", ["\n" + LINES, json.dumps(ROWS, indent=1)], ids=["lines", "list"])
def test_standard_input_is_read_once_from_its_first_line_and_stays_open(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    stream = io.StringIO(text)
    monkeypatch.setattr("sys.stdin", stream)
    problems = list(Plugins.load(autoload=False).pick(Dataset, "pandalm")(data="-").load())
    assert [problem.id for problem in problems] == ["pandalm-0", "pandalm-1", "pandalm-2"]
    assert not stream.closed


def test_standard_input_stays_open_when_a_reader_has_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO("not JSON\n" + LINES)
    monkeypatch.setattr("sys.stdin", stream)
    with pytest.raises(DataError, match="line 1 is not JSON"):
        list(read_objects(Path("-")))
    assert not stream.closed


def test_an_empty_file_has_no_objects(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("\n\n")
    assert list(read_objects(tmp_path / "rows.jsonl")) == []


def test_the_sources_of_a_folder_are_its_files_in_order(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a.json", "c.txt"):
        (tmp_path / name).write_text(LINES)
    found = {Path(where).name: list(rows(lambda row: row["idx"])) for where, rows in sources(str(tmp_path), ("*.jsonl", "*.json"))}
    assert found == {"a.json": [0, 1, 2], "b.jsonl": [0, 1, 2]}


@pytest.mark.parametrize(("use", "library"), [("ppe-correctness", "scipy"), ("ppe-preference", "choix")])
def test_a_metric_that_lacks_its_library_names_the_extra_before_anything_is_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, use: str, library: str
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ConfigError, match=rf"{use}: its metric needs the library {library}(.|\n)*pip install 'adjudge\[bench\]'"):
        Plugins.load(autoload=False).pick(Dataset, use)(data=str(tmp_path)).load()


def test_the_plugins_of_data_and_benchmarks_cost_nothing_to_import() -> None:
    heavy = "{'pydantic', 'numpy', 'typer', 'rich', 'scipy', 'torch'}"
    code = f"import sys, adjudge_data, adjudge_benchmarks, adjudge_arithmetic, adjudge_health; print({heavy} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
