"""Path scorers beside R⋆: from what every engine records, from the pool, from statistics of tokens, from one more pass, by a reference.

R⋆ asks for a label first and for a likelihood then. Papers since have scores for chains of thought that need no label, or a reference
instead of one; most were tried on mathematics. Here they are components for judges, each with its formula and source: `likelihoods` and
`structure` need nothing new, `pools` reads what the other paths say, `statistics` needs numbers of every token, `passes` and `references`
have the model read more, `models` loads another one, `combined` adds several up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adjudge import hookimpl, lazy_names

if TYPE_CHECKING:
    from adjudge import PathScorer

    from .combined import Combine
    from .likelihoods import Perplexity, Picsar, RewardWeightedLikelihood, WorstWindow
    from .models import ByModel, Prm
    from .passes import LocalLogprob, LongPpl, PathGain, PTrue, VerdictMargin
    from .pools import OrderAgreement, VoteShare
    from .references import ReferenceLikelihood, ReferenceLogprob, ReferencePerplexity, ReferenceProbability
    from .statistics import DeepConf, Entropy, RankSurprisal, SelfCertainty, ratio_over
    from .structure import Structure

__all__ = [
    "ByModel", "Combine", "DeepConf", "Entropy", "LocalLogprob", "LongPpl", "OrderAgreement", "PTrue", "PathGain", "Perplexity", "Picsar",
    "Prm", "RankSurprisal", "ReferenceLikelihood", "ReferenceLogprob", "ReferencePerplexity", "ReferenceProbability",
    "RewardWeightedLikelihood", "SelfCertainty", "Structure", "VerdictMargin", "VoteShare", "WorstWindow", "ratio_over",
]  # fmt: skip
__getattr__ = lazy_names(__name__)


@hookimpl
def register_path_scorers() -> list[type[PathScorer]]:
    from . import combined, likelihoods, models, passes, pools, references, statistics, structure

    return [
        likelihoods.RewardWeightedLikelihood, likelihoods.Picsar, likelihoods.WorstWindow, likelihoods.Perplexity,
        pools.VoteShare, pools.OrderAgreement, structure.Structure,
        statistics.SelfCertainty, statistics.DeepConf, statistics.Entropy, statistics.RankSurprisal,
        passes.VerdictMargin, passes.LocalLogprob, passes.PathGain, passes.PTrue, passes.LongPpl,
        references.ReferenceProbability, references.ReferenceLogprob, references.ReferenceLikelihood, references.ReferencePerplexity,
        combined.Combine, models.ByModel, models.Prm,
    ]  # fmt: skip
