"""Every row of docs/data.md is read as the page says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from adjudge import Dataset, Plugins, problem_in

PAGE = Path(__file__).parents[2] / "docs" / "data.md"
EXAMPLES: list[dict[str, Any]] = [
    json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
]


@pytest.mark.parametrize("example", EXAMPLES, ids=[", ".join(example["row"]) for example in EXAMPLES])
def test_a_row_of_the_page_is_read_as_it_says(tmp_path: Path, example: dict[str, Any]) -> None:
    file, columns = tmp_path / "rows.jsonl", example.get("columns", {})
    file.write_text(json.dumps(example["row"]))
    problems = list(Plugins.load(autoload=False).pick(Dataset, "preference")(file=file, columns=columns).load())
    assert {problem.prompt for problem in problems} == {example["prompt"]}
    assert [(one.answers[one.label], one.answers[1 - one.label]) for one in problems] == [
        (example["chosen"], one) for one in example["rejected"]
    ]
    asked = problem_in(example["row"], pairs=False, columns=columns)
    assert (asked.prompt, sorted(asked.answers)) == (example["prompt"], sorted([example["chosen"], *example["rejected"]]))
