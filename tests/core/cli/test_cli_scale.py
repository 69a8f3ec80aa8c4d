"""Many rows through a command: what it has judged lies in files, and it holds no more than it asks for together."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adjudge import Completion, Records
from adjudge_benchmarks import Judgement
from adjudge_judge_commands import counted, opened_judge, score
from adjudge_judge_commands.path_rows import PathRow
from adjudge_rstar.together import AT_ONCE as TOGETHER

Call = Callable[..., Any]
ROWS, AT_ONCE = 600, 40


@pytest.fixture(autouse=True)
def _only_what_is_made_here() -> None:
    """What the process held before is not looked through, time and again, for what a command holds."""
    gc.collect()
    gc.freeze()


class Held:
    """The most texts of judgements that were held at once, counted whenever one of these functions is called."""

    def __init__(self, patch: pytest.MonkeyPatch, kinds: tuple[type, ...], *places: tuple[Any, str]) -> None:
        self.most = self.calls = 0
        for owner, name in places:
            patch.setattr(owner, name, self._counting(getattr(owner, name), kinds))

    def _counting(self, function: Any, kinds: tuple[type, ...]) -> Any:
        def counted(*given: Any, **named: Any) -> Any:
            self.calls += 1
            if self.calls % 20 == 0:
                found = [one for one in gc.get_objects() if type(one) in kinds]
                self.most = max(self.most, sum(bool(getattr(one, "text", True)) for one in found))
            return function(*given, **named)

        return counted


@pytest.mark.parametrize(
    ("command", "kept"), [("judge", False), ("eval", False), ("bench", True), ("rate", False), ("rate", True), ("health", True)]
)
def test_no_command_holds_what_it_judged(
    call: Call, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, kept: bool
) -> None:
    from adjudge_benchmarks import judgements
    from adjudge_health import sources, units

    monkeypatch.setattr(opened_judge, "AT_ONCE", AT_ONCE)
    monkeypatch.setattr(counted, "AT_ONCE", AT_ONCE)
    monkeypatch.setattr(sources, "AT_ONCE", AT_ONCE)
    held = Held(
        monkeypatch, (Completion, Judgement), (counted, "read_verdict"), (judgements, "replace"), (units.JudgedPair, "rights")
    )  # fmt: skip
    file, says = tmp_path / "rows.jsonl", "Rating: 7" if command == "rate" else "\\\\boxed{Assistant 1}"
    rows: dict[str, Callable[[int], Any]] = {
        "judge": lambda number: {"answers": [f"{number}", "0"]},
        "rate": lambda number: {"answers": [f"{number}"]},
        "eval": lambda number: {"chosen": f"{number}", "rejected": "no"},
        "health": lambda number: {"chosen": f"{number}", "rejected": "no"},
        "bench": lambda number: {"pair_id": f"p{number}", "source": "mmlu-pro-law", "response_model": "gpt-4o", "label": "A>B",
                                 "question": "q", "response_A": f"{number}", "response_B": "no"},
    }  # fmt: skip
    file.write_text(
        "".join(json.dumps({"id": f"p{number}", "prompt": "q", **rows[command](number)}) + "\n" for number in range(1, ROWS + 1))
    )
    data: list[object] = {"health": ["--data", file, "--samples", 1, "--attacked", 0], "bench": ["judgebench", "--data", file]}.get(
        command, [file]
    )
    out = ["--out", tmp_path / "kept"] if kept else []
    engine = f'{{use: oracle, says: "{says}"}}'
    if command != "rate":
        data += ["--judge", "rrm"]
    found = call(command, *data, "-m", model, "--engine", engine, "--no-cache", "--json", *out)
    assert found.exit_code == 0, found.output
    assert held.calls >= ROWS
    assert 0 < held.most < 6 * AT_ONCE < ROWS


def test_scoring_holds_what_is_asked_together_and_tells_rows_as_they_come(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("transformers.models.qwen2.modeling_qwen2", reason="transformers is absent: the embedded judge needs it")
    gc.freeze()  # with what was just imported
    held = Held(monkeypatch, (PathRow,), (score, "score_row"))
    file, problems, each = tmp_path / "paths.jsonl", 100, 3
    text = "<think>a</think>\\boxed{Assistant 1}"
    row = {"texts": [f"{text[:8]}{place}{text[8:]}" for place in range(each)]}
    file.write_text("".join(json.dumps({"prompt": f"{n}+1", "answers": [f"{n + 1}", "0"], **row}) + "\n" for n in range(problems)))
    first = call("score", file, "--use", "rstar", "--json")
    assert first.exit_code == 0, first.output
    assert held.calls == problems * each
    assert 0 < held.most <= TOGETHER + each < problems * each
    kept = tmp_path / "kept"
    options = (file, "--use", "rstar", "--json", "--out", kept)
    assert call("score", *options).stdout == first.stdout
    records = kept / "records" / "scores.jsonl"
    records.write_bytes(b"".join(records.read_bytes().splitlines(keepends=True)[: each * 10]) + b'{"id": "torn')
    again, before = (list(map(json.loads, told.splitlines())) for told in (call("score", *options).stdout, first.stdout))
    for one, other in zip(again, before, strict=True):  # what is scored in other company differs by rounding
        assert one == {**other, "score": one["score"], "parts": one["parts"], "mean_logprob": one["mean_logprob"]}
        assert one["score"] == pytest.approx(other["score"], rel=1e-3)
    assert len(list(Records(records))) == problems * each
