"""One side of a comparison: the verdicts of one judge, from whatever a command has written of them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

import yaml

from adjudge import DataError, Outcome

from .kappa import SPLIT

EVALUATION = "-evaluation-"
ORDERS = ("given", "swapped")


@dataclass(slots=True)
class Item:
    """One pair with what one judge said of it, in the pair's own order."""

    id: str
    prompt: str | None = None
    answers: tuple[str, ...] | None = None
    label: str | None = None
    samples: dict[int, dict[str, Outcome]] = field(default_factory=dict)
    """Outcomes by number of the sample, then by the order in which the pair was shown."""

    @property
    def verdicts(self) -> list[str]:
        """What each sample says, `split` where its orders contradict each other; samples of which a call failed are left out."""
        found = [set(by_order.values()) for _, by_order in sorted(self.samples.items())]
        return [next(iter(said)).value if len(said) == 1 else SPLIT for said in found if Outcome.FAILED not in said]

    @property
    def verdict(self) -> str | None:
        """What most samples say, `split` where as many say something else; None where every sample failed."""
        ranked = Counter(self.verdicts).most_common(2)
        if not ranked:
            return None
        return SPLIT if len(ranked) > 1 and ranked[0][1] == ranked[1][1] else ranked[0][0]


@dataclass(frozen=True, slots=True)
class Side:
    """The verdicts of one judge, and what is known of how they came about."""

    name: str
    items: Mapping[str, Item]
    facts: Mapping[str, Any]
    """Settings and versions, each under a dotted name; none for a file by itself."""
    tokens: float | None
    """Mean tokens of a judgement; None where nothing tells."""


def read_side(path: FilePath, evaluation: str | None = None) -> Side:
    """What a folder of `judge`, `eval` or `bench`, a run's folder or that of one of its stages, or a file of results holds."""
    files = _files(path, evaluation)
    items: dict[str, Item] = {}
    tokens: list[int] = []
    for prefix, file in files:
        for row in _rows(file):
            _add(items, prefix, row, file)
            if (told := _tokens(row)) is not None:
                tokens.append(told)
    if not items:
        raise DataError(
            f"{path}: it holds no judgement.\n  Remedy: name a folder or a file that has some; 'ls {path}' shows what is there."
        )
    folder = path if path.is_dir() else path.parent.parent
    run = folder.parent.parent if folder.parent.name == "stages" else folder
    return Side(str(path), items, dict(_facts(run)), sum(tokens) / len(tokens) if tokens else None)


def _files(path: FilePath, evaluation: str | None) -> list[tuple[str, FilePath]]:
    """The files of judgements, each with what its ids begin with."""
    if path.is_file():
        return [("", path)]
    if (kept := path / "records" / "judgements.jsonl").is_file():
        return [("", kept)]
    stage = path.name if path.parent.name == "stages" else None
    records = (path if stage is None else path.parent.parent) / "records"
    found = sorted(records.glob(f"{stage or '*'}{EVALUATION}*.jsonl"), key=_stage_number)
    if not found:
        raise DataError(
            f"{path}: there are no judgements here.\n  Remedy: name a folder that judge, eval or bench wrote with --out, a run's"
            " folder, that of a stage as in RUN/stages/2-sft, or a file of records."
        )
    last = found[-1].stem.split(EVALUATION)[0] if stage is None else stage
    of_stage = {file.stem.split(EVALUATION, 1)[1]: file for file in found if file.stem.startswith(last + EVALUATION)}
    if evaluation is not None and evaluation not in of_stage:
        raise DataError(f"{path}: stage {last} has no evaluation {evaluation!r}.\n  Remedy: name one of its sets: {', '.join(of_stage)}")
    chosen = of_stage if evaluation is None else {evaluation: of_stage[evaluation]}
    return [("" if len(chosen) == 1 else f"{name}: ", file) for name, file in chosen.items()]


