"""Scorers from statistics of every token: each by hand, bounds, monotony, and the numbers that the embedded judge really gives."""

from __future__ import annotations

import math
from pathlib import Path as FilePath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adjudge import Completion, PathScorer, open_judge
from adjudge_arithmetic import ArithmeticDataset
from adjudge_scorers import DeepConf, Entropy, RankSurprisal, SelfCertainty, ratio_over

from .conftest import PROBLEM, path_with, value_of

ln = math.log
NUMBERS = st.lists(st.floats(0.01, 9), min_size=2, max_size=12)


def told(**statistics: list[float]) -> Any:
    """A path of as many tokens, the last of which states the verdict."""
    [size] = {len(values) for values in statistics.values()}
    return path_with([0.5] * (size - 1), [0.25], statistics=statistics)


@pytest.mark.parametrize(
    ("scorer", "statistics", "expected"),
    [
        (SelfCertainty(), {"log_z": [3.0, 5.0], "mean_logit": [1.0, 2.0]}, 2.5),
        (SelfCertainty(vocabulary=4), {"log_z": [3.0, 5.0], "mean_logit": [1.0, 2.0]}, 2.5 - ln(4)),
        (DeepConf(), {"top20_logprob": [-4.0, -6.0, -8.0, -2.0]}, 5.0),
        (DeepConf(over="tail", window=2), {"top20_logprob": [-4.0, -6.0, -8.0, -2.0]}, 5.0),
        (DeepConf(over="tail", window=3), {"top20_logprob": [-4.0, -6.0, -8.0, -2.0]}, 16 / 3),
        (DeepConf(over="lowest", window=2), {"top20_logprob": [-4.0, -6.0, -8.0, -2.0]}, 5.0),
        (DeepConf(over="lowest", window=1), {"top20_logprob": [-4.0, -6.0, -8.0, -2.0]}, 2.0),
        (DeepConf(over="bottom", window=1), {"top20_logprob": [*[-9.0] * 18, -4.0, -2.0]}, 3.0),  # two of twenty
        (Entropy(), {"entropy": [0.5, 1.5, 1.0]}, -1.0),
        (Entropy(top=0.5), {"entropy": [0.5, 1.5, 1.0, 0.0]}, -1.25),
        (RankSurprisal(), {"rank": [3.0, 1000.0]}, -(103 / 2) / ((ln(2) + ln(4)) / 2)),
    ],
    ids=lambda value: value.use if isinstance(value, PathScorer) else "",
)
def test_by_hand(scorer: PathScorer, statistics: dict[str, list[float]], expected: float) -> None:
    assert value_of(scorer, told(**statistics)) == pytest.approx(expected)
    assert value_of(scorer, path_with([0.5], [0.5])) is None, "of a path without these statistics nothing is said"


@given(NUMBERS, st.data())
def test_monotone_in_each_token(numbers: list[float], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(numbers) - 1))
    more = [*numbers]
    more[place] += data.draw(st.floats(0, 5))
    negative, lower = [-value for value in numbers], [-value for value in more]
    rising: list[tuple[PathScorer, dict[str, list[float]], dict[str, list[float]]]] = [
        (SelfCertainty(), {"log_z": numbers, "mean_logit": negative}, {"log_z": more, "mean_logit": negative}),
        (Entropy(), {"entropy": more}, {"entropy": numbers}),
        (Entropy(top=0.3), {"entropy": more}, {"entropy": numbers}),
        (RankSurprisal(), {"rank": more}, {"rank": numbers}),
        *((DeepConf(over=over, window=3), {"top20_logprob": negative}, {"top20_logprob": lower}) for over in ("mean", "bottom", "lowest")),
    ]
    for scorer, before, after in rising:
        worse, better = value_of(scorer, told(**before)), value_of(scorer, told(**after))
        assert worse is not None
        assert better is not None
        assert better >= worse - 1e-9, scorer


