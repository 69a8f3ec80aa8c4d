"""How far do small instruct models follow a judge's form, and how often are they right, on published pairs?

    python benchmarks/real_judges.py qwen2.5-coder-0.5b=FOLDER smollm2-135m=FOLDER

Needs ``../shared/data`` and model folders (the README of ``../shared/models`` says how to get some). Every pair is asked about in both
orders, at each judge's own temperature, in bfloat16 on a CPU.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

from bench import RESULTS, ROOT, save, table

from adjudge import Dataset, Outcome, Plugins, Problem, wilson, write_whole
from adjudge_benchmarks import evenly

DATA = ROOT.parent / "shared" / "data"
ENGINE = "{use: hf, dtype: bfloat16, batch_tokens: 65536}"
SETS = {
    "LLMBar Natural": ("llmbar", DATA / "llmbar/Dataset/LLMBar/Natural/dataset.json", 100),
    "RM-Bench chat": ("rm-bench", DATA / "rm_bench/chat_filtered.json", 60),
    "JudgeBench": ("judgebench", DATA / "judgebench/data", 40),
}
SHORT = "short pairs"
"""What is judged first: pairs that two cores judge in minutes."""
EVERY_SET = ("pairwise-plain",)
"""The judges that are tried on every set; the others, which are compared with them, on some of the short pairs."""
COMPARED, COMPARED_PAIRS = ("best-response", "rrm"), 20


def pairs_of(name: str) -> list[Problem]:
    """So many labelled pairs of a benchmark, evenly from all; of a problem with several answers the first pair that it asks about."""
    if name == SHORT:
        return short_pairs()
    use, place, size = SETS[name]
    benchmark = Plugins.load().pick(Dataset, use)(data=str(place))
    problems = evenly(list(benchmark.load()), size)
    firsts = [(problem, benchmark.pairs(problem)[0]) for problem in problems]
    return [replaced(problem.pair(match.first, match.second), benchmark.better(problem, match)) for problem, match in firsts]


def short_pairs() -> list[Problem]:
    """The fifty shortest pairs of LLMBar Natural, and fifty sums of numbers up to 60 with a right and a wrong answer."""
    natural = sorted(pairs_of("LLMBar Natural"), key=lambda pair: len(pair.prompt) + sum(map(len, pair.answers)))[:50]
    rng, sums = random.Random("short pairs"), []
    for number in range(50):
        one, other = rng.randint(2, 60), rng.randint(2, 60)
        wrong = one + other + rng.choice((-11, -10, -3, -2, -1, 1, 2, 5, 10))
        answers = [str(one + other), str(wrong)]
        label = rng.randrange(2)
        sums.append(Problem(f"sum-{number}", f"What is {one} + {other}?", tuple(answers[::-1] if label else answers), label))
    return natural + sums


def replaced(pair: Problem, better: Outcome) -> Problem:
    return Problem(pair.id, pair.prompt, pair.answers, 0 if better == Outcome.FIRST else 1)


def judged(folder: str, judge: str, problems: Sequence[Problem]) -> list[dict[str, Any]]:
    """Every judgement of one judge, by ``adjudge eval``."""
    with tempfile.TemporaryDirectory() as place:
        rows = Path(place) / "pairs.jsonl"
        rows.write_text("".join(json.dumps(row_of(problem)) + "\n" for problem in problems), encoding="utf-8")
        options = ["--judge", f"{{use: {judge}, max_new_tokens: 256}}", "--order", "both", "--json"]
        data = ["--data", f"{{use: jsonl, file: {rows}}}"]
        command = [sys.executable, "-m", "adjudge", "eval", *data, "-m", folder, *options, "--engine", ENGINE]
        done = subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1) or not done.stdout:  # 1: nothing could be read, which is a result
        raise SystemExit(done.stderr)
    found: list[dict[str, Any]] = json.loads(done.stdout)["judgements_made"]
    return found


def row_of(problem: Problem) -> dict[str, Any]:
    return {"id": problem.id, "prompt": problem.prompt, "answers": list(problem.answers), "label": problem.label}


def figures(model: str, judge: str, name: str, made: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What the judgements come to; one that cannot be read is wrong."""
    readable = [one for one in made if one["outcome"] in ("first", "second", "tie")]
    right = sum(one["outcome"] == one["label"] for one in made)
    pairs: dict[str, list[dict[str, Any]]] = {}
    for one in made:
        pairs.setdefault(one["id"], []).append(one)
    both = sum(all(one["outcome"] == one["label"] for one in pair) for pair in pairs.values())
    same = sum(len({one["outcome"] for one in pair}) == 1 and pair[0] in readable for pair in pairs.values())
    shown_first = [one for one in readable if (one["outcome"] == "first") == (one["order"] == "given")]
    tokens = [one["tokens"] for one in made if one["tokens"]]
    return {
        "model": model,
        "judge": judge,
        "set": name,
        "pairs": len(pairs),
        "readable": share(len(readable), len(made)),
        "accuracy": share(right, len(made)),
        "right in both orders": share(both, len(pairs)),
        "same in both orders": share(same, len(pairs)),
        "first shown preferred": share(len(shown_first), max(1, len(readable))),
        "tokens": sum(tokens) / max(1, len(tokens)),
    }


def share(count: int, of: int) -> dict[str, Any]:
    return {"value": count / of, "interval": wilson(count, of), "n": of}


def line(found: dict[str, Any]) -> list[str]:
    """A row of the table."""
    cells = [
        f"{one['value']:.3f} ({one['interval'][0]:.3f} to {one['interval'][1]:.3f})" for one in found.values() if isinstance(one, dict)
    ]
    return [found["model"], found["judge"], found["set"], str(found["pairs"]), *cells, f"{found['tokens']:.0f}"]


def main() -> None:
    """What is measured already is kept, so that a stopped call goes on where it was."""
    file = RESULTS / "real_judges.json"
    found: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))["figures"] if file.exists() else []
    done = {(one["model"], one["judge"], one["set"]) for one in found}
    models = dict(said.split("=", 1) for said in sys.argv[1:])
    sys.argv[1:] = [f"{model}=FOLDER" for model in models]
    work = [*((judge, SHORT, None) for judge in EVERY_SET), *((judge, SHORT, COMPARED_PAIRS) for judge in COMPARED)]
    work += [(judge, name, None) for name in SETS for judge in EVERY_SET]
    for (judge, name, size), (model, folder) in product(work, models.items()):
        if (model, judge, name) not in done:
            found.append(figures(model, judge, name, judged(folder, judge, pairs_of(name)[:size])))
            print(" | ".join(line(found[-1])), flush=True)
            save("real_judges", {"engine": ENGINE, "figures": found})
            shares = ["readable", "accuracy", "right in both orders", "same in both orders", "first shown preferred"]
            head = ["model", "judge", "set", "pairs", *shares, "tokens"]
            write_whole(RESULTS / "real_judges.md", table(head, [line(one) for one in found]) + "\n")


if __name__ == "__main__":
    main()
