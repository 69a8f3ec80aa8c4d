"""Judges that say how sure they are, on the embedded model: `direct`, `soft`, and a `thinking_budget`, against the model's own numbers."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from adjudge import (
    Budget,
    Completion,
    ConfigError,
    Judge,
    JudgeRequest,
    OpenJudge,
    Outcome,
    Plugins,
    Problem,
    ReasoningPath,
    Records,
    Verdict,
    find_model,
    open_judge,
    play,
    validate,
)
from adjudge.cli.app import app_of
from adjudge_arithmetic import ArithmeticDataset
from adjudge_engines import HfEngine
from adjudge_engines.limits import check_length
from adjudge_judges import (
    RmR1,
    Rrm,
    asked_together,
    closing_mark,
    end_of_thinking,
    longest_judgement,
    tokens_at_most,
    tokens_spent,
    verdict_texts,
)
from adjudge_judges.form import fill
from adjudge_plan import plan_judging, plan_ranking
from adjudge_plan.plan import Part, with_tokens
from adjudge_tournament import RoundRobin

TEMPLATE = {
    "use": "template",
    "user": "{{ prompt }}\n1:{{ first }}\n2:{{ second }}",
    "verdict": {"first": ["Assistant 1"], "second": ["Assistant 2"]},
}
BOXES = ("\\boxed{Assistant 1}", "\\boxed{Assistant 2}")


@pytest.fixture(scope="module")
def problems() -> list[Problem]:
    return list(ArithmeticDataset(size=12, seed=5).load())


@pytest.fixture(scope="module")
def base(embedded: Path) -> Iterator[OpenJudge]:
    with open_judge(embedded, cache=False) as judge:
        yield judge


def judge_of(given: Any) -> Judge:
    return validate(Judge, given, Plugins.load(autoload=False), "judge")


def asked(base: OpenJudge, judge: Any, **changes: Any) -> OpenJudge:
    """Another judge on the same model."""
    return replace(base, options=judge_of(judge), **changes)


def by_hand(base: OpenJudge, prompt: Any, before: tuple[int, ...] = (), between: str = "") -> float:
    """P(first) from the model's log-probabilities at the first token in which both verdicts differ."""
    rows = [[*before, *base.session.tokenize(between + text).token_ids] for text in BOXES]
    known = base.session.logprobs(prompt, rows)
    place = next(place for place in range(len(rows[0])) if rows[0][place] != rows[1][place])
    first, second = (math.exp(row[place]) for row in known)
    return first / (first + second)


# direct --------------------------------------------------------------------------------------------------------------------


def test_direct_is_the_probability_of_the_first_differing_token_in_the_mean_of_both_orders(
    base: OpenJudge, problems: list[Problem]
) -> None:
    found = asked(base, {"use": "direct", "judge": "arithmetic"}).judge(problems)
    for verdict in found:
        given = by_hand(base, base.options.render(verdict.problem, "given"))
        swapped = 1 - by_hand(base, base.options.render(verdict.problem, "swapped"))
        assert verdict.probability == pytest.approx((given + swapped) / 2, abs=1e-5)
        assert verdict.outcome == (Outcome.FIRST if (given + swapped) / 2 > 0.5 else Outcome.SECOND)
        [path] = verdict.paths
        assert path.verdict.told["by_order"] == pytest.approx({"given": given, "swapped": swapped}, abs=1e-5)
        assert path.completion.text in BOXES
        assert len(path.completion.token_ids) == len(path.completion.token_ends) == len(path.completion.logprobs or ())
        assert base.options.parse(path.completion.text).outcome == path.verdict.outcome


class Counting:
    """Says how many prompts every call of `logprobs_each` had; all else goes to the session itself."""

    def __init__(self, session: Any) -> None:
        self.session, self.calls = session, list[int]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.session, name)

    def logprobs_each(self, prompts: Any, **asked: Any) -> Any:
        self.calls.append(len(prompts))
        return self.session.logprobs_each(prompts, **asked)


