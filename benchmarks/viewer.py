"""How fluid ``adjudge view`` is with 100,000 judgements: ``python benchmarks/viewer.py``, measured in headless Chromium.

A run is made with the writers of real ones: evaluations and rollouts, paths with the numbers of every token, scores. Texts are sums as
the embedded judge writes them, made longer by words that are drawn unevenly, so that a search finds from none to all of them. The server
is a process of its own, and the browser another on the same machine. *First paint* is Chromium's first contentful paint of a page opened
by its address; *first rows* is when a list of judgements stands there. The other times are from the click or the last key until what has
been asked for is painted; a text search has the 80 ms in them for which the page waits whether more is typed. Each is taken several
times with different values, so that nothing is answered from what was found before. On a machine that does other work, too, ``chrt -r 1``
before the command lets server and browser run first. Writes ``results/viewer.json`` and ``.md``.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import yaml
from bench import RESULTS, save, table

from adjudge import Completion, Outcome, Problem, ReasoningPath, Records, Verdict, as_row, stable_id

SHARES = {"0-base-evaluation-standard": 0.1, "1-grpo-rollouts": 0.4, "2-sft-paths": 0.4, "2-sft-evaluation-standard": 0.1}
TARGETS = {"first paint": 1000, "filter": 300}
"""Milliseconds."""
WORDS = 4000
COLD = 5
"""Servers that are looked at while they still read."""
DONE = re.compile(r"(http://\S+)")


def write_run(folder: Path, judgements: int, tokens: int) -> int:
    """A run of so many judgements of so many tokens each; returns the bytes of its records."""
    rng, vocabulary = random.Random(0), _vocabulary()
    stages = [{"use": "grpo", "steps": 100}, {"use": "sft", "scorer": {"use": "rstar"}, "paths": 8}]
    sets = {"standard": {"use": "arithmetic", "size": int(judgements * SHARES["0-base-evaluation-standard"])}}
    config = {"out": str(folder), "model": "adjudge_arithmetic:model", "stages": stages, "evaluation": {"sets": sets}, "seed": 0}
    (folder / "records").mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    for name, share in SHARES.items():
        records, each = Records(folder / "records" / f"{name}.jsonl"), 1 if "evaluation" in name else 8
        scores = Records(folder / "records" / "2-sft-scores.jsonl") if name == "2-sft-paths" else None
        for number in range(int(judgements * share)):
            problem = _problem(number // each, name)
            path = _path(problem, name, number, number % each, tokens, rng, vocabulary)
            if name == "1-grpo-rollouts":
                records.append(_rollout(problem, path, number, judgements * share / 100))
                continue
            records.append(path, outcome=path.outcome, right=path.right(problem), **problem.shown(path.order))
            if scores is not None and path.right(problem):
                value = rng.random()
                parts = {"self_consistency": value**0.5, "validity": value**0.5}
                row = {"id": path.id, "path_id": path.id, "problem_id": problem.id, "scorer": "rstar", "value": value, "parts": parts}
                scores.append({**row, "kept": number % each == 0})
        records.close()
    steps = Records(folder / "records" / "1-grpo-steps.jsonl")
    for step in range(1, 101):
        steps.append({"id": f"step-{step}", "step": step, "total": 100, "loss": rng.gauss(0, 0.1), "reward": step / 100, "kl": None})
    steps.close()
    return sum(file.stat().st_size for file in (folder / "records").rglob("*") if file.is_file())


def _vocabulary() -> list[str]:
    rng = random.Random(1)
    return ["".join(rng.choice("bdfgklmnprst") + rng.choice("aeiou") for _ in range(rng.randint(2, 4))) for _ in range(WORDS)]


def _problem(number: int, name: str) -> Problem:
    one, other = 1000 + number * 7919 % 90_000, 1000 + number * 104_729 % 90_000
    answers = (str(one + other), str(one + other + 10))
    of = "standard" if "evaluation" in name else "train"
    return Problem(stable_id(of, number), f"{one}+{other}", answers[:: 1 if number % 2 else -1], 0 if number % 2 else 1)


def _path(problem: Problem, name: str, number: int, index: int, tokens: int, rng: random.Random, vocabulary: list[str]) -> ReasoningPath:
    """A judgement of about this many tokens of four characters; word k of the vocabulary comes about 1/k as often as the first."""
    words = (vocabulary[int(WORDS ** rng.random()) - 1] for _ in range(tokens * 4 // 6))
    said = Outcome.UNREADABLE if rng.random() < 0.02 else Outcome.FIRST if rng.random() < 0.5 else Outcome.SECOND
    verdict = "it is hard to say" if said == Outcome.UNREADABLE else f"\\boxed{{Assistant {1 if said == Outcome.FIRST else 2}}}"
    reasoning = f"{problem.prompt} = " + " ".join(words) + "\n"
    text = reasoning + verdict
    ends = tuple(min(end, len(text)) for end in range(4, len(text) + 4, 4))
    logprobs = tuple(-abs(rng.gauss(0, 0.3)) for _ in ends)
    read = Verdict(said, (0, len(reasoning)), (len(reasoning), len(text))) if said.decided else Verdict(said)
    order = "swapped" if rng.random() < 0.5 else "given"
    made = Completion(text, tuple(range(len(ends))), ends, logprobs)
    return ReasoningPath(stable_id(name, number), problem.id, order, index, made, read)


def _rollout(problem: Problem, path: ReasoningPath, number: int, each: float) -> dict[str, Any]:
    right = path.right(problem)
    reward = 1.0 if right else -1.0
    return {
        "id": path.id, "step": 1 + int(number // each), "problem_id": problem.id, "order": path.order, "text": path.completion.text,
        "tokens": len(path.completion.token_ids), "outcome": path.outcome.value, "right": right, "reward": reward,
        "parts": {"verdict": reward}, **as_row(problem.shown(path.order)),
    }  # fmt: skip


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, int]]:
    """The address of a server for this run, and its process."""
    adjudge = [sys.executable, "-m", "adjudge", "view", str(folder), "--port", "0", "--no-browser"]
    server = subprocess.Popen(adjudge, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        found = DONE.search(server.stdout.readline())
        assert found, "the server did not start"
        yield found[1], server.pid
    finally:
        server.terminate()
        server.wait()


def resident(process: int) -> float:
    """Megabytes of a process."""
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{process}/status").read_text())[1]) / 1024  # type: ignore[index]


ROWS = """new MutationObserver((_, seen) => {
  if (document.querySelector('a.row')) {
    seen.disconnect();
    requestAnimationFrame(() => setTimeout(() => { window.firstRows = performance.now(); }, 0));
  }
}).observe(document, {childList: true, subtree: true});"""
SEEN = """async ({act, value}) => {
  const main = document.getElementById('main');
  const painted = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)));
  const items = document.querySelector('ol.items');
  const begun = performance.now();
  const changed = new Promise((done) => new MutationObserver((_, seen) => { seen.disconnect(); done(); }).observe(
    act === 'open' ? document.querySelector('article.open') : items, {childList: true}));
  if (act === 'select') {
    const [name, chosen] = value;
    const select = document.getElementById('filter-' + name);
    select.value = chosen;
    select.dispatchEvent(new Event('change', {bubbles: true}));
  } else if (act === 'type') {
    const [name, typed] = value;
    const input = document.getElementById('filter-' + name);
    input.value = typed;
    input.dispatchEvent(new Event('input', {bubbles: true}));
  } else if (act === 'next') document.querySelector('[aria-label="Next page"]').click();
  else if (act === 'open') document.querySelectorAll('a.row')[value].click();
  await changed;
  await painted();
  return [performance.now() - begun, document.querySelector('.pages span').textContent];
}"""


class Browser:
    """A page of Chromium's, and how long it takes."""

    def __init__(self, page: Any, url: str) -> None:
        self.page, self.url = page, url

    def opened(self, path: str) -> tuple[float, float]:
        """First contentful paint, and until the first rows are painted, both in milliseconds since the address was asked for."""
        self.page.goto("about:blank")
        self.page.goto(self.url + path)
        self.page.wait_for_function("() => window.firstRows && performance.getEntriesByName('first-contentful-paint').length")
        script = "() => [performance.getEntriesByName('first-contentful-paint')[0].startTime, window.firstRows]"
        first, there = self.page.evaluate(script)
        return first, there

    def seen(self, act: str, value: Any = None) -> float:
        """From an act until what it asks for is painted."""
        taken, _ = self.page.evaluate(SEEN, {"act": act, "value": value})
        return float(taken)


