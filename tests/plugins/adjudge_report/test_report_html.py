"""The HTML report says what the run's files say, escapes what models wrote, needs nothing from outside, and tells what is missing."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path as FilePath
from typing import Any

import pytest

from adjudge import ConfigError, DataError, JobError, Run
from adjudge.testing import check_component
from adjudge_report import Html
from adjudge_report.gather import RunFiles
from adjudge_report.heat import heat
from adjudge_report.siblings import families


def page_of(run: Run) -> str:
    return (run.folder / "report.html").read_text(encoding="utf-8")


def rows(page: str) -> dict[str, list[str]]:
    """The cells of the first table, by the stage that heads the row."""
    table = page[page.index("<tbody>") : page.index("</tbody>")]
    found = {}
    for row in re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL):
        cells = [re.sub(r"<[^>]*>", "", cell).strip() for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)]
        found[cells[0]] = cells[1:]
    return found


def kappa(run: Run, stage: str) -> list[str]:
    """The cells of κ, by its definition, from the records: labels and verdicts as they were shown."""
    shown = {"given": {"first": "first", "second": "second"}, "swapped": {"first": "second", "second": "first"}}
    lines = (run.folder / "records" / f"{stage}-evaluation-standard.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [row for row in map(json.loads, lines) if row["outcome"] != "failed"]
    table = [(shown[row["order"]][row["label"]], shown[row["order"]].get(row["outcome"], row["outcome"])) for row in rows]
    agreement = sum(label == said for label, said in table) / len(table)
    shares = [[[row[side] for row in table].count(name) / len(table) for side in (0, 1)] for name in ("first", "second")]
    chance = sum(of_labels * of_verdicts for of_labels, of_verdicts in shares)
    found = (agreement - chance) / (1 - chance)
    value = r"(-?\d\.\d\d)"
    cells = re.search(rf'{stage}</th>.*?<td class="strong">{value}</td>\s*<td>{value} to {value}</td>', page_of(run), re.DOTALL)
    assert cells is not None
    low, high = float(cells[2]), float(cells[3])
    assert low <= found <= high
    return [f"{found:.2f}", f"{cells[2]} to {cells[3]}"]


def test_the_table_holds_the_numbers_of_every_stages_result(finished: Run, results: Mapping[str, Any]) -> None:
    table = rows(page_of(finished))
    assert list(table) == sorted(results) == ["0-base", "1-grpo", "2-sft", "3-grpo"]
    for stage, result in results.items():
        found = result["evaluation"]["standard"]
        low, high = found["interval"]
        rates = [f"{100 * found['outcomes'][name]:.1f}%" for name in ("first", "second", "tie", "unreadable", "truncated", "failed")]
        assert table[stage] == [
            f"{100 * found['accuracy']:.1f}%",
            f"{100 * low:.1f} to {100 * high:.1f}",
            str(found["n"]),
            *kappa(finished, stage),
            *rates,
            f"{found['mean_tokens']:.1f}",
            f"{found['toy-sound']:.3f}",
        ]


def test_the_page_says_that_a_failed_call_is_not_counted(finished: Run) -> None:
    text = " ".join(page_of(finished).split())
    assert "An unreadable or truncated judgement counts as not right; a call that failed is left out of n" in text


def test_every_plot_is_drawn_and_takes_its_colours_from_the_page(finished: Run) -> None:
    page = page_of(finished)
    labels = re.findall(r'<svg[^>]*aria-label="([^"]*)"', page)
    assert labels[:2] == ["Accuracy per stage with 95  intervals", "Outcome rates per stage on standard"]
    assert [label for label in labels if label.startswith("Reward")] == [
        "Reward over the steps of 1-grpo",
        "Reward over the steps of 3-grpo",
    ]
    assert sum(label.startswith("Distribution of") for label in labels) == 3
    assert "#0a0b" not in page
    assert "var(--s0)" in page
    assert "No reward plot" not in page


def test_nothing_is_loaded_from_elsewhere_and_nothing_runs(finished: Run) -> None:
    page = page_of(finished)
    assert all(target.startswith("#") for target in re.findall(r'(?:src|href)\s*=\s*"([^"]*)"', page))
    assert not re.search(r"<script|<link|@import|url\(\s*['\"]?(?!#)|https?://", page)


def test_ids_inside_the_page_are_those_that_something_refers_to(finished: Run) -> None:
    page = page_of(finished)
    assert set(re.findall(r' id="([^"]*)"', page)) <= set(re.findall(r"#([\w-]+)", page))


def test_what_models_and_data_wrote_is_escaped(make_run: Callable[..., Run]) -> None:
    attack = "<script>alert('x')</script>"
    run = make_run(stages=[], evaluation={"sets": {"hostile": {"use": "toy-sums", "extra": attack}}})
    run.execute()
    page = page_of(run)
    assert "<script" not in page
    assert "&lt;script&gt;alert" in page


def test_ten_judgements_can_be_read_wrong_and_undecided_ones_among_them(finished: Run) -> None:
    page = page_of(finished)
    kinds = re.findall(r'<details class="judgement (\w+)">', page)
    assert len(kinds) == 10
    assert set(kinds) == {"wrong", "right", "undecided"}
    assert re.search(r'<mark class="reasoning">\d\+\d\+0=\d\d\n', page)
    assert re.search(r'<mark class="answer">\\boxed\{Assistant [12]\}</mark>', page)
    assert re.search(r"<dt>mean token probability</dt><dd>0\.\d{3}</dd>", page)
    stages = set(re.findall(r'<span class="where">(\d-\w+) · standard</span>', page))
    assert stages == {"0-base", "1-grpo", "2-sft", "3-grpo"}


def test_writing_again_gives_the_same_page_and_another_size_another_number(finished: Run, tmp_path: FilePath) -> None:
    copy = tmp_path / "run"
    shutil.copytree(finished.folder, copy)
    assert Html().write(copy) == copy / "report.html"
    assert (copy / "report.html").read_text() == page_of(finished)
    Html(samples=3).write(copy)
    assert (copy / "report.html").read_text().count('<details class="judgement') == 3


def test_kept_and_dropped_paths_are_compared_and_a_stages_measures_shown(finished: Run, results: Mapping[str, Any]) -> None:
    page = page_of(finished)
    sound = results["2-sft"]["metrics"]["toy-sound"]
    assert re.search(r"mean R⋆</th><td>0\.\d{3}</td><td>0\.\d{3}</td>", page)
    assert "<th></th><th>paths</th><th>selected</th>" in page
    assert f"toy-sound</th><td>{sound['paths']:.3f}</td><td>{sound['selected']:.3f}</td>" in page


def test_an_unfinished_run_says_what_is_missing_and_ignores_a_line_still_being_written(make_run: Callable[..., Run]) -> None:
    run = make_run(stages=[{"use": "grpo", "fail_at": 9}, "sft"])
    with pytest.raises(JobError):
        run.execute()
    with (run.folder / "records" / "1-grpo-steps.jsonl").open("a") as steps:
        steps.write('{"id": "step-9", "step": 9, "rew')
    before = (run.folder / "records" / "1-grpo-steps.jsonl").read_bytes()
    page = Html().write(run.folder).read_text()
    assert "Still missing: 1-grpo, 2-sft." in page
    assert "Reward over the steps of 1-grpo" in page
    assert "Kept and dropped paths" not in page
    assert (run.folder / "records" / "1-grpo-steps.jsonl").read_bytes() == before


def test_a_run_without_evaluation_or_records_leaves_the_plots_out_and_says_why(make_run: Callable[..., Run]) -> None:
    run = make_run(stages=[], evaluation={})
    run.execute()
    page = page_of(run)
    assert "<svg" not in page
    for reason in ("No evaluation set is named", "No accuracy plot", "No outcome plot"):
        assert reason in page
    for section in ("Reward", "Kept and dropped paths", "Judgements to read", "Planned and taken"):
        assert f"<h2>{section}" not in page, "an empty section says nothing"
    assert "<h2>What ran" in page


def test_a_judgement_shows_what_was_asked_and_how_likely_each_token_was(finished: Run) -> None:
    page = page_of(finished)
    [one, *_] = re.findall(r'<details class="judgement \w+">.*?</details>', page, re.DOTALL)
    assert re.search(r"<b>prompt</b> \d\d\+\d\d", one)
    assert len(re.findall(r"<b>answer shown (?:first|second)", one)) == 2
    assert len(re.findall(r"<b>answer shown (?:first|second), right</b>", one)) == 1
    assert re.search(r"<dt>label</dt><dd>(first|second)</dd>", one)
    tokens = re.search(r'<pre class="tokens"[^>]*>(.*?)</pre>', one, re.DOTALL)
    marked = re.search(r"<pre tabindex[^>]*>(.*?)</pre>", one, re.DOTALL)
    assert tokens is not None
    assert marked is not None
    assert re.sub("<[^>]*>", "", tokens[1]) == re.sub("<[^>]*>", "", marked[1]), "the same text, to the last character"
    assert {int(level) for level in re.findall(r'class="heat h(\d)" title', page)} >= {1, 2, 3}


def test_heat_is_the_tokens_probability_and_says_nothing_without_one() -> None:
    record = {"completion": {"text": "ab é!", "ends": [1, 3, 3, 4, -1], "logprobs": [0.0, math.log(0.5), math.log(0.5), -5.0, -1.0]}}
    assert heat(record) == [("a", 0, 1.0), ("b ", 3, pytest.approx(0.5)), ("é", 5, pytest.approx(0.5 * math.exp(-5))), ("!", None, None)]
    for made in ({"text": "a"}, {"text": "a", "ends": [1], "logprobs": None}, {"text": "", "ends": [], "logprobs": []}):
        assert heat({"completion": made}) == []


def test_paths_of_one_problem_stand_beside_each_other_and_say_why_one_was_kept(finished: Run) -> None:
    found = families(RunFiles.read(finished.folder), 3)
    assert [family.stage for family in found] == ["2-sft"] * 3
    assert len({family.problem for family in found}) == 3
    for family in found:
        assert len(family.members) == 4, "all samples of the problem"
        scored = [one for one in family.members if one.score is not None]
        assert [one.score for one in scored] == sorted((one.score for one in scored), reverse=True)  # type: ignore[type-var]
        assert [one.kept for one in family.members] == [True] + [False] * 3
        assert scored[0].why == f"kept: place 1 of the {len(scored)} that were scored; 1 is kept"
        assert {one.why for one in family.members if one.score is None} <= {
            "not scored: it names the wrong answer", "not scored: the call failed", "not scored: unreadable", "not scored: truncated",
        }  # fmt: skip
        assert sum(right for _, right in family.answers) == 1
        assert family.parts == ["reasoning", "answer"]
    page = page_of(finished)
    assert page.count('<details class="family">') == 3
    assert "kept: place 1 of the" in page


def test_a_folder_that_is_no_run_and_a_damaged_record_are_told(make_run: Callable[..., Run], tmp_path: FilePath) -> None:
    with pytest.raises(ConfigError, match=r"no config\.yaml"):
        Html().write(tmp_path)
    run = make_run(stages=[])
    run.execute()
    (run.folder / "records" / "0-base-evaluation-standard.jsonl").write_text("{broken\n")
    with pytest.raises(DataError, match=r"0-base-evaluation-standard\.jsonl: line 1 is damaged"):
        Html().write(run.folder)


def test_its_options_are_documented_and_survive_json() -> None:
    check_component(Html())


@pytest.mark.parametrize(("reporter", "missing"), [("html", "matplotlib"), ("html", "jinja2"), ("card", "jinja2")])
def test_a_missing_extra_is_named_before_anything_is_done(
    make_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, reporter: str, missing: str
) -> None:
    """Not as an error at the end of a run that took hours."""
    monkeypatch.setattr("adjudge_report.page.find_spec", lambda name: None if name == missing else name)
    run = make_run(reporters=[reporter])
    with pytest.raises(
        ConfigError, match=rf"reporter '{reporter}' needs {missing}, not installed here\.\n  Remedy: pip install 'adjudge\[report\]'"
    ):
        run.execute()
    assert not list(run.folder.glob("records/*"))
    if reporter == "html":
        for write in (lambda: Html().write(run.folder), lambda: Html().write_health({}, run.folder / "health.html")):
            with pytest.raises(ConfigError, match="adjudge\\[report\\]"):
                write()