def _stage_number(file: FilePath) -> tuple[int, str]:
    number = file.name.split("-", 1)[0]
    return (int(number) if number.isdigit() else -1, file.name)


def _rows(file: FilePath) -> Iterator[dict[str, Any]]:
    """Every judgement of a file: a line each, or the one object that ``eval --json`` prints; a last line still being written is left."""
    try:
        with file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                try:
                    row = json.loads(line)
                except json.JSONDecodeError as error:
                    if not line.endswith("\n") and number > 1:
                        return
                    raise DataError(f"{file}: line {number} is not JSON: {error}.\n  Remedy: delete the line, or judge again.") from None
                if not isinstance(row, dict):
                    raise DataError(f"{file}: line {number} is no judgement.\n  Remedy: name a file of records, or what --json printed.")
                yield from _judgements(row)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file} cannot be read: {error}.\n  Remedy: check the path.") from None


def _judgements(row: dict[str, Any]) -> Iterable[dict[str, Any]]:
    """The judgements of a row, which may hold several of one pair, or of all pairs."""
    if isinstance(row.get("judgements_made"), list):
        return [{**one, "problem_id": one["id"]} for one in row["judgements_made"]]
    if isinstance(row.get("judgements"), list):
        about = {"problem_id": row.get("id"), "prompt": row.get("prompt"), "label": row.get("label")}
        return [{**about, **one} for one in row["judgements"]]
    return [row]


def _add(items: dict[str, Item], prefix: str, row: Mapping[str, Any], file: FilePath) -> None:
    """Put a judgement to its pair."""
    try:
        order = row.get("order", "given")
        outcome = Outcome(row["outcome"]) if "outcome" in row else _as_given(Outcome(row["verdict"]["outcome"]), order)
        pair = "" if (row.get("first", 0), row.get("second", 1)) == (0, 1) else f":{row['first']}-{row['second']}"
        ident = f"{prefix}{row['problem_id']}{pair}"
        if order not in ORDERS:
            raise ValueError(order)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{file}: a row is no judgement of a pair ({error}).\n  Remedy: name records of judge, eval, bench or a run; rankings and"
            " ratings are not compared."
        ) from None
    shown = row.get("shown")
    answers = None if shown is None else tuple(shown if order == "given" else shown[::-1])
    item = items.setdefault(ident, Item(ident, row.get("prompt"), answers, row.get("label")))
    numbers = [number for number, by_order in item.samples.items() if order in by_order]
    index = row["index"] if "index" in row else len(numbers)
    if order in item.samples.get(index, {}):
        raise DataError(f"{file}: {ident} has two judgements of order {order!r} and index {index}.\n  Remedy: compare one judge at a time.")
    item.samples.setdefault(index, {})[order] = outcome


def _as_given(read: Outcome, order: str) -> Outcome:
    """What a verdict that is recorded as it was read says in the pair's own order."""
    return read.mirrored if order == "swapped" else read


def _tokens(row: Mapping[str, Any]) -> int | None:
    made = row.get("completion") or {}
    told = row.get("told") or (row.get("verdict") or {}).get("told") or {}  # of a judge made of judges: what all of them wrote
    found = told.get("tokens", row.get("tokens", made.get("tokens", len(made["token_ids"]) if "token_ids" in made else None)))
    return int(found) if found else None


def _facts(folder: FilePath) -> Iterator[tuple[str, Any]]:
    """Settings of a folder, and the versions that it was made with."""
    config, manifest = folder / "config.yaml", folder / "manifest.json"
    if config.is_file():
        yield from _flat(yaml.safe_load(config.read_text(encoding="utf-8")) or {})
    if manifest.is_file():
        starts: Sequence[Mapping[str, Any]] = json.loads(manifest.read_text(encoding="utf-8")).get("starts") or [{}]
        yield from _flat({"versions": starts[-1].get("versions", {}), "commit": starts[-1].get("git_commit")})


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield from _flat(one, f"{name}.{key}" if name else str(key))
    else:
        yield name, value
