"""Which paths may be chosen at all: those that a label calls right or, without labels, those that something else speaks for.

ReasonGRM ranks the paths that reached the labelled answer. Where nobody knows it, the pool itself can stand in: the answer that most
paths reach (TTRL, 2504.16084), the one that is named whichever answer is shown first (J1, 2505.10320), verdicts on several answers that
make one order (SERL, 2511.07922); or a reference answer (RLPR, 2506.18254). Each is a component here, they can be joined, and where
there are labels, every stage records how often its rule agrees with them, and how many paths it lets through that are wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adjudge import hookimpl, lazy_names

if TYPE_CHECKING:
    from adjudge import Eligibility

    from .checked import check_orders, eligible_paths
    from .combined import AllOf, AnyOf
    from .counts import tally
    from .labels import Label, WithVerdict
    from .majorities import BothOrders, Majority, consensus
    from .reference import Reference
    from .texts import by_problem, texts_of
    from .transitive import Transitive

__all__ = [
    "AllOf", "AnyOf", "BothOrders", "Label", "Majority", "Reference", "Transitive", "WithVerdict", "by_problem", "check_orders",
    "consensus", "eligible_paths", "tally", "texts_of",
]  # fmt: skip
__getattr__ = lazy_names(__name__)


@hookimpl
def register_eligibility() -> list[type[Eligibility]]:
    from .combined import AllOf, AnyOf
    from .labels import Label, WithVerdict
    from .majorities import BothOrders, Majority
    from .reference import Reference
    from .transitive import Transitive

    return [Label, Majority, BothOrders, Transitive, Reference, WithVerdict, AllOf, AnyOf]
