"""Judging through adjudge beside asking the same engine bare: ``.venv-vllm/bin/python benchmarks/engine_overhead.py``.

*Through adjudge* is all that a run does: prompts from problems, sampling, verdicts read, every judgement recorded on disk and read back.
*Bare* is the engine's own public call on the same loaded weights, from chats to texts: for `vllm`, `LLM.generate` with log-probabilities
and a seed per prompt, as adjudge asks; for `hf`, transformers' `generate` in the same batches, sampling its own way. *Bare, texts alone*
asks vLLM for neither seeds nor log-probabilities. In every round each way runs once, in one order and in the next round in the other, with
seeds of the round's own; what counts is the median over rounds of the ratio of tokens per second. Writes
``results/engine_overhead.json`` and ``.md``; an engine that is not installed is left out, and said to be.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench import RESULTS, save, table

from adjudge import Problem, Stage, build_requests, find_model
from adjudge_arithmetic import ArithmeticDataset
from adjudge_engines import HfEngine, VllmEngine
from adjudge_judges import ArithmeticJudge

Way = Callable[[int, list[Any], list[int]], int]
"""Judges all problems, given the run's seed, and chats and seeds as that run has them; returns how many tokens were written."""
MODEL = find_model("adjudge_arithmetic:model")
JUDGE = ArithmeticJudge()
TARGET = 0.95


def through_adjudge(engine: Any, session: Any, problems: list[Problem]) -> Way:
    def way(seed: int, prompts: list[Any], seeds: list[int]) -> int:
        with tempfile.TemporaryDirectory() as folder:
            stage = Stage(0, "base", Path(folder), Path(folder) / "records", MODEL, MODEL, JUDGE, engine, problems, seed=seed)
            return sum(len(path.completion.token_ids) for path in stage.sample(session, problems, "overhead"))

    return way


