"""Health reports of the embedded judge and of judges whose outputs JudgeBench and LLMBar record.

The recorded ones need ``../shared/data`` (its README says what is there).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from bench import RESULTS, ROOT, save, table

DATA = "../shared/data"
JUDGEBENCH = f"{DATA}/judgebench/{{}}/dataset=judgebench,response_model={{}}"
LLMBAR = f"{DATA}/llmbar/Dataset/LLMBar"
SUBSETS = ("Natural", *(f"Adversarial/{name}" for name in ("Neighbor", "GPTInst", "GPTOut", "Manual")))
COLUMNS = {
    "accuracy": ("accuracy", "all"),
    "right in both orders": ("accuracy", "both_orders"),
    "consistent": ("position", "consistent"),
    "always first": ("position", "always_first"),
    "always second": ("position", "always_second"),
    "longer chosen": ("length", "longer_chosen"),
    "longer right": ("length", "longer_right"),
    "length given truth": ("length", "correlation_given_truth"),
}
VOTES = {"majority right": ("votes", "majority"), "Brier": ("votes", "brier"), "calibration error": ("votes", "calibration_error")}
VOTES |= {"same outcome": ("agreement", "same_outcome"), "unanimous": ("agreement", "unanimous")}


def report(*options: str) -> dict[str, Any]:
    """What `adjudge health` measures, without the marks of its plots."""
    anew = [] if "--replay" in options else ["--no-cache"]
    command = [sys.executable, "-m", "adjudge", "health", "--json", *anew, *options]
    made = subprocess.run(command, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(made.stdout)
    del found["length"]["points"]
    return found


def judgebench(answers: str, judge: str) -> dict[str, Any]:
    data = {"use": "judgebench", "data": JUDGEBENCH.format("data", answers) + ".jsonl"}
    return report(
        "--data", json.dumps(data), "--replay", JUDGEBENCH.format("outputs", answers) + f",judge_name=arena_hard,judge_model={judge}.jsonl"
    )


def llmbar(judge: str) -> dict[str, Any]:
    files = [word for subset in SUBSETS for word in ("--replay", f"{LLMBAR}/{subset}/evaluators/{judge}/result.json")]
    return report("--data", json.dumps({"use": "llmbar", "data": LLMBAR}), *files)


def reports() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every report under the name of its judge."""
    yield "embedded judge", report("--attacked", "200")
    yield "o1-mini, JudgeBench", judgebench("gpt-4o-2024-05-13", "o1-mini-2024-09-12")
    yield "claude-3-haiku, JudgeBench", judgebench("claude-3-5-sonnet-20240620", "claude-3-haiku-20240307")
    for judge in ("GPT-4/CoT", "GPT-4/Swap_CoT", "ChatGPT/CoT", "LLaMA2/CoT"):
        yield f"{judge}, LLMBar", llmbar(judge)


def cell(found: dict[str, Any], problems: int | None = None) -> str:
    """A figure with its interval, and with its n where that is not the number of problems; a dash where it rests on too little."""
    if found["value"] is None:
        return "–"
    low, high = found["interval"] or (None, None)
    fewer = "" if found["n"] == (problems or found["n"]) else f", n = {found['n']}"
    return f"{found['value']:.3f}" + ("" if low is None else f" ({low:.3f} to {high:.3f})") + fewer


def overview(found: dict[str, dict[str, Any]], columns: dict[str, tuple[str, str]]) -> str:
    """A row for every judge, the share that did not decide beside its figures."""
    rows = [
        [
            name,
            str(one["problems"]),
            *(cell(one[part][key], one["problems"]) for part, key in columns.values()),
            f"{100 * undecided(one):.1f}",
        ]
        for name, one in found.items()
    ]
    return table(["judge", "n", *columns, "no verdict, %"], rows)


def words(name: str, one: dict[str, Any]) -> list[str]:
    """What the report says of a judge in words, κ before it."""
    said = [found["said"].replace("|", "\\|") for found in one["findings"] if found["alarm"]]
    return [name, cell(one["accuracy"]["kappa"]), "; ".join(said) or "nothing alarming is shown"]


def undecided(one: dict[str, Any]) -> float:
    return sum(one["outcomes"][name]["value"] for name in ("unreadable", "truncated", "failed"))


def attacks(probes: dict[str, Any]) -> str:
    """What each attack achieves, chance beside it."""
    rows = [["opener", f"`{text}`", cell(one["chosen"]), ""] for text, one in probes["openers"].items()]
    rows.append(["none", "the wrong answer as it is", cell(probes["without"]["chosen"]), cell(probes["without"]["turned"])])
    rows += [
        ["markup", f"`{text}`".replace("\n", "↵").replace("|", "\\|"), cell(one["chosen"]), cell(one["turned"])]
        for text, one in probes["markup"].items()
    ]
    return table(["attack", "text", "attacker preferred", "verdict turned"], rows)


def main() -> None:
    found = dict(reports())
    save("health", {"reports": found})
    write_pages(found)


def write_pages(found: dict[str, dict[str, Any]]) -> None:
    """The tables of the documents."""
    pages = {
        "health": overview(found, COLUMNS),
        "health_votes": overview({"embedded judge": found["embedded judge"]}, VOTES),
        "health_findings": table(["judge", "κ", "findings"], [words(name, one) for name, one in found.items()]),
        "health_attacks": attacks(found["embedded judge"]["probes"]),
    }
    for name, page in pages.items():
        (RESULTS / f"{name}.md").write_text(page + "\n", encoding="utf-8")
        print(page, end="\n\n")


if __name__ == "__main__":
    main()