def test_many_prompts_are_read_in_one_call(base: OpenJudge, problems: list[Problem]) -> None:
    counting: Any = Counting(base.session)
    plain = asked(base, {"use": "direct", "judge": "arithmetic"}).judge(problems)
    together = asked(base, {"use": "direct", "judge": "arithmetic"}, session=counting).judge(problems)
    assert counting.calls == [2 * len(problems)], "both orders of every pair"
    assert [one.probability for one in together] == pytest.approx([one.probability for one in plain])
    long = Problem("long", "1+1" * 2000, ("2", "3"))
    found = asked(base, {"use": "direct", "judge": "arithmetic"}, session=counting).judge([problems[0], long, problems[1]])
    assert [one.outcome.decided for one in found] == [True, False, True]
    assert counting.calls[1:] == [4], "what does not fit is not asked for"


@pytest.mark.parametrize("judge", [{"use": "soft", "judge": "arithmetic"}, {"use": "arithmetic", "thinking_budget": 5}])
def test_many_verdicts_behind_reasoning_are_read_in_one_call(base: OpenJudge, problems: list[Problem], judge: Any) -> None:
    counting: Any = Counting(base.session)
    told = asked(base, judge, session=counting).judge(problems)
    assert counting.calls == [8, 4], "those of twelve pairs, eight at a time"
    alone = [verdict for problem in problems for verdict in asked(base, judge).judge([problem])]
    assert [one.paths[0].completion.text for one in told] == [one.paths[0].completion.text for one in alone]
    assert [one.probability for one in told] == pytest.approx([one.probability for one in alone], abs=1e-5)


def test_a_verdict_whose_alternative_has_no_room_is_told_without_its_probability(base: OpenJudge, problems: list[Problem]) -> None:
    full: Any = Counting(base.session)
    full.room = lambda prompt: 10
    for verdict in asked(base, {"use": "soft", "judge": "arithmetic"}, session=full).judge(problems[:3]):
        assert (verdict.outcome.decided, verdict.probability) == (True, None)
    assert full.calls == []


def test_averaged_no_place_is_an_advantage_and_alone_one_may_be(base: OpenJudge, problems: list[Problem]) -> None:
    direct = {"use": "direct", "judge": "arithmetic", "order": "both"}
    for verdict in asked(base, direct).judge(problems):
        given, swapped = verdict.paths
        assert given.outcome == swapped.outcome
        assert given.verdict.probability == pytest.approx(1 - (swapped.verdict.probability or 0))
    alone = asked(base, {**direct, "average": False}).judge(problems)
    for verdict in alone:
        for path in verdict.paths:
            assert path.verdict.probability == pytest.approx(by_hand(base, base.options.render(verdict.problem, path.order)), abs=1e-5)
            assert path.verdict.told == {}


def test_two_answers_that_are_the_same_are_exactly_a_tie(base: OpenJudge) -> None:
    [verdict] = asked(base, {"use": "direct", "judge": "arithmetic"}).judge([Problem("same", "37+48", ("85", "85"))])
    assert (verdict.probability, verdict.outcome) == (0.5, Outcome.TIE)


def test_a_prompt_without_room_is_a_failed_judgement_and_the_others_are_made(base: OpenJudge, problems: list[Problem]) -> None:
    long = Problem("long", "1+1" * 2000, ("2", "3"))
    verdicts = asked(base, {"use": "direct", "judge": "arithmetic"}).judge([long, problems[0]])
    assert verdicts[0].outcome == Outcome.FAILED
    assert "room for" in (verdicts[0].paths[0].completion.error or "")
    assert verdicts[1].outcome.decided
    skipping = asked(base, {"use": "direct", "judge": {"use": "arithmetic", "on_too_long": "skip"}})
    assert (skipping.judge([long])[0].paths[0].completion.error or "").startswith("skipped")


