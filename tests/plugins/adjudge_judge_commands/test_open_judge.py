"""The Python door: a loaded judge judges, ranks, scores and rewards as the commands do; what is wrong is told by its name."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Literal, cast

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
from adjudge_data import Preference

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

    shown: ClassVar[list[str]] = []
    """What it was asked."""

    def sample(self, prompts: Sequence[list[Message]], **settings: Any) -> Iterator[tuple[int, Completion]]:
        for index, prompt in enumerate(prompts):
            self.shown.append(prompt[-1]["content"])
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


@pytest.mark.slow
def test_trl_takes_it_for_a_reward_function(model: Path, toys: Plugins, embedded: Path, tmp_path: Path) -> None:
    pytest.importorskip("trl")
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    settings = {"per_device_train_batch_size": 4, "num_generations": 4, "max_completion_length": 4, "max_steps": 1}
    options = GRPOConfig(str(tmp_path / "out"), **settings, logging_steps=1, report_to="none", use_cpu=True, bf16=False)
    rows = Dataset.from_list([{"prompt": "12+30", "answer": "42"}] * 4)
    with open_judge(model, engine="larger", plugins=toys) as judge:
        reward = judge.group_reward("round-robin", reward="win-rate")
        seen: list[list[float | None]] = []

        def watched(**given: Any) -> list[float | None]:
            assert {"answer", "completion_ids"} <= given.keys()
            seen.append(reward(**given))
            return seen[-1]

        GRPOTrainer(str(embedded), watched, options, rows).train()
    assert [len(values) for values in seen] == [4]


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
        with pytest.raises(DataError, match="row 2 has 3 answers; a judgement takes two"):
            judge.judge([PAIR, {"prompt": "?", "answers": ["1", "2", "3"]}])
        with pytest.raises(DataError, match="the problem has no field 'prompt'"):
            judge.rank({"answers": ["1", "2"]})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda judge: judge.judge(PAIR), "a list of pairs is expected, and this is of the type dict"),
        (lambda judge: judge.judge(Problem("p", "?", ("1", "2"))), "a list of pairs is expected, and this is of the type Problem"),
        (lambda judge: judge.judge([PAIR, "a"]), "row 2 is of the type str, neither a Problem nor a mapping"),
        (lambda judge: judge.rank(["a"]), "the problem is of the type list, neither a Problem nor a mapping"),
        (lambda judge: judge.rank_all(PAIR), "a list of problems is expected, and this is of the type dict"),
        (lambda judge: judge.rank_all([PAIR, 5]), "row 2 is of the type int, neither a Problem nor a mapping"),
        (lambda judge: judge.judge([PAIR, Problem("p", "?", ("1", "2", "3"))]), "row 2 \\(id 'p'\\) has 3 answers; a judgement takes two"),
        (lambda judge: judge.rank(Problem("p", "?", ("1",))), "the problem \\(id 'p'\\) has 1 answers; a ranking takes two"),
        (lambda judge: judge.judge([Problem("p", "?", cast(Any, (1, 2)))]), "row 1 \\(id 'p'\\) has a prompt and answers that are not all"),
        (lambda judge: judge.judge([Problem("p", "?", cast(Any, "12"))]), "row 1 \\(id 'p'\\) has a prompt and answers that are not all"),
        (lambda judge: judge.score(["a"], ["1"]), "the pair is of the type list, neither a Problem nor a mapping"),
        (lambda judge: judge.score(PAIR, "so it is"), "a list of paths is expected, and this is of the type str"),
        (
            lambda judge: judge.score(PAIR, judge.judge([PAIR])[0].paths[0]),
            "a list of paths is expected, and this is of the type Reasoning",
        ),
        (lambda judge: judge.score(PAIR, judge.judge([PAIR])), "path 1 is of the type PairVerdict"),
    ],
)
def test_what_is_no_problem_is_refused_with_its_place(model: Path, toys: Plugins, call: Callable[[Any], Any], message: str) -> None:
    with open_judge(model, engine="larger", plugins=toys) as judge, pytest.raises(DataError, match=f"(?s){message}.*Remedy: "):
        call(judge)


def test_paths_of_another_problem_are_not_scored(model: Path, toys: Plugins) -> None:
    other = {"prompt": "larger?", "answers": ["12", "7"]}
    with open_judge(model, engine="larger", plugins=toys) as judge:
        [verdict] = judge.judge([PAIR])
        with pytest.raises(ConfigError, match=r"path 2 judges the problem (?s:.)*Remedy: give the problem that the path was made for"):
            judge.score(other, ["so \\boxed{Assistant 2}", verdict.paths[0]], "longest")
        with pytest.raises(ConfigError, match="and the pair is 'mine'"):
            judge.score({**PAIR, "id": "mine"}, verdict.paths, "longest")
        given = judge.score(verdict.problem, iter(verdict.paths), "longest")  # type: ignore[arg-type]
        assert given == judge.score(PAIR, verdict.paths, "longest") == judge.score({**PAIR, "label": 1}, verdict.paths, "longest")


def test_an_order_that_does_not_exist_is_refused(model: Path, toys: Plugins) -> None:
    wrong: Any = "swap"
    with open_judge(model, engine="larger", plugins=toys) as judge:
        for paths in (["so \\boxed{Assistant 2}"], judge.judge([PAIR])[0].paths):
            with pytest.raises(
                ConfigError, match=r"order: there is no 'swap'; did you mean 'swapped'\?\n  Remedy: write one of given, swapped"
            ):
                judge.score(PAIR, paths, "longest", order=wrong)


@pytest.mark.parametrize("seed", [-1, "x", "1", True, 1.5, None])
def test_a_seed_is_a_whole_number_of_0_or_more(model: Path, toys: Plugins, seed: Any) -> None:
    with (
        pytest.raises(ConfigError, match=f"seed: {seed!r} is no whole number of 0 or more"),
        open_judge(model, engine="larger", seed=seed, plugins=toys),
    ):
        pass


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"reward": "nope"}, "reward: there is no 'nope'"),
        ({"aggregator": "knokout"}, "did you mean 'knockout'"),
        ({"votse": 3}, "votse: there is no such field; did you mean 'votes'"),
        ({"votes": 0}, "votes: Input should be greater than or equal to 1"),
        ({"budget": 0}, "matches: Input should be greater than or equal to 1"),
    ],
)
def test_a_reward_that_cannot_be_is_told_before_anything_is_played(
    model: Path, toys: Plugins, settings: dict[str, Any], message: str
) -> None:
    with open_judge(model, engine="larger", plugins=toys) as judge, pytest.raises(ConfigError, match=message):
        judge.group_reward(**settings)


def test_messages_get_the_rewards_of_their_texts(model: Path, toys: Plugins) -> None:
    asked = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "larger?"}]
    answers = [[{"role": "assistant", "content": text}] for text in ("3", "9", "5")]
    tried = [{"role": "assistant", "content": "let me try"}, {"role": "tool", "content": "13"}, {"role": "assistant", "content": "4"}]
    with open_judge(model, engine="larger", plugins=toys) as judge:
        reward = judge.group_reward("round-robin", reward="rank")
        assert reward([asked] * 3, answers) == [0.0, 1.0, 0.5]
        assert reward([asked[1:]] * 2 + ["larger?"], [*answers[:2], "5"]) == [0.0, 1.0, 0.5]  # one prompt, said in two ways
        assert reward(["q"] * 2, [answers[0], tried]) == [0.0, 1.0]
        assert reward(["q"], ["3"]) == [None]


def test_a_conversation_is_shown_as_data_sets_of_preferences_show_it(model: Path, toys: Plugins, tmp_path: Path) -> None:
    asked = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "larger?"}]
    row = {"prompt": asked, "chosen": [{"role": "assistant", "content": "9"}], "rejected": [{"role": "assistant", "content": "3"}]}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row))
    [problem] = Preference(file=tmp_path / "rows.jsonl").load()
    with open_judge(model, engine="larger", judge={"order": "both"}, cache=False, plugins=toys) as judge:
        LargerSession.shown.clear()
        judge.group_reward("round-robin")([asked] * 2, [row["chosen"], row["rejected"]])
        by_reward = set(LargerSession.shown)
        LargerSession.shown.clear()
        judge.judge([problem])
        assert by_reward == set(LargerSession.shown)


@pytest.mark.parametrize(
    ("prompts", "completions", "message"),
    [
        (["p"] * 3, ["1", "2"], "there are 3 prompts and 2 completions"),
        (["p", 5], ["1", "2"], "prompt 2 is neither a text nor a list of messages"),
        ([[], []], ["1", "2"], "prompt 1 is neither a text nor a list of messages"),
        (["p"] * 2, ["1", [{"role": "assistant", "content": None}]], "completion 2 is neither a text nor a list of messages"),
        (["p"] * 2, ["1", [{"role": "user", "content": "2"}]], "completion 2 has no message of the role 'assistant'"),
    ],
)
def test_rows_without_a_text_get_no_reward(model: Path, toys: Plugins, prompts: list[Any], completions: list[Any], message: str) -> None:
    with open_judge(model, engine="larger", plugins=toys) as judge, pytest.raises(DataError, match=f"(?s){message}.*Remedy: "):
        judge.group_reward("round-robin")(prompts, completions)


def test_a_closed_judge_says_so(model: Path, toys: Plugins) -> None:
    with open_judge(model, engine="larger", plugins=toys) as judge:
        [verdict] = judge.judge([PAIR])
        reward = judge.group_reward("round-robin")
    for call in (
        lambda: judge.judge([PAIR]),
        lambda: judge.rank(PAIR),
        lambda: judge.score(PAIR, ["so \\boxed{Assistant 2}"], "longest"),
        lambda: judge.score(PAIR, verdict.paths, "longest"),
        lambda: reward(["p", "p"], ["1", "2"]),
    ):
        with pytest.raises(ConfigError, match=r"the judge is closed: (?s:.)*Remedy: use it inside 'with adjudge.open_judge"):
            call()
