"""Rankings and verdicts of the embedded judge, made once, as its commands leave them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from adjudge import Plugins
from adjudge.cli.app import app_of

ROWS = [
    {"id": "sum-1", "prompt": "37+48", "answers": ["75", "85", "86"], "label": 1},
    {"id": "sum-2", "prompt": "12+30", "answers": ["42", "52"], "label": 0},
]


def called(*words: str) -> Any:
    return CliRunner().invoke(app_of(Plugins.load(autoload=False)), list(words))


@pytest.fixture(scope="session")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``ranked`` and ``verdicts``, what ``--out`` keeps, and beside them what ``--json`` prints."""
    folder = tmp_path_factory.mktemp("judged")
    rows = folder / "rows.jsonl"
    rows.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    (folder / "pairs.jsonl").write_text(json.dumps(ROWS[1]) + "\n")
    with _cache_in(folder):
        ranked = called("rank", str(rows), "--use", "round-robin", "--votes", "3", "--out", str(folder / "ranked"), "--json")
        verdicts = called("judge", str(folder / "pairs.jsonl"), "--order", "both", "--out", str(folder / "verdicts"), "--json")
    assert ranked.exit_code == verdicts.exit_code == 0, ranked.output + verdicts.output
    (folder / "ranked.jsonl").write_text(ranked.stdout)
    (folder / "verdicts.jsonl").write_text(verdicts.stdout)
    return folder


@contextmanager
def _cache_in(folder: Path) -> Iterator[None]:
    before = os.environ.get("ADJUDGE_CACHE")
    os.environ["ADJUDGE_CACHE"] = str(folder / "cache")
    try:
        yield
    finally:
        if before is None:
            del os.environ["ADJUDGE_CACHE"]
        else:
            os.environ["ADJUDGE_CACHE"] = before
