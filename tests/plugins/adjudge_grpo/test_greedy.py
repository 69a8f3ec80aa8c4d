"""A greedy judge and a `grpo` stage without a temperature of its own: told when the run file is read, before anything is done."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from adjudge import ConfigError, Plugins, Run, RunConfig, validate
from adjudge.cli.app import app_of
from adjudge_grpo import Grpo
from adjudge_judges import ArithmeticJudge

GREEDY = r"^stages\.1\.temperature: the judge is greedy, so all rollouts of a group would be the same\.\n  Remedy: give this stage"


def config(folder: FilePath, *stages: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "out": str(folder / "run"), "model": "adjudge_arithmetic:model", "data": {"use": "arithmetic", "size": 4}, "reporters": [],
        "stages": list(stages), "judge": {"use": "arithmetic", "temperature": 0}, **more,
    }  # fmt: skip


def test_a_run_of_a_greedy_judge_is_refused_before_it_starts(plugins: Plugins, tmp_path: FilePath) -> None:
    data = config(tmp_path, {"use": "sft", "scorer": "random"}, {"use": "grpo"})
    with pytest.raises(ConfigError, match=GREEDY):
        Run(validate(RunConfig, data, plugins, "run.yaml"), plugins)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("command", [["plan"], ["run", "--dry-run"]])
def test_plans_say_so_too(command: list[str], plugins: Plugins, tmp_path: FilePath) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(yaml.safe_dump(config(tmp_path, {"use": "grpo"})))
    done = CliRunner().invoke(app_of(plugins), [*command, str(file)])
    assert done.exit_code == 2
    assert "stages.0.temperature: the judge is greedy" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("fields", [{"stages": [{"use": "grpo", "temperature": 0.5}]}, {"judge": {"use": "arithmetic", "temperature": 1}}])
def test_a_temperature_of_either_is_enough(plugins: Plugins, tmp_path: FilePath, fields: dict[str, Any]) -> None:
    Run(validate(RunConfig, config(tmp_path, {"use": "grpo"}) | fields, plugins, "run.yaml"), plugins)


def test_the_stages_own_temperature_goes_first() -> None:
    assert Grpo(temperature=0.7).rollout_temperature(ArithmeticJudge(temperature=0), "stages.0") == 0.7
    assert Grpo().rollout_temperature(ArithmeticJudge(temperature=0.9), "stages.0") == 0.9
