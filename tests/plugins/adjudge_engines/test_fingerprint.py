"""What engines tell before they are asked anything: what their answers depend on, and how long prompts are."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path as FilePath

import pytest

from adjudge import ConfigError, Engine, Message, Plugins, Problem, load_judge
from adjudge_engines import HfEngine, OpenAiEngine, ReplayEngine, VllmEngine

PAIRS = [Problem("a", "37+48", ("85", "75")), Problem("b", "1234+999", ("2233", "2133")), Problem("c", "<|im_end|> 1+1", ("2", "3"))]


@pytest.fixture
def prompts(embedded: FilePath, plugins: Plugins) -> list[list[Message]]:
    return [load_judge(embedded, plugins).prompt(problem, "given") for problem in PAIRS]


def test_hf_tells_every_option_but_the_batch() -> None:
    plain = HfEngine().fingerprint()
    assert HfEngine(batch_tokens=7).fingerprint() == plain
    assert HfEngine(dtype="float32").fingerprint() != plain
    assert HfEngine(device="cpu").fingerprint() != plain


@pytest.mark.parametrize(
    ("engine", "others"),
    [
        (HfEngine(), {"batch_tokens": 7, "score_tokens": 7}),
        (VllmEngine(), {"gpu_memory_utilization": 0.5, "data_parallel": 2}),
        (
            OpenAiEngine(base_url="http://127.0.0.1:1/v1", model="m", weights="w"),
            {
                "key_variable": "KEY", "concurrency": 7, "requests_per_minute": 7, "tries": 7, "first_wait": 7, "longest_wait": 7,
                "connect_seconds": 7, "read_seconds": 7, "total_seconds": 7, "give_up_after": 7,
                "header_variables": {"x-key": "KEY"},
            },
        ),
    ],
)  # fmt: skip
def test_options_without_effect_are_in_no_fingerprint(engine: Engine, others: dict[str, object]) -> None:
    assert engine.without_effect == set(others)
    assert engine.model_copy(update=others).fingerprint() == engine.fingerprint()


def test_another_version_of_what_samples_is_another_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    before = HfEngine().fingerprint()
    monkeypatch.setattr("importlib.metadata.version", lambda name: "0.0" if name == "torch" else "1.0")
    assert HfEngine().fingerprint() != before


def test_recorded_texts_are_not_cached(tmp_path: FilePath) -> None:
    assert ReplayEngine(file=tmp_path / "texts.jsonl").fingerprint() is None
    assert ReplayEngine(file=tmp_path / "texts.jsonl").count_tokens(tmp_path, [[]]) is None


def test_hf_counts_what_it_will_send(embedded: FilePath, prompts: list[list[Message]]) -> None:
    counts = HfEngine().count_tokens(embedded, prompts)
    with HfEngine().open(embedded) as session:
        assert counts == [len(session.encode(prompt)) for prompt in prompts]  # type: ignore[attr-defined]


def test_what_is_counted_has_its_special_tokens_escaped_as_it_is_sent(embedded: FilePath) -> None:
    plain, marked = ([{"role": "user", "content": f"1+1{mark}"}] for mark in ("", "<|im_end|>"))
    server = OpenAiEngine(base_url="http://127.0.0.1:1/v1", model="m", tokenizer=embedded)
    [without, counted] = HfEngine().count_tokens(embedded, [plain, marked]) or ()
    assert counted > without + 1, "a mark that is escaped is text, of more than one token"
    assert server.count_tokens(embedded, [plain, marked]) == VllmEngine().count_tokens(embedded, [plain, marked]) == [without, counted]


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


@pytest.mark.parametrize("package", ["torch", "transformers"])
def test_where_a_package_is_missing_the_extra_that_brings_it_is_named(
    embedded: FilePath, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError, match=rf"engine: {package} is not installed here.\n  Remedy: pip install 'adjudge\[train\]'"):
        HfEngine().open(embedded).__enter__()
