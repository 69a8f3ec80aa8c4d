"""Pointwise rewards: every completion is rated by itself, a group of one too, and what cannot be read is undecided."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import pytest
from typer.testing import CliRunner

from adjudge import Completion, ConfigError, DataError, Engine, Message, Plugins, hookimpl, open_judge
from adjudge.cli.app import app_of
from adjudge.host.plugins import Source
from adjudge.testing import completion_of
from adjudge_rewards import open_reward

RUBRIC: dict[str, Any] = {
    "use": "rubric",
    "criteria": [{"name": "truth", "weight": 3, "choices": ["no", "partly", "yes"]}, {"name": "style", "choices": ["poor", "good"]}],
}
LINES = {"9": "truth: yes\nstyle: good", "5": "truth: partly\nstyle: good", "3": "truth: no\nstyle: poor"}
"""What is said of an answer by itself; of any other nothing that can be read. In points 1, 0.625 and 0."""


class Rates(Engine):
    """Rates an answer by itself as `LINES` say, and on a scale by its own number."""

    use: Literal["rates"] = "rates"

    @contextmanager
    def open(self, model: Path) -> Iterator[Any]:
        yield RatesSession()


class RatesSession:
    def sample(self, prompts: Sequence[list[Message]], **settings: Any) -> Iterator[tuple[int, Completion]]:
        for index, prompt in enumerate(prompts):
            text = prompt[-1]["content"]
            [answer] = re.findall(r"Answer:\n(.*?)\n\n", text, re.DOTALL)
            if answer == "13":
                yield index, Completion("", error="timeout")
            elif "Rating: RATING" in text:
                yield index, completion_of(f"So.\nRating: {answer}")
            else:
                yield index, completion_of(f"So.\n{LINES.get(answer, 'who knows')}")


@pytest.fixture(scope="module")
def rates() -> Plugins:
    module = ModuleType("rates")
    module.register_engines = hookimpl(lambda: [Rates])  # type: ignore[attr-defined]
    plugins = Plugins.load(autoload=False)
    plugins.add(module, Source("rates", "rates", "0"))
    return plugins


@pytest.fixture
def reward(rates: Plugins) -> Iterator[Any]:
    """Makes a pointwise reward of a judge that is open for the test."""
    with open_judge("adjudge_arithmetic:model", engine="rates", judge=RUBRIC, plugins=rates, cache=False) as judge:
        yield lambda how="rating", **more: judge.group_reward(reward=how, pointwise=True, **more)


def test_one_alone_has_its_points(reward: Any) -> None:
    [one] = reward().judged(["p"], ["5"])
    assert one.value == one.absolute == pytest.approx(0.625)
    assert one.reason == ""
    assert reward("standardised")(["p"], ["5"]) == [0.0], "nobody is above or below it"
    assert reward("rank")(["p"], ["5"]) == [0.5]


def test_a_group_has_points_or_places_by_them(reward: Any) -> None:
    assert reward()(["p"] * 3, ["3", "9", "5"]) == pytest.approx([0.0, 1.0, 0.625])
    assert reward("rank")(["p"] * 3, ["3", "9", "5"]) == [0.0, 1.0, 0.5]
    values = reward("standardised")(["p"] * 4, ["3", "9", "3", "3"])
    assert sum(values) == pytest.approx(0)
    assert sum(value * value for value in values) / 4 == pytest.approx(1), "every completion counts"
    assert reward()(["p", "q", "q"], ["9", "9", "3"], groups=[1, 2, 2]) == [1.0, 1.0, 0.0]


def test_equal_completions_are_rated_once_and_alike(reward: Any) -> None:
    judged = reward()
    assert judged(["p"] * 4, ["5", "5", "9", "5"]) == pytest.approx([0.625, 0.625, 1.0, 0.625])
    assert (judged.metrics["votes"], judged.metrics["matches"], judged.metrics["repeated"]) == (2, 0, 2)
    judged = reward(votes=3)
    judged(["p"] * 2, ["5", "9"])
    assert judged.metrics["votes"] == 6


def test_what_cannot_be_read_is_undecided_and_counts_for_nobody(reward: Any) -> None:
    judged = reward("minmax")
    found = judged.judged(["p"] * 4, ["pear", "13", "9", "3"])
    assert [one.value for one in found] == [None, None, 1.0, 0.0]
    assert [one.absolute for one in found] == [None, None, 1.0, 0.0]
    assert found[0].reason == "none of its judgements could be read: 1 unreadable"
    assert found[1].reason == "none of its judgements could be read: 1 failed"
    assert (judged.metrics["undecided"], judged.metrics["unreadable"], judged.metrics["failed"]) == (0.5, 0.5, 0.25)
    assert judged.metrics["tokens"] == pytest.approx(sum(one.tokens for one in found))
    assert judged.metrics["tokens"] > 0


def test_a_scale_has_ratings_and_their_place_between_its_ends(rates: Plugins) -> None:
    with open_judge("adjudge_arithmetic:model", engine="rates", judge="scale", plugins=rates, cache=False) as judge:
        found = judge.group_reward(reward="rating", pointwise=True).judged(["p"] * 2, ["10", "4"])
        assert [(one.value, one.absolute) for one in found] == [(10.0, 1.0), (4.0, pytest.approx(1 / 3))]
        assert [[one.value for one in some] for some in judge.rate([{"prompt": "p", "answers": ["7"]}])] == [[7.0]]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"judge": "rrm"}, "compares two answers and rates none"),
        ({"judge": RUBRIC, "reward": "win-rate"}, "reward: win-rate is about matches"),
        ({"judge": RUBRIC, "budget": 4}, "budget is about matches"),
        ({"judge": RUBRIC, "anchor": "solution"}, "anchor is about matches"),
        ({"judge": RUBRIC, "voting": {"votes": 5, "confidence": 0.9}}, "voting.confidence is about matches"),
    ],
)
def test_what_only_matches_have_is_refused(rates: Plugins, options: dict[str, Any], told: str) -> None:
    with (
        pytest.raises(ConfigError, match=told),
        open_reward({"model": "adjudge_arithmetic:model", "engine": "rates", "pointwise": True, **options}, rates),
    ):
        pass


def test_anchors_are_refused_where_nothing_is_compared(reward: Any) -> None:
    with pytest.raises(DataError, match="compared with nothing"):
        reward().judged(["p"], ["5"], anchors=["9"])


def test_the_file_is_checked_tried_and_audited(rates: Plugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Plugins, "load", lambda *_, **__: rates)
    app = app_of(rates)
    file, rows = tmp_path / "reward.yaml", tmp_path / "rows.jsonl"
    given = {"model": "adjudge_arithmetic:model", "engine": {"use": "rates"}, "judge": RUBRIC, "pointwise": True, "reward": "rating"}
    file.write_text(json.dumps(given))
    rows.write_text(json.dumps({"prompt": "p", "answers": ["9"]}) + "\n" + json.dumps({"prompt": "q", "answers": ["3", "5"]}) + "\n")
    checked = CliRunner().invoke(app, ["reward", "check", str(file), "--group", "8", "--json"])
    assert checked.exit_code == 0, checked.output
    assert json.loads(checked.stdout)["total"]["judgements"] == [8, 8]
    tried = CliRunner().invoke(app, ["reward", "try", str(file), "--data", str(rows), "--json"])
    assert tried.exit_code == 0, tried.output
    assert [json.loads(line)["rewards"] for line in tried.stdout.splitlines()] == [[1.0], [0.0, pytest.approx(0.625)]]
    audited = CliRunner().invoke(app, ["reward", "audit", str(file), "--data", str(rows), "--json"])
    report = json.loads(audited.stdout)
    assert report["probes"]["empty"]["undecided"]["value"] == 1.0, "nothing that can be read is said of an empty answer"
    assert (report["triples"]["n"], report["order"]["flipped"]["n"]) == (0, 0), "points go round in no circle and have no order"


def test_the_embedded_model_is_asked_and_what_it_cannot_rate_has_no_number() -> None:
    """It has not learnt to rate: nothing is made up for it."""
    with open_judge("adjudge_arithmetic:model", judge={**RUBRIC, "max_new_tokens": 16}, cache=False) as judge:
        [one] = judge.group_reward(reward="rating", pointwise=True).judged(["37+48"], ["85"])
    assert one.value is None
    assert "could be read" in one.reason
