"""What is open: each source with its stages, how far they are, what is missing, and what there is to look at."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from adjudge_report import options_line

from .index import Index, stage_names
from .lines import Followed, cut_off
from .source import Source


def described(index: Index, served: int = 0) -> dict[str, Any]:
    """One source; `served` is how many groups a server keeps in it."""
    source = index.source
    config = source.config
    done, going = (source.path / "done.json").is_file() or source.kind in ("rows", "groups"), source.is_open()
    stages, facts = list(_stages(index, config, going)), list(_facts(index, config))
    if source.kind == "ratings":  # its command leaves no mark at its end
        done = not going
    elif source.kind in ("rankings", "judgements"):
        done = (source.path / "result.json").is_file()
    missing = [] if going and not done else list(_missing(index, stages, done))
    missing += [*_cut_off(source, going), *(f"{file} {why}" for file, why in source.problems.items())]
    read, size = index.bytes
    return {
        "run": source.run, "path": str(source.path), "kind": source.kind, "title": source.path.resolve().name,
        "state": "broken" if source.problems else "going" if going and not done else "finished" if done else "stopped",
        "missing": missing, "stages": stages, "sets": _sets(index), "scorers": dict(index.scorers),
        "has": {"judgements": len(index.rows), "curves": _with_curves(index), "tournaments": len(index.tournaments.items),
                "groups": len(index.groups.groups) + served, "kept": bool(np.any(index.rows.table()["kept"] >= 0))},
        "indexed": {"rows": len(index.rows), "bytes": read, "of_bytes": size, "done": index.done},
        "config": source.config_text if config else "", "facts": facts,
    }  # fmt: skip


def _stages(index: Index, config: Mapping[str, Any], going: bool) -> Iterator[dict[str, Any]]:
    """The stages that the run has or will have; the first that has no result is the one at work."""
    source = index.source
    named, plan, waiting = config.get("stages"), _planned(index), False
    options = [one for one in named if isinstance(one, dict)] if isinstance(named, list) else []
    stages = {f"{place}-{one.get('use')}": one for place, one in enumerate(options, 1)}
    for name in stage_names(config) or sorted({stage for stage, of in index.kinds if stage != of}):
        result = source.read_json(source.path / "stages" / name / "result.json")
        broken = f"stages/{name}/result.json" in source.problems
        state = "broken" if broken else "finished" if result else "waiting" if waiting or not going else "going"
        waiting = waiting or not result
        yield {
            "name": name, "use": name.split("-", 1)[-1], "state": state, "seconds": result.get("seconds"),
            "progress": list(_progress(index, name, stages.get(name, {}), plan.get(name, {}))),
            "evaluation": result.get("evaluation") or {},
            "metrics": result.get("metrics") or {},
        }  # fmt: skip


def _planned(index: Index) -> dict[str, dict[str, int]]:
    """How many judgements each evaluation of each stage takes at most, by stage and set."""
    found: dict[str, dict[str, int]] = {}
    parts = index.source.read_json(index.source.path / "plan.json").get("parts")
    for part in parts if isinstance(parts, list) else ():
        if part.get("judgements") and str(part.get("what")).startswith("evaluation "):
            found.setdefault(part.get("stage"), {})[part["what"].removeprefix("evaluation ")] = part["judgements"][1]
    return found


def _progress(index: Index, stage: str, options: Mapping[str, Any], sizes: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    """How many records there are, and how many there will be where that is known."""
    table = index.rows.table()
    totals = {f"evaluation-{name}": size for name, size in sizes.items()}
    if isinstance(options.get("steps"), int):
        asked = [one for name in ("steps", "prompts_per_step", "group") if isinstance(one := options.get(name), int)]
        totals |= {"rollouts": math.prod(asked)} if len(asked) == 3 else {}
        steps = Followed(index.source.path / "records" / f"{stage}-steps.jsonl")
        if steps.size:
            yield {"name": "steps", "done": sum(1 for _ in steps.new_rows(1 << 30)), "total": options["steps"]}
    for number, (of, name) in enumerate(list(index.kinds)):
        if of == stage and (done := int(np.count_nonzero(table["file"] == number))):
            yield {"name": name, "done": done, "total": totals.get(name)}


def _missing(index: Index, stages: list[dict[str, Any]], done: bool) -> Iterator[str]:
    kind = index.source.kind
    if kind == "run":
        yield from (f"stage {stage['name']} has no result" for stage in stages if stage["state"] in ("waiting", "going"))
    if kind not in ("rows", "groups") and not done:
        yield "done.json: the run did not come to its end" if kind == "run" else "result.json: the call did not come to its end"
    if kind != "groups" and index.done and not (len(index.rows) or index.tournaments.items or index.groups.groups):
        yield "there are no judgements, tournaments or groups"


def _cut_off(source: Source, going: bool) -> Iterator[str]:
    """Files whose last line is not whole, unless somebody may be writing it."""
    for file in () if going else source.record_files():
        if cut_off(file):
            yield f"{file.name} ends in the middle of a line, as if its writer was stopped; that line is left out"


def _sets(index: Index) -> list[dict[str, Any]]:
    """What a filter can choose."""
    table = index.rows.table()
    codes, rows = np.unique(table["file"], return_counts=True)
    found = []
    for code, count in zip(codes.tolist(), rows.tolist(), strict=True):
        stage, name = index.kinds[code]
        found.append({"stage": stage, "set": name.removeprefix("evaluation-"), "kind": index.kind(code), "rows": count})
    return found


def _with_curves(index: Index) -> int:
    return len(list((index.source.path / "records").glob("*-steps.jsonl"))) if index.source.path.is_dir() else 0


def _facts(index: Index, config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What a reader wants to know first."""
    for title, field in (("Model", "model"), ("Judge", "judge"), ("Engine", "engine"), ("Scheme", "aggregator"), ("Data", "data")):
        value = config.get(field)
        if value is not None:
            yield title, options_line(value) if isinstance(value, dict) and "use" in value else str(value)
    if isinstance(stages := config.get("stages"), list):
        yield "Stages", " → ".join(options_line(stage) for stage in stages if isinstance(stage, dict)) or "none: the judge as it came"
    if config.get("seed") is not None:
        yield "Seed", str(config["seed"])
    starts = index.source.read_json(index.source.path / "manifest.json").get("starts") or []
    if starts:
        yield "Command", " ".join(map(str, starts[-1].get("command") or []))
        yield "Started", f"{starts[0].get('time')}" + (f", and {len(starts) - 1} times more after a stop" if len(starts) > 1 else "")
        yield "Versions", ", ".join(f"{name} {version}" for name, version in (starts[-1].get("versions") or {}).items())
