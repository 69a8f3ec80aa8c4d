"""The Python door: a loaded judge judges, ranks, scores and rewards as the commands do; what is wrong is told by its name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import pytest

from adjudge import (
    Completion,
    ConfigError,
    DataError,
    Engine,
    Message,
    Outcome,
    PathScorer,
    PluginError,
    Plugins,
    Problem,
    ReasoningPath,
    Score,
    hookimpl,
    open_judge,
)
from adjudge.host.plugins import Source
from adjudge.testing import completion_of

PAIR = {"prompt": "larger?", "answers": ["7", "12"]}


class Larger(Engine):
    """Prefers the larger number; a call about 13 fails."""

    use: Literal["larger"] = "larger"
    breaks: bool = False
    """Whether it raises when it is opened."""

    @contextmanager
    def open(self, model: Path) -> Iterator[Any]:
        if self.breaks:
            raise OSError("no weights")
        yield LargerSession()


class LargerSession:
    """Log-probabilities of it are -1 for every token."""

    def sample(self, prompts: Sequence[list[Message]], **settings: Any) -> Iterator[tuple[int, Completion]]:
        for index, prompt in enumerate(prompts):
            one, other = (int(part.split()[0]) for part in prompt[-1]["content"].split("### Assistant ")[1:] for part in [part[1:]])
            if 13 in (one, other):
                yield index, Completion("", error="timeout")
            else:
                yield index, completion_of(f"{one} against {other} \\boxed{{Assistant {1 if one > other else 2}}}")

    def logprobs(self, prompt: list[Message], continuations: Sequence[Sequence[int]]) -> list[list[float]]:
        return [[-1.0] * len(tokens) for tokens in continuations]

    def tokenize(self, text: str, token_ids: Sequence[int] = ()) -> Completion:
        return completion_of(text)


class NanScorer(PathScorer):
    """Gives what is no number."""

    use: Literal["nan"] = "nan"

    def score(self, problem: Problem, paths: Sequence[ReasoningPath], session: Any) -> list[Score]:
        return [Score(path.id, 1.0, {"odd": float("nan")}) for path in paths]


@pytest.fixture
def toys() -> Plugins:
    module = ModuleType("toys")
    module.register_engines = hookimpl(lambda: [Larger])  # type: ignore[attr-defined]
    module.register_path_scorers = hookimpl(lambda: [NanScorer])  # type: ignore[attr-defined]
    plugins = Plugins.load(autoload=False)
    plugins.add(module, Source("toys", "toys", "0"))
    return plugins


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "judge.json").write_text('{"use": "rrm", "order": "fixed", "max_new_tokens": 99}')
    return tmp_path


def test_pairs_are_judged_in_order(model: Path, toys: Plugins) -> None:
    rows: list[Mapping[str, Any]] = [PAIR, {"prompt": "?", "chosen": "5", "rejected": "3"}, {"prompt": "?", "answers": ["13", "3"]}]
    with open_judge(model, engine="larger", plugins=toys) as judge:
        found = judge.judge([*rows, Problem("mine", "larger?", ("2", "1"))])
        assert [verdict.outcome for verdict in found] == [Outcome.SECOND, Outcome.FIRST, Outcome.FAILED, Outcome.FIRST]
        assert [verdict.problem.id for verdict in found][3] == "mine"
        assert judge.judge([]) == []
        assert (judge.session.total, judge.session.done, judge.session.failed, judge.session.last_error) == (4, 4, 1, "timeout")


def test_the_judge_is_the_models_own_with_what_is_changed(model: Path, toys: Plugins) -> None:
    with open_judge(model, engine="larger", plugins=toys) as judge:
        assert (judge.options.use, judge.options.order, judge.options.max_new_tokens) == ("rrm", "fixed", 99)
    with open_judge(model, engine="larger", judge={"order": "both"}, plugins=toys) as judge:
        assert (judge.options.order, judge.options.max_new_tokens) == ("both", 99)
        [verdict] = judge.judge([PAIR])
        assert [path.order for path in verdict.paths] == ["given", "swapped"]
    with open_judge(model, engine="larger", judge="rrm", plugins=toys) as judge:
        assert judge.options.max_new_tokens == 8192


def test_answers_are_ranked(model: Path, toys: Plugins) -> None:
    with open_judge(model, engine=Larger(), plugins=toys) as judge:
        result = judge.rank({"prompt": "largest?", "answers": ["3", "9", "5", "1"]}, "round-robin", votes=2)
        assert result.ranking.order == (1, 2, 0, 3)
        both = judge.rank_all([{"prompt": str(n), "answers": ["3", "9", "5"]} for n in range(2)], {"use": "elo"}, budget=2)
        assert [(len(one.played), one.stopped) for one in both] == [(2, "matches")] * 2
        with pytest.raises(ConfigError, match=r"votse: there is no such field; did you mean 'votes'\?"):
            judge.rank(PAIR, votse=3)


def test_paths_are_scored_in_order(model: Path, toys: Plugins) -> None:
    texts = ["so \\boxed{Assistant 2}", "who knows", "so it is \\boxed{Assistant 1}", "so \\boxed{Assistant 2}"]
    with open_judge(model, engine="larger", plugins=toys) as judge:
        scores = judge.score(PAIR, texts, "longest")
        assert [score.value for score in scores] == [len(texts[0]), None, len(texts[2]), len(texts[3])]
        [verdict] = judge.judge([PAIR])
        [score] = judge.score(PAIR, verdict.paths, "mean-logprob")
        assert score.value == -1.0
        with pytest.raises(PluginError, match=r"'nan' \(.*NanScorer\) returned the part 'odd' nan from score\(\)"):
            judge.score(PAIR, texts, "nan")


def test_groups_of_completions_get_rewards(model: Path, toys: Plugins) -> None:
    with open_judge(model, engine="larger", plugins=toys) as judge:
        reward = judge.group_reward("round-robin", reward="rank")
        assert reward(["p", "p", "p", "q", "q"], ["3", "9", "5", "1", "2"]) == [0.0, 1.0, 0.5, 0.0, 1.0]
        assert reward(["p", "p", "p"], ["3", "13", "5"]) == [0.0, None, 1.0]


@pytest.mark.parametrize(
    ("settings", "kind", "message"),
    [
        ({"engine": "largre"}, ConfigError, "no engine is called 'largre'; did you mean 'larger'"),
        ({"engine": {"use": "larger", "breaks": True}}, PluginError, r"'larger' \(.*Larger\) raised in open\(\): OSError: no weights"),
        ({"engine": "larger", "judge": {"order": "left"}}, ConfigError, "order: Input should be"),
    ],
)
def test_what_cannot_be_opened_is_named(model: Path, toys: Plugins, settings: dict[str, Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message), open_judge(model, plugins=toys, **settings):
        pass


def test_what_cannot_be_judged_is_named(model: Path, toys: Plugins) -> None:
    with pytest.raises(ConfigError, match="no such folder"), open_judge("nowhere", plugins=toys):
        pass
    with open_judge(model, engine="larger", plugins=toys) as judge:
        with pytest.raises(DataError, match="a row has 3 answers; a judgement takes two"):
            judge.judge([{"prompt": "?", "answers": ["1", "2", "3"]}])
        with pytest.raises(DataError, match="a row has no field 'prompt'"):
            judge.rank({"answers": ["1", "2"]})
