"""A run folder goes on when nothing has changed that results depend on, and says what has changed when something has."""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path as FilePath
from typing import Any, ClassVar, Literal

import pytest
import yaml

from adjudge import (
    Completion,
    ConfigError,
    Dataset,
    Engine,
    JobError,
    PluginError,
    Problem,
    Records,
    describe_machine,
    hash_of_folder,
)
from adjudge.host.plugins import Plugins, Source
from adjudge.store import manifest


def named(name: str, function: Any) -> Any:
    function.__name__ = name
    return function


class Batched(Engine):
    """Finds the longer word, in batches."""

    use: Literal["batched"] = "batched"
    batch: int = 1
    words: int = 1
    without_effect: ClassVar[frozenset[str]] = frozenset({"batch"})
    failing: ClassVar[set[str]] = set()
    asked: ClassVar[list[str]] = []

    def open(self, model: FilePath) -> Any:
        from contextlib import nullcontext

        return nullcontext(self)

    def sample(self, prompts: Sequence[Any], **settings: Any) -> Iterable[tuple[int, Completion]]:
        for index, [message] in enumerate(prompts):
            self.asked.append(message["content"])
            _, one, two = message["content"].split("/")
            failed = any(word in self.failing for word in (one, two))
            text = f"{one} or {two}: {'first' if len(one) > len(two) else 'second'}"
            yield (
                index,
                Completion("", error="timeout") if failed else Completion(text, tuple(map(ord, text)), tuple(range(1, len(text) + 1))),
            )

    def logprobs(self, prompt: Any, continuations: Sequence[Sequence[int]]) -> list[list[float]]:
        return [[-1.0] * len(tokens) for tokens in continuations]


class Changing(Dataset):
    """Words that a file holds."""

    use: Literal["changing"] = "changing"
    file: FilePath

    def load(self) -> Iterable[Problem]:
        for size in json.loads(self.file.read_text()):
            yield Problem(f"c{size}", f"size {size}", ("a" * size, "b"), 0)


@pytest.fixture
def prepared(world: Any) -> Any:
    Batched.failing, Batched.asked = set(), []
    world.observe("engines", named("register_engines", lambda: [Batched]))
    world.observe("data", named("register_datasets", lambda: [Changing]))
    return world


def test_an_option_that_no_result_depends_on_may_change(prepared: Any) -> None:
    prepared.run(engine={"use": "batched", "batch": 1}).execute()
    prepared.run(engine={"use": "batched", "batch": 64}).execute()
    with pytest.raises(ConfigError, match=r"these fields differ: engine\.words"):
        prepared.run(engine={"use": "batched", "words": 2}).execute()


def test_a_folder_from_before_an_option_was_there_goes_on(prepared: Any) -> None:
    run = prepared.run(engine="batched")
    run.execute()
    file = run.folder / "config.yaml"
    saved = yaml.safe_load(file.read_text())
    del saved["engine"]["words"], saved["requires"]
    file.write_text(yaml.safe_dump(saved))
    prepared.run(engine="batched").execute()


def test_a_finished_run_whose_data_changed_is_refused_and_says_what_changed(prepared: Any, tmp_path: FilePath) -> None:
    file = tmp_path / "sizes.json"
    file.write_text("[2, 3]")
    data = {"use": "changing", "file": str(file)}
    prepared.run(data=data).execute()
    prepared.run(data=data).execute()
    file.write_text("[2, 4]")
    with pytest.raises(ConfigError, match="the content has changed of: data"):
        prepared.run(data=data).execute()
    manifest_file = json.loads((prepared.folder / "out" / "manifest.json").read_text())
    assert set(manifest_file["inputs"]) == {"data", "evaluation.sets.far", "model", "judge"}


def test_a_finished_run_whose_model_changed_is_refused(prepared: Any) -> None:
    prepared.run().execute()
    (prepared.folder / "base" / "README.md").write_text("a card is no part of the model")
    prepared.run().execute()
    (prepared.folder / "base" / "weights.bin").write_bytes(b"1")
    with pytest.raises(ConfigError, match="the content has changed of: model"):
        prepared.run().execute()


def test_failed_calls_of_a_complete_evaluation_are_made_again(prepared: Any, capfd: pytest.CaptureFixture[str]) -> None:
    Batched.failing = {"a" * 51}
    base, _ = prepared.run(engine="batched").execute()
    assert base["evaluation"]["far"]["outcomes"]["failed"] == pytest.approx(1 / 3)
    assert base["evaluation"]["far"]["n"] == 2
    assert not (prepared.folder / "out" / "done.json").exists(), "what failed is not complete in silence"
    Batched.failing, Batched.asked[:] = set(), []
    base, stage = prepared.run(engine="batched").execute()
    assert (base["evaluation"]["far"]["n"], stage["evaluation"]["far"]["n"]) == (3, 3)
    assert all("a" * 51 in prompt for prompt in Batched.asked), "what came back is not asked again"
    assert len(Batched.asked) == 4, "two orders of one problem, of two stages"
    assert (prepared.folder / "out" / "done.json").exists()


