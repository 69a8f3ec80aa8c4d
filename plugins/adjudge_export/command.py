"""``adjudge export``: a judge's rankings and verdicts as rows that a framework trains on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path as FilePath
from typing import Annotated, Any, cast

import typer

from adjudge import SkipBadLinesOption

EXAMPLE = "Example: adjudge export runs/ranked --to trl --pairs best-worst --out preferences.jsonl"


class To(StrEnum):
    """A framework, the plain rows of DPO, or paths with the numbers of their tokens."""

    TRL = "trl"
    DPO = "dpo"
    VERL = "verl"
    OPENRLHF = "openrlhf"
    NEMO_RL = "nemo-rl"
    SWIFT = "swift"
    TINKER = "tinker"
    PARQUET = "parquet"


class PairsOf(StrEnum):
    """Which answers of a ranking are compared."""

    ALL = "all"
    BEST_WORST = "best-worst"


class OfTies(StrEnum):
    """What becomes of two answers with the same reward."""

    SKIP = "skip"
    KEEP = "keep"


class Scale(StrEnum):
    """The number whose difference is the margin."""

    WIN_RATE = "win-rate"
    RATING = "rating"
    RANK = "rank"
    MINMAX = "minmax"
    STANDARDISED = "standardised"


SourceArgument = Annotated[
    FilePath,
    typer.Argument(metavar="SOURCE", help="Folder of a call or a run, or a file of what 'rank' or 'judge' printed with --json."),
]
ToOption = Annotated[To, typer.Option("--to", help="The framework that is to read it.", show_default=False)]
OutFileOption = Annotated[FilePath | None, typer.Option("--out", help="File to write, .jsonl or .parquet; else lines are printed.")]
RecordsOption = Annotated[
    str | None, typer.Option("--records", help="Records of the folder, such as '0-base-evaluation-graded'; else its rankings or verdicts.")
]
PairsOption = Annotated[PairsOf, typer.Option("--pairs", help="Any two answers of a ranking, or its first and its last.")]
TiesOption = Annotated[OfTies, typer.Option("--ties", help="Leave ties out, or keep them with margin 0 and a coin's choice.")]
MarginOption = Annotated[float, typer.Option("--min-margin", min=0, help="Leave out preferences with a smaller margin.")]
RewardOption = Annotated[Scale, typer.Option("--reward", help="The number of an answer; differences are margins.")]


def export(
    source: SourceArgument,
    *,
    to: ToOption,
    out: OutFileOption = None,
    records: RecordsOption = None,
    pairs: PairsOption = PairsOf.ALL,
    ties: TiesOption = OfTies.SKIP,
    min_margin: MarginOption = 0.0,
    reward: RewardOption = Scale.WIN_RATE,
    skip_bad_lines: SkipBadLinesOption = False,
) -> None:
    """Write rankings and verdicts as training data of a framework, or paths with their tokens as a Parquet file.

    Every row says by how much an answer is preferred, and which judge, model and run say so, with how many votes.
    """
    from adjudge import ConfigError, DataError

    from .formats import FORMATS
    from .pairs import Rules
    from .paths import write_paths
    from .sources import read_ranked

    if to is To.PARQUET:
        _check_out(out)
        return typer.echo(f"{write_paths(source, records, out)} paths", err=True)
    rules = Rules(reward=cast("Any", reward.value), pairs=cast("Any", pairs.value), ties=cast("Any", ties.value), min_margin=min_margin)
    wanted = FORMATS[to.value]
    if not wanted.of_pairs and (pairs, ties, min_margin) != (PairsOf.ALL, OfTies.SKIP, 0):
        raise ConfigError(f"--to {to}: its rows are prompts.\n  Remedy: leave --pairs, --ties and --min-margin out.")
    _check_out(out)
    ranked = read_ranked(source, records, skip_bad_lines=skip_bad_lines)
    rows = list(wanted.rows(ranked, rules))
    told = ", ".join(f"{count} {why}" for why, count in rules.left_out.items() if count)
    if not rows:
        raise DataError(f"{source}: there is nothing to export ({told}).\n  Remedy: keep ties, or lower --min-margin.")
    _write(rows, out)
    typer.echo(f"{len(rows)} rows from {len(ranked)} rankings{'; left out: ' * bool(told)}{told}", err=True)


def _check_out(out: FilePath | None) -> None:
    """Tell a name that cannot be written before anything is read."""
    from adjudge import ConfigError

    if out is not None and out.is_dir():
        raise ConfigError(f"--out: {out} is a folder.\n  Remedy: name a file in it, such as {out / 'preferences.jsonl'}.")
    if out is not None and out.suffix not in (".jsonl", ".parquet"):
        raise ConfigError(f"--out: {out} ends neither in .jsonl nor in .parquet.\n  Remedy: name {out.with_suffix('.jsonl')}.")


def _write(rows: Sequence[dict[str, Any]], out: FilePath | None) -> None:
    from adjudge import write_whole

    if out is not None and out.suffix == ".parquet":
        return _write_parquet(rows, out)
    text = "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows)
    return typer.echo(text, nl=False) if out is None else write_whole(out, text)


def _write_parquet(rows: Sequence[dict[str, Any]], out: FilePath) -> None:
    from adjudge import ConfigError, JobError

    try:
        from pyarrow import Table, parquet
    except ImportError:
        raise ConfigError(f"{out}: a Parquet file needs pyarrow.\n  Remedy: pip install 'adjudge[data]', or name a .jsonl file.") from None
    partial = out.with_name(out.name + ".partial")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        parquet.write_table(Table.from_pylist(list(rows)), partial)
        partial.replace(out)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise JobError(f"{out} cannot be written: {error.strerror}.\n  Remedy: name a file that can be.") from error