def measured(run: Path, repeats: int) -> dict[str, Any]:
    from playwright.sync_api import sync_playwright

    found: dict[str, list[float]] = {}
    rng, vocabulary = random.Random(2), _vocabulary()
    judgements = f"#/runs/{run.name}/judgements"
    with sync_playwright() as playwright, ExitStack() as stack:
        chromium = playwright.chromium.launch(executable_path=os.environ.get("CHROMIUM", shutil.which("chromium")))
        page = chromium.new_page(viewport={"width": 1280, "height": 900})
        page.add_init_script(ROWS)
        for _ in range(COLD):
            with served(run) as (url, _process):
                _opened(Browser(page, url), judgements, " while the server still reads", found)
        url, process = stack.enter_context(served(run))
        started, browser = time.monotonic(), Browser(page, url)
        browser.opened(judgements)
        while not _done(browser):
            time.sleep(0.1)
        indexed = time.monotonic() - started
        for _ in range(repeats):
            _opened(browser, judgements, "", found)
        acts: dict[str, Callable[[int], tuple[str, Any]]] = {
            "filter by outcome": lambda turn: ("select", ("outcome", ("second", "first", "unreadable")[turn % 3])),
            "filter by right or wrong": lambda turn: ("select", ("right", ("no", "yes")[turn % 2])),
            "search for a rare word": lambda turn: ("type", ("text", vocabulary[WORDS - 1 - rng.randrange(WORDS // 4)])),
            "search for a frequent word": lambda turn: ("type", ("text", vocabulary[turn % 8])),
            "search for a word that is nowhere": lambda turn: ("type", ("text", f"zzz{turn}")),
            "next page of all": lambda turn: ("next", None),
            "open a judgement": lambda turn: ("open", 1 + turn % 40),
        }
        for name, act in acts.items():
            browser.opened(judgements)
            found[name] = [browser.seen(*act(turn)) for turn in range(repeats)]
        memory = resident(process)
        chromium.close()
    told = {name: {"median": median(some), "most": max(some), "all": some} for name, some in found.items()}
    return {"milliseconds": told, "seconds_of_reading": indexed, "megabytes": memory}


def _opened(browser: Browser, path: str, when: str, found: dict[str, list[float]]) -> None:
    for name, taken in zip(("first paint", "first rows"), browser.opened(path), strict=True):
        found.setdefault(name + when, []).append(taken)


def _done(browser: Browser) -> bool:
    asked = browser.page.evaluate("async () => (await (await fetch('/api/runs')).json()).runs[0].indexed.done")
    return bool(asked)


def shown(result: dict[str, Any]) -> str:
    rows = [[name, f"{one['median']:,.0f}", f"{one['most']:,.0f}", str(len(one["all"]))] for name, one in result["milliseconds"].items()]
    what = (
        f"{result['judgements']:,} judgements of about {result['tokens']} tokens, {result['bytes'] / 1e6:,.0f} MB of records, read in"
        f" {result['seconds_of_reading']:.0f} s, after which the server holds {result['megabytes']:,.0f} MB."
        f" On {result['cores']} processors, on which {result['load']:.0f} other processes wanted to run when it began"
        f"{', before which server and browser were served (chrt -r 1)' if result['before_others'] else ''}."
    )
    return table(["what", "median (ms)", "most (ms)", "times"], rows) + f"\n\n{what}\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--judgements", type=int, default=100_000)
    parser.add_argument("--tokens", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--keep", type=Path, help="Folder to make the run in, and to use again.")
    parser.add_argument("--dry", action="store_true", help="Print, and write no results.")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = (asked.keep or Path(place)) / "synthetic"
        if not folder.exists():
            write_run(folder, asked.judgements, asked.tokens)
        size = sum(file.stat().st_size for file in (folder / "records").rglob("*") if file.is_file())
        result = {"judgements": asked.judgements, "tokens": asked.tokens, "bytes": size, "targets": TARGETS}
        first = os.sched_getscheduler(0) in (os.SCHED_FIFO, os.SCHED_RR)
        result |= {"cores": os.cpu_count(), "load": os.getloadavg()[0], "before_others": first}
        result |= measured(folder, asked.repeats)
    if not asked.dry:
        save("viewer", result)
        (RESULTS / "viewer.md").write_text(shown(result))
    print(shown(result))


if __name__ == "__main__":
    main()
