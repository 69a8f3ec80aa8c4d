"""The cache never gives a wrong answer: everything that changes one is in its key, failures are not kept, damage and locks are told."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path as FilePath
from threading import Barrier
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adjudge import Completion, Engine, Message
from adjudge_cache import Cache, cache_file
from adjudge_cache import cache as cache_module
from adjudge_cache.session import CachedSession
from adjudge_cache.source import source_of

SETTINGS: dict[str, Any] = {"temperature": 1.0, "top_p": 1.0, "max_new_tokens": 9}
DONE = Completion("one", (1, 2), (2, 3), (-0.1, -1e-17))


class Counted:
    """A session that answers with what it was asked and remembers every call."""

    def __init__(self, fails: Sequence[str] = ()) -> None:
        self.calls: list[list[str]] = []
        self.fails = fails

    def sample(self, prompts: Sequence[list[Message]], *, seeds: Sequence[int], **settings: Any) -> Iterator[tuple[int, Completion]]:
        self.calls.append([prompt[-1]["content"] for prompt in prompts])
        for index, (prompt, seed) in reversed(list(enumerate(zip(prompts, seeds, strict=True)))):
            text = prompt[-1]["content"]
            yield index, Completion("", error="timeout") if text in self.fails else Completion(f"{text} {seed}", (7,), (1,))

    def logprobs(self, prompt: list[Message], continuations: Sequence[Sequence[int]]) -> list[list[float]]:
        return [[-1.0] * len(tokens) for tokens in continuations]

    def tokenize(self, text: str, token_ids: Sequence[int] = ()) -> Completion:
        return Completion(text, tuple(token_ids))


class Told(Engine):
    """Says what its answers depend on."""

    use: Literal["told"] = "told"
    voice: str = "low"
    """What it depends on; empty = it does not tell."""

    def fingerprint(self) -> Any:
        return self.model_dump() if self.voice else None


@pytest.fixture
def cache(tmp_path: FilePath) -> Iterator[Cache]:
    found = Cache(tmp_path / "cache" / "file.sqlite")
    yield found
    found.close()


@pytest.fixture
def model(tmp_path: FilePath) -> FilePath:
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("model.safetensors", "tokenizer.json", "chat_template.jinja", "judge.json", "README.md"):
        (folder / name).write_text("before")
    return folder


def asked(cache: Cache, engine: Counted, *texts: str, source: str = "s", seed: int = 0, **changes: Any) -> dict[int, Completion]:
    session = CachedSession(cache, source, lambda: engine)
    prompts = [[{"role": "user", "content": text}] for text in texts]
    return dict(session.sample(prompts, seeds=[seed] * len(texts), **{**SETTINGS, **changes}))


def test_what_is_known_is_not_asked_again_and_the_rest_in_one_call(cache: Cache) -> None:
    engine = Counted()
    first = asked(cache, engine, "a", "c")
    second = asked(cache, engine, "a", "b", "c", "d")
    assert engine.calls == [["a", "c"], ["b", "d"]]
    assert {index: one.text for index, one in second.items()} == {0: "a 0", 1: "b 0", 2: "c 0", 3: "d 0"}
    assert second[0] == first[0]


def test_the_engine_is_not_even_opened_when_everything_is_known(cache: Cache) -> None:
    asked(cache, Counted(), "a")
    closed = CachedSession(cache, "s", lambda: pytest.fail("opened"))
    assert [one.text for _, one in closed.sample([[{"role": "user", "content": "a"}]], seeds=[0], **SETTINGS)] == ["a 0"]
    assert (closed.asked, closed.known) == (1, 1)


@pytest.mark.parametrize("change", [{"source": "t"}, {"seed": 1}, {"temperature": 0.5}, {"top_p": 0.5}, {"max_new_tokens": 8}])
def test_whatever_changes_an_answer_is_asked_anew(cache: Cache, change: dict[str, Any]) -> None:
    engine = Counted()
    asked(cache, engine, "a")
    asked(cache, engine, "a", **change)
    assert len(engine.calls) == 2


def test_failed_calls_are_made_again(cache: Cache) -> None:
    broken, mended = Counted(fails=["a"]), Counted()
    assert asked(cache, broken, "a", "b")[0].error == "timeout"
    assert asked(cache, mended, "a", "b")[0].text == "a 0"
    assert mended.calls == [["a"]]


def test_other_verbs_go_to_the_engine(cache: Cache) -> None:
    session = CachedSession(cache, "s", Counted)
    assert session.logprobs([], [[1, 2], []]) == [[-1.0, -1.0], []]
    assert session.tokenize("text", [3]).token_ids == (3,)


def test_stop_strings_are_part_of_what_was_asked(cache: Cache) -> None:
    engine = Counted()
    asked(cache, engine, "a")
    asked(cache, engine, "a", stop=("end",))
    asked(cache, engine, "a", stop=("end",))
    assert engine.calls == [["a"], ["a"]]


def test_the_source_is_the_engine_and_the_files_that_answers_depend_on(cache: Cache, model: FilePath) -> None:
    before = source_of(Told(), model, cache)
    assert before is not None
    assert source_of(Told(voice="high"), model, cache) != before
    for name in ("judge.json", "README.md"):
        (model / name).write_text("other")
        assert source_of(Told(), model, cache) == before, "no completion depends on it"
    for name in ("model.safetensors", "tokenizer.json", "chat_template.jinja"):
        (model / name).write_text("after!")
        assert source_of(Told(), model, cache) != before
        (model / name).write_text("before")
        assert source_of(Told(), model, cache) == before, "what counts is the content"


def test_adapters_are_known_by_the_model_below_too(cache: Cache, model: FilePath, tmp_path: FilePath) -> None:
    adapters = tmp_path / "adapters"
    adapters.mkdir()
    (adapters / "adapter_model.safetensors").write_text("before")
    (adapters / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(model)}))
    before = source_of(Told(), adapters, cache)
    assert before is not None
    (model / "model.safetensors").write_text("after!")
    assert source_of(Told(), adapters, cache) != before
    shutil.rmtree(model)
    assert source_of(Told(), adapters, cache) is None, "the engine tells that there is none"


def test_another_version_is_another_source(cache: Cache, model: FilePath, monkeypatch: pytest.MonkeyPatch) -> None:
    before = source_of(Told(), model, cache)
    monkeypatch.setattr("adjudge_cache.source.metadata.version", lambda name: "9")
    assert source_of(Told(), model, cache) != before


def test_an_engine_that_does_not_tell_is_not_cached(cache: Cache, model: FilePath) -> None:
    assert source_of(Told(voice=""), model, cache) is None


def test_weights_are_read_once_unless_they_change(cache: Cache, model: FilePath, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "SETTLED", -1.0)
    before = cache.folder_digest(model)
    with monkeypatch.context() as blind:
        blind.setattr("hashlib.file_digest", lambda *_: pytest.fail("read again"))
        assert cache.folder_digest(model) == before
    weights = model / "model.safetensors"
    times = weights.stat()
    weights.write_text("beforf")
    os.utime(weights, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert cache.folder_digest(model) != before, "same size and same time of writing, and yet changed"


def test_a_file_that_has_just_changed_is_read_again(cache: Cache, model: FilePath) -> None:
    cache.folder_digest(model)
    assert cache._rows("SELECT count(*) FROM files") == [(0,)]


@given(
    st.builds(
        Completion,
        text=st.text(),
        token_ids=st.lists(st.integers(0, 2**40)).map(tuple),
        token_ends=st.lists(st.integers(-1, 99)).map(tuple),
        logprobs=st.none() | st.lists(st.floats(allow_nan=False)).map(tuple),
        truncated=st.booleans(),
    )
)
def test_what_comes_out_is_what_went_in(tmp_path_factory: pytest.TempPathFactory, completion: Completion) -> None:
    cache = Cache(tmp_path_factory.getbasetemp() / "property.sqlite")
    cache.put("key", "source", completion)
    assert cache.get("key") == completion
    cache.close()


def test_half_a_character_can_be_kept(cache: Cache) -> None:
    cache.put("key", "source", replace(DONE, text="\ud83d"))
    found = cache.get("key")
    assert found is not None
    assert found.text == "\ud83d"


def test_mean_tokens_are_those_of_one_source(cache: Cache) -> None:
    assert cache.mean_tokens("s") is None
    for number, (source, tokens) in enumerate([("s", 10), ("s", 30), ("t", 500), ("s", 0)]):
        cache.put(str(number), source, Completion("text", (1,) * tokens))
    assert cache.mean_tokens("s") == 20


# Damage, locks, kills -----------------------------------------------------------------------------------------------------


def test_a_damaged_row_is_not_an_answer(cache: Cache) -> None:
    cache.put("key", "source", DONE)
    raw = sqlite3.connect(cache.file)
    raw.execute("UPDATE completions SET value = replace(value, 'one', 'two')")
    raw.commit()
    raw.close()
    assert cache.get("key") is None
    cache.put("key", "source", DONE)
    assert cache.get("key") == DONE


def test_a_file_that_is_no_database_is_told_and_left_alone(tmp_path: FilePath, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "cache.sqlite"
    file.write_text("nothing of the kind " * 100)
    engine = Counted()
    cache = Cache(file)
    assert [asked(cache, engine, "a")[0].text, asked(cache, engine, "a")[0].text] == ["a 0", "a 0"]
    told = capsys.readouterr().err
    assert told.count(f"the cache {file} cannot be used") == 1
    assert "Remedy: delete the file, or pass --no-cache" in told
    assert (len(engine.calls), file.read_text()[:7]) == (2, "nothing")


def test_a_folder_that_cannot_be_made_is_told(tmp_path: FilePath, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    cache = Cache(tmp_path / "file" / "cache.sqlite")
    assert (cache.usable, "cannot be used" in capsys.readouterr().err) == (False, True)


def test_a_locked_file_is_told_and_the_job_goes_on(
    cache: Cache, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cache_module, "PATIENCE", 0.1)
    other = sqlite3.connect(cache.file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    hurried = Cache(cache.file)
    assert asked(hurried, Counted(), "a", "b")[1].text == "b 0"
    other.close()
    told = capsys.readouterr().err
    assert (told.count("cannot be used"), "Remedy: wait for the other process" in told) == (1, True)


WRITER = """
import sys
from pathlib import Path
from adjudge import Completion
from adjudge_cache import Cache
cache, name = Cache(Path(sys.argv[1])), sys.argv[2]
for number in range(int(sys.argv[3])):
    cache.put(f"{name}-{number}", name, Completion(f"{name} {number}", (1, 2), (2, 3)))
    assert cache.usable