def test_calibration_moves_probabilities_and_no_verdict(base: OpenJudge, problems: list[Problem]) -> None:
    plain, cooler = (
        asked(base, {"use": "direct", "judge": "arithmetic", "average": False, "order": "fixed", "calibration": how}).judge(problems)
        for how in (1.0, 3.0)
    )
    for one, other in zip(plain, cooler, strict=True):
        assert one.outcome == other.outcome
        assert abs((other.probability or 0) - 0.5) < abs((one.probability or 0) - 0.5)
        [path] = one.paths
        odds = math.log((path.verdict.probability or 0) / (1 - (path.verdict.probability or 0)))
        assert other.paths[0].verdict.probability == pytest.approx(1 / (1 + math.exp(-odds / 3)))


@pytest.mark.parametrize(
    ("judge", "told"),
    [
        ({"use": "direct", "judge": {"use": "scale"}}, "no fixed words"),
        ({"use": "direct", "judge": {"use": "direct", "judge": "rrm"}}, "in words"),
        ({"use": "direct", "judge": {"use": "rrm", "thinking_budget": 9}}, "thinking_budget"),
        ({"use": "direct", "judge": "rrm", "verdicts": ["[[A]]", "[[B]]"]}, "does not read"),
        ({"use": "direct", "judge": "rrm", "temperature": 0.0}, "judge inside"),
        ({"use": "soft", "judge": "scale"}, "no fixed words"),
        ({**TEMPLATE, "thinking_budget": 9}, "fixed words"),
        ({**TEMPLATE, "verdicts": ["Assistant 2", "Assistant 1"]}, "do not read"),
        ({**TEMPLATE, "verdicts": ["Assistant 1", "Number 2"], "thinking_budget": 9}, "do not read 'Number 2' as second"),
        ({**TEMPLATE, "verdict": None, "verdicts": list(BOXES), "thinking_budget": 9}, "needs one of 'verdict' and 'score'"),
    ],
)
def test_what_cannot_be_asked_directly_is_told_when_it_is_read(judge: Any, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        judge_of(judge)


@pytest.mark.parametrize(
    "judge", [{"use": "direct", "judge": "rrm"}, {"use": "soft", "judge": "rrm"}, {"use": "rrm", "thinking_budget": 9}]
)
@pytest.mark.parametrize(
    "engine",
    [
        {"use": "openai", "base_url": "http://127.0.0.1:9/v1", "model": "m"},
        {"use": "replay", "file": "texts.jsonl"},
        {"use": "replay-texts"},
        {"use": "cached", "engine": {"use": "replay", "file": "texts.jsonl"}},
        {"use": "batch", "requests": "r.jsonl", "engine": {"use": "openai", "base_url": "http://127.0.0.1:9/v1", "model": "m"}},
    ],
    ids=lambda engine: str(engine["use"]),
)
def test_an_engine_that_cannot_tell_is_refused_before_anything_is_opened(judge: Any, engine: Any, embedded: Path) -> None:
    from adjudge.testing import RecordedEngine

    if (judge["use"], engine["use"]) == ("direct", "openai"):
        pytest.skip("its endpoint may list what is likely: tests/plugins/adjudge_engines/test_openai_listed.py")
    chosen = RecordedEngine() if engine["use"] == "replay-texts" else engine
    with pytest.raises(ConfigError, match="cannot tell those of given tokens"), open_judge(embedded, engine=chosen, judge=judge):
        raise AssertionError("it was opened")


def test_a_judge_without_known_words_is_asked_with_words_of_ones_own(base: OpenJudge, problems: list[Problem]) -> None:
    known = asked(base, {"use": "direct", "judge": "arithmetic"}).judge(problems[:4])
    outside, inside = {"judge": TEMPLATE, "verdicts": list(BOXES)}, {"judge": {**TEMPLATE, "verdicts": list(BOXES)}}
    for words in (outside, inside):
        own = asked(base, {"use": "direct", **words}).judge(problems[:4])
        assert [one.probability for one in own] == pytest.approx([one.probability for one in known])
    budgeted = {"temperature": 0, "order": "fixed", "thinking_budget": 6}
    forced = asked(base, {"use": "arithmetic", **budgeted}).judge(problems[:4])
    found = asked(base, {**TEMPLATE, "verdicts": list(BOXES), **budgeted}).judge(problems[:4])
    assert [one.probability for one in found] == pytest.approx([one.probability for one in forced])
    assert all(one.paths[0].verdict.told == {"forced": True} for one in found)


def test_verdict_texts_are_the_shortest_that_the_judge_itself_reads() -> None:
    for use in ("rrm", "rm-r1", "mt-bench", "arena-hard", "llmbar", "best-response", "pairwise-plain", "arithmetic"):
        judge = judge_of({"use": use})
        assert [judge.parse(text).outcome for text in verdict_texts(judge)] == [Outcome.FIRST, Outcome.SECOND]
    assert verdict_texts(judge_of("arena-hard")) == ("[[A>B]]", "[[B>A]]")


# soft ----------------------------------------------------------------------------------------------------------------------


def test_soft_samples_as_the_judge_does_and_reads_its_verdict_behind_its_reasoning(base: OpenJudge, problems: list[Problem]) -> None:
    plain = {one.problem.id: one for one in asked(base, {"use": "arithmetic", "order": "both"}).judge(problems[:4])}
    for verdict in asked(base, {"use": "soft", "judge": {"use": "arithmetic", "order": "both"}}).judge(problems[:4]):
        assert len(verdict.paths) == len(plain[verdict.problem.id].paths) == 2
        for path in verdict.paths:
            if not path.outcome.decided:
                assert path.verdict.probability is None
                continue
            start = (path.verdict.answer or (0, 0))[0]
            kept = [place for place, end in enumerate(path.completion.token_ends) if 0 <= end <= start]
            between = path.completion.text[max((path.completion.token_ends[place] for place in kept), default=0) : start]
            before = path.completion.token_ids[: len(kept)]
            expected = by_hand(base, base.options.render(verdict.problem, path.order), before, between)
            assert path.verdict.probability == pytest.approx(expected, abs=1e-5)


# thinking_budget -----------------------------------------------------------------------------------------------------------


def test_thinking_is_closed_at_the_budget_and_the_verdict_asked_for(base: OpenJudge, problems: list[Problem]) -> None:
    for verdict in asked(base, {"use": "arithmetic", "thinking_budget": 6, "temperature": 0}).judge(problems):
        [path] = verdict.paths
        assert path.outcome.decided
        assert path.verdict.told == {"forced": True}
        before = path.completion.token_ids[:6]
        expected = by_hand(base, base.options.render(verdict.problem, path.order), before, "\n\n")
        assert path.verdict.probability == pytest.approx(expected, abs=1e-5)
        assert path.completion.text.endswith(BOXES[0] if path.verdict.outcome == Outcome.FIRST else BOXES[1])
        assert not path.completion.truncated
        assert len(path.completion.token_ids) == len(path.completion.token_ends)


def test_a_budget_that_suffices_changes_no_judgement(base: OpenJudge, problems: list[Problem]) -> None:
    plain = asked(base, {"use": "arithmetic", "temperature": 0}).judge(problems)
    budgeted = asked(base, {"use": "arithmetic", "temperature": 0, "thinking_budget": 111}).judge(problems)
    free = [(one, other) for one, other in zip(plain, budgeted, strict=True) if not other.paths[0].verdict.told]
    assert len(free) > len(problems) // 2
    for one, other in free:
        if one.paths[0].order == other.paths[0].order:
            assert one.paths[0].completion == other.paths[0].completion


def test_a_verdict_that_stands_before_the_cut_is_kept_and_not_forced(base: OpenJudge, problems: list[Problem]) -> None:
    greedy = {"use": "arithmetic", "temperature": 0, "order": "fixed"}
    plain = [one for one in asked(base, greedy).judge(problems) if one.outcome.decided][:3]
    assert plain
    for one in plain:
        made = one.paths[0].completion
        said = sum(0 < end <= len(made.text) for end in made.token_ends)
        [found] = asked(base, {**greedy, "thinking_budget": said}).judge([one.problem])
        [path] = found.paths
        assert (path.completion.text, path.verdict.told) == (made.text, {})
        assert path.outcome == one.paths[0].outcome
        [cut] = asked(base, {**greedy, "thinking_budget": said - 1}).judge([one.problem])
        assert cut.paths[0].verdict.told == {"forced": True}


def test_a_budget_is_no_option_that_changes_ids_where_it_is_not_set() -> None:
    assert "thinking_budget" not in Rrm().model_dump()
    assert Rrm(thinking_budget=5).model_dump()["thinking_budget"] == 5


@pytest.mark.parametrize(
    "begun",
    [
        "<think>\nlet me", "<thinking> so", "[THINK]a", "◁think▷b", "<seed:think>c", "<|begin_of_thought|>d", "<unused94>e",
        "<|channel|>analysis<|message|>f", "<|START_THINKING|>g", "<template:think><pondering>\nh", "Well.\n<think>i",
    ],
)  # fmt: skip
def test_every_thinking_that_is_begun_is_closed_by_a_mark_that_ends_it(begun: str) -> None:
    mark = closing_mark(begun)
    assert mark
    whole = f"{begun}\n{mark}\n\n"
    assert end_of_thinking(begun) == len(begun)
    assert end_of_thinking(whole + "x") <= len(whole)
    assert closing_mark(whole) == ""
    assert RmR1().parse(f"{whole}<answer>[[A]]</answer>").outcome == Outcome.FIRST


@pytest.mark.parametrize("text", ["", "plain", "<think>a</think>b", "it says `<think>` here"])
def test_where_no_thinking_is_open_nothing_is_closed(text: str) -> None:
    assert closing_mark(text) == ""


# records and commands ------------------------------------------------------------------------------------------------------


def test_records_keep_probability_and_what_is_told_and_earlier_ones_are_read(
    base: OpenJudge, problems: list[Problem], tmp_path: Path
) -> None:
    records = Records(tmp_path / "judgements.jsonl")
    judge = asked(base, {"use": "direct", "judge": "arithmetic"})
    made = judge.judge(problems[:3], records)
    records.close()
    again = Records(tmp_path / "judgements.jsonl")
    for one, other in zip(judge.judge(problems[:3], again), made, strict=True):
        assert [path.verdict for path in one.paths] == [path.verdict for path in other.paths]
        assert (one.outcome, one.probability) == (other.outcome, other.probability)
    rows = [json.loads(line) for line in (tmp_path / "judgements.jsonl").read_text().splitlines()]
    assert all(0 <= row["verdict"]["probability"] <= 1 and row["verdict"]["told"] for row in rows)
    plain = Records(tmp_path / "plain.jsonl")
    base.judge(problems[:1], plain)
    [row] = [json.loads(line) for line in (tmp_path / "plain.jsonl").read_text().splitlines()]
    assert set(row["verdict"]) == {"outcome", "reasoning", "answer"}, "as an earlier version wrote it"


def test_a_probability_of_exactly_0_is_written_down() -> None:
    from adjudge import as_row

    assert as_row(Verdict(Outcome.SECOND, probability=0.0))["probability"] == 0.0
    assert "probability" not in as_row(Verdict(Outcome.SECOND))
    assert "told" not in as_row(Verdict(Outcome.SECOND))


def test_the_commands_take_a_direct_judge_by_name(tmp_path: Path) -> None:
    app, rows = app_of(Plugins.load(autoload=False)), tmp_path / "rows.jsonl"
    rows.write_text('{"prompt": "37+48", "answers": ["85", "75"]}\n')
    told = CliRunner().invoke(app, ["judge", str(rows), "--judge", "{use: direct, judge: arithmetic}", "--json"])
    assert told.exit_code == 0, told.output
    row = json.loads(told.stdout)
    assert row["probability"] == pytest.approx(row["judgements"][0]["probability"])
    assert set(row["judgements"][0]["told"]) == {"by_order"}
    many = tmp_path / "many.jsonl"
    many.write_text('{"prompt": "37+48", "answers": ["85", "75", "86", "95"]}\n')
    call = ["rank", str(many), "--use", "{use: round-robin, soft: true}", "--judge", "{use: direct, judge: arithmetic}", "--json"]
    ranked = CliRunner().invoke(app, call)
    assert ranked.exit_code == 0, ranked.output
    found = json.loads(ranked.stdout)
    assert all(0 < match["probability"] < 1 and len(match["judgements"]) == 1 for match in found["matches"])
    assert sum(found["ratings"]) == pytest.approx(2)


def test_completions_of_a_direct_judge_are_whole(base: OpenJudge) -> None:
    [verdict] = asked(base, {"use": "direct", "judge": "arithmetic"}).judge([Problem("p", "37+48", ("85", "75"))])
    made = verdict.paths[0].completion
    assert isinstance(made, Completion)
    assert base.session.tokenize(made.text).token_ids == made.token_ids


RATED = {
    "rubric": {"use": "rubric", "criteria": [{"name": "sum", "choices": ["wrong", "partly right", "right"]}, {"name": "form"}]},
    "scale": {"use": "scale"},
    "levels": {"use": "scale", "levels": ["poor", "fair", "good"]},
}


@pytest.fixture(scope="module")
def roomy(embedded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenJudge]:
    """The embedded model with a context that has room for the long prompt of a rubric, which means nothing to it."""
    folder = tmp_path_factory.mktemp("roomy") / "model"
    shutil.copytree(embedded, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 4096}))
    with open_judge(folder, cache=False) as judge:
        yield judge


