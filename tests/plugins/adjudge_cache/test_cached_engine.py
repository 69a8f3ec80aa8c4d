"""The engine `cached` in front of another: by name, through `open_judge`, told as before, and blamed for nothing that the other does."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path as FilePath
from types import ModuleType
from typing import Any, ClassVar, Literal

import numpy as np
import pytest

from adjudge import Completion, ConfigError, Engine, Message, Outcome, PluginError, Plugins, hookimpl, open_judge, validate
from adjudge.host.plugins import Source
from adjudge.testing import check_component
from adjudge_cache import Cache, CachedEngine, cache_file, measured_tokens
from adjudge_judges import ArithmeticJudge

PAIRS = [{"prompt": f"{number}+1", "answers": [str(number + 1), "0"]} for number in range(4)]
TEXT = "the first \\boxed{Assistant 1}"


class Parrot(Engine):
    """Says the same to everything."""

    use: Literal["parrot"] = "parrot"
    voice: str = "high"
    """What it depends on; empty = it does not tell."""
    breaks: str = ""
    """The verb in which it breaks."""
    numpy: bool = False
    """Whether its numbers are numpy's."""
    log: ClassVar[list[str]] = []

    @contextmanager
    def open(self, model: FilePath) -> Iterator[Any]:
        self.done("open")
        yield self
        self.log.append("closed")

    def done(self, verb: str) -> None:
        self.log.append(verb)
        if verb == self.breaks:
            raise OSError("no seeds left")

    def sample(self, prompts: Sequence[list[Message]], *, seeds: Sequence[int], **settings: Any) -> Iterator[tuple[int, Completion]]:
        self.done("sample")
        for index, _ in enumerate(prompts):
            ids, ends, logprobs = (5, 6), (3, len(TEXT)), (-0.5, -0.25)
            if self.numpy:
                ids, ends, logprobs = (tuple(np.array(ids)), tuple(np.array(ends)), tuple(np.array(logprobs, "float32")))  # type: ignore[assignment]
            yield index, Completion(TEXT, ids, ends, logprobs)

    def logprobs(self, prompt: list[Message], continuations: Sequence[Sequence[int]]) -> list[list[float]]:
        self.done("logprobs")
        return [[-1.0] * len(tokens) for tokens in continuations]

    def tokenize(self, text: str, token_ids: Sequence[int] = ()) -> Completion:
        self.done("tokenize")
        return Completion(text, tuple(map(ord, text)), tuple(range(1, len(text) + 1)))

    def fingerprint(self) -> Any:
        return {"voice": self.voice} if self.voice else None

    def count_tokens(self, model: FilePath, prompts: Sequence[list[Message]]) -> list[int]:
        return [9 for _ in prompts]

    def sampling_load(self, sequence: int) -> Any:
        return f"a load of {sequence}"

    def adapter_label(self) -> str:
        return "a hat"


class Alone(Parrot):
    """A parrot that answers by itself, for all processes."""

    use: Literal["alone"] = "alone"  # type: ignore[assignment]
    per_process: ClassVar[bool] = False
    ignores_model_folder: ClassVar[bool] = True
    trust_remote_code: bool = True
    """Whether it may."""


@pytest.fixture
def birds(plugins: Plugins) -> Plugins:
    module = ModuleType("birds")
    module.register_engines = hookimpl(lambda: [Parrot, Alone])  # type: ignore[attr-defined]
    module.register_engines.__name__ = "register_engines"  # type: ignore[attr-defined]
    plugins.add(module, Source("birds", "birds", "1"))
    Parrot.log.clear()
    return plugins


@pytest.fixture
def model(tmp_path: FilePath) -> FilePath:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "judge.json").write_text(ArithmeticJudge(order="fixed").model_dump_json())
    (folder / "model.safetensors").write_text("weights")
    return folder


