"""Cascades, panels and rubrics: who is asked, what is told of it, and what they learn from pairs."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from adjudge import ConfigError, Engine, Judge, OpenJudge, Outcome, Plugins, Problem, open_judge, validate
from adjudge.cli.app import app_of
from adjudge.testing import ReplaySession, check_judge
from adjudge_arithmetic import ArithmeticDataset
from adjudge_figures import cohen_kappa, sample_unit
from adjudge_soft import (
    Criterion,
    Rubric,
    brier,
    calibration_error,
    cross_fitted,
    dawid_skene,
    decided_by,
    fit,
    fit_margins,
    fit_temperature,
    krippendorff_alpha,
    reliability,
    weights_of,
)
from adjudge_soft.command import readable
from adjudge_soft.inner_judges import calibrated
from adjudge_soft.margins import Judged, outcome_of

ENDPOINT = {"use": "openai", "base_url": "http://127.0.0.1:9/v1", "model": "m"}
CASCADE: dict[str, Any] = {"use": "cascade", "judges": [{"use": "direct", "judge": "arithmetic"}, "arithmetic"]}


@pytest.fixture(scope="module")
def problems() -> list[Problem]:
    return list(ArithmeticDataset(size=24, seed=5).load())


@pytest.fixture(scope="module")
def base(embedded: Path) -> Iterator[OpenJudge]:
    with open_judge(embedded, cache=False) as judge:
        yield judge


def judge_of(given: Any) -> Judge:
    return validate(Judge, given, Plugins.load(autoload=False), "judge")


def asked(base: OpenJudge, judge: Any) -> OpenJudge:
    return replace(base, options=judge_of(judge))


# cascade -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["fixed", "both"])
def test_the_next_judge_is_asked_where_the_one_before_is_not_sure(base: OpenJudge, problems: list[Problem], order: str) -> None:
    direct = asked(base, {"use": "direct", "judge": "arithmetic", "order": order}).judge(problems)
    margin = sorted(abs((one.probability or 0) - 0.5) for one in direct)[len(direct) // 2]
    found = asked(base, {**CASCADE, "margin": margin, "order": order}).judge(problems)
    by = [path.verdict.told["decided_by"] for one in found for path in one.paths]
    assert {*by} == {"direct", "arithmetic"}
    for one, cheap in zip(found, direct, strict=True):
        sure = abs((cheap.probability or 0) - 0.5) >= margin
        for path, before in zip(one.paths, cheap.paths, strict=True):
            assert path.verdict.told["decided_by"] == ("direct" if sure else "arithmetic")
            spent = len(before.completion.token_ids) + (0 if sure else len(path.completion.token_ids))
            assert path.verdict.told["tokens"] == spent
            if sure:
                assert (path.completion, path.verdict.probability) == (before.completion, before.verdict.probability)


def test_margins_of_0_and_more_than_a_half_ask_one_judge_alone(base: OpenJudge, problems: list[Problem]) -> None:
    for margin, who in ((0.0, "direct"), (0.5, "arithmetic")):
        found = asked(base, {**CASCADE, "margin": margin}).judge(problems[:6])
        assert {path.verdict.told["decided_by"] for one in found for path in one.paths} == {who}


def test_costs_are_told_where_every_price_is_known(base: OpenJudge, problems: list[Problem]) -> None:
    judges = [{"judge": {"use": "direct", "judge": "arithmetic"}, "price": 1.0}, {"judge": "arithmetic", "price": 10.0}]
    direct = asked(base, judges[0]["judge"]).judge(problems[:4])
    for one, cheap in zip(asked(base, {"use": "cascade", "judges": judges, "margin": 0.5}).judge(problems[:4]), direct, strict=True):
        [path], [before] = one.paths, cheap.paths
        expected = len(before.completion.token_ids) * 1.0 + len(path.completion.token_ids) * 10.0
        assert path.verdict.told["cost"] == pytest.approx(expected / 1e6)
    assert "cost" not in asked(base, CASCADE).judge(problems[:1])[0].paths[0].verdict.told


def test_a_member_with_a_model_of_its_own_is_asked_there_and_loaded_once(base: OpenJudge, problems: list[Problem], embedded: Path) -> None:
    judges = [{"use": "direct", "judge": "arithmetic"}, {"judge": "arithmetic", "model": str(embedded)}]
    same = asked(base, {**CASCADE, "margin": 0.5}).judge(problems[:3])
    with open_judge(embedded, judge={"use": "cascade", "judges": judges, "margin": 0.5}, cache=False) as judge:
        own = [*judge.judge(problems[:2]), *judge.judge(problems[2:3])]
    assert [one.problem.id for one in own] == [one.problem.id for one in same]
    assert all(path.verdict.told["decided_by"] == "arithmetic" and path.outcome.decided for one in own for path in one.paths)


@pytest.mark.parametrize(
    ("judge", "told"),
    [
        ({**CASCADE, "margin": [0.1, 0.2]}, "all but the last have one"),
        ({"use": "cascade", "judges": ["rrm"]}, "at least 2"),
        ({"use": "cascade", "judges": ["rrm", {"judge": "rm-r1", "engine": "hf"}]}, "name it as 'model'"),
        ({"use": "cascade", "judges": ["rrm", {"judge": {"use": "soft", "judge": "rrm"}, "engine": ENDPOINT}]}, "cannot tell"),
        ({"use": "panel", "judges": ["rrm", "rm-r1"], "weights": [1.0]}, "each has one"),
        ({"use": "panel", "judges": ["rrm", "rm-r1"], "max_new_tokens": 7}, "judge inside"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told_when_it_is_read(judge: Any, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        judge_of(judge)


def test_judges_of_judges_are_saved_and_read_again_as_they_are() -> None:
    from adjudge import dump

    for options in (CASCADE, {"use": "panel", "judges": ["rrm", "mt-bench"]}, {"use": "direct", "judge": "mt-bench"}):
        judge = judge_of(options)
        assert judge_of(json.loads(json.dumps(dump(judge)))) == judge
    assert judge_of({"use": "direct", "judge": "mt-bench"}).order == "both", "as the judge inside is shown"


# panel ---------------------------------------------------------------------------------------------------------------------


TEXTS = {"\\boxed{Assistant 1}": Outcome.FIRST, "\\boxed{Assistant 2}": Outcome.SECOND, "[[A]]": Outcome.FIRST, "[[B]]": Outcome.SECOND,
         "[[C]]": Outcome.TIE, "<answer>[[A]]</answer>": Outcome.FIRST, "who knows": Outcome.UNREADABLE}  # fmt: skip


class Scripted(Engine):
    """Says of each judge what it is told to: by what the prompt asks for."""

    use: Literal["scripted"] = "scripted"
    says: ClassVar[dict[str, str]] = {}

    @contextmanager
    def open(self, model: Path) -> Iterator[Any]:
        yield ScriptedSession()


class ScriptedSession(ReplaySession):
    def __init__(self) -> None:
        super().__init__({})

    def sample(self, prompts: Sequence[Any], **settings: Any) -> Iterator[tuple[int, Any]]:
        from adjudge import Completion

        for index, prompt in enumerate(prompts):
            words = " ".join(turn["content"] for turn in prompt)
            text = next(text for mark, text in Scripted.says.items() if mark in words)
            yield index, Completion(text)


def panel_says(monkeypatch: pytest.MonkeyPatch, *texts: str, **options: Any) -> Any:
    """What a panel of RRM, MT-Bench and RM-R1 comes to where they say this."""
    monkeypatch.setattr(Scripted, "says", dict(zip(("\\boxed{Assistant 1}", "[[C]]", "<answer>"), texts, strict=True)))
    panel = {"use": "panel", "judges": ["rrm", "mt-bench", "rm-r1"], "order": "fixed", **options}
    with open_judge("adjudge_arithmetic:model", engine=Scripted(), judge=panel, cache=False) as judge:
        [verdict] = judge.judge([Problem("p", "?", ("a", "b"))])
    return verdict.paths[0].verdict, verdict.paths[0].completion


def test_the_majority_of_a_panel_decides_and_every_vote_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    verdict, made = panel_says(monkeypatch, "x \\boxed{Assistant 2}", "so [[A]]", "<answer>[[A]]</answer>")
    assert (verdict.outcome, verdict.probability) == (Outcome.FIRST, pytest.approx(2 / 3))
    assert verdict.told["votes"] == {"rrm": "second", "mt-bench": "first", "rm-r1": "first"}
    assert made.text == "so [[A]]", "the first that says what the panel says"


def test_weights_turn_a_majority_and_what_cannot_be_read_is_no_vote(monkeypatch: pytest.MonkeyPatch) -> None:
    verdict, _ = panel_says(monkeypatch, "x \\boxed{Assistant 2}", "so [[A]]", "<answer>[[A]]</answer>", weights=[3.0, 1.0, 1.0])
    assert (verdict.outcome, verdict.probability) == (Outcome.SECOND, pytest.approx(0.4))
    verdict, _ = panel_says(monkeypatch, "x \\boxed{Assistant 2}", "who knows", "<answer>[[A]]</answer>")
    assert (verdict.outcome, verdict.probability) == (Outcome.TIE, 0.5)
    verdict, _ = panel_says(monkeypatch, "who knows", "who knows", "who knows")
    assert (verdict.outcome, verdict.probability) == (Outcome.UNREADABLE, None)


def test_alpha_is_krippendorffs_worked_example() -> None:
    """Nominal data of Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), part C: four observers, twelve units, 0.743."""
    rows = ["1 2 3 3 2 1 4 1 2 . . .", "1 2 3 3 2 2 4 1 2 5 . 3", ". 3 3 3 2 3 4 2 2 5 1 .", "1 2 3 3 2 4 4 1 2 5 1 ."]
    votes = [[None if vote == "." else vote for vote in unit] for unit in zip(*(row.split() for row in rows), strict=True)]
    assert krippendorff_alpha(votes) == pytest.approx(0.743, abs=5e-4)
    assert krippendorff_alpha([["a", "a"], ["b", "b"]]) == 1
    assert krippendorff_alpha([["a", "b"], ["b", "a"]]) == pytest.approx(-0.5)
    assert krippendorff_alpha([["a", "a"]]) is None


@pytest.mark.parametrize("seed", range(3))
def test_dawid_and_skene_find_how_often_judges_are_right_without_labels(seed: int) -> None:
    rng, right = random.Random(seed), [0.9, 0.75, 0.6, 0.8]
    votes = []
    for _ in range(4000):
        truth = rng.choice((Outcome.FIRST, Outcome.SECOND))
        votes.append([truth if rng.random() < chance else truth.mirrored for chance in right])
    assert dawid_skene(votes) == pytest.approx(right, abs=0.04)
    assert weights_of([0.5, 0.9]) == [0.0, pytest.approx(math.log(9), abs=1e-3)]


# rubric --------------------------------------------------------------------------------------------------------------------

CRITERIA = [
    {"name": "correctness", "question": "Is it true?", "weight": 3, "choices": ["wrong", "partly right", "right"]},
    {"name": "style", "choices": ["poor", "good"]},
]
SAID = """The first is right, the second is not.
correctness, Answer A: right
correctness, Answer B: partly right
style, Answer A: poor
style, Answer B: good"""


def test_points_are_the_weighted_worth_of_the_choices_and_decide() -> None:
    rubric = Rubric.model_validate({"criteria": CRITERIA})
    check_judge(rubric, SAID, Outcome.FIRST)
    verdict: Any = rubric.parse(SAID)
    assert verdict.ratings == pytest.approx(((3 * 1 + 0) / 4, (3 * 0.5 + 1) / 4))
    assert rubric.model_copy(update={"tie_band": 0.2}).parse(SAID).outcome == Outcome.TIE
    assert rubric.model_copy(update={"tie_band": 0.1}).parse(SAID).outcome == Outcome.FIRST


@pytest.mark.parametrize(
    "text", ["", SAID.replace("style, Answer B: good", ""), SAID.replace("poor", "excellent"), SAID + "\nstyle, Answer A: good"]
)
def test_a_rating_that_is_missing_no_choice_or_given_twice_is_none(text: str) -> None:
    assert Rubric.model_validate({"criteria": CRITERIA}).parse(text).outcome == Outcome.UNREADABLE


def test_one_answer_is_rated_by_itself() -> None:
    alone: Any = Rubric.model_validate({"criteria": CRITERIA}).alone()
    assert "Answer A" not in alone.prompt(Problem("p", "?", ("x",)), "given")[0]["content"]
    assert alone.parse("Fine.\ncorrectness: partly right\nstyle: good").ratings == pytest.approx((0.625, 0.625))


def test_numbers_from_1_to_10_are_the_choices_where_none_are_named() -> None:
    rubric = Rubric(criteria=[Criterion(name="overall")])
    verdict: Any = rubric.parse("overall, Answer A: 10\noverall, Answer B: 1")
    assert verdict.ratings == (1.0, 0.0)
    assert rubric.parse("overall, Answer A: 11\noverall, Answer B: 1").outcome == Outcome.UNREADABLE


def test_grades_with_a_minus_are_choices_of_their_own() -> None:
    rubric = Rubric.model_validate({"criteria": [{"name": "grade", "choices": ["C", "B-", "B", "A-", "A"]}]})
    verdict: Any = rubric.parse("grade, Answer A: B-\ngrade, Answer B: B - it is short.")
    assert (verdict.outcome, verdict.ratings) == (Outcome.SECOND, (0.25, 0.5))


@pytest.mark.parametrize("names", [("truth", "Whole truth"), ("whole truth", "truth"), ("truth", "whole truth", "the whole truth")])
def test_a_name_may_end_with_the_name_of_another_criterion(names: tuple[str, ...]) -> None:
    rubric = Rubric.model_validate({"criteria": [{"name": name, "choices": ["1", "2", "3", "4"]} for name in names]})
    filled = [f"{name}, Answer {answer}: {place + (answer == 'B')}" for place, name in enumerate(names, 1) for answer in "AB"]
    verdict: Any = rubric.parse("\n".join(filled))
    assert verdict.ratings == pytest.approx(((len(names) - 1) / 6, (len(names) + 1) / 6))
    alone: Any = rubric.alone()
    found = alone.parse("\n".join(f"{name}: {place}" for place, name in enumerate(names, 1)))
    assert found.ratings[0] == pytest.approx((len(names) - 1) / 6)


def test_criteria_lie_in_a_file_and_judge_json_holds_them(tmp_path: Path) -> None:
    file = tmp_path / "criteria.yaml"
    file.write_text(
        '- {name: correctness, question: "Is it true?", weight: 3, choices: [wrong, partly right, right]}\n'
        "- {name: style, choices: [poor, good]}\n"
    )
    assert judge_of({"use": "rubric", "criteria": {"file": str(file)}}) == judge_of({"use": "rubric", "criteria": CRITERIA})
    with pytest.raises(ConfigError, match="cannot be read"):
        judge_of({"use": "rubric", "criteria": {"file": str(tmp_path / "none.yaml")}})


# what is learnt from pairs -------------------------------------------------------------------------------------------------


def forecasts_of(temperature: float, size: int = 4000) -> list[tuple[float, bool]]:
    """Forecasts whose log-odds are `temperature` times those that the truth has."""
    rng, made = random.Random(7), []
    for _ in range(size):
        share = rng.uniform(0.02, 0.98)
        made.append((calibrated(share, 1 / temperature), rng.random() < share))
    return made


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_was_put_in_is_found(temperature: float) -> None:
    made = forecasts_of(temperature)
    found = fit_temperature(made)
    assert found == pytest.approx(temperature, rel=0.1)
    mended = [(calibrated(share, found), first) for share, first in made]
    assert (calibration_error(mended) or 0) < 0.03
    assert (brier(mended) or 0) <= (brier(made) or 0) + 1e-9


@pytest.mark.parametrize("temperature", [0.4, 2.5])
def test_calibration_is_measured_on_problems_that_its_temperature_has_not_seen(temperature: float) -> None:
    by_problem = [[one] for one in forecasts_of(temperature)]
    found = cross_fitted(by_problem)
    assert found is not None
    assert found.temperature == pytest.approx(temperature, rel=0.1)
    before, after = forecasts_of(temperature), [one for made in found.forecasts for one in made]
    assert (calibration_error(after) or 0) < 0.03 < (calibration_error(before) or 0)
    assert (brier(after) or 0) < (brier(before) or 0)
    lucky = cross_fitted([[(0.9, True)], [(0.9, False)]])
    assert lucky is not None
    assert lucky.forecasts[0][0][0] == pytest.approx(0.5, abs=0.1), "the other half says that such forecasts are wrong"
    assert cross_fitted([[(0.9, True)]]) is None


def test_the_page_draws_calibration_where_probabilities_are_told(tmp_path: Path) -> None:
    app = app_of(Plugins.load(autoload=False))
    call = ["health", "--data", "{use: arithmetic, size: 12}", "--samples", "1", "--attacked", "0"]
    for judge, there in (("{use: direct, judge: arithmetic}", True), ("arithmetic", False)):
        file = tmp_path / f"{there}.html"
        assert CliRunner().invoke(app, [*call, "--judge", judge, "--out", str(file)]).exit_code == 0
        page = file.read_text(encoding="utf-8")
        assert ("Share right by the judge" in page) is there
        assert ("brier score calibrated" in page) is there


def test_scores_are_those_worked_out_by_hand() -> None:
    made = [(0.9, True), (0.9, False), (0.2, False), (0.5, True)]
    assert brier(made) == pytest.approx((0.01 + 0.81 + 0.04 + 0.25) / 4)
    assert [(one.n, one.right) for one in reliability(made)] == [(1, 0.5), (1, 1.0), (2, 0.5)]
    assert calibration_error(made) == pytest.approx((0 + 0.2 + 2 * 0.4) / 4)
    assert (brier([]), calibration_error([]), fit_temperature([])) == (None, None, 1.0)


SAMPLES = st.lists(
    st.tuples(st.floats(0, 0.5), st.booleans(), st.booleans(), st.integers(1, 9), st.integers(10, 99)).map(
        lambda one: Judged((one[0], None), (one[1], one[2]), (one[3], one[4]))
    ),
    min_size=1, max_size=40,
)  # fmt: skip


@settings(max_examples=60)
@example(samples=[Judged((0.5, None), (False, True), (1, 10))], aim=0.0, tokens=1.0)
@given(samples=SAMPLES, aim=st.floats(0, 1), tokens=st.floats(1, 120))
def test_fitted_margins_keep_what_they_are_for(samples: list[Judged], aim: float, tokens: float) -> None:
    alone = sum(one.right[-1] for one in samples) / len(samples)
    best = max(outcome_of(samples, [margin]).accuracy for margin in (0.0, 0.5))
    assert fit_margins(samples).accuracy >= min(alone, best), "a pair of which the first judge is certain goes to no other"
    found = fit_margins(samples, accuracy=aim)
    assert found.accuracy >= min(aim, best)
    assert outcome_of(samples, found.margins) == found
    cheapest = sum(one.tokens[0] for one in samples) / len(samples)
    within = fit_margins(samples, tokens=tokens)
    assert within.tokens <= max(tokens, cheapest)


def units_of(verdicts: Sequence[Any]) -> list[Any]:
    return [sample_unit(one.problem, one.paths) for one in verdicts]


def test_fit_finds_options_that_a_call_then_sets(base: OpenJudge, problems: list[Problem]) -> None:
    greedy = {**CASCADE, "judges": [CASCADE["judges"][0], {"use": "arithmetic", "temperature": 0}], "order": "fixed"}
    found = fit(judge_of(greedy), problems, base.session)
    again = asked(base, {**greedy, **found["options"]}).judge(problems)
    right = sum(all(path.right(one.problem) for path in one.paths) for one in again) / len(again)
    assert right == pytest.approx(found["accuracy"])
    assert sum(path.verdict.told["tokens"] for one in again for path in one.paths) / len(again) == pytest.approx(found["tokens"])
    assert found["accuracy"] >= found["last_judge_alone"]["accuracy"]
    assert found["kappa"] == cohen_kappa(units_of(again))
    panel = {"use": "panel", "judges": [{"use": "direct", "judge": "arithmetic"}, "arithmetic", {"use": "arithmetic", "temperature": 0}]}
    learnt = fit(judge_of(panel), [replace(problem, label=None) for problem in problems], base.session)
    assert len(learnt["options"]["weights"]) == 3
    assert (learnt["right_by_labels"], learnt["kappa_by_labels"]) == ({}, {})
    judge_of({**panel, **learnt["options"]})
    labelled = fit(judge_of({**panel, "order": "fixed"}), problems, base.session)
    careful = asked(base, {"use": "arithmetic", "temperature": 0, "order": "fixed"}).judge(problems)
    name = list(labelled["kappa_by_labels"])[2]
    assert labelled["kappa_by_labels"][name] == cohen_kappa(units_of(careful))


class Losing(ScriptedSession):
    """One of its answers never comes back."""

    def sample(self, prompts: Sequence[Any], **settings: Any) -> Iterator[tuple[int, Any]]:
        from adjudge import Completion

        for index, made in super().sample(prompts, **settings):
            words = " ".join(turn["content"] for turn in prompts[index])
            lost = "[[C]]" in words and "question that is lost" in words
            yield index, Completion("", error="no route to the endpoint") if lost else made


def test_what_failed_is_in_no_figure_of_a_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Scripted, "says", {"\\boxed{Assistant 1}": "who knows", "[[C]]": "so [[A]]"})
    cascade = judge_of({"use": "cascade", "judges": ["rrm", "mt-bench"], "order": "fixed"})
    pairs = [Problem(name, f"question that is {name}", ("a", "b"), label) for name, label in (("right", 0), ("wrong", 1), ("lost", 0))]
    found = fit(cascade, pairs, Losing())
    assert found["n"] == found["kappa"]["n"] == found["last_judge_alone"]["kappa"]["n"] == 2
    assert found["accuracy"] == found["last_judge_alone"]["accuracy"] == 0.5
    with pytest.raises(ConfigError, match="of every pair a call failed"):
        fit(cascade, pairs[2:], Losing())


def test_a_judge_called_as_a_figure_is_no_figure() -> None:
    told = readable({"options": {}, "right_by_labels": {"value": 0.5}, "kappa": {"value": 0.25, "n": 8, "interval": (0.0, 0.5)}})
    assert told.splitlines()[:2] == ["right by labels: value 0.500", "kappa: 0.250 (95% 0.000 to 0.500)"]


def test_the_command_says_what_to_set(tmp_path: Path) -> None:
    app = app_of(Plugins.load(autoload=False))
    call = ["fit", "--data", "{use: arithmetic, size: 30}", "--judge", "{use: direct, judge: arithmetic}"]
    told = CliRunner().invoke(app, call)
    assert told.exit_code == 0, told.output
    assert "--set judge.calibration=" in told.stdout
    assert CliRunner().invoke(app, ["fit", "--judge", "{use: direct, judge: arithmetic}"]).exit_code == 2
    nothing = CliRunner().invoke(app, ["fit", "--data", "{use: arithmetic, size: 3}", "--judge", "arithmetic"])
    assert isinstance(nothing.exception, ConfigError | SystemExit)


def test_health_says_how_far_probabilities_can_be_believed() -> None:
    app = app_of(Plugins.load(autoload=False))
    call = ["health", "--data", "{use: arithmetic, size: 20}", "--samples", "1", "--attacked", "0", "--json"]
    soft = json.loads(CliRunner().invoke(app, [*call, "--judge", "{use: direct, judge: arithmetic}"]).stdout)["calibration"]
    assert soft["brier_score"]["n"] == soft["calibration_error"]["n"] == 20
    assert 0 <= soft["brier_score"]["value"] <= 1
    assert sum(one["n"] for one in soft["bins"]) == 40
    assert sum(one["n"] for one in soft["bins_calibrated"]) == 40
    assert all(one["interval"] is None or one["interval"][0] <= one["interval"][1] for one in soft["bins"])
    hard = json.loads(CliRunner().invoke(app, call).stdout)["calibration"]
    assert "bins_calibrated" not in hard
    assert (hard["brier_score"]["n"], hard["calibration_error"]["value"], hard["bins"]) == (0, None, [])


def test_health_and_doctor_say_who_decides_and_what_all_of_them_write(embedded: Path) -> None:
    app = app_of(Plugins.load(autoload=False))
    cascade = "{use: cascade, margin: 0.05, judges: [{use: direct, judge: arithmetic}, arithmetic]}"
    call = ["health", "--limit", "12", "--samples", "1", "--attacked", "0", "--json"]
    alone = json.loads(CliRunner().invoke(app, call).stdout)
    assert alone["members"] == {}
    found = json.loads(CliRunner().invoke(app, [*call, "--judge", cascade]).stdout)
    assert sum(one["value"] for one in found["members"].values()) == pytest.approx(1)
    assert {*found["members"]} <= {"decided by direct", "decided by arithmetic"}
    share = found["members"]["decided by arithmetic"]["value"]
    assert found["mean_tokens"] > share * 10, "the tokens of those that were asked before count too"
    panel = "{use: panel, judges: [{use: direct, judge: arithmetic}, arithmetic]}"
    both = json.loads(CliRunner().invoke(app, [*call, "--judge", panel]).stdout)
    assert {*both["members"]} == {"voted for by direct", "voted for by arithmetic"}
    doctor = ["doctor", "--model", str(embedded), "--judges", f"[arithmetic, {cascade}]", "--limit", "4", "--json"]
    told = json.loads(CliRunner().invoke(app, doctor).stdout)
    plain, whole = told["trials"]
    assert "members" not in plain
    assert sum(whole["members"].values()) == pytest.approx(1)
    judge_of(told["recommended"]["judge"])


def test_shares_by_hand() -> None:
    def path(**told: Any) -> Any:
        from adjudge import Completion, ReasoningPath, Verdict

        return ReasoningPath("1", "p", "given", 0, Completion("x"), Verdict(Outcome.FIRST, told=told))

    assert decided_by([path(decided_by="a"), path(decided_by="b"), path(decided_by="a")]) == {
        "decided by a": pytest.approx(2 / 3), "decided by b": pytest.approx(1 / 3),
    }  # fmt: skip
    assert decided_by([path(votes={"a": "first", "b": "second"}), path(votes={"a": "first", "b": "first"})]) == {
        "voted for by a": 1.0, "voted for by b": 0.5,
    }  # fmt: skip
    assert decided_by([path()]) == {}
