"""Exported rows are read back by the frameworks' own code: `datasets`, TRL's trainers, verl's data set, tinker-cookbook's builder.

verl and tinker-cookbook have environments of their own; elsewhere their tests are skipped.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from adjudge import Plugins
from adjudge.cli.app import app_of

datasets = pytest.importorskip("datasets", reason="datasets is not installed")


def exported(judged: Path, to: str, out: Path, *more: str) -> Path:
    """The ranking's rows in a file."""
    words = ["export", str(judged / "ranked"), "--to", to, "--out", str(out), *more]
    done = CliRunner().invoke(app_of(Plugins.load(autoload=False)), words)
    assert done.exit_code == 0, done.output
    return out


def loaded(file: Path) -> Any:
    kind = "parquet" if file.suffix == ".parquet" else "json"
    return datasets.load_dataset(kind, data_files=str(file), split="train", cache_dir=str(file.parent / "datasets"))


@pytest.mark.parametrize("to", ["trl", "dpo", "verl", "openrlhf", "nemo-rl", "swift", "tinker"])
@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_datasets_reads_what_was_written(judged: Path, tmp_path: Path, to: str, suffix: str) -> None:
    lines = exported(judged, to, tmp_path / "rows.jsonl")
    rows = loaded(exported(judged, to, tmp_path / f"rows.{suffix}"))
    assert [dict(row) for row in rows] == [json.loads(line) for line in lines.read_text().splitlines()]


# TRL -------------------------------------------------------------------------------------------------------------------------


def test_trl_takes_the_rows_for_conversations_or_for_texts(judged: Path, tmp_path: Path, embedded: Path) -> None:
    data_utils = pytest.importorskip("trl.data_utils", reason="trl is not installed")
    from transformers import AutoTokenizer

    rows = {to: loaded(exported(judged, to, tmp_path / f"{to}.jsonl")) for to in ("trl", "dpo")}
    assert [data_utils.is_conversational(rows[to][0]) for to in ("trl", "dpo")] == [True, False]
    tokenizer = AutoTokenizer.from_pretrained(embedded)
    one, plain = data_utils.maybe_apply_chat_template(rows["trl"][0], tokenizer), rows["dpo"][0]
    assert plain["prompt"] in one["prompt"]
    assert plain["chosen"] in one["chosen"]
    assert plain["rejected"] in one["rejected"]
    assert data_utils.maybe_extract_prompt(rows["trl"][0])["prompt"] == [{"role": "user", "content": plain["prompt"]}]


@pytest.mark.slow
@pytest.mark.parametrize("to", ["trl", "dpo"])
def test_trl_trains_on_them_by_dpo_and_a_reward_model_takes_the_margins(judged: Path, tmp_path: Path, embedded: Path, to: str) -> None:
    trl = pytest.importorskip("trl", reason="trl is not installed")
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    rows = loaded(exported(judged, to, tmp_path / "rows.jsonl"))
    common = {"output_dir": str(tmp_path / "model"), "max_steps": 1, "report_to": "none", "use_cpu": True, "bf16": False,
              "save_strategy": "no", "logging_steps": 1, "per_device_train_batch_size": 2}  # fmt: skip
    tokenizer = AutoTokenizer.from_pretrained(embedded)
    trainer = trl.DPOTrainer(str(embedded), args=trl.DPOConfig(**common), train_dataset=rows, processing_class=tokenizer)
    trainer.train()
    assert "rewards/margins" in trainer.state.log_history[0]
    model = AutoModelForSequenceClassification.from_pretrained(embedded, num_labels=1)
    model.config.pad_token_id = tokenizer.pad_token_id
    trainer = trl.RewardTrainer(model, args=trl.RewardConfig(**common), train_dataset=rows, processing_class=tokenizer)
    batch = trainer.data_collator([trainer.train_dataset[index] for index in range(len(rows))])
    assert batch["margin"].tolist() == pytest.approx(list(rows["margin"]))
    trainer.train()
    assert trainer.state.log_history[0]["loss"] > 0