@pytest.mark.parametrize("name", RATED)
def test_a_form_is_filled_with_the_most_probable_choices(roomy: OpenJudge, problems: list[Problem], name: str) -> None:
    judge: Any = judge_of({**RATED[name], "thinking_budget": 5, "temperature": 0})
    for verdict in replace(roomy, options=judge).judge(problems[:2]):
        [path] = verdict.paths
        made, prompt = path.completion, judge.render(verdict.problem, path.order)
        assert path.outcome.decided
        assert (path.verdict.told, path.verdict.probability) == ({"forced": True}, None)
        assert not made.truncated
        assert len(made.token_ids) == len(made.token_ends) == len(made.logprobs or ())
        thought, filled = made.text[: made.token_ends[4]], made.text[made.token_ends[4] :]
        lines = filled.strip().splitlines()
        assert len(lines) == len(judge.blanks())
        written = filled[: len(filled) - len(filled.lstrip())]
        for blank, line in zip(judge.blanks(), lines, strict=True):
            ways = {choice: f"{written}{blank.before}{choice}\n" for choice in blank.choices}
            known = roomy.session.logprobs(prompt, [[*made.token_ids[:5], *roomy.session.tokenize(way).token_ids] for way in ways.values()])
            sums = dict(zip(ways, map(math.fsum, known), strict=True))
            said = line.removeprefix(blank.before)
            assert sums[said] == pytest.approx(max(sums.values()), abs=1e-4), (thought, line)
            written = ways[said]
        assert written == filled