def outcomes(model: FilePath, plugins: Plugins, engine: Any, **options: Any) -> list[str]:
    with open_judge(model, engine=engine, plugins=plugins, **options) as judge:
        return [verdict.outcome.value for verdict in judge.judge(PAIRS)]


# Through the Python door ----------------------------------------------------------------------------------------------------


def test_a_second_judge_asks_nothing_and_does_not_open_the_engine(
    model: FilePath, birds: Plugins, capsys: pytest.CaptureFixture[str]
) -> None:
    first = outcomes(model, birds, "parrot")
    assert f"cache: 0 of 4 judgements (0%) were known; {cache_file()}\n" in capsys.readouterr().err
    assert Parrot.log == ["open", "sample", "closed"]
    assert outcomes(model, birds, "parrot") == first == ["first"] * 4
    assert f"cache: 4 of 4 judgements (100%) were known; {cache_file()}\n" in capsys.readouterr().err
    assert Parrot.log == ["open", "sample", "closed"]


def test_without_cache_everything_is_asked_and_nothing_kept(model: FilePath, birds: Plugins, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        outcomes(model, birds, "parrot", cache=False)
    assert Parrot.log.count("sample") == 2
    assert "cache" not in capsys.readouterr().err
    assert not cache_file().exists()


def test_by_name_it_works_without_being_put_there(model: FilePath, birds: Plugins, capsys: pytest.CaptureFixture[str]) -> None:
    named = {"use": "cached", "engine": {"use": "parrot", "voice": "low"}}
    for _ in range(2):
        outcomes(model, birds, named, cache=False)
    assert "cache: 4 of 4" in capsys.readouterr().err
    assert Parrot.log.count("sample") == 1
    outcomes(model, birds, named)
    assert capsys.readouterr().err.count("cache: ") == 1, "one cache is enough"


def test_one_cache_in_another_is_one(birds: Plugins) -> None:
    twice = validate(Engine, {"use": "cached", "engine": {"use": "cached", "engine": "parrot"}}, birds, "engine")
    assert twice == CachedEngine(engine=Parrot())


def test_a_mistake_in_the_wrapped_engine_is_told_with_its_place(birds: Plugins) -> None:
    with pytest.raises(ConfigError, match=r"engine\.voise: there is no such field; did you mean 'voice'"):
        validate(Engine, {"use": "cached", "engine": {"use": "parrot", "voise": "low"}}, birds, "the call")
    with pytest.raises(ConfigError, match="no engine is called 'parot'; did you mean 'parrot'"):
        validate(Engine, {"use": "cached", "engine": "parot"}, birds, "the call")


def test_nothing_is_said_where_nothing_was_asked(model: FilePath, capsys: pytest.CaptureFixture[str]) -> None:
    with CachedEngine(engine=Parrot()).open(model) as session:
        assert session.tokenize("ab").token_ids == (97, 98)
        assert session.logprobs([], [[1, 2]]) == [[-1.0, -1.0]]
    assert capsys.readouterr().err == ""


# What is passed through -----------------------------------------------------------------------------------------------------


def test_an_engine_that_does_not_tell_is_opened_at_once_and_always_asked(
    model: FilePath, birds: Plugins, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        assert outcomes(model, birds, {"use": "parrot", "voice": ""}) == ["first"] * 4
    assert Parrot.log == ["open", "sample", "closed"] * 2
    assert "cache" not in capsys.readouterr().err


def test_a_cache_that_cannot_be_used_is_told_once_and_passed_by(
    model: FilePath, birds: Plugins, monkeypatch: pytest.MonkeyPatch, tmp_path: FilePath, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ADJUDGE_CACHE", str(tmp_path / "file"))
    assert outcomes(model, birds, "parrot") == ["first"] * 4
    assert capsys.readouterr().err.count("cannot be used") == 1


@pytest.mark.parametrize("engine", [Parrot(), Alone()])
def test_all_that_is_asked_about_an_engine_is_asked_of_the_wrapped_one(engine: Engine, tmp_path: FilePath) -> None:
    cached = CachedEngine(engine=engine)
    check_component(cached)
    assert (cached.per_process, cached.ignores_model_folder) == (engine.per_process, engine.ignores_model_folder)
    assert cached.trust_remote_code == isinstance(engine, Alone)
    assert (cached.adapter_label(), cached.fingerprint()) == ("a hat", {"voice": "high"})
    assert (cached.count_tokens(tmp_path, [[], []]), cached.sampling_load(7)) == ([9, 9], "a load of 7")


@pytest.mark.parametrize("verb", ["open", "sample", "logprobs", "tokenize"])
@pytest.mark.parametrize("voice", ["high", ""])
def test_what_goes_wrong_in_the_wrapped_engine_names_it(model: FilePath, verb: str, voice: str) -> None:
    with pytest.raises(PluginError, match=rf"'parrot' \(.*Parrot\) raised in {verb}\(\): OSError: no seeds left"):
        use_all(CachedEngine(engine=Parrot(breaks=verb, voice=voice)), model)


def use_all(engine: Engine, model: FilePath) -> None:
    with engine.open(model) as session:
        list(session.sample([[{"role": "user", "content": "1+1"}]], seeds=[1], temperature=1.0, top_p=1.0, max_new_tokens=9))
        session.logprobs([], [[1]])
        session.tokenize("text")


# What is kept ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cache", [True, False])
def test_numbers_of_numpys_are_kept_and_come_back_as_pythons(model: FilePath, birds: Plugins, cache: bool) -> None:
    """Such an engine ended the call where its first answer was to be kept: JSON knows Python's own numbers alone."""
    found = []
    for _ in range(2):
        with open_judge(model, engine={"use": "parrot", "numpy": True}, plugins=birds, cache=cache) as judge:
            [verdict] = judge.judge(PAIRS[:1])
        found.append(verdict.paths[0].completion)
    assert Parrot.log.count("sample") == (1 if cache else 2)
    assert found[0] == found[1] == Completion(TEXT, (5, 6), (3, len(TEXT)), (-0.5, -0.25))
    assert {type(one) for made in found for one in made.token_ids + made.token_ends} == {int}
    assert {type(one) for made in found for one in made.logprobs or ()} == {float}


def test_the_file_is_as_it_was_so_that_older_ones_stay_useful(tmp_path: FilePath) -> None:
    cache = Cache(tmp_path / "cache.sqlite")
    cache.put("key", "source", Completion("one", (1, 2), (2, 3), (-0.5, -1e-17)))
    with sqlite3.connect(cache.file) as raw:
        [(value,)] = raw.execute("SELECT value FROM completions").fetchall()
    raw.close()
    cache.close()
    assert value == '{"text":"one","token_ids":[1,2],"ends":[2,3],"logprobs":[-0.5,-1e-17],"truncated":false,"error":null}'
    assert list(json.loads(value)) == ["text", "token_ids", "ends", "logprobs", "truncated", "error"]


def test_measured_tokens_are_those_of_the_model_whichever_way_it_is_named(model: FilePath, birds: Plugins) -> None:
    assert measured_tokens(Parrot(), model) is None
    assert not cache_file().exists(), "asking makes no cache"
    outcomes(model, birds, "parrot")
    assert measured_tokens(Parrot(), model) == measured_tokens(CachedEngine(engine=Parrot()), model) == 2
    assert measured_tokens(Parrot(voice="low"), model) is None
    assert measured_tokens(Parrot(voice=""), model) is None


def test_another_model_or_another_option_is_asked_anew(model: FilePath, birds: Plugins) -> None:
    outcomes(model, birds, "parrot")
    outcomes(model, birds, {"use": "parrot", "voice": "low"})
    (model / "model.safetensors").write_text("others")
    assert outcomes(model, birds, "parrot") == [Outcome.FIRST.value] * 4
    assert Parrot.log.count("sample") == 3
