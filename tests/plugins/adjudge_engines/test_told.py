"""What engines tell before they are asked anything: what their answers depend on, and how long prompts are."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path as FilePath

import pytest

from adjudge import ConfigError, Message, Plugins
from adjudge.artifacts import load_judge
from adjudge.records import Problem
from adjudge_engines import HfEngine, ReplayEngine

PAIRS = [Problem("a", "37+48", ("85", "75")), Problem("b", "1234+999", ("2233", "2133")), Problem("c", "<|im_end|> 1+1", ("2", "3"))]


@pytest.fixture
def prompts(embedded: FilePath, plugins: Plugins) -> list[list[Message]]:
    return [load_judge(embedded, plugins).prompt(problem, "given") for problem in PAIRS]


def test_hf_tells_every_option_but_the_batch() -> None:
    plain = HfEngine().identity()
    assert HfEngine(batch_tokens=7).identity() == plain
    assert HfEngine(dtype="float32").identity() != plain
    assert HfEngine(device="cpu").identity() != plain


def test_another_version_of_what_samples_is_another_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    before = HfEngine().identity()
    monkeypatch.setattr("importlib.metadata.version", lambda name: "0.0" if name == "torch" else "1.0")
    assert HfEngine().identity() != before


def test_recorded_texts_are_not_cached(tmp_path: FilePath) -> None:
    assert ReplayEngine(file=tmp_path / "texts.jsonl").identity() is None
    assert ReplayEngine(file=tmp_path / "texts.jsonl").count_tokens(tmp_path, [[]]) is None


def test_hf_counts_what_it_will_send(embedded: FilePath, prompts: list[list[Message]]) -> None:
    counts = HfEngine().count_tokens(embedded, prompts)
    with HfEngine().open(embedded) as session:
        assert counts == [len(session.encode(prompt)) for prompt in prompts]  # type: ignore[attr-defined]


def test_counting_loads_no_model(embedded: FilePath, prompts: list[list[Message]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "adjudge_engines.hf", raising=False)
    assert HfEngine().count_tokens(embedded, prompts)
    assert "adjudge_engines.hf" not in sys.modules


def test_a_folder_without_tokenizer_is_told_as_when_it_is_opened(
    embedded: FilePath, prompts: list[list[Message]], tmp_path: FilePath
) -> None:
    folder = shutil.copytree(embedded, tmp_path / "model")
    for file in folder.glob("tokenizer*"):
        file.unlink()
    with pytest.raises(ConfigError, match="has no tokenizer"):
        HfEngine().count_tokens(folder, prompts)
