"""What the verdict parsers read from texts that real judges wrote, and whether they ever read a verdict that was not written yet.

Needs the recorded texts in ``../shared/data`` (its README says what they are). Every text is read whole and compared with what its own
authors read from it; then it is cut after every few characters, and each piece is read as if the judge had stopped there by itself.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from bench import RESULTS, ROOT, save, table

from adjudge import Judge, Outcome, wilson
from adjudge_judges import ArenaHard, BestResponse, LlmBar, MtBench, RmR1, Rrm, best_letter

DATA = ROOT.parent / "shared" / "data"
STEP = 31
"""Characters between two cuts."""
BRACKETS = ("[[A]]", "[[B]]", "[[C]]")
ARENA = ("[[A>>B]]", "[[A>B]]", "[[A=B]]", "[[B>A]]", "[[B>>A]]")
_HOW = ("", "the ", "a ", "clearly ", "overall ", "overall the ", "much ", "slightly ", "significantly ")
OUTPUTS = tuple(f"Output ({letter}) is {how}better" for letter in "ab" for how in _HOW)
NAMES = {"A": "first", "B": "second", "C": "tie", "A>B": "first", "B>A": "second", "A=B": "tie", None: "unreadable"}


@dataclass(frozen=True)
class Text:
    """One judge's text with what its authors read from it, as an outcome's name; None where they recorded nothing."""

    text: str
    recorded: str | None = None


@dataclass
class Source:
    """Texts of one origin, how they are read, and the plain words without which there is no verdict."""

    name: str
    judge: Judge
    words: tuple[str, ...]
    texts: list[Text] = field(default_factory=list)


def rows(*place: str) -> Iterator[Any]:
    """The rows of a JSON Lines file."""
    with DATA.joinpath(*place).open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def sources() -> Iterator[Source]:
    """Every kind of text that is at hand."""
    yield Source("RM-R1 32B on RMB", RmR1(), BRACKETS, [rm_r1(row) for row in rows("rm_r1", "sample.jsonl")])
    yield Source("GPT-4 on MT-Bench", MtBench(), BRACKETS, [text for row in rows("mt_bench", "sample.jsonl") for text in mt_bench(row)])
    for file in sorted((DATA / "judgebench" / "outputs").glob("*judge_name=arena_hard*")):
        name = file.stem.rpartition("judge_model=")[2].rpartition("-")[0].removesuffix("-2024-09").removesuffix("-2024")
        yield Source(f"{name} on JudgeBench", ArenaHard(), ARENA, [text for row in rows(str(file)) for text in judgebench(row)])
    for model in ("GPT-4/CoT", "GPT-4/Swap_CoT", "ChatGPT/CoT", "LLaMA2/CoT"):
        yield Source(f"{model} on LLMBar", LlmBar(), OUTPUTS, list(llmbar(model)))
    judged = list(rows("llm_reliability", "sample.jsonl"))
    for name in sorted({row["judge"] for row in judged}):
        texts = [Text(text) for row in judged if row["judge"] == name for text in row["judgments"]]
        yield Source(f"{name.rpartition('/')[2]}, best of six", BestResponse(), ("est Response", "est response", "EST RESPONSE"), texts)


def rm_r1(row: dict[str, Any]) -> Text:
    """The chosen answer stood second when it was shuffled there, and `results` says whether the judge was right."""
    chosen_first = not row["Is_Chosen_Answer_Shuffled_toPositionB"]
    return Text(row["answers"], "first" if chosen_first == bool(row["results"]) else "second")


def mt_bench(row: dict[str, Any]) -> Iterator[Text]:
    """Both games; the winner of the second is recorded by model, so that it is mirrored here."""
    shown = {"model_1": "first", "model_2": "second", "tie": "tie", "error": "unreadable"}
    for game in ("g1", "g2"):
        outcome = shown[row[f"{game}_winner"]]
        yield Text(row[f"{game}_judgment"], Outcome(outcome).mirrored.value if game == "g2" else outcome)


def judgebench(row: dict[str, Any]) -> Iterator[Text]:
    for one in row["judgments"]:
        yield Text(one["judgment"]["response"], NAMES[one["decision"]])


def llmbar(model: str) -> Iterator[Text]:
    """Both orders; the winner is recorded in the problem's order, so that it is mirrored where the pair was swapped."""
    outcomes = {"1": Outcome.FIRST, "2": Outcome.SECOND, None: Outcome.UNREADABLE}
    for file in sorted((DATA / "llmbar" / "Dataset").glob(f"**/evaluators/{model}/result.json")):
        for row in json.loads(file.read_text(encoding="utf-8")):
            for order, one in row["results"][-1].items():
                outcome = outcomes[one["winner"]]
                yield Text(one["completion"][0], (outcome.mirrored if order == "swap = True" else outcome).value)


