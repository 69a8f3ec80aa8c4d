"""Whether verdicts are read as a person reads them: every reader in every situation, beside peers, and on texts of real judges.

The situations are made from templates (``verdict_situations.py``). Real texts, where they are at hand, lie in ``../shared/data``; they are
compared with what their authors read, and with how many the readers before these could read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from bench import RESULTS, save, table
from further_situations import HELD_OUT, OTHER_WORDS
from verdict_parsing import DATA, read, sources
from verdict_situations import FORMATS, SITUATIONS, Format, Situation, written

FIRST_READING = {
    "first 51": {"as a person": 38, "invented": 5, "reversed": 0, "missed": 8},
    "other 50": {"as a person": 46, "invented": 2, "reversed": 0, "missed": 2},
}
"""The held-out texts before anything was changed for them, by `mt-bench`. Of the other 50 the readers with tags, boxes and sentences
invented 4 and missed 2 or 3."""
BEFORE = {
    "RM-R1 32B on RMB": 16, "GPT-4 on MT-Bench": 147, "claude-3-haiku on JudgeBench": 527, "o1-mini on JudgeBench": 700,
    "GPT-4/CoT on LLMBar": 838, "GPT-4/Swap_CoT on LLMBar": 838, "ChatGPT/CoT on LLMBar": 803, "LLaMA2/CoT on LLMBar": 827,
    "Starling-LM-7B-beta, best of six": 2452, "gemma-1.1-7b-it, best of six": 3493, "Meta-Llama-3-8B-Instruct, best of six": 1743,
}  # fmt: skip
"""Texts that could be read by the readers before these."""
REVERSED_BEFORE = {"GPT-4/Swap_CoT on LLMBar": 1}
"""Texts that they read as the opposite of what is recorded: one, in which the authors misread their own judge."""
PEERS = """\
FastChat `run_judge_pair` | 0.2.36 | 41 | 23 | 5 | 6 | 7
FastChat `run_judge_single` | 0.2.36 | 41 | 24 | 7 | 5 | 5
arena-hard `get_score` (rule) | 01109e9 | 41 | 25 | 3 | 0 | 13
rewardbench v1 | 0.1.4 | 40 | 22 | 5 | 6 | 7
rewardbench v1, prometheus | 0.1.4 | 40 | 23 | 2 | 0 | 15
rewardbench v2, ratings | 0.1.4 | 39 | 26 | 3 | 2 | 8
prometheus-eval relative | 0.1.20 | 40 | 28 | 2 | 2 | 8
prometheus-eval absolute | 0.1.20 | 42 | 28 | 3 | 0 | 11
lm-eval `regex`, first | 0.4.13 | 40 | 23 | 5 | 5 | 7
lm-eval `regex`, last | 0.4.13 | 40 | 27 | 5 | 1 | 7
inspect-ai `model_graded_qa` | 0.3.285 | 40 | 30 | 5 | 1 | 4
verifiers reference, yes/no | 0.4.0 | 38 | 31 | 4 | 1 | 2
verifiers reference, A/B | 0.4.0 | 37 | 30 | 4 | 2 | 1
llm-verifier `extract_score`, text | 0.3.0 | 38 | 22 | 6 | 1 | 0
alpaca_eval `ranking_parser` | 0.6.6 | 36 | 15 | 1 | 0 | 20
alpaca_eval `lmsys_parser` | 0.6.6 | 39 | 20 | 1 | 1 | 17
deepeval `GEval` | 4.3.1 | 38 | 24 | 4 | 0 | 10
autorubric `CriterionGrader` | 1.6.1 | 37 | 17 | 0 | 0 | 20
judges correctness | 0.1.1 | 37 | 16 | 0 | 0 | 19
openjudge `LLMGrader` | 0.2.4 | 38 | 17 | 1 | 0 | 19
openjudge `CorrectnessGrader` | 0.2.4 | 38 | 17 | 1 | 0 | 19"""
"""Peers on texts of the same 43 situations, each in its own format: name, version, texts, as a person, invented, reversed, missed. Our own
run of the installed libraries, 2026-11-28, Python 3.11; the rule of arena-hard was read in its repository and run again. Some rows do
not add up: the rest is a failed reading that was made a value."""
HEAD = ["reader", "version", "texts", "as a person", "invented", "reversed", "missed"]


def tally(form: Format, situations: Iterable[Situation], winners: Iterable[str] = ("first", "second")) -> dict[str, int]:
    """How a reader reads these situations, beside what a person says."""
    found = Counter[str]()
    for winner in winners:
        for situation in situations:
            text = written(situation, form, winner)
            if text is not None:
                found["texts"] += 1
                found[_kind(form.judge.parse(text).outcome.value, winner if situation.stated else "unreadable")] += 1
    return {name: found[name] for name in ("texts", "as a person", "invented", "reversed", "missed")}


def _kind(read: str, said: str) -> str:
    if read == said:
        return "as a person"
    return "missed" if read == "unreadable" else "invented" if said == "unreadable" else "reversed"


def real() -> dict[str, dict[str, Any]]:
    """Texts of real judges: how many are read, and how that compares with their authors' readings."""
    found = {}
    for source in sources():
        outcomes = [read(source, one.text) for one in source.texts]
        pairs = Counter(zip((one.recorded for one in source.texts), outcomes, strict=True))
        readable = sum(outcome != "unreadable" for outcome in outcomes)
        recorded = {pair: count for pair, count in pairs.items() if pair[0] is not None}
        found[source.name] = {
            "judge": source.judge.use,
            "texts": len(outcomes),
            "read": readable,
            "read_before": BEFORE[source.name],
            "recorded": sum(recorded.values()),
            "same": sum(count for (theirs, ours), count in recorded.items() if theirs == ours),
            "only_they": sum(count for (theirs, ours), count in recorded.items() if ours == "unreadable" != theirs),
            "only_we": sum(count for (theirs, ours), count in recorded.items() if theirs == "unreadable" != ours),
            "reversed": sum(count for (theirs, ours), count in recorded.items() if "unreadable" not in (theirs, ours) and theirs != ours),
            "reversed_before": REVERSED_BEFORE.get(source.name, 0),
        }
    return found


