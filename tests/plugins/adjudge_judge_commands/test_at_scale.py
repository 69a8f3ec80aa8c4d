"""Many rows: verdicts as they come, rows that nobody holds, and a killed call that goes on where it was, through every command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from adjudge import Problem, Records, open_judge
from adjudge.testing import RecordedEngine
from adjudge_data import Spool

MODEL = "adjudge_arithmetic:model"


def pairs(count: int) -> Iterator[Problem]:
    for index in range(count):
        yield Problem(f"p{index}", f"{index % 50}+1", (str(index % 50 + 1), "0"), 0, {"level": (1, 2)})


def texts() -> dict[str, list[str]]:
    rows = [(f"{index}+1", str(index + 1)) for index in range(50)]
    said = {f"{prompt}\n1:{right}\n2:0": ["It is. \\boxed{Assistant 1}"] for prompt, right in rows}
    return said | {f"{prompt}\n1:0\n2:{right}": ["It is not. \\boxed{Assistant 2}"] for prompt, right in rows}


def test_problems_in_a_file_are_the_problems_that_were_given() -> None:
    spool = Spool(pairs(1000))
    assert list(spool) == list(pairs(1000))
    assert (len(spool), spool[-1], spool[127:130]) == (1000, list(pairs(1000))[-1], list(pairs(130))[127:])
    for one, other in zip(spool, spool, strict=True):
        assert one == other, "two may read it at once"
    spool.renamed = {3: "other"}
    assert [one.id for one in spool[2:5]] == ["p2", "other", "p4"]
    assert not Spool(())


def test_a_verdict_comes_before_the_rows_behind_it_are_read() -> None:
    read = 0

    def counted() -> Iterator[Problem]:
        nonlocal read
        for problem in pairs(10_000):
            read += 1
            yield problem

    with open_judge(MODEL, engine=RecordedEngine(texts=texts()), cache=False) as judge:
        verdicts = judge.judge_each(counted())
        assert next(verdicts).problem.id == "p0"
        assert read == judge.session.at_once < 10_000
        assert [verdict.problem.id for verdict in verdicts] == [f"p{index}" for index in range(1, 10_000)]


def test_rankings_come_while_later_groups_have_not_begun() -> None:
    begun = 0

    def groups() -> Iterator[Problem]:
        nonlocal begun
        for index in range(2000):
            begun += 1
            yield Problem(f"g{index}", f"{index % 50}+1", (str(index % 50 + 1), "0"), 0)

    with open_judge(MODEL, engine=RecordedEngine(texts=texts()), cache=False) as judge:
        results = judge.rank_each(groups(), "knockout")
        first = next(results)
        assert begun == judge.session.at_once / 2 < 2000
        every = [first, *results]
        whole = judge.rank_all(list(groups()), "knockout")
    assert [(one.problem.id, one.ranking) for one in every] == [(one.problem.id, one.ranking) for one in whole]
    assert all(one.ranking.order[0] == 0 for one in every)


class Files:
    """Rows and recorded texts of one command, and calls of it."""

    def __init__(self, folder: Path, command: str, rows: int, start: type[subprocess.Popen[str]]) -> None:
        self.command, self.rows, self.folder, self.start = command, rows, folder, start
        with (folder / "replay.jsonl").open("w") as out:
            out.writelines(json.dumps({"prompt": prompt, "texts": said}) + "\n" for prompt, said in texts().items())
        with (folder / "rows.jsonl").open("w") as out:
            for one in pairs(rows):
                row = {"id": one.id, "prompt": one.prompt, "answers": one.answers}
                if command == "bench":
                    row = {"pair_id": one.id, "source": "mmlu-pro-law", "response_model": "gpt-4o", "question": one.prompt}
                    row |= {"response_A": one.answers[0], "response_B": one.answers[1], "label": "A>B"}
                elif command == "eval":
                    row = {"id": one.id, "prompt": one.prompt, "chosen": one.answers[0], "rejected": one.answers[1]}
                out.write(json.dumps(row) + "\n")

    def call(self, out: str, stdout: int = subprocess.PIPE) -> subprocess.Popen[str]:
        data = ["judgebench", "--data", "rows.jsonl"] if self.command == "bench" else ["rows.jsonl"]
        rest = ["--engine", "{use: replay, file: replay.jsonl}", "--no-cache", "--out", out, "--json"]
        words = [sys.executable, "-m", "adjudge", self.command, *data, *rest]
        return self.start(words, cwd=self.folder, stdout=stdout, stderr=subprocess.PIPE, text=True)

    def records(self, out: str) -> Path:
        return self.folder / out / "records" / ("rankings.jsonl" if self.command == "rank" else "judgements.jsonl")


@pytest.mark.parametrize("command", ["judge", "eval", "bench", "rank"])
def test_a_killed_call_goes_on_and_says_the_same(tmp_path: Path, forked_command: type[subprocess.Popen[str]], command: str) -> None:
    files = Files(tmp_path, command, 3000, forked_command)
    whole, errors = files.call("whole").communicate()
    assert whole, errors
    killed, kept = files.call("killed", subprocess.DEVNULL), files.records("killed")
    while killed.poll() is None and not (kept.exists() and kept.stat().st_size > 100_000):
        time.sleep(0.01)
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    begun = len(files.records("killed").read_bytes().splitlines())
    assert 0 < begun < 3000, "it was killed too late to show anything"
    again, errors = files.call("killed").communicate()
    assert again.replace('"killed', '"whole') == whole, errors
    assert {row["id"] for row in Records(files.records("killed"))} == {row["id"] for row in Records(files.records("whole"))}
    assert len(files.records("killed").read_text().splitlines()) == 3000
    assert (tmp_path / "killed" / "result.json").read_text().replace('"killed', '"whole') == (
        tmp_path / "whole" / "result.json"
    ).read_text()
