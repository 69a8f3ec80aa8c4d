"""Writes the page with its data into a folder that needs no server: scripts, as a page opened as a file may not fetch."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from pathlib import Path as FilePath
from typing import Any

import numpy as np

from adjudge import ConfigError, stable_id, write_whole

from .index import Index
from .library import STATIC, Library, as_json
from .query import Wanted, chosen, light

SHARD = 100
"""Judgements, tournaments or groups in one file."""
PLACE, MARK = "<!--adjudge-export-->", "<script>window.ADJUDGE_EXPORT = true</script>"


def export(
    library: Library, folder: FilePath, most: int = 10_000, tell: Callable[[str], None] = lambda text: None, *, overwrite: bool = False
) -> FilePath:
    """Write a copy of everything that is open, and return its page; of each run this many judgements at most, votes and completions too.

    `tell` hears of each run of which not all is in it; the page has that among what is missing. An earlier copy is replaced where
    `overwrite` says so, and no other folder that holds something.
    """
    _check(folder, overwrite)
    library.read_all()
    shutil.rmtree(folder / "data", ignore_errors=True)
    shutil.copytree(STATIC, folder / "static", ignore=shutil.ignore_patterns("index.html"), dirs_exist_ok=True)
    pairs = library.comparable()
    held = {run: _run(folder, library, run, index, most) for run, index in library.indexes.items()}
    told, runs = _partial(library, held), library.runs()
    runs["runs"] = [{**run, "missing": [*run["missing"], *filter(None, [told.get(run["run"])])]} for run in runs["runs"]]
    _write(folder, "runs", {**runs, "compares": [list(pair) for pair in pairs]})
    for a, b in pairs:
        found = library.compare(a, b, limit=None)
        ids = (held[a.split(":")[0]], held[b.split(":")[0]])
        items = [item for item in found["items"] if item["a"]["id"] in ids[0] and item["b"]["id"] in ids[1]]
        _write(folder, f"compare/{_file_name(a)}~{_file_name(b)}", {**found, "total": len(items), "items": items})
    page = folder / "index.html"
    write_whole(page, (STATIC / "index.html").read_text(encoding="utf-8").replace(PLACE, MARK))
    for run, text in told.items():
        tell(f"{run}: {text}")
    return page


def _check(folder: FilePath, overwrite: bool) -> None:
    """Raise `ConfigError` where a copy may not be written."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not (folder / "data" / "runs.js").is_file():
        raise ConfigError(
            f"--export: {folder} is there already and is no copy of this page.\n  Remedy: name a new folder, or an empty one."
        )
    if not overwrite:
        raise ConfigError(
            f"--export: {folder} has a copy already, of these runs or of others.\n"
            "  Remedy: name a new folder, or add --overwrite to replace it."
        )


def _partial(library: Library, held: dict[str, set[str]]) -> dict[str, str]:
    """What the copy lacks of runs that it does not hold whole."""
    sizes = {run: len(index.idents) for run, index in library.indexes.items()}
    return {
        run: f"This copy holds {len(ids):,} of {sizes[run]:,} judgements, drawn by whole problems; its lists and comparisons are of these. "
        "`--most 0` takes all."
        for run, ids in held.items()
        if len(ids) < sizes[run]
    }


def _run(folder: FilePath, library: Library, run: str, index: Index, most: int) -> set[str]:
    """Write all of a run; returns the ids of the judgements that the copy holds."""
    _write(folder, f"runs/{run}/curves", library.curves(run))
    ids = _judgements(folder, library, index, most)
    _sharded(
        folder, f"runs/{run}/tournaments", library.tournaments(run, limit=None), "votes", most, lambda one: library.tournament(run, one)
    )

    def group(ident: str) -> dict[str, Any]:
        found = library.group(run, ident)
        return {**found, "members": [{**one, "id": one["id"] if one["id"] in ids else None} for one in found["members"]]}

    _sharded(folder, f"runs/{run}/groups", library.groups(run, limit=None), "size", most, group)
    return ids


def fitting(sizes: Sequence[int], names: Sequence[str], most: int) -> list[int]:
    """Which of these to take, so that their sizes add up to `most` or less, the same ones for the same names; 0 = all."""
    if not most or sum(sizes) <= most:
        return list(range(len(sizes)))
    drawn = sorted(range(len(sizes)), key=lambda place: stable_id(names[place]))
    sums = accumulate(sizes[place] for place in drawn)
    return sorted(place for place, total in zip(drawn, sums, strict=True) if total <= most)


def _judgements(folder: FilePath, library: Library, index: Index, most: int) -> set[str]:
    run, problems = index.source.run, index.rows.table()["problem"]
    sizes = np.bincount(problems, minlength=len(index.problems.names)).tolist()
    everything = chosen(index, index.rows.table(), Wanted(), library.searches)
    numbers = everything[np.isin(problems[everything], fitting(sizes, index.problems.names, most))].tolist()
    ids = {index.idents[number] for number in numbers}
    items: list[dict[str, Any]] = []
    texts: list[str] = []
    for shard, some in enumerate(_parts(numbers)):
        details = [library.judgement(run, index.idents[number]) for number in some]
        items += [{**light(index, number), "shard": shard} for number in some]
        texts += [index.judgement(number).searched.lower() for number in some]
        _write(folder, f"runs/{run}/judgements-{shard}", {one["id"]: _within(one, ids) for one in details})
    _write(folder, f"runs/{run}/judgements", {"total": len(items), "of": len(problems), "items": items})
    _write(folder, f"runs/{run}/texts", {"texts": texts})
    return ids


def _within(detail: dict[str, Any], ids: set[str]) -> dict[str, Any]:
    """A judgement whose links lead to what the copy holds."""
    return {**detail, **{way: detail[way] if detail[way] in ids else None for way in ("previous", "next")}}


def _sharded(folder: FilePath, place: str, listed: dict[str, Any], size: str, most: int, whole: Callable[[str], dict[str, Any]]) -> None:
    found = listed["items"]
    taken = fitting([item[size] for item in found], [item["id"] for item in found], most)
    items = [{**found[number], "shard": place // SHARD} for place, number in enumerate(taken)]
    for shard, some in enumerate(_parts(items)):
        _write(folder, f"{place}-{shard}", {item["id"]: whole(item["id"]) for item in some})
    _write(folder, place, {**listed, "total": len(items), "items": items})


def _parts(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (values[start : start + SHARD] for start in range(0, len(values), SHARD))


def _file_name(stage: str) -> str:
    return stage.replace(":", ".")


def _write(folder: FilePath, place: str, value: Any) -> None:
    write_whole(folder / "data" / f"{place}.js", f"ADJUDGE_DATA({as_json(place).decode()}, {as_json(value).decode()})\n")
