"""How far several judges agree, and how often each is right without labels: Krippendorff's alpha, Dawid and Skene's model."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence

from adjudge import Outcome

Votes = Sequence[Sequence[Hashable | None]]
"""One row for each item: what every judge said of it, None where it said nothing."""


def krippendorff_alpha(votes: Votes) -> float | None:
    """Krippendorff's alpha for nominal values: 1 - disagreement observed / disagreement expected; None where nothing can disagree.

    Items with fewer than two votes say nothing. 1 = all agree, 0 = as by chance, below 0 = worse than that. Of 2011's reliability data
    in Krippendorff, *Content Analysis*: values are weighted by 1 / (votes of the item - 1)."""
    paired = [[vote for vote in item if vote is not None] for item in votes]
    counts = [Counter(item) for item in paired if len(item) > 1]
    totals = Counter[Hashable]()
    for count in counts:
        totals.update(count)
    n = totals.total()
    expected = n * n - sum(count * count for count in totals.values())
    if not expected:
        return None
    observed = math.fsum((one.total() ** 2 - sum(count * count for count in one.values())) / (one.total() - 1) for one in counts)
    return 1 - (n - 1) * observed / expected


def dawid_skene(votes: Sequence[Sequence[Outcome | None]], *, rounds: int = 200) -> list[float]:
    """How probably each judge is right, from votes alone, in [0.5, 0.99]: EM on a one-coin model in which *first* and *second* are equally
    likely.

    Every judge is taken to err independently of the others and equally often either way; judges that copy each other look better than
    they are. A tie is half a vote each way, and what was not decided is none."""
    judges = len(votes[0]) if votes else 0
    right = [0.8] * judges
    times = Counter(map(tuple, votes))  # few judges give the same votes about many items, and an item more only counts
    for _ in range(rounds):
        firsts = [_first(item, right) for item in times]
        found = []
        for judge in range(judges):
            said = [(vote, times[item], share) for item, share in zip(times, firsts, strict=True) if (vote := item[judge]) is not None]
            agrees = math.fsum(count * (share * vote.points + (1 - share) * (1 - vote.points)) for vote, count, share in said)
            found.append(min(0.99, max(0.5, agrees / sum(count for _, count, _ in said))) if said else 0.5)
        if max(map(abs, (new - old for new, old in zip(found, right, strict=True))), default=0) < 1e-9:
            break
        right = found
    return right


def _first(item: Sequence[Outcome | None], right: Sequence[float]) -> float:
    """How probable *first* is, given everybody's vote and how probably each is right."""
    lead = math.fsum(
        (2 * vote.points - 1) * math.log(chance / (1 - chance))
        for vote, chance in zip(item, right, strict=True)
        if vote is not None and vote.decided
    )
    return 1 / (1 + math.exp(-lead)) if lead >= 0 else math.exp(lead) / (1 + math.exp(lead))


def weights_of(right: Sequence[float]) -> list[float]:
    """What each judge's vote is to count: the log-odds of its being right, with three digits."""
    return [round(math.log(chance / (1 - chance)), 3) for chance in right]
