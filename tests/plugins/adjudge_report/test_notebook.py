"""What a notebook shows of verdicts, rankings and runs: every character of a text, and nothing that a text could inject."""

import re
from html import unescape
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from adjudge import Completion, Outcome, PairVerdict, Problem, ReasoningPath, Verdict, open_judge
from adjudge_report import ShownRun, verdict_html


@given(st.data())
def test_every_character_of_a_text_is_shown_once_however_it_is_cut_into_tokens(data: st.DataObject) -> None:
    text = data.draw(st.text(max_size=40))
    ends = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=12)))
    ends = [end if data.draw(st.booleans()) else -1 for end in ends]
    logprobs = data.draw(st.none() | st.tuples(*[st.floats(-30, 0)] * len(ends)))
    completion = Completion(text, tuple(range(len(ends))), tuple(ends), logprobs)
    middle = data.draw(st.integers(0, len(text)))
    path = ReasoningPath("1", "1", "given", 0, completion, Verdict(Outcome.FIRST, (0, middle), (middle, len(text))))
    shown = verdict_html(PairVerdict(Problem("1", "p", ("a", "b")), Outcome.FIRST, (path,)))
    inside = re.search(r"<div[^>]*>(.*)</div></details>$", shown, re.DOTALL)
    assert inside is not None
    assert unescape(re.sub(r"<[^>]*>", "", inside[1])) == text


def test_what_is_judged_cannot_write_into_the_page() -> None:
    problem = Problem("1", "<script>alert(1)</script>", ("<img src=x>", "b"))
    path = ReasoningPath("1", "1", "given", 0, Completion("", error="<b>down</b>"), Verdict(Outcome.FAILED))
    shown = verdict_html(PairVerdict(problem, Outcome.FAILED, (path,)))
    assert "<script" not in shown
    assert "<img" not in shown
    assert "&lt;b&gt;down" in shown


def test_a_ranking_has_its_ladder_best_first() -> None:
    with open_judge("adjudge_arithmetic:model", cache=False) as judge:
        result = judge.rank({"prompt": "37+48", "answers": ["75", "85", "86"]}, "round-robin")
    shown = result._repr_html_()
    cells = re.findall(r"<td[^>]*>(75|85|86)</td>", shown)
    assert cells == [result.problem.answers[place] for place in result.ranking.order]
    assert "3 matches" in shown


def test_candidates_with_the_same_rating_share_a_place() -> None:
    with open_judge("adjudge_arithmetic:model", cache=False) as judge:
        result = judge.rank({"prompt": "37+48", "answers": ["75", "85", "86", "95", "84"]}, "knockout")
    places = re.findall(r"<tr><td[^>]*>(\d=?)</td>", result._repr_html_())
    assert places == ["1", "2", "3", "4=", "4="], "3, 2, 1, 0 and 0 rounds survived"


def test_a_run_that_has_only_begun_shows_what_it_has(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("{seed: 0, stages: [{use: sft}]}")
    assert "<table>" in ShownRun(tmp_path)._repr_html_()
