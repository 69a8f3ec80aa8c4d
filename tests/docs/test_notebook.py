"""The notebook was run as it stands, and runs: its code says today what it said then."""

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
CELLS: list[dict[str, Any]] = json.loads((ROOT / "docs/notebooks/first_judge.ipynb").read_text(encoding="utf-8"))["cells"]
CODE = [cell for cell in CELLS if cell["cell_type"] == "code"]


def test_it_was_run_and_shows_verdicts_and_a_ranking() -> None:
    shown = ["".join(output["data"]["text/html"]) for cell in CODE for output in cell["outputs"] if "text/html" in output.get("data", {})]
    assert all(cell["execution_count"] == number for number, cell in enumerate(CODE, start=1))
    assert len(shown) == 3
    assert "probability" in shown[0], "the heat map of the first verdict"
    assert "place" in shown[2]
    assert str(ROOT) not in json.dumps(CELLS), "no path of the machine that ran it"


def test_it_runs() -> None:
    names: dict[str, Any] = {}
    for cell in CODE:
        exec("".join(cell["source"]), names)
    assert "probability" in names["verdict"]._repr_html_()
    assert [round(score.value, 3) for score in names["scores"]] == _scores()


def _scores() -> list[float]:
    """R⋆ of both texts as the notebook printed it."""
    printed = next("".join(output["text"]) for cell in CODE for output in cell["outputs"] if output["output_type"] == "stream")
    return [round(float(line.split()[0]), 3) for line in printed.splitlines()]
