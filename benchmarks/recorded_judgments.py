"""Do recorded judgements of real judges, scored here, give the figures that are known for them, to the last digit?

Needs the recorded outputs in ``../shared/data`` (its README says what they are and states the figures). No model is asked.
"""

from __future__ import annotations

import glob
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import RESULTS, ROOT, save, table

from adjudge import Dataset, Plugins, write_whole
from adjudge_benchmarks import read_recorded, recordings, score_records

DATA = ROOT.parent / "shared" / "data"
GPT, CLAUDE = ("judgebench/data/*response_model=gpt-4o*", "judgebench/data/*response_model=claude-3-5-sonnet*")
EVALUATOR = "llmbar/Dataset/LLMBar/**/evaluators/{}/result.json"
AUTO_J = "auto_j/testdata_pairwise.jsonl"
AUTO_J_OUTPUTS = "auto_j/pairwise_example_output.jsonl swapped:auto_j/pairwise_exchange_example_output.jsonl"
OUTPUT = "judgebench/outputs/*judge_model={}*"


@dataclass(frozen=True)
class Recorded:
    """One judge's recorded outputs, and the figure that is known for them."""

    judge: str
    benchmark: str
    data: str
    records: str
    """Patterns, with spaces between them; ``swapped:`` before one whose verdicts are about swapped answers and name no problem."""
    figure: str
    known: str


CASES = [
    Recorded("o1-mini", "judgebench", GPT, OUTPUT.format("o1-mini"), "gpt-4o accuracy", "65.71"),
    Recorded("Skywork-Reward-8B (scalar)", "judgebench", GPT, OUTPUT.format("Skywork"), "gpt-4o accuracy", "62.29"),
    Recorded("claude-3-haiku", "judgebench", CLAUDE, OUTPUT.format("claude-3-haiku"), "claude-3 accuracy", "32.22"),
    Recorded("GPT-4, CoT", "llmbar", "llmbar/Dataset/LLMBar", EVALUATOR.format("GPT-4/CoT"), "accuracy", ".8126"),
    Recorded("GPT-4, Swap-CoT", "llmbar", "llmbar/Dataset/LLMBar", EVALUATOR.format("GPT-4/Swap_CoT"), "accuracy", ".8377"),
    Recorded("ChatGPT, CoT", "llmbar", "llmbar/Dataset/LLMBar", EVALUATOR.format("ChatGPT/CoT"), "accuracy", ".4033"),
    Recorded("LLaMA2, CoT", "llmbar", "llmbar/Dataset/LLMBar", EVALUATOR.format("LLaMA2/CoT"), "accuracy", ".4702"),
    Recorded("Auto-J, both orders", "auto-j", AUTO_J, AUTO_J_OUTPUTS, "agreement, both orders", "54.96"),
    Recorded("Auto-J, consistency", "auto-j", AUTO_J, AUTO_J_OUTPUTS, "consistency", "83.41"),
    Recorded("Auto-J, one order", "auto-j", AUTO_J, AUTO_J_OUTPUTS, "agreement, first order only", "59.99"),
    Recorded("pandalm-7b", "pandalm", "pandalm/testset-v1.json", "pandalm/pandalm-7b*", "accuracy", ".6677"),
    Recorded("gpt-3.5", "pandalm", "pandalm/testset-v1.json", "pandalm/gpt-3.5*", "accuracy", ".6977"),
]


def files(pattern: str, data: Path = DATA) -> list[Path]:
    """Files of the data folder, sorted."""
    return sorted(map(Path, glob.glob(str(data / pattern), recursive=True)))


def scored(case: Recorded, plugins: Plugins, data: Path = DATA) -> dict[str, Any]:
    """Everything that the benchmark says about one judge."""
    [place] = files(case.data, data)
    benchmark = plugins.pick(Dataset, case.benchmark)(data=str(place), identical="count")
    problems = list(benchmark.load())
    return score_records(benchmark, problems, read_recorded(benchmark, recordings(placed(case.records, data)), problems))


def placed(patterns: str, data: Path) -> list[str]:
    """The patterns, each in the data folder."""
    parts = [pattern.rpartition(":") for pattern in patterns.split()]
    return [f"{order}{mark}{data / pattern}" for order, mark, pattern in parts]


def as_known(value: float, known: str) -> str:
    """A share written like the known figure: as per cent, or without the leading zero."""
    return f"{100 * value:.2f}" if float(known) > 1 else f"{value:.4f}".removeprefix("0")


def row(case: dict[str, Any]) -> list[str]:
    """A judge's line in the table."""
    result = case["result"]
    [figure] = [one for one in result["figures"] if one["name"] == case["figure"]]
    rates = " / ".join(f"{100 * result['outcomes'][outcome]:.1f}" for outcome in ("unreadable", "truncated", "failed"))
    low, high = (as_known(end, case["known"]) for end in figure["interval"])
    consistency = "one order" if result["consistency"] is None else f"{100 * result['consistency']:.1f}"
    value = as_known(figure["value"], case["known"])
    return [case["benchmark"], case["judge"], case["known"], value, f"{low} to {high}", str(figure["n"]), consistency, rates]


def main() -> None:
    plugins = Plugins.load(autoload=False)
    found = [{**vars(case), "result": scored(case, plugins)} for case in CASES]
    save("recorded_judgments", {"cases": found})
    head = ["benchmark", "judge", "known", "here", "95% interval", "n", "orders agree, %", "unreadable / truncated / failed, %"]
    write_whole(RESULTS / "recorded_judgments.md", table(head, [row(case) for case in found]) + "\n")


if __name__ == "__main__":
    main()
