"""``adjudge doctor``: what a model is, which judge it can follow, and what is recommended, on the embedded judge and recorded texts."""

from __future__ import annotations

import json
import shutil
from pathlib import Path as FilePath
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from adjudge import Completion, Judge, Outcome, Plugins, Problem, ReasoningPath, Verdict
from adjudge.cli.app import app_of
from adjudge.testing import RecordedEngine
from adjudge_doctor import PAIRS, Trial, recommended, tried
from adjudge_judges import ArithmeticJudge, BestResponse, MtBench, PairwisePlain, Rrm

SUMS = "{use: arithmetic, levels: [1, 2], part: test, size: 12}"


def call(*arguments: object) -> Any:
    return CliRunner().invoke(app_of(Plugins.load()), ["doctor", *map(str, arguments)])


def test_the_embedded_judge_follows_its_own_form_alone(embedded: FilePath) -> None:
    """The other is given up after four pairs; what is recommended can be written into a run file as it stands."""
    done = call("-m", embedded, "--data", SUMS, "--limit", 12, "--judges", "arithmetic,mt-bench", "--no-cache", "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    own, other = found["trials"]
    assert (own["judge"], own["judgements"], other["judge"], other["judgements"]) == ("arithmetic", 24, "mt-bench", 8)
    assert own["readable"] > 0.9
    assert other["readable"] is None
    assert "the model takes 256 in all" in other["error"], "its prompts do not fit, which is nobody's text"
    assert found["recommended"]["judge"]["use"] == "arithmetic"
    assert 64 <= found["recommended"]["judge"]["max_new_tokens"] <= 112
    assert found["model"]["context"] == 256
    assert found["model"]["head"] == "tied to the embedding"
    Plugins.load().pick(Judge, "arithmetic").model_validate(found["recommended"]["judge"])


def test_the_table_ends_with_a_run_file(embedded: FilePath) -> None:
    done = call("-m", embedded, "--data", SUMS, "--judges", "arithmetic", "--no-cache")
    assert done.exit_code == 0, done.output
    assert "architecture: Qwen2ForCausalLM (qwen2)" in done.stdout
    snippet = done.stdout.partition("with --judge:\n")[2].partition("\n\nOn these")[0]
    assert yaml.safe_load(snippet)["judge"]["use"] == "arithmetic"
    assert "arithmetic: " in done.stderr


def test_nothing_readable_is_a_failed_job(embedded: FilePath, tmp_path: FilePath) -> None:
    """Where nothing came back at all, it is said why."""
    done = call("-m", embedded, "--data", SUMS, "--judges", "mt-bench", "--no-cache")
    assert done.exit_code == 1
    assert "calls to engine 'hf' that failed: all 8, the last with: its prompt has" in done.stderr
    (tmp_path / "pairs.jsonl").write_text('{"prompt": "1+1", "answers": ["2", "3"]}\n')
    (tmp_path / "said.jsonl").write_text(json.dumps({"prompt": "1+1\n1:2\n2:3", "texts": ["well"]}) + "\n")
    engine = json.dumps({"use": "replay", "file": str(tmp_path / "said.jsonl")})
    done = call("-m", embedded, "--engine", engine, "--data", tmp_path / "pairs.jsonl", "--judges", "arithmetic", "--no-cache")
    assert done.exit_code == 1
    assert "nothing that the model wrote is a verdict to any of these judges" in done.stderr
    assert "1 call failed, the last with: no text is recorded" in done.stderr


@pytest.mark.parametrize(
    ("judges", "message"),
    [("rmm", "no judge is called 'rmm'; did you mean 'rrm'?"), ("template", "these need options of their own")],
)
def test_judges_that_cannot_be_tried_are_told(embedded: FilePath, judges: str, message: str) -> None:
    done = call("-m", embedded, "--judges", judges)
    assert (done.exit_code, message in done.stderr) == (2, True), done.output


def test_every_installed_judge_without_needs_is_tried(embedded: FilePath, tmp_path: FilePath) -> None:
    """On the pairs that come with it, through an engine that says the same to all; nothing is said of a folder that does not answer."""
    said = "\\boxed{Assistant 1} [[A]] Best Response: [A]"
    recorded = {"use": "replay", "file": str(tmp_path / "said.jsonl")}
    judges = [entry.cls for entry in Plugins.load().of_kind(Judge).values()]
    ready = [cls() for cls in judges if not any(field.is_required() for field in cls.model_fields.values())]
    rows = [
        {"prompt": judge.render(pair, order)[-1]["content"], "texts": [said]}
        for judge in ready
        for pair in PAIRS
        for order in ("given", "swapped")
    ]
    (tmp_path / "said.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = call("-m", embedded, "--engine", json.dumps(recorded), "--no-cache", "--json")
    assert done.exit_code == 0, done.output
    trials = {one["judge"]: one for one in json.loads(done.stdout)["trials"]}
    assert set(trials) == {judge.use for judge in ready}
    assert trials["best-response"]["readable"] == 1
    assert trials["best-response"]["first_shown_preferred"] == 1
    assert trials["best-response"]["same_in_both_orders"] == 0
    assert trials["best-response"]["accuracy"] == 0.5


def test_a_model_without_a_template_is_told(embedded: FilePath, tmp_path: FilePath) -> None:
    folder = tmp_path / "model"
    shutil.copytree(embedded, folder)
    (folder / "chat_template.jinja").unlink(missing_ok=True)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings.pop("chat_template", None)
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    done = call("-m", folder, "--data", SUMS, "--judges", "arithmetic,mt-bench", "--no-cache", "--json")
    assert json.loads(done.stdout)["model"]["chat template"].startswith("none")


# What is recommended -----------------------------------------------------------------------------------------------------


def trial(judge: Judge, outcomes: list[Outcome], right: list[bool], tokens: int = 10) -> Trial:
    orders: Any = ("given", "swapped")
    paths = [
        ReasoningPath(str(n), str(n // 2), orders[n % 2], 0, Completion("", (1,) * tokens), Verdict(outcome))
        for n, outcome in enumerate(outcomes)
    ]
    return Trial(judge, tuple(paths), tuple(right))


FIRST, SECOND, LOST = Outcome.FIRST, Outcome.SECOND, Outcome.UNREADABLE


def test_right_counts_once_enough_can_be_read() -> None:
    often = trial(BestResponse(), [FIRST] * 10, [True] * 5 + [False] * 5)
    better = trial(Rrm(), [FIRST] * 9 + [LOST], [True] * 8 + [False] * 2)
    seldom = trial(MtBench(), [FIRST] * 8 + [LOST] * 2, [True] * 8 + [False] * 2)
    assert recommended([often, better, seldom]) is better
    assert recommended([seldom, often]) is often, "a judge of which a fifth cannot be read is not recommended for its accuracy"
    assert recommended([trial(MtBench(), [LOST] * 8, [False] * 8)]) is None
    assert recommended([]) is None


def test_of_judges_alike_the_shortest_is_taken() -> None:
    long, short = (trial(judge, [FIRST, FIRST], [True, True], tokens) for judge, tokens in ((Rrm(), 99), (PairwisePlain(), 9)))
    assert recommended([long, short]) is short


def test_what_failed_is_in_no_share() -> None:
    made = trial(Rrm(), [FIRST, Outcome.FAILED], [True])
    assert (made.readable, made.accuracy, made.tokens) == (1.0, 1.0, 10)
    assert trial(Rrm(), [Outcome.FAILED], []).readable is None
    assert recommended([trial(Rrm(), [Outcome.FAILED], [])]) is None


def test_a_judge_of_which_nothing_is_read_is_asked_about_four_pairs() -> None:
    judge = ArithmeticJudge(order="both")
    pairs = [Problem(str(n), f"{n}+1", ("1", "2"), 0) for n in range(9)]
    texts = {judge.render(pair, order)[-1]["content"]: ["no idea"] for pair in pairs for order in ("given", "swapped")}
    with RecordedEngine(texts=texts).open(FilePath()) as session:
        assert len(tried(judge, pairs, session).paths) == 8


def test_its_own_pairs_are_pairs() -> None:
    assert len({pair.id for pair in PAIRS}) == 16
    assert 4 <= sum(pair.label or 0 for pair in PAIRS) <= 12, "the right answer stands in either place"