def situations_page(found: dict[str, Any]) -> str:
    """Our readers, then the peers, by the share that is read as a person reads it."""
    ours = [[f"adjudge `{use}`", "this version", *map(str, one.values())] for use, one in found["situations"].items()]
    peers = sorted((line.split(" | ") for line in PEERS.splitlines()), key=lambda cells: -int(cells[3]) / int(cells[2]))
    return table(HEAD, [*ours, *peers]) + "\n"


def real_page(found: dict[str, Any]) -> str:
    head = ["texts", "reader", "n", "read before", "read", "as recorded", "only they read", "only we read", "reversed"]
    lines = []
    for name, one in found["real"].items():
        compared = [f"{one['same']} of {one['recorded']}", *(str(one[key]) for key in ("only_they", "only_we", "reversed"))]
        cells = [name, one["judge"], f"{one['texts']:,}", f"{one['read_before']:,}", f"{one['read']:,}"]
        lines.append([*cells, *(compared if one["recorded"] else ["–"] * 4)])
    return table(head, lines) + "\n"


def main() -> None:
    found: dict[str, Any] = {
        "situations": {form.judge.use: tally(form, SITUATIONS, ["first"]) for form in FORMATS},
        "both_winners": {form.judge.use: tally(form, SITUATIONS) for form in FORMATS},
        "other_words": {form.judge.use: tally(form, OTHER_WORDS) for form in FORMATS},
        "held_out": {form.judge.use: tally(form, HELD_OUT) for form in FORMATS},
        "held_out_first_reading": FIRST_READING,
        "real": real() if DATA.is_dir() else {},
    }
    save("readers", found)
    (RESULTS / "readers.md").write_text(situations_page(found), encoding="utf-8")
    (RESULTS / "readers_real.md").write_text(real_page(found), encoding="utf-8")
    print(situations_page(found), real_page(found), sep="\n")


if __name__ == "__main__":
    main()
