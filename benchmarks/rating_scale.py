"""Rating at scale beside other libraries: ``python benchmarks/rating_scale.py --peers FOLDER/bin/python``.

Times: 200 candidates from 1,000,000 matches, and groups of 16 candidates with 40 matches each, scaled to 100,000 groups. A library's
time is that of its processor from the input that it wants, which is made before, for the matches the least of three calls; libraries
take turns, arena-rank with three groups. Situations: 12 candidates of
whom some tied, one never lost, or two halves never met. *Right* is within 5 Elo points of the exact maximum of the likelihood with a
draw as half a win; or, where there is no such maximum, finite, with the unbeaten one first, and an interval, if there is one, that is
wider than the others'. `--peers` names a Python with ``benchmarks/rating_peers.txt``. Writes ``results/rating_scale.json`` and ``.md``.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from bench import RESULTS, ROOT, save, table

from adjudge import bradley_terry

PEERS = ("evalica", "choix", "arena-rank")
OURS = ("adjudge", "adjudge, objects")
SIZE, GROUP, PLAYED, SHOWN = 200, 16, 40, 12
SCALED = 100_000
CLOSE = 5.0
"""Elo points."""


def drawn(rng: Any, size: int, matches: int, ties: float = 0.15) -> Any:
    """Results of Bradley-Terry candidates that meet at random."""
    skill = rng.normal(size=size)
    first = rng.integers(size, size=matches)
    second = (first + rng.integers(1, size, size=matches)) % size
    won = rng.random(matches) < 1 / (1 + np.exp(skill[second] - skill[first]))
    return np.stack([first, second, np.where(rng.random(matches) < ties, 0.5, won)], axis=1)


def situations(rng: Any) -> dict[str, Any]:
    """Boards of 12 candidates that show what a library does with them."""
    tied = drawn(rng, SHOWN, 600, 0.5)
    beaten = drawn(rng, SHOWN, 300, 0.0)
    beaten[:, 2] = np.where(beaten[:, 0] == 3, 1, np.where(beaten[:, 1] == 3, 0, beaten[:, 2]))
    halves = drawn(rng, SHOWN // 2, 300)
    apart = np.concatenate([halves, halves + np.array([SHOWN // 2, SHOWN // 2, 0])])
    return {"ties": tied, "one never loses": beaten, "two halves never meet": apart}


def called(python: str, library: str, size: int, boards: Any, folder: Path, calls: int = 1) -> dict[str, Any]:
    """A library's answers, from a process of its own on one thread."""
    file = folder / "boards.npz"
    np.savez(file, size=size, boards=np.asarray(boards))
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false"}
    paths = {"PYTHONPATH": f"{ROOT / 'core'}{os.pathsep}{ROOT / 'plugins'}"} if library in OURS else {"PYTHONPATH": ""}
    script = str(ROOT / "benchmarks" / "rating_scale_peers.py")
    done = subprocess.run(
        [python, script, library, str(file), str(calls)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **threads, **paths},
    )
    if done.returncode:
        raise SystemExit(f"{library}: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def verdict(name: str, board: Any, said: dict[str, Any]) -> str:  # noqa: PLR0911  one for each mistake
    """What a library gets right, and what wrong."""
    if "error" in said:
        return "refuses: " + said["error"].split(":")[0]
    ratings, widths = np.array(said["ratings"]), said["widths"]
    if not np.isfinite(ratings).all():
        return "wrong: not finite"
    if np.ptp(ratings) < 1e-3:
        return "wrong: all equal"
    if name == "one never loses":
        others = [one for one in range(SHOWN) if one != 3]
        if ratings.argmax() != 3:
            return "wrong: another one is first"
        narrow = widths is not None and widths[3] < max(widths[one] for one in others)
        return f"wrong: its interval is {widths[3]:.1f} wide" if narrow else _right(widths, widths and widths[3])
    exact = np.array(bradley_terry(SHOWN, board, prior=1e-9).values)
    if name == "ties":
        off = np.abs(ratings - ratings.mean() - exact + exact.mean()).max()
        return f"wrong: off by {off:.0f}" if off > CLOSE else _right(widths, widths and statistics.median(widths))
    joined = bradley_terry(SHOWN // 2, board[: len(board) // 2], prior=1e-9).values
    halves = (ratings[: SHOWN // 2], ratings[SHOWN // 2 :])
    off = max(np.abs(half - half.mean() - np.array(joined) + np.mean(joined)).max() for half in halves)
    gap = abs(halves[0].mean() - halves[1].mean())
    if max(off, gap) > CLOSE:
        return f"wrong: off by {max(off, gap):.0f}"
    apart = widths is not None and statistics.median(widths) < 2 * statistics.median(
        high - low for low, high in bradley_terry(SHOWN // 2, board[: len(board) // 2]).intervals
    )
    return "wrong: intervals as if they had met" if apart else _right(widths, widths and statistics.median(widths))


def _right(widths: Any, width: Any) -> str:
    return "right, no intervals" if widths is None else f"right, {width:.0f} wide"


def wrong_groups(answers: list[dict[str, Any]]) -> float:
    """Share of groups without a finite rating of every candidate, or with all of them equal."""
    bad = ["error" in one or not np.isfinite(one["ratings"]).all() or np.ptp(one["ratings"]) < 1e-3 for one in answers]
    return sum(bad) / len(bad)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", help="a Python that has benchmarks/rating_peers.txt; without it adjudge alone, and nothing is written")
    parser.add_argument("--matches", type=int, default=1_000_000)
    parser.add_argument("--groups", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    large, shown = drawn(rng, SIZE, given.matches), situations(rng)
    groups = [drawn(rng, GROUP, PLAYED) for _ in range(given.groups)]
    exact = np.array(bradley_terry(SIZE, large, prior=1e-9).values)
    pythons = dict.fromkeys(OURS, sys.executable) | (dict.fromkeys(PEERS, given.peers) if given.peers else {})
    found: dict[str, Any] = {name: {"large": [], "groups": []} for name in pythons}
    with tempfile.TemporaryDirectory() as made:
        for _ in range(given.rounds):
            for name, python in pythons.items():
                one = called(python, name, SIZE, [large], Path(made), calls=3)
                ratings = np.array(one.pop("boards")[0]["ratings"])
                off = float(np.abs(ratings - ratings.mean() - exact + exact.mean()).max())
                found[name]["large"].append({**one, "off": off})
                many = called(python, name, GROUP, groups[: 3 if name == "arena-rank" else None], Path(made))
                boards = many.pop("boards")
                scaled = many["seconds"] / len(boards) * SCALED
                found[name]["groups"].append({**many, "scaled_seconds": scaled, "wrong": wrong_groups(boards)})
                print(name, f"{one['seconds']:.2f} s, {scaled:.0f} s", flush=True)
        for name, python in pythons.items():
            answers = {kind: called(python, name, SHOWN, [board], Path(made))["boards"][0] for kind, board in shown.items()}
            found[name]["situations"] = {kind: verdict(kind, shown[kind], said) for kind, said in answers.items()}
    head = ["library", "1,000,000 matches (s)", "peak (MB)", "off by (Elo)", "100,000 groups (s)", "peak (MB)", "wrong groups", *shown]
    text = table(head, [row(name, one) for name, one in found.items()])
    print(text)
    if given.peers:
        save("rating_scale", {"libraries": found})
        (RESULTS / "rating_scale.md").write_text(text + "\n", encoding="utf-8")


def row(name: str, found: dict[str, Any]) -> list[str]:
    """A library's row: medians over rounds."""

    def median(kind: str, field: str) -> float:
        return statistics.median(one[field] for one in found[kind])

    cells = [f"{median('large', 'seconds'):.3f}", f"{median('large', 'peak_mb'):.0f}", f"{median('large', 'off'):.2f}"]
    cells += [f"{median('groups', 'scaled_seconds'):.0f}", f"{median('groups', 'peak_mb'):.0f}", f"{median('groups', 'wrong'):.1%}"]
    return [name, *cells, *found["situations"].values()]


if __name__ == "__main__":
    main()