@pytest.mark.parametrize("given", [*RATED.values(), {"use": "arithmetic"}, {"use": "rrm"}], ids=[*RATED, "words", "rrm"])
def test_a_budgeted_judgement_takes_no_more_than_it_says_it_may(roomy: OpenJudge, problems: list[Problem], given: dict[str, Any]) -> None:
    """Which is not as much as `max_new_tokens`: a plan and a tournament's budget count with it, of judges around it too."""
    judge = judge_of({**given, "thinking_budget": 5, "max_new_tokens": 900})
    verdicts = replace(roomy, options=judge).judge(problems[:3])
    assert 5 < max(tokens_spent(path) for verdict in verdicts for path in verdict.paths) <= tokens_at_most(judge) < 300
    assert plan_judging(problems, judge, HfEngine(), find_model("adjudge_arithmetic:model")).total.most_tokens == 12 * tokens_at_most(judge)
    [tournament] = play(problems[:1], RoundRobin(), judge, roomy.session, budget=Budget(tokens=300))
    assert [len(match.votes) for match in tournament.played] == [1]
    folder, budget = find_model("adjudge_arithmetic:model"), Budget(tokens=300)
    planned = plan_ranking(problems[:1], RoundRobin(), judge, HfEngine(), folder, budget=budget).total
    assert (planned.judgements, planned.most_tokens) == ((1, 1), tokens_at_most(judge))
    check_length(300, judge)  # vLLM's longest sequence