@given(NUMBERS)
def test_bounds_and_order(numbers: list[float]) -> None:
    negative = [-value for value in numbers]
    mean, bottom, lowest = (
        value_of(DeepConf(over=over, window=2), told(top20_logprob=negative)) or 0.0 for over in ("mean", "bottom", "lowest")
    )
    assert 0 <= lowest <= bottom + 1e-12
    assert lowest <= max(numbers)
    assert min(numbers) - 1e-12 <= mean <= max(numbers) + 1e-12
    whole, forks = (value_of(Entropy(top=top), told(entropy=numbers)) or 0.0 for top in (1.0, 0.2))
    assert forks <= whole + 1e-12 <= 1e-12, "the fifth with the highest entropy is no surer than all"
    assert (value_of(RankSurprisal(), told(rank=[1 + value for value in numbers])) or 0.0) < 0


@given(st.permutations([0.5, 1.5, 2.5, 0.1]))
def test_without_windows_the_order_of_tokens_does_not_matter(numbers: list[float]) -> None:
    for scorer, name in (
        (Entropy(top=0.5), "entropy"),
        (DeepConf(), "top20_logprob"),
        (DeepConf(over="lowest", window=1), "top20_logprob"),
    ):
        assert value_of(scorer, told(**{name: numbers})) == pytest.approx(value_of(scorer, told(**{name: [0.1, 0.5, 1.5, 2.5]})))


def test_over_a_set_it_is_a_ratio_of_means_and_no_mean_of_ratios() -> None:
    short, long = told(rank=[2.0, 2.0]), told(rank=[1.0] * 8)
    scores = RankSurprisal().score(PROBLEM, [short, long], None)  # type: ignore[arg-type]
    expected = (4 + 8) / ((ln(2) + ln(4)) + (7 * ln(2) + ln(4)))
    assert ratio_over(scores) == pytest.approx(expected)
    assert expected != pytest.approx(-sum(score.value or 0 for score in scores) / 2)
    assert ratio_over([]) is None


def test_a_path_of_certain_tokens_has_no_ratio() -> None:
    assert value_of(RankSurprisal(), path_with([1.0], [1.0], statistics={"rank": [1.0, 1.0]})) is None


def test_with_the_embedded_judges_own_numbers(embedded: FilePath) -> None:
    """Against numbers taken from its logits here, token by token."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    problem = next(iter(ArithmeticDataset(size=1, levels=[1], part="test").load()))
    with open_judge(str(embedded), engine="hf") as judge:
        path = judge.read(problem, "7+8=15 \\boxed{Assistant 1}")
        found = {
            scorer.use: judge.score_read(problem, [path], scorer)[0][1].value
            for scorer in (SelfCertainty(vocabulary=64), DeepConf(), Entropy(), RankSurprisal())
        }
        prompt = judge.options.render(problem, "given")
    tokenizer, model = AutoTokenizer.from_pretrained(embedded), AutoModelForCausalLM.from_pretrained(embedded).eval()
    start = tokenizer.apply_chat_template(prompt, add_generation_prompt=True, return_dict=False)
    made: Completion = path.completion
    places = [*made.tokens_in(path.verdict.reasoning), *made.tokens_in(path.verdict.answer)]
    with torch.inference_mode():
        logits_TV = model(torch.tensor([[*start, *made.token_ids]])).logits[0, len(start) - 1 : -1].double()[places]
    logprob_TV = logits_TV.log_softmax(-1)
    logprob_T1 = logprob_TV.gather(1, torch.tensor([made.token_ids[place] for place in places])[:, None])
    rank_T = 1 + (logprob_TV > logprob_T1).sum(-1)
    expected = {
        "self-certainty": float((-logprob_TV.mean(-1)).mean() - ln(64)),
        "deepconf": float(-logprob_TV.topk(20).values.mean()),
        "entropy": float((logprob_TV.exp() * logprob_TV).sum(-1).mean()),
        "rank-surprisal": float(rank_T.clamp(max=100).sum() / logprob_T1.sum()),
    }
    assert found == {name: pytest.approx(value, rel=1e-3) for name, value in expected.items()}