# verl ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_verl_reads_its_rows(judged: Path, tmp_path: Path, embedded: Path, suffix: str) -> None:
    rl_dataset = pytest.importorskip("verl.utils.dataset.rl_dataset", reason="verl is not installed")
    from omegaconf import OmegaConf
    from transformers import AutoTokenizer

    file = exported(judged, "verl", tmp_path / f"rows.{suffix}")
    config = OmegaConf.create({"cache_dir": str(tmp_path / "cache"), "filter_overlong_prompts_workers": 1, "max_prompt_length": 64})
    rows = rl_dataset.RLHFDataset(str(file), AutoTokenizer.from_pretrained(embedded), config)
    assert len(rows) == 2
    one = rows[0]
    assert list(one["raw_prompt"]) == [{"role": "user", "content": "37+48"}]
    assert one["reward_model"]["ground_truth"] == "85"
    assert one["extra_info"]["answers"] == ["75", "85", "86"]
    assert one["data_source"] == "adjudge"


# tinker-cookbook -------------------------------------------------------------------------------------------------------------


def test_tinker_reads_its_comparisons(judged: Path, tmp_path: Path) -> None:
    preference = pytest.importorskip("tinker_cookbook.preference.preference_datasets", reason="tinker-cookbook is not installed")
    file = exported(judged, "tinker", tmp_path / "rows.jsonl", "--ties", "keep")
    builder = preference.ComparisonBuilderFromJsonl(train_path=str(file))
    train, _ = builder.get_train_and_test_datasets()
    found = [builder.example_to_labeled_comparison(row) for row in train]
    written = [json.loads(line) for line in file.read_text().splitlines()]
    assert [one.label for one in found] == [row["label"] for row in written]
    assert [one.comparison.completion_A for one in found] == [row["comparison"]["completion_A"] for row in written]


# Others ----------------------------------------------------------------------------------------------------------------------


def test_openrlhf_reads_its_rows(judged: Path, tmp_path: Path, embedded: Path) -> None:
    reward_dataset = pytest.importorskip("openrlhf.datasets.reward_dataset", reason="openrlhf is not installed")
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(embedded)
    for row in loaded(exported(judged, "openrlhf", tmp_path / "rows.jsonl")):
        read = reward_dataset.preprocess_data(row, prompt_key="prompt", apply_chat_template=tokenizer.apply_chat_template)
        for text, (given,) in zip(read, (row["prompt"], row["chosen"], row["rejected"]), strict=False):
            assert given["content"] in text
        assert read[3] == row["margin"]


def test_nemo_rl_reads_its_rows(judged: Path, tmp_path: Path, embedded: Path) -> None:
    processors = pytest.importorskip("nemo_rl.data.processors", reason="NeMo-RL is not installed")
    from nemo_rl.data.interfaces import TaskDataSpec
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(embedded)
    for row in loaded(exported(judged, "nemo-rl", tmp_path / "rows.jsonl")):
        read = processors.preference_preprocessor(row, TaskDataSpec(task_name="adjudge"), tokenizer, 64, 0)
        for side, completion in zip(("chosen", "rejected"), row["completions"], strict=True):
            assert completion["completion"][0]["content"] in read[f"message_log_{side}"][-1]["content"]


def test_ms_swift_reads_its_rows(judged: Path, tmp_path: Path) -> None:
    preprocessor = pytest.importorskip("swift.dataset.preprocessor.core", reason="ms-swift is not installed")
    rows = loaded(exported(judged, "swift", tmp_path / "rows.jsonl"))
    read = preprocessor.AutoPreprocessor()(rows, load_from_cache_file=False)
    assert len(read) == len(rows)
    for one, row in zip(read, rows, strict=True):
        assert (one["messages"], one["rejected_response"], one["margin"]) == (row["messages"], row["rejected_response"], row["margin"])
