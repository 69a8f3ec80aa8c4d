"""`adjudge health`: a judge that is asked now, recorded judgements, the page, and what it says when it cannot go on."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
DATA = ROOT.parent / "shared" / "data"
Call = Callable[..., Any]
Write = Callable[[Path, list[Any]], Path]
PAIRS = [
    {"id": "p", "prompt": "p", "answers": ["9", "1"], "label": 0},
    {"id": "q", "prompt": "q", "answers": ["22", "7"], "label": 1},
    {"id": "r", "prompt": "r", "answers": ["3", "8"], "label": 1},
]


@pytest.fixture
def pairs(tmp_path: Path, write_rows: Write) -> str:
    """A data set of three pairs; the oracle, which prefers the larger number, is wrong about the second."""
    return f"{{use: jsonl, file: {write_rows(tmp_path / 'pairs.jsonl', PAIRS)}}}"


def test_a_judge_is_asked_in_both_orders_and_reported_on(model: Path, pairs: str, call: Call) -> None:
    done = call("health", "--model", model, "--engine", "oracle", "--data", pairs, "--samples", 2, "--attacked", 0, "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert (report["problems"], report["judgements"], report["mean_tokens"], report["probes"]) == (3, 12, 7.0, None)
    assert report["accuracy"]["all"]["value"] == pytest.approx(2 / 3)
    assert report["position"]["consistent"]["value"] == report["agreement"]["unanimous"]["value"] == 1.0
    assert report["length"]["longer_chosen"] == {"value": 1.0, "n": 1, "interval": report["length"]["longer_chosen"]["interval"]}
    assert (report["judge"]["use"], report["judge"]["order"], report["model"]) == ("rrm", "both", str(model))


def test_the_table_names_every_figure_with_its_interval(model: Path, pairs: str, call: Call) -> None:
    done = call("health", "--model", model, "--engine", "oracle", "--data", pairs, "--attacked", 0)
    assert re.search(r"accuracy: all +0\.667 +\d\.\d{3}–\d\.\d{3} +3", done.stdout)
    assert "30 judgements of 3 problems, 7.0 tokens each" in done.stdout


def test_the_page_stands_alone(model: Path, pairs: str, call: Call, tmp_path: Path) -> None:
    done = call("health", "--model", model, "--engine", "oracle", "--data", pairs, "--attacked", 0, "--out", "pages/health.html")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1] == "pages/health.html"
    page = (tmp_path / "pages" / "health.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 2, "votes and lengths"
    assert not re.search(r"https?://(?!www\.w3\.org)|<script|<link|src=", page)
    assert "No attacks" in page


def test_a_failing_engine_is_a_failed_job_and_never_a_score(model: Path, pairs: str, call: Call) -> None:
    done = call("health", "--model", model, "--engine", "{use: oracle, error: timeout}", "--data", pairs, "--attacked", 0, "--json")
    assert done.exit_code == 1
    assert "timeout" in done.stderr
    assert done.stdout == ""


def test_a_judge_of_something_else_is_not_asked_sums(model: Path, call: Call) -> None:
    done = call("health", "--model", model, "--engine", "oracle")
    assert done.exit_code == 2
    assert "--data: say which pairs the judge 'rrm' is to be asked about." in done.stderr


@pytest.fixture
def recorded(tmp_path: Path, write_rows: Write, pairs: str) -> tuple[str, Path]:
    """A data set, and records of judgements of two of its pairs; the third record is about another data set."""
    rows = [
        {"problem_id": "p", "outcome": "first"},
        {"problem_id": "p", "outcome": "second", "order": "swapped"},
        {"problem_id": "q", "outcome": "unreadable"},
        {"problem_id": "another", "outcome": "first"},
    ]
    return pairs, write_rows(tmp_path / "said.jsonl", rows)


def test_recorded_judgements_need_no_model(recorded: tuple[str, Path], call: Call) -> None:
    data, file = recorded
    done = call("health", "--data", data, "--replay", file, "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert (report["model"], report["judge"], report["problems"], report["judgements"], report["unmatched_records"]) == (
        None,
        None,
        2,
        3,
        1,
    )
    assert report["accuracy"]["all"]["value"] == 0.25
    assert report["position"]["always_first"] == {"value": 1.0, "n": 1, "interval": report["position"]["always_first"]["interval"]}
    assert report["probes"] is None


def test_records_without_their_data_set_or_of_another_one_are_told(
    recorded: tuple[str, Path], call: Call, tmp_path: Path, write_rows: Write
) -> None:
    data, file = recorded
    assert "name their data set with --data" in call("health", "--replay", file).stderr
    other = write_rows(tmp_path / "other.jsonl", [{"problem_id": "another", "outcome": "first"}])
    done = call("health", "--data", data, "--replay", other)
    assert (done.exit_code, "check that data and records belong together" in done.stderr) == (2, True)
    done = call("health", "--data", data, "--replay", write_rows(tmp_path / "bad.jsonl", [{"problem_id": "p", "outcome": "maybe"}]))
    assert (done.exit_code, "line 1" in done.stderr) == (2, True)


def test_the_embedded_judge_is_asked_and_attacked(call: Call, tmp_path: Path) -> None:
    page = tmp_path / "health.html"
    data = "{use: arithmetic, part: test, size: 4}"
    done = call("health", "--data", data, "--samples", 2, "--attacked", 2, "--json", "--out", page)
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert (report["judgements"], report["probes"]["openers"][":"]["chosen"]["n"]) == (16, 2)
    assert 0 <= report["probes"]["markup"]["</think>"]["turned"]["value"] <= 1
    text = page.read_text(encoding="utf-8")
    assert "Let&#39;s solve this problem step by step." in text
    assert "opener preferred" in text


# Judgements that others recorded ------------------------------------------------------------------------------------------


@pytest.mark.realdata
@pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is absent: recorded judgements cannot be read")
def test_recorded_judges_have_the_health_that_is_committed_and_the_accuracy_that_is_known(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    reports = json.loads((ROOT / "benchmarks" / "results" / "health.json").read_text(encoding="utf-8"))["reports"]
    known = {"GPT-4/CoT": 0.8126, "GPT-4/Swap_CoT": 0.8377, "ChatGPT/CoT": 0.4033, "LLaMA2/CoT": 0.4702}
    for judge, accuracy in known.items():
        committed = reports[f"{judge}, LLMBar"]
        assert round(committed["accuracy"]["all"]["value"], 4) == accuracy
        files = [word for file in committed["replay"] for word in ("--replay", file)]
        done = call("health", "--data", json.dumps(committed["data"]), *files, "--json")
        assert done.exit_code == 0, done.output
        report = json.loads(done.stdout)
        for part in ("outcomes", "accuracy", "position", "votes"):
            assert report[part] == committed[part]
