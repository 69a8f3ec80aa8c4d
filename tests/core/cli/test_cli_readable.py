"""A judge that writes nothing readable: told after the first judgements and at the end, exit code 1, no places, and nothing is trained."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adjudge import Outcome
from adjudge_judges import Rrm
from adjudge_report import Readability

Call = Callable[..., Any]
SAYS = "I cannot tell which of them is better."
MUTE = f"{{use: oracle, says: '{SAYS}'}}"
END = "none of the judgements is a verdict: of {}, 0 could be read ({} unreadable; judge 'rrm' reads "


@pytest.fixture
def file(pairs: Callable[..., Any], write_rows: Callable[..., Path], tmp_path: Path) -> Path:
    return write_rows(tmp_path / "pairs.jsonl", pairs(24))


@pytest.mark.parametrize("command", ["judge", "eval"])
def test_it_is_told_early_and_at_the_end(call: Call, model: Path, file: Path, command: str, caplog: pytest.LogCaptureFixture) -> None:
    done = call(command, file, "-m", model, "--engine", MUTE, "--json")
    assert done.exit_code == 1
    assert END.format(24, 24) in done.stderr
    assert "boxed{Assistant 1}" in done.stderr, "what a verdict would have been"
    assert "adjudge doctor" in done.stderr
    [early] = [message for message in caplog.messages if "of the first 20 judgements, 0 could be read" in message]
    assert SAYS in early
    assert json.loads(done.stdout.splitlines()[0]), "what came back is printed all the same"


@pytest.mark.parametrize(("decided", "told"), [(0, 1), (1, 1), (2, 0), (20, 0)])
def test_a_tenth_is_enough_to_go_on_in_silence(decided: int, told: int) -> None:
    """Calls that failed are nobody's text, and it is told once."""
    readable = Readability(Rrm())
    outcomes = [Outcome.FAILED] * 30 + [Outcome.TIE] * decided + [Outcome.TRUNCATED] * (40 - decided)
    assert len([warning for outcome in outcomes if (warning := readable.add(outcome, "so"))]) == told


def test_nobody_is_ranked_by_votes_that_nobody_can_read(call: Call, model: Path) -> None:
    row = '{"prompt": "largest?", "answers": ["3", "9", "5"], "id": "three"}\n'
    done = call("rank", "-m", model, "--engine", MUTE, "--use", "round-robin", "--reward", "rank", "--json", stdin=row)
    assert done.exit_code == 1
    found = json.loads(done.stdout)
    assert [found[name] for name in ("order", "ratings", "intervals")] == [None] * 3
    assert found["rewards"] == [None] * 3
    shown = call("rank", "-m", model, "--engine", MUTE, "--use", "round-robin", stdin=row)
    assert "not ranked: no vote could be read" in shown.stdout
    assert "place" not in shown.stdout
    assert END.format(6, 6) in shown.stderr


def test_health_and_bench_say_so_too(call: Call, model: Path, file: Path, tmp_path: Path) -> None:
    done = call("health", "-m", model, "--engine", MUTE, "--data", f"{{use: preference, file: {file}}}", "--attacked", 0, "--samples", 1)
    assert done.exit_code == 1
    assert END.format(48, 48) in done.stderr
    done = call("bench", "arithmetic-levels", "-m", model, "--engine", MUTE, "--limit", 4, "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert "none of the judgements is a verdict" in done.stderr
    assert (tmp_path / "out" / "result.json").exists()


def test_a_run_stops_before_it_trains(call: Call, run_file: Callable[..., Path], tmp_path: Path) -> None:
    done = call("run", run_file(), "--set", f"engine.says={SAYS}")
    assert done.exit_code == 1
    assert "nothing that the model wrote is a verdict to judge 'rrm'; nothing is trained" in done.stderr
    assert "adjudge doctor" in done.stderr
    assert (tmp_path / "out" / "stages" / "0-base" / "result.json").exists()
    assert not (tmp_path / "out" / "stages" / "1-same").exists()


def test_the_progress_of_a_run_tells_it_early(
    call: Call, run_file: Callable[..., Path], tmp_path: Path, write_rows: Callable[..., Path], pairs: Callable[..., Any]
) -> None:
    file = run_file()
    write_rows(tmp_path / "test.jsonl", pairs(24, start=100))
    done = call("run", file, "--set", f"engine.says={SAYS}", "--set", "reporters=[progress]")
    assert "0-base evaluation-held-out: of the first 20 judgements, 0 could be read" in done.stderr
