"""Other libraries' ratings of the same round robin, where they are installed: choix, openskill and arena-rank."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable, Sequence

from adjudge import Interval, Match, Outcome

Result = tuple[Match, Outcome]
Rated = tuple[list[float], list[Interval] | None]
"""A rating per candidate, and 95% intervals on the Elo scale where the library has them."""


def choix(size: int, results: Sequence[Result]) -> Rated:
    """Bradley-Terry with its documented small penalty; no intervals."""
    from choix import opt_pairwise

    wins = [(match.first, match.second) if outcome == Outcome.FIRST else (match.second, match.first) for match, outcome in results]
    return list(map(float, opt_pairwise(size, wins, alpha=0.01))), None


def openskill(size: int, results: Sequence[Result]) -> Rated:
    """Plackett-Luce updates match by match, as documented; rated by the mean."""
    from openskill.models import PlackettLuce

    model = PlackettLuce()
    players = [model.rating() for _ in range(size)]
    for match, outcome in results:
        winner, loser = (match.first, match.second) if outcome == Outcome.FIRST else (match.second, match.first)
        [[players[winner]], [players[loser]]] = model.rate([[players[winner]], [players[loser]]])
    return [float(player.mu) for player in players], None


def arena_rank(size: int, results: Sequence[Result]) -> Rated:
    """Bradley-Terry with sandwich intervals, as documented."""
    import pandas
    from arena_rank.models.bradley_terry import BradleyTerry
    from arena_rank.utils.data_utils import PairDataset

    wins = [(str(match.first), str(match.second), "model_a" if outcome == Outcome.FIRST else "model_b") for match, outcome in results]
    data = PairDataset.from_pandas(pandas.DataFrame(wins, columns=["model_a", "model_b", "winner"]), min_pair_count=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = BradleyTerry(size).compute_ratings_and_cis(data)
    place = {str(competitor): index for index, competitor in enumerate(found["competitors"])}
    order = [place[str(candidate)] for candidate in range(size)]
    low, high = found["rating_lower"], found["rating_upper"]
    return [float(found["ratings"][index]) for index in order], [(float(low[index]), float(high[index])) for index in order]


PEERS: dict[str, tuple[str, Callable[[int, Sequence[Result]], Rated]]] = {
    "choix": ("choix", choix),
    "openskill": ("openskill", openskill),
    "arena-rank": ("arena_rank", arena_rank),
}


def installed() -> list[str]:
    """Those that can be imported here."""
    return [name for name, (module, _) in PEERS.items() if importlib.util.find_spec(module)]
