"""Judges without a paper: one for small models, one that rates, and one that is written in the run file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adjudge import Completion, ConfigError, Judge, Outcome, Plugins, Problem, as_row, dump, load_judge, read_verdict, save_judge, validate
from adjudge.testing import check_judge
from adjudge_judges import PairwisePlain, RatedVerdict, Scale

PROBLEM = Problem("p", "Which is right? {{ 7 * 7 }}", ("the answer A", "the {{ first }} answer B"))
PLUGINS = Plugins.load(autoload=False)
WRITTEN: dict[str, Any] = {
    "use": "template",
    "system": "You judge.",
    "user": "{{ prompt }}\n1) {{ first }}\n2) {{ second }}\nEnd with WINNER 1, WINNER 2 or DRAW.",
    "verdict": {"first": ["WINNER 1"], "second": ["WINNER (?:2|TWO)"], "tie": ["DRAW"]},
    "stop": ["DRAW"],
}


def picked(options: dict[str, Any]) -> Judge:
    return validate(Judge, options, PLUGINS, "judge")


# For small models ----------------------------------------------------------------------------------------------------------


def test_the_judge_for_small_models_shows_both_verdicts_and_stops_at_one() -> None:
    judge = PairwisePlain()
    check_judge(judge, "A good answer says 3. So Answer A is better.", Outcome.FIRST)
    turns = judge.prompt(PROBLEM, "given")
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user", "assistant", "user"]
    shown = [judge.parse(turn["content"]).outcome for turn in turns if turn["role"] == "assistant"]
    assert shown == [Outcome.SECOND, Outcome.FIRST]
    for stop, outcome in zip(judge.stop, (Outcome.FIRST, Outcome.SECOND), strict=True):
        assert judge.parse(f"Answer A says 3. So {stop}").outcome == outcome, "a text that was stopped has its verdict"


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("**Answer B** is better.", Outcome.SECOND),
        ("answer a is the better answer", Outcome.FIRST),
        ("Answer A is better than Answer B.", Outcome.FIRST),
        ("Answer A is better written, but wrong.", Outcome.UNREADABLE),
        ("Answer A is better.\n\nAnswer B is better.", Outcome.UNREADABLE),
        ("End with Answer A is better or Answer B is better.", Outcome.UNREADABLE),
        ("I do not think that Answer A is better.", Outcome.UNREADABLE),
        ("Which answer is better?", Outcome.UNREADABLE),
    ],
)
def test_what_the_judge_for_small_models_reads(text: str, outcome: Outcome) -> None:
    assert PairwisePlain().parse(text).outcome == outcome


# Ratings -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("judge", "text", "outcome", "ratings"),
    [
        (Scale(), "Both are short.\nAnswer A: 7\nAnswer B: 5", Outcome.FIRST, (7, 5)),
        (Scale(), "**Answer A:** 4/10\n**Answer B:** 8/10", Outcome.SECOND, (4, 8)),
        (Scale(), "Answer A: 6.5, Answer B: 6.5", Outcome.TIE, (6.5, 6.5)),
        (Scale(lowest=0, highest=5), "Answer A: 0\nAnswer B: 5", Outcome.SECOND, (0, 5)),
        (Scale(levels=("poor", "good", "very good")), "Answer A: Very good\nAnswer B: good.", Outcome.FIRST, (3, 2)),
        (Scale(levels=("B", "A-", "A")), "Answer A: A-\nAnswer B: **A**", Outcome.SECOND, (2, 3)),
        (Scale(), "Answer A: 11\nAnswer B: 5", Outcome.UNREADABLE, None),
        (Scale(), "Answer A: 7/100\nAnswer B: 5/100", Outcome.UNREADABLE, None),
        (Scale(), "Answer A: 7", Outcome.UNREADABLE, None),
        (Scale(), "Answer A: 7\nAnswer B: 5\nAnswer A: 3\n", Outcome.UNREADABLE, None),
        (Scale(levels=("bad", "good")), "Answer A: goodish\nAnswer B: bad", Outcome.UNREADABLE, None),
        (Scale(), "<think>Answer A: 7\nAnswer B: 5", Outcome.UNREADABLE, None),
        (Scale(), "Answer A: RATING\nAnswer B: RATING", Outcome.UNREADABLE, None),
    ],
)
def test_ratings_are_read_kept_and_compared(judge: Scale, text: str, outcome: Outcome, ratings: tuple[float, float] | None) -> None:
    verdict = read_verdict(judge, Completion(text))
    assert verdict.outcome == outcome
    assert getattr(verdict, "ratings", None) == ratings
    if ratings is not None:
        assert isinstance(verdict, RatedVerdict)
        assert as_row(verdict)["ratings"] == ratings, "records keep the numbers"


def test_the_scale_is_named_in_the_prompt_and_checked() -> None:
    check_judge(Scale(), "Answer A: 3\nAnswer B: 4", Outcome.SECOND)
    assert "from 1 (worst) to 10 (best)" in Scale().prompt(PROBLEM, "given")[0]["content"]
    assert "poor, good" in Scale(levels=("poor", "good")).prompt(PROBLEM, "given")[0]["content"]
    for wrong in ({"lowest": 5, "highest": 5}, {"levels": ["good"]}, {"levels": ["Good", "good"]}):
        with pytest.raises(ConfigError, match=r"lowest|levels"):
            picked({"use": "scale", **wrong})


# Written in the run file ---------------------------------------------------------------------------------------------------


def test_a_judge_written_in_the_run_file_asks_and_reads() -> None:
    judge = picked(WRITTEN)
    check_judge(judge, "It is so. WINNER 1", Outcome.FIRST)
    check_judge(judge, "It is so. **WINNER TWO**", Outcome.SECOND)
    check_judge(judge, "My verdict: DRAW", Outcome.TIE)
    given, swapped = judge.prompt(PROBLEM, "given"), judge.prompt(PROBLEM, "swapped")
    assert [turn["role"] for turn in given] == ["system", "user"]
    shown = f"{PROBLEM.prompt}\n1) the answer A\n2) the {{{{ first }}}} answer B\n"
    assert given[1]["content"].startswith(shown), "what is judged is no template"
    assert swapped[1]["content"].index("answer B") < swapped[1]["content"].index("answer A")
    assert judge.stop == ("DRAW",)


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("<think>WINNER 1", Outcome.UNREADABLE),
        ("I have to write WINNER 1 or WINNER 2 or DRAW.", Outcome.UNREADABLE),
        ("I would not write WINNER 1", Outcome.UNREADABLE),
        ("WINNER 1 WINNER 2", Outcome.UNREADABLE),
        ("WINNER 1\n\nWait, no. WINNER 2", Outcome.SECOND),
        ("nothing", Outcome.UNREADABLE),
    ],
)
def test_its_verdict_is_read_with_the_same_care(text: str, outcome: Outcome) -> None:
    assert picked(WRITTEN).parse(text).outcome == outcome


def test_a_pattern_may_ask_for_the_markup_itself() -> None:
    judge = picked({**WRITTEN, "verdict": {"first": [r"\*\*One\*\*"], "second": [r"\*\*Two\*\*"]}})
    assert judge.parse("So **Two**").outcome == Outcome.SECOND
    assert judge.parse("So Two").outcome == Outcome.UNREADABLE


def test_two_ratings_may_be_the_verdict() -> None:
    judge = picked({**WRITTEN, "verdict": None, "score": {"first": r"One: (\d+)", "second": r"Two: (\d+)"}})
    verdict = judge.parse("One: 3\nTwo: 9")
    assert verdict.outcome == Outcome.SECOND
    assert isinstance(verdict, RatedVerdict)
    assert verdict.ratings == (3, 9)


def test_texts_from_files_are_saved_with_the_judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "judge.txt").write_text("{{ prompt }}: {{ first }} or {{ second }}?", encoding="utf-8")
    judge = picked({**WRITTEN, "user": {"file": "judge.txt"}})
    save_judge(tmp_path, judge)
    (tmp_path / "judge.txt").unlink()
    assert load_judge(tmp_path, PLUGINS) == judge
    assert json.loads((tmp_path / "judge.json").read_text())["user"] == "{{ prompt }}: {{ first }} or {{ second }}?"
    assert dump(judge)["verdict"]["second"] == ["WINNER (?:2|TWO)"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"user": "{{ prompt }} {{ first }} {{ second"}, "is no template: line 1"),
        ({"user": "{{ prompt }} {{ first }} {{ secnd }}"}, "asks for 'secnd'; a template has 'prompt', 'first', 'second'"),
        ({"user": "{{ prompt }} {{ first }}"}, "shows no second answer"),
        ({"user": {"file": "nowhere.txt"}}, "the file nowhere.txt cannot be read"),
        ({"user": {"text": "x"}}, "{file: PATH}"),
        ({"verdict": {"first": ["WINNER ("], "second": ["x"]}}, "verdict.first.0: is no regular expression"),
        ({"verdict": {"first": ["x*"], "second": ["y"]}}, "matches an empty text"),
        ({"verdict": {"first": [], "second": ["y"]}}, "verdict.first"),
        ({"verdict": None}, "needs one of 'verdict' and 'score'"),
        ({"verdict": None, "score": {"first": "One", "second": r"(\d)"}}, "score.first: has no group for the number"),
        ({"usr": "x"}, "did you mean 'user'"),
    ],
)
def test_mistakes_are_told_when_the_run_file_is_read(change: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        picked({**WRITTEN, **change})
    assert told in str(caught.value)


def test_a_template_cannot_reach_out_of_its_sandbox() -> None:
    from jinja2.exceptions import SecurityError

    judge = picked({**WRITTEN, "user": "{{ first }}{{ second }}{{ prompt.__class__.__mro__ }}"})
    with pytest.raises(SecurityError):
        judge.prompt(PROBLEM, "given")


def test_a_missing_library_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("adjudge_judges.written_judge.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"adjudge\[report\]"):
        picked(WRITTEN)


@given(
    text=st.text()
    | st.lists(st.sampled_from(["WINNER 1", "WINNER 2", "DRAW", "Answer A: 7", "Answer B: 3", "Answer A is better", "\n", " "])).map(
        "".join
    )
)
def test_no_text_is_an_error(text: str) -> None:
    for judge in (picked(WRITTEN), Scale(), Scale(levels=("bad", "good")), PairwisePlain()):
        verdict = judge.parse(text)
        assert verdict.outcome.decided == (verdict.answer is not None)
        assert verdict.answer is None or 0 <= verdict.answer[0] < verdict.answer[1] <= len(text)


@pytest.mark.parametrize(
    ("score", "text"),
    [
        ({"first": r"checked(\d)?", "second": r"Two: (\d)"}, "checked both. Two: 3"),
        ({"first": r"One: (\w+)", "second": r"Two: (\w+)"}, "One: nan Two: inf"),
        ({"first": r"One: (\d+)", "second": r"Two: (\d+)"}, f"One: {'9' * 400} Two: 1"),
    ],
)
def test_what_is_no_number_is_no_rating(score: dict[str, str], text: str) -> None:
    judge = picked({**WRITTEN, "verdict": None, "score": score})
    assert judge.parse(text).outcome == Outcome.UNREADABLE


def test_a_pattern_that_takes_no_character_states_nothing() -> None:
    judge = picked({**WRITTEN, "verdict": {"first": ["(?<=WINNER 1)"], "second": ["WINNER 2"]}})
    assert judge.parse("WINNER 1").outcome == Outcome.UNREADABLE