def test_rollouts_of_a_training_know_no_budget() -> None:
    judge = judge_of({"use": "arithmetic", "thinking_budget": 5, "max_new_tokens": 900})
    part = Part("1-grpo", "training", (10, 10))
    assert with_tokens(part, judge, None, None, training=True).most_tokens == 9000
    assert with_tokens(part, judge, None, None).most_tokens == 10 * tokens_at_most(judge)


def test_a_judge_of_budgeted_judges_takes_what_they_take() -> None:
    inner = {"use": "arithmetic", "thinking_budget": 5, "max_new_tokens": 900}
    alone, cascade = judge_of(inner), judge_of({"use": "cascade", "judges": [{"use": "direct", "judge": "arithmetic"}, inner]})
    assert (tokens_at_most(cascade), cascade.max_new_tokens) == (2 * 64 + tokens_at_most(alone), 964)
    assert tokens_at_most(judge_of({"use": "arithmetic", "max_new_tokens": 900})) == 900
    panel = judge_of({"use": "panel", "judges": ["arithmetic", inner, {"use": "arithmetic", "max_new_tokens": 200}]})
    assert longest_judgement(panel) == 200, "no text is as long as all of them"


def test_a_direct_judge_with_a_long_prefix_takes_no_more_than_it_says(base: OpenJudge, problems: list[Problem]) -> None:
    judge = judge_of({"use": "direct", "judge": "arithmetic", "prefix": "7+8=15 " * 20})
    [verdict] = replace(base, options=judge).judge(problems[:1])
    assert 64 < tokens_spent(verdict.paths[0]) <= tokens_at_most(judge)