def bare_hf(engine: HfEngine, session: Any) -> Way:
    import torch

    tokenizer, model = session.tokenizer, session.model
    settings = {
        "do_sample": True,
        "temperature": JUDGE.temperature,
        "top_k": 0,
        "top_p": JUDGE.top_p,
        "max_new_tokens": JUDGE.max_new_tokens,
    }

    def way(seed: int, prompts: list[Any], seeds: list[int]) -> int:
        torch.manual_seed(seed)
        ids = tokenizer.apply_chat_template(prompts, add_generation_prompt=True)["input_ids"]
        ids.sort(key=len, reverse=True)
        written, texts = 0, []
        while ids:
            size = max(1, engine.batch_tokens // (len(ids[0]) + JUDGE.max_new_tokens))
            batch = tokenizer.pad({"input_ids": ids[:size]}, padding_side="left", return_tensors="pt")
            with torch.inference_mode():
                made = model.generate(**batch, **settings)[:, batch["input_ids"].shape[1] :]
            texts += tokenizer.batch_decode(made, skip_special_tokens=True)
            written += int((made != tokenizer.pad_token_id).sum())
            ids = ids[size:]
        assert len(texts) == len(prompts)
        return written

    return way


def bare_vllm(session: Any, **asked: Any) -> Way:
    """`asked` is what is asked for besides texts; a seed that is True stands for each prompt's own."""
    from vllm import SamplingParams

    settings = {"temperature": JUDGE.temperature, "top_p": JUDGE.top_p, "max_tokens": JUDGE.max_new_tokens, **asked}
    settings["stop_token_ids"] = session.texts.eos

    def way(seed: int, prompts: list[Any], seeds: list[int]) -> int:
        ids = session.texts.tokenizer.apply_chat_template(prompts, add_generation_prompt=True)["input_ids"]
        each = [SamplingParams(**{**settings, "seed": one} if asked else settings) for one in seeds]
        found = session.llm.generate([{"prompt_token_ids": one} for one in ids], each, use_tqdm=False)
        assert len([one.outputs[0].text for one in found]) == len(prompts)
        return sum(len(one.outputs[0].token_ids) for one in found)

    return way


def measure(ways: dict[str, Way], problems: list[Problem], rounds: int) -> dict[str, Any]:
    """Seconds and tokens of every way in every round; one more round before them is not counted."""
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
    for number in range(-1, rounds):
        asks = build_requests(problems, JUDGE, seed=number + 1, purpose=["0-base", "overhead"])
        given = [JUDGE.ask(ask.problem, ask.order) for ask in asks], [ask.seed for ask in asks]
        for name in list(ways) if number % 2 else list(ways)[::-1]:
            started = time.perf_counter()
            tokens = ways[name](number + 1, *given)
            seconds = time.perf_counter() - started
            if number >= 0:
                runs[name].append({"tokens": tokens, "seconds": seconds})
    return {"runs": runs, **{name: compared(runs, name) for name in ways if name != "adjudge"}}


def compared(runs: dict[str, list[dict[str, float]]], name: str) -> dict[str, float]:
    """adjudge's tokens per second over another way's, round by round."""
    ratios = [speed(ours) / speed(theirs) for ours, theirs in zip(runs["adjudge"], runs[name], strict=True)]
    return {"ratio": statistics.median(ratios), "lowest": min(ratios), "highest": max(ratios)}


def speed(run: dict[str, float]) -> float:
    return run["tokens"] / run["seconds"]


def hf(problems: list[Problem], rounds: int) -> dict[str, Any]:
    engine = HfEngine(dtype="float32")
    with engine.open(MODEL) as session:
        return measure({"adjudge": through_adjudge(engine, session, problems), "bare": bare_hf(engine, session)}, problems, rounds)


def vllm(problems: list[Problem], rounds: int) -> dict[str, Any]:
    engine = VllmEngine(dtype="float32", eager=True, gpu_memory_utilization=0.2)
    with engine.open(MODEL) as session:
        ways = {
            "adjudge": through_adjudge(engine, session, problems),
            "bare": bare_vllm(session, logprobs=0),
            "bare, texts alone": bare_vllm(session),
        }
        return measure(ways, problems, rounds)


ENGINES = {"hf": ("transformers", hf), "vllm": ("vllm", vllm)}


def page(found: dict[str, Any]) -> str:
    rows = []
    for engine, result in found["engines"].items():
        for name in result["runs"]:
            if name == "adjudge":
                continue
            ours, theirs = (statistics.median(map(speed, result["runs"][one])) for one in ("adjudge", name))
            ratio = f"{result[name]['ratio']:.3f} ({result[name]['lowest']:.3f} to {result[name]['highest']:.3f})"
            rows.append([engine, name, f"{ours:,.0f}", f"{theirs:,.0f}", ratio])
    head = ["engine", "beside", "through adjudge, tokens/s", "bare, tokens/s", "ratio (lowest to highest)"]
    lines = [
        f"{found['pairs']:,} pairs a round, {found['rounds']} rounds; the embedded judge in float32 on a CPU, where the engine itself takes"
        " least time and everything around it weighs most.",
        "",
        table(head, rows),
    ]
    return "\n".join([*lines, "", *[f"{name} is not measured: it is not installed." for name in found["missing"]]]).rstrip() + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--engines", nargs="+", default=list(ENGINES), choices=list(ENGINES))
    asked = parser.parse_args()
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "2")
    problems = list(ArithmeticDataset(size=asked.pairs, levels=[1, 2, 3, 4], part="test").load())
    there = [name for name in asked.engines if find_spec(ENGINES[name][0])]
    found: dict[str, Any] = {
        "pairs": len(problems),
        "rounds": asked.rounds,
        "target": TARGET,
        "missing": [name for name in asked.engines if name not in there],
        "engines": {},
    }
    for name in there:
        found["engines"][name] = ENGINES[name][1](problems, asked.rounds)
        save("engine_overhead", found)
        (RESULTS / "engine_overhead.md").write_text(page(found), encoding="utf-8")
    print(page(found))


if __name__ == "__main__":
    main()