def git(folder: FilePath, *arguments: str) -> str:
    names = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    done = subprocess.run(["git", *names, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_the_commit_is_known_with_packed_refs_and_in_worktrees(tmp_path: FilePath, monkeypatch: pytest.MonkeyPatch) -> None:
    repository, tree = tmp_path / "repository", tmp_path / "tree"
    repository.mkdir()
    git(repository, "init", "-q")
    git(repository, "commit", "-q", "--allow-empty", "-m", "one")
    commit = git(repository, "rev-parse", "HEAD")
    monkeypatch.chdir(repository)
    assert describe_machine(Plugins())["git_commit"] == commit
    git(repository, "pack-refs", "--all")
    assert describe_machine(Plugins())["git_commit"] == commit
    git(repository, "worktree", "add", "-q", "-b", "other", str(tree))
    git(tree, "commit", "-q", "--allow-empty", "-m", "two")
    monkeypatch.chdir(tree)
    assert describe_machine(Plugins())["git_commit"] == git(tree, "rev-parse", "HEAD") != commit
    git(tree, "checkout", "-q", "--detach")
    assert describe_machine(Plugins())["git_commit"] == git(tree, "rev-parse", "HEAD")
    monkeypatch.chdir(tmp_path)
    assert describe_machine(Plugins())["git_commit"] is None


def test_the_manifest_names_what_sampling_and_quantising_depend_on() -> None:
    assert {"vllm", "triton", "tokenizers", "bitsandbytes"} <= set(manifest.LIBRARIES)


def test_the_hash_of_a_large_file_reads_pieces_of_it(tmp_path: FilePath, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "WHOLE", 10)
    monkeypatch.setattr(manifest, "PIECE", 4)
    file = tmp_path / "weights"
    file.write_bytes(bytes(1000))
    before = hash_of_folder(tmp_path)
    file.write_bytes(bytes(999) + b"1")
    assert hash_of_folder(tmp_path) != before, "the end is read"
    file.write_bytes(b"1" + bytes(999))
    assert hash_of_folder(tmp_path) != before, "the beginning is read"
    file.write_bytes(bytes(1001))
    assert hash_of_folder(tmp_path) != before, "the size counts"


@pytest.mark.parametrize(("value", "loaded"), [("", True), ("0", True), ("false", True), ("1", False), ("yes", False)])
def test_autoload_is_off_only_where_it_is_said(value: str, loaded: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def load(plugins: Plugins) -> None:
        asked.append(plugins)

    monkeypatch.setattr(Plugins, "_load_third_parties", load)
    monkeypatch.setenv("ADJUDGE_NO_AUTOLOAD", value)
    Plugins.load()
    assert bool(asked) is loaded


def test_source_names_plugin_and_distribution() -> None:
    assert str(Source("swiss", "adjudge-swiss", "1.0")) == "swiss (adjudge-swiss 1.0)"


def test_a_folder_in_which_nothing_was_made_yet_takes_another_configuration(prepared: Any) -> None:
    with pytest.raises(PluginError, match="witness"):
        prepared.run(reporters=[{"use": "witness", "fails": True}]).execute()
    prepared.run(engine="batched", seed=4).execute()
    with pytest.raises(ConfigError, match="these fields differ: seed"):
        prepared.run(engine="batched", seed=5).execute()


def test_a_number_that_is_not_finite_is_never_written_and_its_trainer_is_named(prepared: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run = prepared.run()
    train = type(run.config.stages[0]).train
    monkeypatch.setattr(type(run.config.stages[0]), "train", lambda self, stage: replace(train(self, stage), metrics={"loss": math.nan}))
    with pytest.raises(PluginError, match=r"'keep' .* raised in train\(\): ValueError"):
        run.execute()
    records = Records(prepared.folder / "some.jsonl")
    with pytest.raises(ValueError, match="JSON"):
        records.append({"id": "a", "loss": math.inf})
    assert list(records) == []


def test_a_log_probability_that_is_not_finite_is_no_path(prepared: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def sample(self: Any, prompts: Sequence[Any], **settings: Any) -> Iterable[tuple[int, Completion]]:
        yield from ((index, Completion("first", (1,), (5,), (-math.inf,))) for index in range(len(prompts)))

    monkeypatch.setattr(Batched, "sample", sample)
    with pytest.raises(JobError, match="the log-probability -inf"):
        prepared.run(engine="batched").execute()
