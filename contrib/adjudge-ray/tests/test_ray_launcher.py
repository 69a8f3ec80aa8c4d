"""A run with `launch: {use: ray}` has the paths and the choices of a run in one process, and its driver alone writes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

pytest.importorskip("ray", reason="Ray is not installed; 'make test-ray' makes an environment that has it")

from adjudge import Plugins
from adjudge.cli.app import app_of

RUN_FILE = """
out: {out}
model: adjudge_arithmetic:model
data: {{use: arithmetic, levels: [1, 2], size: 12}}
stages: [{{use: sft, scorer: rstar, rescore: true, paths: 3, batch: 8, epochs: 1}}]
evaluation: {{sets: {{test: {{use: arithmetic, part: test, levels: [1, 2], size: 12}}}}}}
"""


def run(folder: Path, launch: str) -> list[dict[str, Any]]:
    folder.mkdir()
    file = folder / "run.yaml"
    file.write_text(RUN_FILE.format(out=folder / "run") + launch)
    done = CliRunner().invoke(app_of(Plugins.load()), ["run", str(file), "--json"])
    assert done.exit_code == 0, done.output
    stages: list[dict[str, Any]] = json.loads(done.stdout)["stages"]
    return stages


def texts(folder: Path, name: str) -> dict[str, str]:
    rows = map(json.loads, (folder / "run" / "records" / name).read_text().splitlines())
    return {row["id"]: row["completion"]["text"] for row in rows}


def test_a_run_over_two_nodes_has_the_paths_of_one_process(cluster: Any, tmp_path: Path) -> None:
    alone = run(tmp_path / "alone", "")
    spread = run(tmp_path / "spread", f"launch: {{use: ray, address: '{cluster.address}'}}\n")
    names, others = ({file.name for file in (tmp_path / side / "run" / "records").glob("*.jsonl")} for side in ("alone", "spread"))
    assert names == others
    sampled = [name for name in names if name.endswith("paths.jsonl") or "0-base-evaluation" in name]
    assert len(sampled) == 2
    for name in sampled:
        assert texts(tmp_path / "alone", name) == texts(tmp_path / "spread", name)
    assert [stage["name"] for stage in alone] == [stage["name"] for stage in spread]


def test_a_run_asks_the_cluster_and_says_so_where_there_is_none(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(RUN_FILE.format(out=tmp_path / "run") + "launch: {use: ray, address: '127.0.0.1:9'}\n")
    done = CliRunner().invoke(app_of(Plugins.load()), ["run", str(file), "--json"])
    assert done.exit_code == 2
    assert "no cluster answers at address '127.0.0.1:9'" in done.stderr