def read(source: Source, text: str) -> str:
    """What the parser reads: an outcome's name, or the letter where there are more than two to choose from."""
    if isinstance(source.judge, BestResponse):
        return (best_letter(text) or ("unreadable",))[0]
    return source.judge.parse(text).outcome.value


def cuts(source: Source, text: str) -> Counter[str]:
    """How the pieces of a text are read that end before it does.

    *premature*: a verdict in a piece without any of the words that state one. *invented*: a verdict that the whole text, which has one,
    does not give. *revised*: a verdict of a text that later gives another one and so, whole, has none.
    """
    whole = read(source, text)
    written = min((text.find(words) + len(words) for words in source.words if words in text), default=len(text) + 1)
    found: Counter[str] = Counter()
    for end in range(0, len(text), STEP):
        piece = read(source, text[:end])
        found["pieces"] += 1
        found["premature"] += piece != "unreadable" and end < written
        found["invented"] += piece not in ("unreadable", whole) and whole != "unreadable"
        found["revised"] += piece != "unreadable" and whole == "unreadable"
    return found


def measure(source: Source) -> dict[str, Any]:
    """Parse rate, agreement with what was recorded, and what became of the pieces."""
    outcomes = [read(source, one.text) for one in source.texts]
    readable = sum(outcome != "unreadable" for outcome in outcomes)
    recorded = Counter((one.recorded, outcome) for one, outcome in zip(source.texts, outcomes, strict=True) if one.recorded)
    pieces = sum((cuts(source, one.text) for one in source.texts), Counter())
    return {
        "judge": source.judge.use,
        "texts": len(outcomes),
        "read": readable / len(outcomes),
        "interval": wilson(readable, len(outcomes)),
        "outcomes": Counter(outcomes),
        "same": sum(count for (theirs, ours), count in recorded.items() if theirs == ours),
        "only_theirs": sum(count for (theirs, ours), count in recorded.items() if ours == "unreadable" != theirs),
        "only_ours": sum(count for (theirs, ours), count in recorded.items() if theirs == "unreadable" != ours),
        "other": sum(count for (theirs, ours), count in recorded.items() if "unreadable" not in (theirs, ours) and theirs != ours),
        "recorded": sum(recorded.values()),
        "cuts": {name: pieces[name] for name in ("pieces", "premature", "invented", "revised")},
    }


def truncated() -> dict[str, Any]:
    """RM-R1's outputs on RewardBench, cut by their authors after some 260 characters: nobody's parser may read a verdict."""
    texts = json.loads((DATA / "rm_r1" / "truncated_outputs.json").read_text(encoding="utf-8"))
    judges = (RmR1(), Rrm(), MtBench(), ArenaHard(), LlmBar(), BestResponse())
    return {"texts": len(texts), "verdicts": {judge.use: sum(judge.parse(text).outcome.decided for text in texts) for judge in judges}}


def page(found: dict[str, Any]) -> str:
    """The table, and a sentence on the outputs that were cut by others."""
    head = ["texts", "parser", "n", "read", "95% interval", "as recorded", "only they read", "only we read", "other", "pieces"]
    head += ["premature", "invented", "revised"]
    lines = [_line(name, one) for name, one in found["sources"].items()]
    verdicts = sum(found["truncated"]["verdicts"].values())
    return (
        f"{table(head, lines)}\n\nOf {found['truncated']['texts']:,} outputs of RM-R1 that end before their verdict, read by"
        f" {len(found['truncated']['verdicts'])} parsers, {verdicts} give one.\n"
    )


def _line(name: str, one: dict[str, Any]) -> list[str]:
    low, high = one["interval"]
    compared = [f"{one['same']} of {one['recorded']}", *(str(one[key]) for key in ("only_theirs", "only_ours", "other"))]
    cells = [name, one["judge"], f"{one['texts']:,}", f"{one['read']:.3f}", f"{low:.3f} to {high:.3f}"]
    return [*cells, *(compared if one["recorded"] else ["–"] * 4), *(f"{count:,}" for count in one["cuts"].values())]


def main() -> None:
    found = {"step": STEP, "sources": {source.name: measure(source) for source in sources()}, "truncated": truncated()}
    save("verdict_parsing", found)
    (RESULTS / "verdict_parsing.md").write_text(page(found), encoding="utf-8")
    print(page(found))


if __name__ == "__main__":
    main()
