"""``adjudge plugins``, ``schema`` and ``report``: what they print and what a program reads."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., Any]
RunFile = Callable[..., Path]


def test_plugins_tells_where_each_component_is_from(call: Call, model: Path) -> None:
    data = json.loads(call("plugins", "--json").stdout)
    oracle = next(row for row in data["components"] if row["name"] == "oracle")
    assert oracle == {
        "kind": "engine",
        "name": "oracle",
        "doc": "Prefers the larger number.",
        "needs": "",
        "plugin": "fake-cli",
        "distribution": "adjudge-fake-cli",
        "version": "1.2",
    }
    table = call("plugins").stdout
    assert "Prefers the larger number." in table
    needs = {(row["kind"], row["name"]): row["needs"] for row in data["components"]}
    assert needs["eligibility rule", "label"] == "labels"
    assert needs["path scorer", "rstar"] == "log-probabilities"
    assert "log-probabilities" in table


def test_plugins_lists_the_blocked_and_the_broken(
    call: Call, model: Path, tmp_path: Path, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "adjudge_bad-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: adjudge-bad\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text("[adjudge]\nbad = adjudge_no_such_module\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("ADJUDGE_BLOCK", "fake-cli")
    data = json.loads(call("plugins", "--json").stdout)
    assert "oracle" not in [row["name"] for row in data["components"]]
    assert data["blocked"] == ["fake-cli"]
    assert "adjudge_no_such_module" in data["broken"]["bad (adjudge-bad 0.1)"]
    assert "blocked: fake-cli" in call("plugins").stdout


def test_schema_is_json_and_knows_the_components(call: Call) -> None:
    schema = json.loads(call("schema").stdout)
    assert {"out", "model", "data", "stages"} <= set(schema["properties"])
    assert "rrm" in json.dumps(schema["$defs"]["Judge"])


def test_report_writes_the_page_of_a_run(call: Call, run_file: RunFile, tmp_path: Path) -> None:
    call("run", run_file())
    result = call("report", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert Path(result.stdout.strip()).read_text(encoding="utf-8").lower().startswith("<!doctype html>")


def test_report_of_something_else_is_a_mistake(call: Call, tmp_path: Path) -> None:
    result = call("report", tmp_path)
    assert (result.exit_code, "is not a run folder" in result.stderr) == (2, True)


@pytest.mark.parametrize(
    ("argument", "none"), [("--help", {"pydantic", "yaml", "numpy", "torch"}), ("plugins", {"yaml", "numpy", "torch", "jinja2"})]
)
def test_a_start_imports_nothing_that_it_does_not_need(argument: str, none: set[str]) -> None:
    """A command's module may import what its options are made of, and nothing else."""
    code = (
        "import sys\nsys.argv = ['adjudge', sys.argv[1]]\nfrom adjudge.cli.app import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\nprint(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, argument], capture_output=True, text=True, check=True)
    assert none & set(done.stderr.split()) == set()
