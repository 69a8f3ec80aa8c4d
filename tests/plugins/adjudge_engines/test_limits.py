"""What an engine cannot sample is told when the run file or the call is checked: before a run, in a dry run, and from Python."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path as FilePath
from typing import Any, Literal

import pytest

from adjudge import ConfigError, Engine, Plugins, Run, RunConfig, open_judge, validate
from adjudge_engines import HfEngine, OpenAiEngine, VllmEngine
from adjudge_judges import ArithmeticJudge


class Silent(Engine):
    """An engine, as third parties have them, that says nothing of ranges."""

    use: Literal["silent"] = "silent"


OPENAI = {"use": "openai", "base_url": "http://127.0.0.1:9/v1", "model": "m"}
HOT = r"judge\.temperature: 2\.5, and (vLLM|OpenAI's API) samples at 0 to 2\.\n  Remedy: lower it"
SHORT = r"engine\.max_model_len: 64 tokens .* judge\.max_new_tokens lets a judgement alone have 112\."


@pytest.mark.parametrize(
    ("engine", "judge", "message"),
    [
        (VllmEngine(), ArithmeticJudge(temperature=2.5), HOT),
        (VllmEngine(), ArithmeticJudge(temperature=2.0), None),
        (OpenAiEngine(**{name: value for name, value in OPENAI.items() if name != "use"}), ArithmeticJudge(temperature=2.5), HOT),
        (HfEngine(), ArithmeticJudge(temperature=2.5), None),
        (VllmEngine(max_model_len=64), ArithmeticJudge(), SHORT),
        (VllmEngine(max_model_len=112), ArithmeticJudge(), None),
        (Silent(), ArithmeticJudge(temperature=9.0), None),
    ],
)  # fmt: skip
def test_engines_state_their_ranges(engine: Engine, judge: ArithmeticJudge, message: str | None) -> None:
    if message is None:
        engine.check_judge(judge)
    else:
        with pytest.raises(ConfigError, match=message):
            engine.check_judge(judge)


def test_a_temperature_that_is_not_sent_has_no_range() -> None:
    options = {name: value for name, value in OPENAI.items() if name != "use"}
    OpenAiEngine(**options, leave_out=["temperature"]).check_judge(ArithmeticJudge(temperature=2.5))


@pytest.mark.parametrize(
    ("engine", "temperature", "message"),
    [
        ({"use": "vllm"}, 2.5, HOT),
        (OPENAI, 2.5, HOT),
        ({"use": "cached", "engine": {"use": "vllm"}}, 2.5, HOT),
        ({"use": "vllm", "max_model_len": 64}, 1.0, SHORT),
    ],
)
def test_a_run_and_python_are_told(plugins: Plugins, tmp_path: FilePath, engine: Any, temperature: float, message: str) -> None:
    judge = {"use": "arithmetic", "temperature": temperature}
    data = {"out": str(tmp_path / "out"), "model": "adjudge_arithmetic:model", "data": {"use": "arithmetic", "size": 4}, "reporters": [],
            "engine": engine, "judge": judge, "stages": []}  # fmt: skip
    config = validate(RunConfig, data, plugins, "run.yaml")
    with pytest.raises(ConfigError, match=message):
        Run(config, plugins)
    assert not (tmp_path / "out").exists()
    with pytest.raises(ConfigError, match=message), open_judge("adjudge_arithmetic:model", engine=engine, judge=judge, plugins=plugins):
        pass


def test_a_dry_run_of_a_call_is_told(tmp_path: FilePath) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"prompt": "37+48", "answers": ["85", "75"]}\n')
    call = [sys.executable, "-m", "adjudge", "judge", str(rows), "--dry-run", "--engine", "vllm", "--set", "judge.temperature=2.5"]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert re.search(HOT, done.stderr)
