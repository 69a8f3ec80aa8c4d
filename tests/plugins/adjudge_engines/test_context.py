"""The context that a model really has: scaled rotary positions count, once, in the engine and in the plan."""

from __future__ import annotations

import json
import shutil
from pathlib import Path as FilePath
from typing import Any

import pytest

from adjudge_engines import HfEngine, context_length
from adjudge_plan.model_size import find_model_size

FIRST = "original_max_position_embeddings"


@pytest.mark.parametrize(
    ("settings", "tokens"),
    [
        ({}, None),
        ({"max_position_embeddings": 4096}, 4096),
        ({"n_positions": 1024}, 1024),
        ({"max_seq_len": 2048}, 2048),
        ({"max_position_embeddings": 32768, "rope_parameters": {"rope_type": "default", "rope_theta": 1e6}}, 32768),
        ({"max_position_embeddings": 32768, "rope_scaling": {"type": "yarn", "factor": 4.0, FIRST: 32768}}, 131072),
        ({"max_position_embeddings": 40960, "rope_scaling": {"rope_type": "yarn", "factor": 4.0, FIRST: 32768}}, 131072),
        ({"max_position_embeddings": 163840, "rope_scaling": {"type": "yarn", "factor": 40, FIRST: 4096}}, 163840),
        ({"max_position_embeddings": 4096, "rope_scaling": {"type": "linear", "factor": 4.0}}, 16384),
        ({"max_position_embeddings": 4096, "rope_parameters": {"rope_type": "dynamic", "factor": 2.0}}, 8192),
        ({"max_position_embeddings": 131072,
          "rope_parameters": {"rope_type": "llama3", "factor": 32.0, FIRST: 8192}}, 131072),
        ({"max_position_embeddings": 131072, FIRST: 4096,
          "rope_scaling": {"type": "longrope", "long_factor": [1.0], "short_factor": [1.0]}}, 131072),
        ({"max_position_embeddings": 131072,
          "rope_parameters": {"full": {"rope_type": "linear", "factor": 8.0}, "sliding": {"rope_type": "default"}}}, 131072),
        ({"text_config": {"max_position_embeddings": 8192}}, 8192),
        ({"max_position_embeddings": 4096, "rope_scaling": None}, 4096),
        ({"max_position_embeddings": True}, None),
    ],
)  # fmt: skip
def test_the_context_is_read_from_the_settings(settings: dict[str, Any], tokens: int | None) -> None:
    assert context_length(settings) == tokens


@pytest.fixture
def stretched(embedded: FilePath, tmp_path: FilePath) -> FilePath:
    """The embedded judge with its 256 positions stretched four times."""
    folder = FilePath(shutil.copytree(embedded, tmp_path / "model"))
    config = json.loads((folder / "config.json").read_text())
    scaled = {"rope_type": "yarn", "factor": 4.0, FIRST: 256, "rope_theta": 10000.0}
    (folder / "config.json").write_text(json.dumps({**config, "rope_parameters": scaled}))
    return folder


def test_the_engine_and_the_plan_know_the_stretched_context(stretched: FilePath, embedded: FilePath) -> None:
    prompt = [{"role": "user", "content": "1+2 " * 120}]
    assert find_model_size("x", stretched).limit == 1024
    assert find_model_size("x", embedded).limit == 256
    settings: dict[str, Any] = {"seeds": [0], "temperature": 0.0, "top_p": 1.0, "max_new_tokens": 4}
    with HfEngine().open(stretched) as session:
        [(_, made)] = session.sample([prompt], **settings)
    with HfEngine().open(embedded) as session:
        [(_, failed)] = session.sample([prompt], **settings)
    assert made.error is None
    assert "the model takes 256 in all" in str(failed.error)
