"""What a command shows while a judge works: lines without a terminal, a bar that is taken away on one, nothing on what is soon over."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from threading import Thread

import pytest

from adjudge_arithmetic import ArithmeticDataset
from adjudge_judges import ArithmeticJudge

SCRIPT = """
import time
from adjudge_judge_commands import progress
from adjudge_judge_commands.counted import CountedSession
from adjudge_judges import ArithmeticJudge
progress.FIRST_AFTER, progress.EVERY = {first}, {every}
session = CountedSession(None, None, ArithmeticJudge())
session.total, session.done, session.tokens = 400, {done}, {tokens}
with progress.showing(session, "judging", "judged"):
    time.sleep({seconds})
"""


def shown(seconds: float, first: float = 0.1, done: int = 100, tokens: int = 0, every: float = 0.2) -> list[str]:
    script = SCRIPT.format(seconds=seconds, first=first, done=done, tokens=tokens, every=every)
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return result.stderr.splitlines()


def test_what_is_soon_over_shows_nothing() -> None:
    assert shown(seconds=0.05, first=2.0) == []


def test_nothing_is_said_while_nothing_has_begun_until_it_is_time_for_a_line() -> None:
    assert shown(seconds=0.6, done=0, every=60.0) == [], "a model is loaded, or a call of direct is soon over"
    assert shown(seconds=1.2, done=0)[0].startswith("judged 0 of 400"), "somebody who waits long is told so"


def test_plain_lines_tell_the_count_and_in_time_the_rest() -> None:
    lines = shown(seconds=2.6, tokens=5000)
    assert 5 < len(lines) < 15
    assert all(line.startswith("judged 100 of 400, ") and line.split(", ")[1].endswith(" tokens/s") for line in lines)
    assert "left" not in lines[0], "two seconds set a pace"
    assert lines[-1].split(", ")[-1] in [f"about {seconds} s left" for seconds in range(6, 10)]


def test_a_terminal_shows_a_bar_and_is_given_back() -> None:
    ours, theirs = pty.openpty()
    script = SCRIPT.format(seconds=0.6, first=0.1, done=100, tokens=0, every=0.2)
    subprocess.run([sys.executable, "-c", script], stderr=theirs, env={**os.environ, "TERM": "xterm"}, timeout=30, check=True)
    os.close(theirs)
    text = os.read(ours, 65536).decode()
    os.close(ours)
    assert "judging" in text
    assert "100 of 400" in text
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l"), "the cursor is back"


def test_a_display_that_breaks_stops_nothing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from time import sleep

    from adjudge_judge_commands import progress
    from adjudge_judge_commands.counted import CountedSession

    class Broken(progress.ProgressDisplay):
        def start(self) -> None:
            raise OSError("no terminal")

    monkeypatch.setattr(progress, "FIRST_AFTER", 0.01)
    monkeypatch.setattr(progress, "ProgressDisplay", Broken)
    with progress.showing(CountedSession(None, None, ArithmeticJudge()), "judging", "judged"):  # type: ignore[arg-type]
        sleep(0.2)
    assert capsys.readouterr().err == "warning: no more progress is shown: OSError: no terminal\n"


CALL = """
import sys
from adjudge_judge_commands import progress
from adjudge_report import display
progress.FIRST_AFTER, progress.EVERY, display.REDRAW = 0.0, 0.01, 0.01
from adjudge.cli.app import main
sys.argv[0] = "adjudge"
main()
"""
"""The command line, which shows progress from the start and often."""


def call_of(folder: Path, command: str) -> list[str]:
    """A command that asks the embedded judge for judgements which all run into the token limit, so that all end with the last token."""
    problems = ArithmeticDataset(size=32, levels=[1, 2], part="test").load()
    rows = [{"prompt": one.prompt, "answers": list(one.answers), "label": one.label} for one in problems]
    (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return [sys.executable, "-c", CALL, command, str(folder / "pairs.jsonl"), "--no-cache", "--set", "judge.max_new_tokens=32"]


@pytest.mark.parametrize(("command", "done"), [("judge", "judged"), ("eval", "judged"), ("rank", "judged")])
def test_a_pipe_is_told_of_tokens_while_no_judgement_is_done_and_never_the_same_twice(
    tmp_path: Path, forked_command: type[subprocess.Popen[str]], command: str, done: str
) -> None:
    pytest.importorskip("torch", reason="torch is absent: the embedded judge needs it")
    process = forked_command(call_of(tmp_path, command), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    lines = process.communicate(timeout=120)[1].splitlines()
    assert process.returncode == 0, lines
    told = [line for line in lines if line.startswith(done)]
    assert any(re.match(rf"{done} 0 of \d+, [\d,]+ tokens/s", line) for line in told), told
    assert all(one != other for one, other in pairwise(told))
    assert "\x1b" not in "".join(lines)


def test_a_terminal_has_one_line_that_moves_while_no_judgement_is_done(tmp_path: Path, forked_command: type[subprocess.Popen[str]]) -> None:
    pytest.importorskip("torch", reason="torch is absent: the embedded judge needs it")
    ours, theirs = pty.openpty()
    shown: list[bytes] = []

    def read() -> None:
        try:
            while part := os.read(ours, 65536):
                shown.append(part)
        except OSError:  # what a pseudo-terminal says once nobody has it open any more
            pass

    reader = Thread(target=read)
    reader.start()
    terminal = {**os.environ, "TERM": "xterm", "COLUMNS": "140"}
    assert forked_command(call_of(tmp_path, "judge"), stderr=theirs, stdout=subprocess.DEVNULL, env=terminal).wait(timeout=120) == 0
    os.close(theirs)
    reader.join()
    os.close(ours)
    text = b"".join(shown).decode()
    speeds = set(re.findall(r"0 of \d+, ([\d,]+) tokens/s", text))
    assert len(speeds) > 1, "redrawn with another speed before the first judgement is done"
    bars = text[text.index("judging") : text.rindex("judging")]
    assert "\n" not in bars, "one line, drawn again in its place"
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l"), "the cursor is back"
