"""`adjudge health`: a judge that is asked now, recorded judgements, the page, and what it says when it cannot go on."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean
from types import ModuleType
from typing import Any, Literal

import pytest

from adjudge import Judge, JudgeRequest, Plugins, Probe, Problem, ReasoningPath, build_requests, hookimpl
from adjudge.host.plugins import Source
from adjudge_report import Html

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
    assert "Nothing was attacked" in page


def test_a_missing_extra_is_told_before_a_model_is_asked(call: Call, model: Path, pairs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adjudge_report.page.find_spec", lambda name: None)
    done = call("health", "--model", model, "--engine", "{use: oracle, error: timeout}", "--data", pairs, "--out", "health.html")
    assert done.exit_code == 2, done.output
    assert "pip install 'adjudge[report]'" in done.stderr
    assert "judged" not in done.output


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
    assert report["mean_tokens"] is None
    assert report["position"]["always_first"] == {"value": 1.0, "n": 1, "interval": report["position"]["always_first"]["interval"]}
    assert report["probes"] is None


def test_recorded_judgements_are_seen_in_the_problems_order_with_their_tokens_and_failures(
    pairs: str, call: Call, tmp_path: Path, write_rows: Write
) -> None:
    rows = [
        {"problem_id": "p", "outcome": "second", "first": 1, "second": 0, "tokens": 5},
        {"problem_id": "p", "outcome": "first", "tokens": 3},
        {"problem_id": "q", "outcome": "failed", "error": "timeout"},
    ]
    done = call("health", "--data", pairs, "--replay", write_rows(tmp_path / "said.jsonl", rows), "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert (report["problems"], report["judgements"], report["mean_tokens"]) == (2, 3, 4.0)
    accuracy = {name: (one["value"], one["n"]) for name, one in report["accuracy"].items()}
    assert accuracy["all"] == accuracy["both_orders"] == accuracy["right_shown_second"] == (1.0, 1)
    assert (report["position"]["consistent"]["value"], report["outcomes"]["failed"]["value"]) == (1.0, 0.5)


@pytest.mark.parametrize("setting", ["data=null", "data.use=null", "engine=null", "probes.position=null"])
def test_settings_that_leave_nothing_are_mistakes_and_no_tracebacks(setting: str, model: Path, pairs: str, call: Call) -> None:
    done = call("health", "--model", model, "--engine", "oracle", "--data", pairs, "--set", setting)
    assert done.exit_code == 2, done.output
    assert setting.split("=", maxsplit=1)[0].removesuffix(".use") + ": say which" in done.stderr
    assert "Traceback" not in done.output


def test_flags_that_would_change_nothing_are_refused_by_name(recorded: tuple[str, Path], call: Call) -> None:
    data, file = recorded
    done = call("health", "--data", data, "--replay", file, "--samples", 2, "--engine", "oracle")
    assert done.exit_code == 2
    assert "--replay asks no model, so --samples, --engine would change nothing" in done.stderr


def test_options_of_probes_can_be_set(model: Path, pairs: str, call: Call) -> None:
    arguments = ("health", "--model", model, "--engine", "oracle", "--data", pairs, "--json")
    done = call(*arguments, "--attacked", 0, "--set", "probes.openers.attackd=1")
    assert (done.exit_code, "probes.openers.attackd: there is no such field; did you mean 'attacked'?" in done.stderr) == (2, True)


class Again(Probe):
    """Asks about every pair once more, as it stands."""

    use: Literal["again"] = "again"

    def requests(self, problems: Sequence[Problem], judge: Judge, seed: int) -> list[JudgeRequest]:
        return build_requests(problems, judge.model_copy(update={"order": "fixed"}), seed=seed, purpose="again")

    def report(self, problems: Sequence[Problem], paths: Sequence[ReasoningPath], own: Sequence[ReasoningPath]) -> dict[str, Any]:
        return {"first_again": {"value": mean(path.outcome == "first" for path in own), "n": len(own), "interval": None}}


def test_a_probe_of_another_plugin_is_asked_with_the_others_and_has_its_part(
    model: Path, pairs: str, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, load = ModuleType("again"), Plugins.load
    module.register_probes = hookimpl(lambda: [Again])  # type: ignore[attr-defined]

    def with_again(*args: Any, **options: Any) -> Plugins:
        found = load(*args, **options)
        found.add(module, Source("again", "adjudge-again", "1"))
        return found

    monkeypatch.setattr(Plugins, "load", with_again)
    arguments = ("health", "--model", model, "--engine", "oracle", "--data", pairs, "--samples", 1, "--attacked", 0)
    report = json.loads(call(*arguments, "--json").stdout)
    assert report["again"] == {"first_again": {"value": pytest.approx(2 / 3), "n": 3, "interval": None}}
    assert (report["judgements"], report["probes"]) == (6, None)
    assert re.search(r"again: first again +0\.667 +none +3", call(*arguments).stdout)


def test_without_the_page_reporter_it_is_told_before_anything_is_judged(
    model: Path, pairs: str, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADJUDGE_BLOCK", "adjudge_report")
    done = call("health", "--model", model, "--engine", "{use: oracle, broken: true}", "--data", pairs, "--out", "health.html")
    assert done.exit_code == 2
    assert "no reporter is called 'html'" in done.stderr


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
    nothing = {"value": None, "n": 0, "interval": None}
    report["probes"]["openers"][":"]["chosen"] = report["probes"]["markup"]["</think>"]["turned"] = nothing
    report["probes"]["without"]["turned"] = nothing
    report["loud-words"] = {"shouted": {"value": 0.25, "n": 4, "interval": [0.1, 0.5]}}
    text = Html().write_health(report, page).read_text(encoding="utf-8")
    assert "opener preferred" in text, "attacks of which no call came back have no mark"
    assert re.search(r"Loud words(.|\n)*shouted(.|\n)*0\.250", text), "a third party's part is on the page too"


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
