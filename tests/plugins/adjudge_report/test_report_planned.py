"""The report sets what was planned before the first call beside what the records say it took."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from adjudge import Run
from adjudge_report import Html


def cells(page: str) -> dict[str, list[str]]:
    """The section's rows, by stage: planned and taken by turns."""
    section = page[page.index("<h2>Planned and taken</h2>") :]
    body = section[section.index("<tbody>") + 7 : section.index("</tbody>")]
    rows = [row.replace("</th>", "</td>").split("</td>") for row in body.split("</tr>") if row.strip()]
    texts = [[cell.rpartition(">")[2].strip() for cell in row][:-1] for row in rows]
    return {name: found for name, *found in texts}


def test_planned_and_taken_stand_side_by_side(finished: Run, results: Mapping[str, Any]) -> None:
    found = cells((finished.folder / "report.html").read_text(encoding="utf-8"))
    assert list(found) == ["0-base", "1-grpo", "2-sft", "3-grpo"]
    tokens = round(results["0-base"]["evaluation"]["standard"]["mean_tokens"] * 120)
    assert found["0-base"][:4] == ["120", "120", "0", "0"]
    most = 120 * finished.judge.max_new_tokens
    assert found["0-base"][4] == f"at most {most:,}"
    assert int(found["0-base"][5].replace(",", "")) == pytest.approx(tokens, abs=200), "failed calls have no tokens"
    assert found["0-base"][6] == "unknown", "no speed was given"


def test_a_trainer_that_did_not_tell_is_unknown_and_what_it_took_is_known(finished: Run) -> None:
    found = cells((finished.folder / "report.html").read_text(encoding="utf-8"))
    judged = sum(1 for file in (finished.folder / "records").glob("2-sft-*.jsonl") for line in file.open() if '"outcome":' in line)
    assert found["2-sft"][0] == "unknown"
    assert int(found["2-sft"][1]) > 120
    assert judged >= int(found["2-sft"][1])
    assert found["1-grpo"][2:4] == ["unknown", "30"]


def test_a_run_without_an_estimate_says_so(make_run: Callable[..., Run]) -> None:
    run = make_run(stages=[])
    run.execute()
    (run.folder / "plan.json").unlink()
    Html().write(run.folder)
    assert "Planned and taken" not in (run.folder / "report.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_built_in_trainers_take_what_they_plan(trained: Run) -> None:
    total = json.loads((trained.folder / "plan.json").read_text())["total"]
    found = cells((trained.folder / "report.html").read_text(encoding="utf-8"))
    assert [row[:2] for row in found.values()] == [["10", "10"], ["42", "42"], ["58", "58"], ["90", "90"]]
    assert [row[2:4] for name, row in found.items() if name != "2-sft"] == [["0", "0"], ["2", "2"], ["2", "2"]]
    least, most = map(int, found["2-sft"][2].split(" to "))
    assert least <= int(found["2-sft"][3]) <= most == 6
    assert sum(int(row[5].replace(",", "")) for row in found.values()) <= total["most_tokens"]
