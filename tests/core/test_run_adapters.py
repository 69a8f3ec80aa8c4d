"""Adapters where they do not belong: on top of what stages train, or on top of themselves; each is refused before anything is done."""

from __future__ import annotations

import json
from pathlib import Path as FilePath
from typing import Any

import pytest

from adjudge import ConfigError, Plugins, Run, RunConfig, validate
from adjudge_cache.cache import Cache
from adjudge_engines import model_below


def run(plugins: Plugins, folder: FilePath, stages: list[Any]) -> Run:
    data = {
        "out": str(folder / "out"), "model": "adjudge_arithmetic:model", "data": {"use": "arithmetic", "size": 4}, "reporters": [],
        "engine": {"use": "vllm", "adapter": str(folder / "adapter")}, "stages": stages,
    }  # fmt: skip
    return Run(validate(RunConfig, data, plugins, "run.yaml"), plugins)


def test_an_adapter_on_top_of_what_stages_train_is_refused(plugins: Plugins, tmp_path: FilePath) -> None:
    with pytest.raises(
        ConfigError, match=r"engine: the adapter .*adapter would lie on top of every stage's weights.*\n  Remedy: leave it out"
    ):
        run(plugins, tmp_path, [{"use": "grpo"}])
    assert not (tmp_path / "out").exists()
    assert run(plugins, tmp_path, []).config.stages == []


def adapters(folder: FilePath, below: FilePath) -> FilePath:
    folder.mkdir(exist_ok=True)
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(below)}))
    return folder


@pytest.mark.parametrize("size", [1, 2, 3])
def test_adapters_that_lead_back_to_themselves_are_told_and_not_followed(tmp_path: FilePath, size: int) -> None:
    folders = [tmp_path / str(number) for number in range(size)]
    for folder in folders:
        folder.mkdir()
    for folder, below in zip(folders, [*folders[1:], folders[0]], strict=True):
        adapters(folder, below)
    cache = Cache(tmp_path / "cache.sqlite")
    for folder in [*folders, adapters(tmp_path / "outside", folders[0])]:
        for ask in (model_below, cache.folder_digest):
            with pytest.raises(ConfigError, match=r"(?s)holds adapters for the model in .* leads back to .*\n  Remedy: write there where"):
                ask(folder)


def test_adapters_on_top_of_adapters_are_followed_to_the_whole_model(tmp_path: FilePath) -> None:
    (tmp_path / "whole").mkdir()
    one = adapters(tmp_path / "one", tmp_path / "whole")
    two = adapters(tmp_path / "two", one)
    assert (model_below(two), model_below(one), model_below(tmp_path / "whole")) == (one, tmp_path / "whole", None)
    assert Cache(tmp_path / "cache.sqlite").folder_digest(two)
