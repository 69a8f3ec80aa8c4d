"""Every stage's model has a card with its data, recipe, numbers and two ways to load it; a model that is not the stage's has none."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path as FilePath
from typing import Any

import pytest
import yaml

from adjudge import Run, StageResult


def card_of(run: Run, stage: str) -> str:
    return (run.folder / "stages" / stage / "model" / "README.md").read_text(encoding="utf-8")


def test_the_cards_table_has_the_results_numbers_and_the_base_judges(finished: Run, results: Mapping[str, Any]) -> None:
    card = card_of(finished, "2-sft")
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in card.splitlines() if line.startswith("| standard")]
    assert [line[1] for line in lines] == ["0-base", "2-sft"]
    for line in lines:
        found = results[line[1]]["evaluation"]["standard"]
        low, high = found["interval"]
        failures = [f"{100 * found['outcomes'][name]:.1f}%" for name in ("unreadable", "truncated", "failed")]
        assert line[2:] == [
            f"{100 * found['accuracy']:.1f}%",
            f"{100 * low:.1f} to {100 * high:.1f}",
            str(found["n"]),
            *failures,
            f"{found['mean_tokens']:.1f}",
            f"{found['toy-sound']:.3f}",
        ]


def test_the_card_says_that_a_failed_call_is_not_counted(finished: Run) -> None:
    text = " ".join(card_of(finished, "2-sft").split())
    assert "unreadable or truncated counts as not right; a call that failed is left out of n" in text


def test_the_recipe_holds_the_stages_up_to_this_one(finished: Run) -> None:
    code = re.search(r"```yaml\n(.*?)```", card_of(finished, "2-sft"), re.DOTALL)
    assert code is not None
    recipe = yaml.safe_load(code[1])
    assert [stage["use"] for stage in recipe["stages"]] == ["grpo", "sft"]
    assert recipe["data"] == {"use": "toy-sums", "size": 40, "seed": 1, "extra": ""}
    assert recipe["judge"]["use"] == "toy-judge"
    assert re.search(r"\ntoy-sound: paths 0\.\d{3}, selected [01]\.\d{3}\n", card_of(finished, "2-sft"))


def test_the_loading_code_is_python_and_asks_as_the_judge_does(finished: Run) -> None:
    card = card_of(finished, "1-grpo")
    code = re.search(r"```python\n(.*?)```", card, re.DOTALL)
    assert code is not None
    compile(code[1], "card", "exec")
    assert "'role': 'user'" in code[1]
    assert "max_new_tokens=1024" in code[1]
    assert "adjudge judge --model" in card


def test_the_head_is_metadata_that_hubs_read(finished: Run, results: Mapping[str, Any]) -> None:
    hub = pytest.importorskip("huggingface_hub")
    data = hub.ModelCard(card_of(finished, "3-grpo")).data
    assert data.library_name == "transformers"
    assert [round(result.metric_value, 4) for result in data.eval_results] == [
        round(results["3-grpo"]["evaluation"]["standard"]["accuracy"], 4)
    ]


def test_backticks_in_the_data_cannot_end_a_block(make_run: Callable[..., Run]) -> None:
    run = make_run(stages=["grpo"], reporters=["card"], data={"use": "toy-sums", "size": 2, "seed": 1, "extra": "```` end"})
    run.execute()
    assert card_of(run, "1-grpo").count("\n`````\n") == 2


def test_the_base_models_folder_is_left_alone(finished: Run) -> None:
    assert [file.name for file in finished.base.iterdir()] == ["skill.json"]
    assert not list(FilePath(finished.folder / "stages" / "0-base").rglob("README.md"))


def test_adapters_are_loaded_with_the_model_below(make_run: Callable[..., Run]) -> None:
    from adjudge_report.card import model_card

    run = make_run(stages=["grpo"], reporters=["card"])
    run.execute()
    model = run.folder / "stages" / "1-grpo" / "model"
    assert "vllm serve run-1-grpo\n" in card_of(run, "1-grpo")
    (model / "adapter_config.json").write_text('{"base_model_name_or_path": "/models/seven"}')
    card = model_card(run, run.stage(1, run.base), StageResult(model, {}))
    assert "vllm serve /models/seven --enable-lora --lora-modules judge=run-1-grpo\n" in card


@pytest.mark.slow
def test_the_loading_code_runs_with_transformers_alone(tmp_path: FilePath, trained: Run) -> None:
    """The card of a trained judge, its Python run as it stands, beside the model's folder."""
    code = re.search(r"```python\n(.*?)```", card_of(trained, "1-grpo"), re.DOTALL)
    assert code is not None
    (tmp_path / "run-1-grpo").symlink_to(trained.folder / "stages" / "1-grpo" / "model")
    done = subprocess.run([sys.executable, "-c", code[1]], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "\\boxed{Assistant" in done.stdout
    assert {file.suffix for file in (tmp_path / "run-1-grpo").iterdir()} <= {".json", ".jinja", ".md", ".safetensors"}, "and no pickles"
