"""A bias that was planted at a known strength is measured at it, named in the findings, and none is named where none was planted."""

from __future__ import annotations

import random
from typing import Any

import pytest
from scipy import stats

from adjudge import Plugins, Probe, Problem
from adjudge_health import Biases, Leans, findings, planted_pairs, planted_paths, report_on
from adjudge_health.leans import first_word, permutation_test, sign_flip_test

STRENGTH = 0.4
FIGURES = {"position": "shown first", "length": "longer", "first_word": "begins with 'certainly'", "own": "written by north"}
SAID = {
    "position": "order decides {} of verdicts, towards the answer shown first",
    "length": "length decides {} of verdicts, towards the longer answer",
    "first_word": "the first word decides {} of verdicts, towards the answer that begins with 'certainly'",
    "own": "the author decides {} of verdicts, towards the answer written by north",
}
PAIRS = planted_pairs(300, seed=1)
PROBES = [entry.cls() for entry in Plugins.load(autoload=False).of_kind(Probe).values()]


def leans(biases: Biases, **how: Any) -> dict[str, Any]:
    return Leans().report(PAIRS, planted_paths(PAIRS, biases, **how), [])


@pytest.mark.parametrize("bias", FIGURES)
def test_a_planted_bias_is_measured_at_its_strength_and_named_and_the_others_are_not(bias: str) -> None:
    found = leans(Biases(**{bias: STRENGTH}))
    low, high = found[FIGURES[bias]]["interval"]
    assert low <= STRENGTH <= high
    assert high - low < 0.25, "so many pairs settle it"
    alarms = [one["said"] for one in findings({"leans": found}) if one["alarm"]]
    [said] = [one for one in alarms if one.startswith(SAID[bias].split(" {}")[0])]
    assert said.startswith(SAID[bias].format(f"{100 * found[FIGURES[bias]]['value']:.0f}%"))
    assert len(alarms) == 1


def test_a_judge_without_a_bias_has_no_finding_and_what_was_looked_for_is_told() -> None:
    found = findings({"leans": leans(Biases())})
    assert {one["alarm"] for one in found} == {False}
    assert len(found) == 4, "order, length, first words and authors were looked for"
    assert all("no lean is shown" in one["said"] or "this can be chance" in one["said"] for one in found)


def test_a_lean_is_the_same_whatever_the_accuracy_and_whoever_leans_the_other_way_is_told_so() -> None:
    for accuracy in (0.5, 0.95):
        low, high = leans(Biases(length=0.3, accuracy=accuracy))["longer"]["interval"]
        assert low <= 0.3 <= high
    turned = [
        path if path.order == "swapped" else other
        for path, other in zip(planted_paths(PAIRS, Biases()), planted_paths(PAIRS, Biases(position=1.0)), strict=True)
    ]
    assert Leans().report(PAIRS, turned, [])["shown first"]["value"] > 0.4


def test_several_biases_at_once_are_each_found_at_their_strength() -> None:
    found = leans(Biases(position=0.2, length=0.25, own=0.25), samples=3)
    for figure, strength in (("shown first", 0.2), ("longer", 0.25), ("written by north", 0.25), ("begins with 'certainly'", 0.0)):
        assert found[figure]["value"] == pytest.approx(strength, abs=0.1), figure
        assert (found[figure]["interval"][0] > 0) == (strength > 0), figure


def test_repeated_samples_of_a_pair_do_not_pass_for_many_pairs() -> None:
    once, often = leans(Biases(position=0.2))["shown first"], leans(Biases(position=0.2), samples=6)["shown first"]
    assert once["n"] == often["n"] == 300
    assert often["interval"][1] - often["interval"][0] > 0.3 * (once["interval"][1] - once["interval"][0])


def test_the_whole_report_opens_with_the_planted_bias() -> None:
    report = report_on(PAIRS, planted_paths(PAIRS, Biases(position=0.5, accuracy=0.8)), PROBES)
    said = [one["said"] for one in report["findings"] if one["alarm"]]
    assert any(one.startswith("order decides: ") and "of verdicts flip, 95%" in one for one in said)
    assert any("towards the answer shown first" in one for one in said)
    assert not any("length" in one for one in said)
    assert next(iter(report)) == "findings"


def test_words_and_authors_that_tell_few_pairs_apart_are_not_looked_at() -> None:
    problems = [Problem(str(n), "q", ("Yes it is", "No it is"), n % 2, {"models": ["a", "b"]}) for n in range(19)]
    assert set(Leans().report(problems, [], [])) == {"shown first", "longer"}
    assert first_word("«Oui», dit-il") == "oui"
    assert first_word("42") == ""


def test_permutation_tests_are_near_scipys_and_a_fair_coin_is_no_lean() -> None:
    rng = random.Random(8)
    one, other = [rng.random() + 0.15 for _ in range(40)], [rng.random() for _ in range(50)]
    assert permutation_test(one, other) == pytest.approx(stats.ttest_ind(one, other).pvalue, abs=0.02)
    assert sign_flip_test([0.5] * 12 + [-0.5] * 12) == 1.0
    assert sign_flip_test([0.5] * 15 + [-0.5] * 5 + [0.0] * 30) == pytest.approx(stats.binomtest(5, 20).pvalue, abs=0.015)