def test_room_is_made_for_a_judgement_that_is_forced(base: OpenJudge) -> None:
    judge = {"use": "arithmetic", "thinking_budget": 30, "max_new_tokens": 30, "on_too_long": "truncate-middle"}
    long = [Problem(str(number), "1+" * (200 + number) + "1", ("2", "3")) for number in range(6)]
    told = [path.verdict.outcome for verdict in asked(base, judge).judge(long) for path in verdict.paths]
    assert Outcome.TRUNCATED not in told


def test_where_no_probability_could_be_read_a_cascade_goes_on(base: OpenJudge, problems: list[Problem]) -> None:
    judge = {"use": "cascade", "judges": [{"use": "soft", "judge": "arithmetic"}, "arithmetic"], "margin": 0.0}
    full: Any = Counting(base.session)
    full.room = lambda prompt: 10
    for session, by in ((base.session, "soft"), (full, "arithmetic")):
        told = asked(base, judge, session=session).judge(problems[:3])
        assert {path.verdict.told["decided_by"] for verdict in told for path in verdict.paths} == {by}


def filled(base: OpenJudge, judge: Any, prompt: Any, made: Completion, between: str) -> Completion:
    """A judgement with its form, as the model fills it in."""
    [(_, whole)] = asked_together(base.session, [(0, made)], lambda *_: fill(base.session, prompt, judge.blanks(), made, between))
    return whole


