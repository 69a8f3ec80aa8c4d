"""Models by the id that the hub has for them: found in the local cache, else the command that fetches them; no network is asked."""

from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path as FilePath

import pytest

from adjudge import ConfigError, find_model
from adjudge_engines import HfEngine, model_below

NAME = "somebody/tiny-judge"


@pytest.fixture(autouse=True)
def cache(tmp_path: FilePath, monkeypatch: pytest.MonkeyPatch) -> FilePath:
    """A cache of the test's own; whatever opens a connection fails."""

    def refused(*_: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "hub"


def put(cache: FilePath, model: FilePath, *left_out: str, name: str = NAME) -> FilePath:
    """A snapshot as the hub's client leaves it: links to files that are named by their hashes."""
    repository = cache / f"models--{name.replace('/', '--')}"
    snapshot, blobs = repository / "snapshots" / ("0" * 40), repository / "blobs"
    for folder in (snapshot, blobs, repository / "refs"):
        folder.mkdir(parents=True)
    (repository / "refs" / "main").write_text("0" * 40)
    for number, file in enumerate(sorted(model.iterdir())):
        if file.name not in left_out:
            shutil.copy(file, blobs / str(number))
            (snapshot / file.name).symlink_to(blobs / str(number))
    return snapshot


def test_a_model_in_the_cache_is_found_and_opened(cache: FilePath, embedded: FilePath) -> None:
    snapshot = put(cache, embedded)
    assert find_model(NAME).resolve() == snapshot.resolve()
    with HfEngine().open(find_model(NAME)) as session:
        assert session.tokenize("1+1").token_ids


def test_a_folder_of_that_name_comes_first(cache: FilePath, embedded: FilePath) -> None:
    put(cache, embedded)
    FilePath(NAME).mkdir(parents=True)
    assert find_model(NAME) == FilePath(NAME)


def test_what_is_not_there_is_told_with_the_command_that_fetches_it(cache: FilePath, embedded: FilePath) -> None:
    with pytest.raises(ConfigError, match=rf"'{NAME}': no such folder, and .*cache here has no model of this id(.|\n)*hf download {NAME} "):
        find_model(NAME)
    put(cache, embedded, "model.safetensors")
    with pytest.raises(ConfigError, match=rf"only a part of it, without weights(.|\n)*hf download {NAME} "):
        find_model(NAME)


@pytest.mark.parametrize("name", ["runs/demo/stages/model", "./somebody/judge", "/nowhere/judge", "judge", "../judge"])
def test_a_path_is_no_id(name: str) -> None:
    with pytest.raises(ConfigError, match="no such folder") as caught:
        find_model(name)
    assert "hf download" not in str(caught.value)


def test_adapters_may_name_the_model_below_by_its_id(cache: FilePath, embedded: FilePath, tmp_path: FilePath) -> None:
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": NAME}))
    with pytest.raises(ConfigError, match=rf"which is no folder here\.\n  Remedy: put that model there \(hf download {NAME}\)"):
        model_below(tmp_path / "adapter")
    snapshot = put(cache, embedded)
    below = model_below(tmp_path / "adapter")
    assert below is not None
    assert below.resolve() == snapshot.resolve()