"""


def begin(file: FilePath, name: str, count: int) -> subprocess.Popen[bytes]:
    """A process that writes completions until it is done or killed."""
    return subprocess.Popen([sys.executable, "-c", WRITER, str(file), name, str(count)])


def test_processes_that_write_at_once_lose_nothing(tmp_path: FilePath) -> None:
    file = tmp_path / "new" / "cache.sqlite"
    writers = [begin(file, name, 150) for name in "ab"]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    cache = Cache(file)
    found = [cache.get(f"{name}-{number}") for name in "ab" for number in range(150)]
    assert [one.text for one in found if one] == [f"{name} {number}" for name in "ab" for number in range(150)]
    cache.close()


def test_all_who_find_a_new_file_together_can_use_it(tmp_path: FilePath) -> None:
    for round_ in range(20):
        together = Barrier(6)

        def opened(_: int, file: FilePath = tmp_path / f"{round_}.sqlite", together: Barrier = together) -> bool:
            together.wait()
            cache = Cache(file)
            usable = cache.usable
            cache.close()
            return usable

        with ThreadPoolExecutor(6) as pool:
            assert list(pool.map(opened, range(6))) == [True] * 6


def test_a_killed_process_leaves_every_answer_that_it_had(tmp_path: FilePath) -> None:
    file = tmp_path / "cache.sqlite"
    cache = Cache(file)
    writer = begin(file, "a", 10**9)
    until = time.monotonic() + 60
    while cache.get("a-20") is None:
        assert time.monotonic() < until
        time.sleep(0.01)
    writer.kill()
    writer.wait()
    cache.close()
    after = Cache(file)
    assert [one.text for number in range(21) if (one := after.get(f"a-{number}"))] == [f"a {number}" for number in range(21)]
    assert after._rows("PRAGMA integrity_check") == [("ok",)]
    after.put("b", "b", DONE)
    assert after.get("b") == DONE
    after.close()


def test_where_the_file_is(monkeypatch: pytest.MonkeyPatch, tmp_path: FilePath) -> None:
    monkeypatch.setenv("ADJUDGE_CACHE", str(tmp_path / "mine"))
    assert cache_file().parent == tmp_path / "mine"
    monkeypatch.delenv("ADJUDGE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_file().parent == tmp_path / "xdg" / "adjudge"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_file().parent == tmp_path / "home" / ".cache" / "adjudge"
