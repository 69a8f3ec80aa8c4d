"""``adjudge export --to parquet``: paths as they were recorded, with the numbers of their tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from adjudge import Completion, Outcome, Plugins, ReasoningPath, Records, Verdict
from adjudge.cli.app import app_of

parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow comes with the extras data and train")


def call(*arguments: object) -> Any:
    return CliRunner().invoke(app_of(Plugins.load(autoload=False)), [str(argument) for argument in ("export", *arguments)])


def test_a_row_has_the_line_and_the_tokens(tmp_path: Path) -> None:
    records = Records(tmp_path / "run" / "records" / "2-sft-paths.jsonl")
    told = Completion("so: A", (5, 6, 7), (2, -1, 5), (-0.5, -0.25, -1.0))
    paths = [
        ReasoningPath("a", "p", "given", 0, told, Verdict(Outcome.FIRST, (0, 3), (4, 5))),
        ReasoningPath("b", "p", "swapped", 1, Completion("", error="late"), Verdict(Outcome.FAILED)),
    ]
    for path in paths:
        records.append(path, outcome=path.outcome, right=None, prompt="q", shown=["1", "2"], label="first")
    out = tmp_path / "paths.parquet"
    done = call(tmp_path / "run", "--to", "parquet", "--records", "2-sft-paths", "--out", out)
    assert (done.exit_code, done.stderr) == (0, "2 paths\n")
    first, second = parquet.read_table(out).to_pylist()
    assert (first["token_ids"], first["token_ends"], first["logprobs"]) == ([5, 6, 7], [2, -1, 5], [-0.5, -0.25, -1.0])
    assert (first["text"], first["shown"], first["reasoning"], first["outcome"]) == ("so: A", ["1", "2"], [0, 3], "first")
    assert (second["error"], second["token_ids"], second["logprobs"]) == ("late", None, None)


def test_mistakes_are_told(tmp_path: Path) -> None:
    records = Records(tmp_path / "run" / "records" / "steps.jsonl")
    records.append({"id": "step-1"})
    out = tmp_path / "paths.parquet"
    for arguments, told in (
        (["--records", "no-such", "--out", out], "there are: steps"),
        (["--records", "steps", "--out", out], "line 1 has no 'completion'"),
        (["--records", "steps"], "add --out paths.parquet"),
        (["--records", "steps", "--out", tmp_path / "paths.jsonl"], "add --out paths.parquet"),
    ):
        done = call(tmp_path / "run", "--to", "parquet", *arguments)
        assert done.exit_code == 2, done.output
        assert told in done.stderr
    assert not out.exists()
