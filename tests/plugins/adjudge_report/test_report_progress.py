"""Progress on a terminal and without one: the right numbers, few lines, a terminal given back, and a run that nothing disturbs."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from adjudge import JobError, Reporter, Run, StageResult, hookimpl
from adjudge.host.plugins import Source
from adjudge.testing import check_component
from adjudge_judges import ArithmeticJudge
from adjudge_report import Count, Progress, ProgressDisplay
from adjudge_report.progress import ProgressObserver

HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"


class Watching(Reporter):
    """Registers the object that a test made."""

    use: Literal["toy-watching"] = "toy-watching"

    def start(self, run: Any) -> object:
        return run.watcher


def watched(run: Run, watcher: object) -> Run:
    """The run with this object as a second reporter."""
    plugin = ModuleType("watching")
    plugin.register_reporters = hookimpl(lambda: [Watching])  # type: ignore[attr-defined]
    run.plugins.add(plugin, Source("watching", "toy", "0"))
    run.config = run.config.model_copy(update={"reporters": [Watching(), *run.config.reporters]})
    run.watcher = watcher  # type: ignore[attr-defined]
    return run


def terminal() -> tuple[io.StringIO, Console]:
    shown = io.StringIO()
    return shown, Console(file=shown, force_terminal=True, force_interactive=True, width=120, _environ={"TERM": "xterm"})


def test_plain_lines_tell_starts_steps_and_results(make_run: Callable[..., Run], capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(reporters=[{"use": "progress", "every": 0}], stages=[{"use": "grpo", "steps": 4, "skill": 0.9}])
    results = run.execute()
    lines = capsys.readouterr().err.splitlines()
    assert "\x1b" not in "".join(lines)
    assert "0-base evaluation-standard: 120 of 120, " in "\n".join(lines)
    assert any(line.startswith("1-grpo steps: 4 of 4, ") and line.endswith("% right") for line in lines)
    found = results[1]["evaluation"]["standard"]
    summary = next(line for line in lines if line.startswith("1-grpo done"))
    low, high = found["interval"]
    assert f"standard {100 * found['accuracy']:.1f}% [{100 * low:.1f} to {100 * high:.1f}]" in summary
    assert lines[-1].endswith("all stages complete")


def test_plain_lines_between_start_and_end_are_rare(make_run: Callable[..., Run], capsys: pytest.CaptureFixture[str]) -> None:
    make_run(reporters=["progress"]).execute()
    assert len(capsys.readouterr().err.splitlines()) == 2 + 2 * 4


def test_a_terminal_shows_a_live_bar_and_is_given_back(make_run: Callable[..., Run]) -> None:
    shown, console = terminal()
    watched(make_run(stages=["grpo"]), ProgressObserver(ProgressDisplay(10, console))).execute()
    text = shown.getvalue()
    assert text.count(HIDE) == text.count(SHOW) == 1
    assert "1-grpo done in" in text
    assert "of 120" in text or "of 30" in text


def test_a_run_that_fails_gives_the_terminal_back_before_its_error_is_told(make_run: Callable[..., Run]) -> None:
    shown, console = terminal()
    run = watched(make_run(stages=[{"use": "grpo", "fail_at": 3}]), ProgressObserver(ProgressDisplay(10, console)))
    with pytest.raises(JobError, match="skipped"):
        run.execute()
    assert shown.getvalue().count(HIDE) == shown.getvalue().count(SHOW) == 1


def test_a_real_terminal_is_recognised_and_left_with_its_cursor(tmp_path: Any) -> None:
    """A child process on a pseudo-terminal: what `Console(stderr=True)` makes of it is not for a test to assume."""
    script = (
        "import time, types\nfrom adjudge_report import Progress\n"
        "run = types.SimpleNamespace(folder='demo', config=types.SimpleNamespace(stages=[1], seed=0))\n"
        "stage = types.SimpleNamespace(name='1-grpo', index=1, totals={})\n"
        "observer = Progress().start(run)\n"
        "observer.run_started(run); observer.stage_started(run, stage); time.sleep(0.3); observer.close()\n"
    )
    ours, theirs = pty.openpty()
    child = subprocess.run([sys.executable, "-c", script], stderr=theirs, env={**os.environ, "TERM": "xterm"}, timeout=30, check=False)
    os.close(theirs)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    assert child.returncode == 0
    assert HIDE in shown
    assert shown.rindex(SHOW) > shown.rindex(HIDE)
    assert "1-grpo starts" in shown


def test_a_display_that_breaks_is_switched_off_and_the_run_goes_on(
    make_run: Callable[..., Run], capsys: pytest.CaptureFixture[str]
) -> None:
    gone = io.StringIO()
    gone.close()
    results = watched(make_run(stages=["grpo"]), ProgressObserver(ProgressDisplay(0, Console(file=gone)))).execute()
    assert len(results) == 2
    assert capsys.readouterr().err.count("no more progress is shown") == 1


def test_an_observer_that_raises_is_named_and_stops_neither_the_run_nor_the_others(
    make_run: Callable[..., Run], capsys: pytest.CaptureFixture[str]
) -> None:
    class Broken:
        @hookimpl
        def stage_finished(self, run: Any, stage: Any, result: StageResult) -> None:
            raise RuntimeError("no disk")

        def close(self) -> None:
            raise RuntimeError("no door")

    run = watched(make_run(stages=["grpo"], reporters=["html"]), Broken())
    run.execute()
    warnings = capsys.readouterr().err
    assert warnings.count("reporter 'toy-watching'") == 2
    assert "raised in stage_finished: RuntimeError: no disk" in warnings
    assert "raised in close: RuntimeError: no door" in warnings
    assert (run.folder / "report.html").exists()
    assert (run.folder / "done.json").exists()


def test_a_stage_that_went_on_counts_what_was_there(make_run: Callable[..., Run], capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(reporters=[{"use": "progress", "every": 0}], stages=[])
    run.execute()
    file = run.folder / "records" / "0-base-evaluation-standard.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[:-5]))
    (run.folder / "stages" / "0-base" / "result.json").unlink()
    capsys.readouterr()
    make_run(reporters=[{"use": "progress", "every": 0}], stages=[]).execute()
    right = sum(bool(json.loads(line)["right"]) for line in lines)
    told = [line for line in capsys.readouterr().err.splitlines() if "evaluation-standard" in line]
    assert [line.split(": ")[1].split(",")[0] for line in told] == [f"{done} of 120" for done in range(116, 121)]
    assert f"{100 * right / 120:.1f}% right" in told[-1]


@given(st.lists(st.fixed_dictionaries({"right": st.sampled_from([True, False, None])}), max_size=30), st.integers(0, 40))
def test_a_count_never_promises_a_past_end_and_its_accuracy_is_a_share(records: list[Mapping[str, Any]], total: int) -> None:
    count = Count(began=0.0, total=total)
    for record in records:
        count.add(record)
    judged = [record["right"] for record in records if record["right"] is not None]
    assert count.accuracy == (sum(judged) / len(judged) if judged else None)
    left = count.left(now=60.0)
    assert (left is None) == (len(records) < 2)
    assert left is None or left == pytest.approx(max(0, total - len(records)) * 60 / len(records))
    assert count.words(60.0)


def test_its_options_are_documented_and_survive_json() -> None:
    check_component(Progress(every=2.5))


def test_records_that_are_no_judgements_are_counted_alike(tmp_path: Path) -> None:
    """Chosen paths have no outcome beside them, and rollouts no completion; progress goes on, and what cannot be read is told."""
    shown, console = terminal()
    observer = ProgressObserver(ProgressDisplay(0, console))
    stage: Any = SimpleNamespace(name="1-sft", records_folder=tmp_path, totals={}, judge=ArithmeticJudge())
    for number in range(20):
        observer.record_written(stage, "selected", {"id": str(number), "completion": {"text": "so"}, "right": True})
        observer.record_written(stage, "rollouts", {"id": str(number), "outcome": "unreadable", "text": "well", "right": False})
    assert not observer.display.broken
    observer.close()
    assert "1-sft rollouts: of the first 20 judgements, 0 could be read" in " ".join(shown.getvalue().split())
