"""The three stages on a small instruction-tuned language model: what does each gain, and does R⋆ choose better than chance?

    python benchmarks/real_chain.py smollm2-135m=FOLDER

The task is within such a model's reach: of two answers, which one does what the question asks for? The words and numbers of the held-out
questions are in no training question. In what is trained on the right answer is always the shorter one, so a judge may learn just that;
in `longer`, four other kinds that are measured too and never trained on, it is the longer one. Two seeds at a time with one thread each,
about an hour and a half on two cores; a stopped call goes on.
"""

from __future__ import annotations

import json
import random
import re
import sys
from typing import Any

from bench import RESULTS, ROOT, number, over_seeds, run, save, spread, table

from adjudge import wilson, write_whole

FILE = ROOT / "benchmarks" / "real_chain.yaml"
WORK = ROOT / "runs" / "real_chain"
SEEDS = (0, 1)
SETS = ("held-out", "longer")
TITLES = ("base", "Zero-RL", "R⋆-SFT", "GRPO on hard cases")
_NOUNS = """
apple banana cherry grape lemon mango peach plum cat dog horse lion tiger rabbit sheep goat red blue green yellow purple black white brown
hammer saw drill axe shovel rake knife spoon table chair window door house river mountain forest ocean desert rain snow wind cloud sun moon
star bread cheese butter sugar salt pepper tea coffee milk water juice music piano guitar violin drum flute car train plane boat bicycle
truck road bridge tower castle garden flower tree grass leaf root king queen doctor teacher farmer baker pilot sailor
"""
WORDS = _NOUNS.split()
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
ONES = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
NUMBERS = [
    (f"{hundred}{ten}-{one}", f"{plus + 10 * at + place}")
    for hundred, plus in (("", 0), ("one hundred and ", 100))
    for at, ten in enumerate(TENS, 2)
    for place, one in enumerate(ONES, 1)
]
TRAIN = 32
"""Problems of a kind that are trained on; the other words are held out, one problem of each kind for every word."""
LONGER = 25
"""Problems of each of the other kinds."""


def rows(seed: int) -> dict[str, list[dict[str, Any]]]:
    """Pairs to train on, held-out ones and those of other kinds; the right answer is first in half of them, and none is asked twice."""
    rng = random.Random(f"real chain {seed}")
    words, numbers = rng.sample(WORDS, len(WORDS)), rng.sample(NUMBERS, len(WORDS))
    every = [[row(at, kind, words, numbers) for at in range(len(words))] for kind in range(8)]
    parts = {"train": (0, 4, 0, TRAIN), "held-out": (0, 4, TRAIN, len(words)), "longer": (4, 8, TRAIN, TRAIN + LONGER)}
    return {
        name: [every[kind][at] for at in range(start, end) for kind in range(first, last)]
        for name, (first, last, start, end) in parts.items()
    }


def row(at: int, kind: int, words: list[str], numbers: list[tuple[str, str]]) -> dict[str, Any]:
    word, other, (spelled, digits) = words[at], words[at - 1], numbers[at]
    prompt, right, wrong = (
        (f"Write only the word {word}.", word, f"{word} and {other}"),
        (f"Answer with one word: {word}.", word, f"The word that you are looking for is {word}."),
        (f"Write {spelled} in digits.", digits, spelled),
        (f"Write the word {word}.", word, "I do not know."),
        (f"Write {digits} in words.", spelled, digits),
        (f"Write {word} in quotation marks.", f'"{word}"', word),
        (f"Write {word} twice.", f"{word} {word}", word),
        (f"Write a sentence about the word {word}.", f"I can tell you a lot about the word {word}.", word),
    )[kind]
    label = (at + kind) % 2
    return {"id": f"form-{at}-{kind}", "prompt": prompt, "answers": [wrong, right] if label else [right, wrong], "label": label}


