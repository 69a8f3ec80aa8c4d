"""What is read of a model folder: safetensors and no pickles, none of its own code unless that is allowed, and only what is whole."""

from __future__ import annotations

import json
import logging
import pickle
import shutil
from functools import wraps
from pathlib import Path as FilePath
from typing import Any

import pytest

from adjudge import Completion, ConfigError, JobError
from adjudge_arithmetic import ArithmeticDataset
from adjudge_engines import HfEngine
from adjudge_judges import ArithmeticJudge

PROMPTS = [ArithmeticJudge().prompt(problem, "given") for problem in ArithmeticDataset(size=8, part="test").load()]


@pytest.fixture
def folder(embedded: FilePath, tmp_path: FilePath) -> FilePath:
    return FilePath(shutil.copytree(embedded, tmp_path / "model"))


class Malicious:
    """What runs when it is unpickled."""

    def __init__(self, sign: FilePath) -> None:
        self.sign = sign

    def __reduce__(self) -> tuple[Any, ...]:
        return FilePath.touch, (self.sign,)


def open_(folder: FilePath, **options: Any) -> None:
    with HfEngine(**options).open(folder):
        pass


def test_pickled_weights_are_never_read(folder: FilePath, tmp_path: FilePath) -> None:
    sign = tmp_path / "it-ran"
    content = pickle.dumps(Malicious(sign))
    for name in ("pytorch_model.bin", "training_args.bin", "tokenizer.pkl", "vocab.pkl"):
        (folder / name).write_bytes(content)
    open_(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(ConfigError, match=r"no .*safetensors weights"):
        open_(folder)
    shutil.copy(folder / "pytorch_model.bin", folder / "model.safetensors")
    with pytest.raises(ConfigError, match=r"model\.safetensors is cut short or no safetensors file"):
        open_(folder)
    assert not sign.exists()
    pickle.loads(content)
    assert sign.exists(), "the pickle does what it was made for"


def test_other_weights_beside_the_pickled_ones_do_not_open_the_door(folder: FilePath, tmp_path: FilePath) -> None:
    """Some *.safetensors is there, but not the one that transformers looks for first."""
    (folder / "model.safetensors").rename(folder / "other.safetensors")
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Malicious(tmp_path / "it-ran")))
    with pytest.raises(Exception, match="safetensors"):
        open_(folder)
    assert not (tmp_path / "it-ran").exists()


def test_torn_weights_are_named(folder: FilePath) -> None:
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[: len(content) // 2])
    with pytest.raises(ConfigError, match=r"model.safetensors is cut short.*\n  Remedy: copy or save it again"):
        open_(folder)


CODE = """
from pathlib import Path
Path({sign!r}).touch()
from transformers import Qwen2Config, Qwen2ForCausalLM

class OwnConfig(Qwen2Config):
    model_type = "own"

class OwnModel(Qwen2ForCausalLM):
    config_class = OwnConfig
"""


def test_a_folders_own_code_runs_only_where_the_run_file_says_so(
    folder: FilePath, tmp_path: FilePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_MODULES_CACHE", str(tmp_path / "modules"))
    sign = tmp_path / "it-ran"
    (folder / "own.py").write_text(CODE.format(sign=str(sign)))
    config = json.loads((folder / "config.json").read_text())
    names = {"AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": "own.OwnModel"}
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "own", "auto_map": names}))
    with pytest.raises(ConfigError, match=r"cannot be loaded without Python code of its own(.|\n)*trust_remote_code: true"):
        open_(folder)
    assert not sign.exists()
    open_(folder, trust_remote_code=True)
    assert sign.exists()


def test_adapters_name_the_model_below_them(folder: FilePath, tmp_path: FilePath) -> None:
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(tmp_path / "gone")}))
    with pytest.raises(ConfigError, match=r"holds adapters for the model in .*gone, which is no folder here"):
        open_(folder)


# Memory -------------------------------------------------------------------------------------------------------------------


def sample(session: Any, seeds: list[int]) -> list[Completion]:
    found = dict(session.sample(PROMPTS, seeds=seeds, temperature=1.0, top_p=1.0, max_new_tokens=112))
    return [found[index] for index in range(len(PROMPTS))]


@pytest.mark.parametrize("fits", [1, 3, 7])
def test_a_batch_that_does_not_fit_into_memory_is_halved(
    embedded: FilePath, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, fits: int
) -> None:
    """The model itself runs out of memory, at whatever number of rows; texts do not depend on the batch, so they stay the same."""
    seeds = list(range(len(PROMPTS)))
    with HfEngine().open(embedded) as session:
        expected = sample(session, seeds)
        forward, sizes = session.model.forward, []  # type: ignore[attr-defined]

        @wraps(forward)
        def small(*args: Any, **inputs: Any) -> Any:
            rows = len(inputs["input_ids"])
            sizes.append(rows)
            if rows > fits:
                raise RuntimeError("[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory: you tried")
            return forward(*args, **inputs)

        monkeypatch.setattr(session.model, "forward", small)  # type: ignore[attr-defined]
        with caplog.at_level(logging.WARNING, "adjudge.engines"):
            found = sample(session, seeds)
        again = len([size for size in sizes if size > fits])
        sample(session, seeds)
    assert [one.token_ids for one in found] == [one.token_ids for one in expected]
    assert again == {1: 3, 3: 2, 7: 1}[fits]
    assert len([size for size in sizes if size > fits]) == again, "what it was halved to stays"
    assert caplog.messages[0] == "engine hf: 8 judgements at once do not fit into memory; going on with 4"


def test_one_judgement_that_does_not_fit_is_the_jobs_failure(embedded: FilePath, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise MemoryError

    with HfEngine().open(embedded) as session:
        monkeypatch.setattr(session.model, "forward", full)  # type: ignore[attr-defined]
        with pytest.raises(JobError, match=r"one judgement of up to \d+ tokens does not fit into memory.\n  Remedy"):
            sample(session, [0] * len(PROMPTS))