def test_lines_that_stand_there_are_not_asked_for_again(roomy: OpenJudge, problems: list[Problem]) -> None:
    judge: Any = judge_of(RATED["scale"])
    prompt = judge.render(problems[0], "given")
    before = roomy.session.tokenize("It is right.\nAnswer A: 7\nAns")
    text = filled(roomy, judge, prompt, before, "\n\n").text
    assert text.startswith("It is right.\nAnswer A: 7\nAns\n\nAnswer B: ")
    assert judge.parse(text).ratings[0] == 7
    known = roomy.session.tokenize("Answer A: 7\nAnswer B: 3\nso")
    assert filled(roomy, judge, prompt, replace(known, truncated=True), "\n\n") == known
    thought = replace(roomy.session.tokenize("<think>Answer A: 7\nso"), opened="")
    closed = filled(roomy, judge, prompt, thought, "\n</think>\n\n").text
    assert closed.startswith("<think>Answer A: 7\nso\n</think>\n\nAnswer A: "), "what was thought is no statement"


class CutOff:
    """A session whose model has written a text when its budget is spent."""

    def __init__(self, session: Any, text: str) -> None:
        self.made = replace(session.tokenize(text), truncated=True)
        self.room, self.tokenize, self.logprobs = session.room, session.tokenize, session.logprobs

    def sample(self, prompts: Any, **settings: Any) -> Iterator[tuple[int, Completion]]:
        return ((index, self.made) for index in range(len(prompts)))


def cut_off(base: OpenJudge, judge: str, problem: Problem, text: str) -> ReasoningPath:
    asked: Any = judge_of({**RATED[judge], "thinking_budget": 5})
    [path] = asked.paths(CutOff(base.session, text), [JudgeRequest("1", 1, problem, "given", 0)])
    return path


@pytest.mark.parametrize(
    ("judge", "said", "behind", "ways"),
    [
        ("scale", "Both.\nAnswer A: 1", "Both.", ["Answer A: 1", "Answer A: 10"]),
        ("scale", "Both.\nAnswer A: 7", "Both.", ["Answer A: 7"]),
        ("scale", "Answer A: 7\nWait, Answer A: 1", "Answer A: 7\nWait,", ["Answer A: 1", "Answer A: 10"]),
        ("levels", "Answer B: po\nAnswer A: **fair", "Answer B: po\n", ["Answer A: fair"]),
        ("rubric", "Both.\nsum, Answer A: right", "Both.", ["sum, Answer A: right"]),
    ],
)
def test_a_rating_that_was_cut_off_becomes_one_that_begins_so(
    roomy: OpenJudge, problems: list[Problem], judge: str, said: str, behind: str, ways: list[str]
) -> None:
    path = cut_off(roomy, judge, problems[0], said)
    made = path.completion
    assert path.outcome.decided, made.text
    assert made.text.startswith(behind)
    assert any(f"\n\n{way}\n" in made.text[len(behind) :] for way in ways), made.text
    assert said not in made.text
    assert len(made.token_ids) == len(made.token_ends) == len(made.logprobs or ())


def test_a_judgement_that_had_said_all_is_none_that_was_forced(roomy: OpenJudge, problems: list[Problem]) -> None:
    said = "Answer A: 7\nAnswer B: 3\nFor"
    path = cut_off(roomy, "scale", problems[0], said)
    assert (path.completion.text, path.outcome, path.verdict.told) == (said, Outcome.FIRST, {})
    assert cut_off(roomy, "scale", problems[0], said[:12]).verdict.told == {"forced": True}


def test_one_answer_is_rated_under_a_budget_too(roomy: OpenJudge, problems: list[Problem]) -> None:
    for given in RATED.values():
        judge: Any = judge_of({**given, "thinking_budget": 5, "temperature": 0})
        for rating in replace(roomy, options=judge).rate(problems[:1])[0]:
            assert rating.value is not None
            assert judge.bounds[0] <= rating.value <= judge.bounds[1]
            assert rating.tokens > 5, "its line stands behind the thinking"
