"""Rates results with one library in a process of its own, and prints how long it took and what came out; see ``rating_scale.py``.

Called as ``python rating_scale_peers.py LIBRARY FILE CALLS``, with the Python of an environment that has the library. The file holds
boards of results: arrays of (first, second, points of the first). What a library wants its input as is made before its time is taken,
and a board's time is the least of so many calls, of which the first waits for memory.
"""

from __future__ import annotations

import json
import math
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

SCALE = 400 / math.log(10)
SHOWN = 12
"""Candidates of a situation, whose time nobody asks for."""
Fit = Callable[[], tuple[Any, Any]]
"""Ratings on the Elo scale, and the widths of their intervals or None."""


def adjudge(size: int, board: Any) -> Fit:
    from adjudge import bradley_terry

    def fit() -> tuple[Any, Any]:
        found = bradley_terry(size, board)
        return found.values, [high - low for low, high in found.intervals]

    return fit


def adjudge_objects(size: int, board: Any) -> Fit:
    """From matches and outcomes in place of an array."""
    from adjudge import Match, Outcome, bradley_terry

    outcomes = {1.0: Outcome.FIRST, 0.5: Outcome.TIE, 0.0: Outcome.SECOND}
    results = [(Match(int(first), int(second)), outcomes[points]) for first, second, points in board]

    def fit() -> tuple[Any, Any]:
        found = bradley_terry(size, results)
        return found.values, [high - low for low, high in found.intervals]

    return fit


def evalica(size: int, board: Any) -> Fit:
    from evalica import Winner, bradley_terry

    first, second = board[:, 0].astype(int).tolist(), board[:, 1].astype(int).tolist()
    winners = [{1.0: Winner.X, 0.5: Winner.Draw, 0.0: Winner.Y}[points] for points in board[:, 2]]

    def fit() -> tuple[Any, Any]:
        scores = bradley_terry(first, second, winners).scores
        return [SCALE * math.log(scores.get(one, math.nan)) for one in range(size)], None

    return fit


def choix(size: int, board: Any) -> Fit:
    """The fastest of its functions, with the small penalty that its documents use; the matrix of wins is made of the array."""
    from choix import ilsr_pairwise_dense

    def fit() -> tuple[Any, Any]:
        pairs = board[:, 0].astype(int) * size + board[:, 1].astype(int)
        won, lost = (np.bincount(pairs, share, size * size).reshape(size, size) for share in (board[:, 2], 1 - board[:, 2]))
        return SCALE * ilsr_pairwise_dense(won + lost.T, alpha=0.01), None

    return fit


def arena_rank(size: int, board: Any) -> Fit:
    import pandas
    from arena_rank.models.bradley_terry import BradleyTerry
    from arena_rank.utils.data_utils import PairDataset

    names = {1.0: "model_a", 0.5: "tie", 0.0: "model_b"}
    columns = {"model_a": board[:, 0].astype(int).astype(str), "model_b": board[:, 1].astype(int).astype(str)}
    data = PairDataset.from_pandas(pandas.DataFrame({**columns, "winner": [names[points] for points in board[:, 2]]}), min_pair_count=1)

    def fit() -> tuple[Any, Any]:
        found = BradleyTerry(len(data.competitors)).compute_ratings_and_cis(data)
        place = {str(name): index for index, name in enumerate(found["competitors"])}
        order = [place.get(str(one)) for one in range(size)]
        width = np.asarray(found["rating_upper"]) - np.asarray(found["rating_lower"])
        return (
            [math.nan if index is None else float(found["ratings"][index]) for index in order],
            [math.nan if index is None else float(width[index]) for index in order],
        )

    return fit


LIBRARIES = {"adjudge": adjudge, "adjudge, objects": adjudge_objects, "evalica": evalica, "choix": choix, "arena-rank": arena_rank}


def main() -> None:
    library, file, calls = sys.argv[1], sys.argv[2], int(sys.argv[3])
    held = np.load(file)
    size, seconds, found = int(held["size"]), 0.0, []
    warnings.simplefilter("ignore")
    if size != SHOWN:
        LIBRARIES[library](2, np.array([[0, 1, 1.0], [1, 0, 1.0], [0, 1, 0.5]]))()  # what it imports and compiles is no part of its time
    for board in held["boards"]:
        fit = LIBRARIES[library](size, board)
        times = []
        try:
            for _ in range(calls):
                began = time.process_time()
                ratings, widths = fit()
                times.append(time.process_time() - began)
            said: dict[str, Any] = {"ratings": list(map(float, ratings)), "widths": None if widths is None else list(map(float, widths))}
        except Exception as error:  # what a library raises is a finding
            said = {"error": f"{type(error).__name__}: {error}"[:200]}
        seconds += min(times, default=0.0)
        found.append(said)
    status = Path("/proc/self/status").read_text()  # getrusage would tell the caller's peak, too
    peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
    print(json.dumps({"seconds": seconds, "peak_mb": peak, "boards": found}))


if __name__ == "__main__":
    main()