def chain(folder: str, seed: int) -> list[dict[str, Any]]:
    """Every stage's result, the base first."""
    data = WORK / f"data-{seed}"
    data.mkdir(parents=True, exist_ok=True)
    for name, part in rows(seed).items():
        (data / f"{name}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in part), encoding="utf-8")
    files = [f"data.file={data / 'train.jsonl'}", *(f"evaluation.sets.{name}.file={data / name}.jsonl" for name in SETS)]
    return run(FILE, WORK / f"seed-{seed}", f"model={folder}", f"seed={seed}", *files)


def summary(results: list[list[dict[str, Any]]]) -> dict[str, Any]:
    """Every stage over the held-out problems of all seeds, and R⋆'s choices against chance on the pools of stage 2."""
    stages = []
    for index, title in enumerate(TITLES[: min(map(len, results))]):
        found: dict[str, Any] = {"stage": title, "sets": {}}
        for name in SETS:
            made = [row for seed, _ in enumerate(results) for row in records(seed, f"{results[seed][index]['name']}-evaluation-{name}")]
            found["sets"][name] = figures(made) | {"by seed": [seed[index]["evaluation"][name]["accuracy"] for seed in results]}
        found["minutes"] = [round(seed[index]["seconds"] / 60, 1) for seed in results]
        found["metrics"] = [seed[index]["metrics"] for seed in results]
        stages.append(found)
    return {"seeds": list(SEEDS), "stages": stages, "choices": choices()}


def records(seed: int, name: str) -> list[dict[str, Any]]:
    file = WORK / f"seed-{seed}" / "records" / f"{name}.jsonl"
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def figures(made: list[dict[str, Any]]) -> dict[str, Any]:
    """Shares with Wilson's intervals; accuracy counts what cannot be read as wrong, `of readable` leaves it out."""
    readable = [row for row in made if row["outcome"] in ("first", "second")]
    right = sum(bool(row["right"]) for row in made)
    first = sum((row["outcome"] == "first") == (row["order"] == "given") for row in readable)
    sound = sum(names_the_answer(row) for row in made)
    return {
        "accuracy": share(right, len(made)),
        "readable": share(len(readable), len(made)),
        "of readable": share(right, len(readable)),
        "first shown": share(first, len(readable)),
        "names the answer": share(sound, len(made)),
        "tokens": sum(row["completion"]["tokens"] for row in made) / len(made),
    }


def share(count: int, of: int) -> dict[str, Any]:
    return {"value": count / max(1, of), "interval": wilson(count, of), "n": of}


def names_the_answer(row: dict[str, Any]) -> bool:
    """Whether the sentence before the verdict says what the right answer says."""
    shown = row["shown"][:: 1 if row["order"] == "given" else -1]
    said = re.match(r"It should say (.*?)\.? Answer [AB]", row["completion"]["text"], re.DOTALL)
    return said is not None and said[1].strip().strip('."') == shown[0 if row["label"] == "first" else 1].strip().strip('."')


def choices() -> dict[str, Any]:
    """Of problems with right paths that name the answer and others that do not: how often R⋆'s choice does, and how often chance would."""
    chosen, chance, pairs = [], [], 0
    for seed in SEEDS:
        paths = {row["id"]: row for row in records(seed, "2-sft-paths")}
        groups: dict[str, list[dict[str, Any]]] = {}
        for score in records(seed, "2-sft-scores"):
            groups.setdefault(score["problem_id"], []).append(score)
        for group in groups.values():
            named = [names_the_answer(paths[score["path_id"]]) for score in group]
            kept = [name for name, score in zip(named, group, strict=True) if score["kept"]]
            pairs += len(group) > 1
            if len(set(named)) > 1 and kept:
                chosen.append(float(kept[0]))
                chance.append(sum(named) / len(named))
    found: dict[str, Any] = {"problems with a choice": pairs, "problems whose right paths differ": len(chosen)}
    if len(chosen) > 1:
        found |= {
            "R⋆ names the answer": sum(chosen) / len(chosen),
            "chance would": sum(chance) / len(chance),
            "difference": spread([a - b for a, b in zip(chosen, chance, strict=True)]),
        }
    return found


def as_text(data: dict[str, Any]) -> str:
    """Tables for people, all from the data."""
    shares = ["accuracy", "by seed", "readable", "right of readable", "first shown", "names the answer"]
    head = ["stage", "set", "n", *shares, "tokens", "minutes"]
    rows = []
    for stage in data["stages"]:
        for name, one in stage["sets"].items():
            cells = [percent(one[key]) for key in ("accuracy", "readable", "of readable", "first shown", "names the answer")]
            cells.insert(1, " / ".join(f"{value:.3f}" for value in one["by seed"]))
            minutes = " / ".join(f"{value:.0f}" for value in stage["minutes"])
            rows.append([stage["stage"], name, str(one["accuracy"]["n"]), *cells, f"{one['tokens']:.1f}", minutes])
    choice = data["choices"]
    told = (
        f"Of {choice['problems with a choice']} problems with several right paths, {choice['problems whose right paths differ']} have such"
    )
    told += " that name the right answer before the verdict and others that do not."
    if "difference" in choice:
        told += f" R⋆'s choice names it in {choice['R⋆ names the answer']:.3f}, chance would in {choice['chance would']:.3f}:"
        told += f" a difference of {number(choice['difference'], '+')}."
    return "\n\n".join([f"All held-out problems of seeds {data['seeds']}, Wilson's 95% intervals.", table(head, rows), told])


def percent(one: dict[str, Any]) -> str:
    low, high = one["interval"]
    return f"{one['value']:.3f} ({low:.3f} to {high:.3f})"


def main() -> None:
    name, folder = sys.argv[1].split("=", 1)
    sys.argv[1:] = [f"{name}=FOLDER"]
    data = {"model": name, **summary(over_seeds(lambda seed: chain(folder, seed), SEEDS))}
    save("real_chain", data)
    write_whole(RESULTS / "real_chain.md", as_text(data) + "\n")
    print(as_text(data))


if __name__ == "__main__":
    main()
