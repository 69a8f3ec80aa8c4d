"""The rows of each framework, made from preferences or, where it trains on prompts, from rankings.

A prompt is what the judge was shown, as one user message where a framework takes messages. Every row names its origin under ``adjudge``,
a column that no framework reads; verl has it in its ``extra_info``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from .pairs import Preference, Rules, origin_of, preferences, rewards_of
from .sources import Ranked

Row: TypeAlias = dict[str, Any]


def trl(one: Preference) -> Row:
    """TRL, preferences of conversations: DPOTrainer and RewardTrainer, which takes the margin."""
    return {
        "prompt": _asked(one.prompt),
        "chosen": _said(one.chosen),
        "rejected": _said(one.rejected),
        "margin": one.margin,
        **_origin(one),
    }


def dpo(one: Preference) -> Row:
    """Plain texts under the names that most scripts for DPO read, TRL's among them."""
    return {"prompt": one.prompt, "chosen": one.chosen, "rejected": one.rejected, "margin": one.margin, **_origin(one)}


def openrlhf(one: Preference) -> Row:
    """OpenRLHF with --data.prompt_key prompt --data.apply_chat_template; its reward model takes the margin."""
    return trl(one)


def nemo_rl(one: Preference) -> Row:
    """NeMo-RL's PreferenceDataset: a lower rank is better, and training takes two completions of different ranks.

    A tie has two as well; its margin is 0.
    """
    completions = [{"rank": rank, "completion": _said(text)} for rank, text in enumerate((one.chosen, one.rejected))]
    return {"context": _asked(one.prompt), "completions": completions, "margin": one.margin, **_origin(one)}


def swift(one: Preference) -> Row:
    """ms-swift: the conversation with the chosen answer, and the rejected one beside it; its reward model takes the margin."""
    return {
        "messages": [*_asked(one.prompt), *_said(one.chosen)],
        "rejected_response": one.rejected,
        "margin": one.margin,
        **_origin(one),
    }


def tinker(one: Preference) -> Row:
    """tinker-cookbook's LabeledComparison, as its ComparisonBuilderFromJsonl reads it."""
    comparison = {
        "prompt_conversation": _asked(one.prompt),
        "completion_A": _said(one.chosen),
        "completion_B": _said(one.rejected),
    }
    return {"comparison": comparison, "label": "Tie" if one.tie else "A", "margin": one.margin, **_origin(one)}


def verl(ranked: Iterable[Ranked], rules: Rules) -> Iterator[Row]:
    """verl's rows of RL: a prompt with its best answer as ground truth, the labelled one where there is a label."""
    for one in ranked:
        values = rewards_of(one, rules.reward)
        known = [(value, -place) for place, value in enumerate(values) if value is not None]
        best = one.problem.label if one.problem.label is not None or not known else -max(known)[1]
        if one.problem.label is None and sum(value == max(known)[0] for value, _ in known) > 1:
            rules.left_out["ties"] += 1  # there is no one best answer
            continue
        if best is None:
            rules.left_out["prompts without a judgement"] += 1
            continue
        yield {
            "data_source": "adjudge",
            "prompt": _asked(one.problem.prompt),
            "ability": "general",
            "reward_model": {"style": "rule", "ground_truth": one.problem.answers[best]},
            "extra_info": {
                "index": one.problem.id,
                "split": "train",
                "answers": list(one.problem.answers),
                "rewards": values,
                "ground_truth_from": "ranking" if one.problem.label is None else "label",
                "adjudge": origin_of(one, rules.reward),
            },
        }


@dataclass(frozen=True, slots=True)
class Format:
    """One framework's rows."""

    rows: Callable[[Iterable[Ranked], Rules], Iterator[Row]]
    about: str
    """What it is, in a sentence."""
    of_pairs: bool = True
    """Whether a row is a preference, to which the rules of pairs, ties and margins apply; else it is a prompt."""


def _of_preferences(make: Callable[[Preference], Row]) -> Format:
    return Format(lambda ranked, rules: map(make, preferences(ranked, rules)), make.__doc__ or "")


FORMATS: dict[str, Format] = {
    "trl": _of_preferences(trl),
    "dpo": _of_preferences(dpo),
    "verl": Format(verl, verl.__doc__ or "", of_pairs=False),
    "openrlhf": _of_preferences(openrlhf),
    "nemo-rl": _of_preferences(nemo_rl),
    "swift": _of_preferences(swift),
    "tinker": _of_preferences(tinker),
}


def _asked(prompt: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": prompt}]


def _said(answer: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": answer}]


def _origin(one: Preference) -> Row:
    return {"adjudge": dict(one.origin)}
