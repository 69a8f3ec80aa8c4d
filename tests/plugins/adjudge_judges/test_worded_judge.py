"""``stop: verdict`` ends a judgement with any verdict that the judge's own prompt asks for."""

from __future__ import annotations

import json

import pytest

from adjudge import ConfigError, Judge, Plugins, dump, validate
from adjudge_judges.worded_judge import WordedJudge

PLUGINS = Plugins.load(autoload=False)
WORDED = sorted(name for name in PLUGINS.of_kind(Judge) if issubclass(PLUGINS.pick(Judge, name), WordedJudge))


def judge(**given: object) -> Judge:
    return validate(Judge, given, PLUGINS, "judge")


def test_all_judges_that_ask_for_fixed_words_have_it() -> None:
    assert WORDED == ["arena-hard", "arithmetic", "best-response", "llmbar", "mt-bench", "pairwise-plain", "rm-r1", "rrm"]


@pytest.mark.parametrize("use", WORDED)
def test_each_verdict_is_read_and_kept_in_judge_json(use: str) -> None:
    found = judge(use=use, stop="verdict")
    assert isinstance(found, WordedJudge)
    read = [found.parse(f"The first one is wrong.\n\n{one}").outcome for one in found.verdicts]
    assert all(outcome.decided for outcome in read)
    assert {"first", "second"} <= {outcome.value for outcome in read}
    assert judge(**json.loads(json.dumps(dump(found)))).stop == found.verdicts


@pytest.mark.parametrize("use", WORDED)
def test_no_verdict_begins_another_text_of_the_other_meaning(use: str) -> None:
    """A text is cut where a verdict's words end; so these may not be the beginning of other words, as "A" is of "Assistant B"."""
    found = judge(use=use, stop="verdict")
    assert all(not one[-1].isalnum() for one in found.stop)


def test_strings_stay_as_they_are_given() -> None:
    assert judge(use="rrm", stop=["###"]).stop == ("###",)
    assert judge(use="rrm").stop == ()


@pytest.mark.parametrize("use", ["scale", {"use": "template", "user": "{{ prompt }}", "verdict": {"first": ["A"], "second": ["B"]}}])
def test_a_judge_without_fixed_words_says_that_it_has_none(use: object) -> None:
    given = use if isinstance(use, dict) else {"use": use}
    with pytest.raises(ConfigError, match="stop"):
        judge(**given, stop="verdict")


@pytest.mark.parametrize("use", [*WORDED, "scale"])
def test_a_text_in_place_of_a_list_is_told_with_what_a_file_can_say(use: str) -> None:
    with pytest.raises(ConfigError, match=r"stop: write a list of strings") as told:
        judge(use=use, stop="[[A]]")
    assert "tuple" not in str(told.value)


@pytest.mark.parametrize("given", [{"use": "scale"}, {"use": "template"}])
def test_a_judge_without_fixed_words_has_no_verdict_to_stop_at(given: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="this judge asks for no fixed words"):
        judge(**given, stop="verdict")
