"""Figures that say how far a judge's accuracy can be believed: κ, what n can detect, corrections; and the command `adjudge compare`.

docs/comparing.md explains every figure, with its formula and its source.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adjudge import hookimpl, lazy_names

if TYPE_CHECKING:
    from adjudge import Command, RewardRule

    from .comparison import compared
    from .corrections import holm, sign_test
    from .graph import circular_triples, components, cyclic_triples
    from .kappa import Agreements, Unit, cohen_kappa, joined, judged_unit, sample_unit, told_kappa, unit
    from .labelled_slice import Slice, ppi, rogan_gladen
    from .mcnemar import Paired, paired
    from .power import detectable, detectable_paired, told_detectable
    from .sides import Item, Side, read_side
    from .spurious import SpuriousCorrectness

__all__ = [
    "Agreements", "Item", "Paired", "Side", "Slice", "SpuriousCorrectness", "Unit", "circular_triples", "cohen_kappa", "compared",
    "components", "cyclic_triples", "detectable", "detectable_paired", "holm", "joined", "judged_unit", "paired", "ppi", "read_side",
    "rogan_gladen", "sample_unit", "sign_test", "told_detectable", "told_kappa", "unit",
]  # fmt: skip
__getattr__ = lazy_names(__name__)


@hookimpl
def register_commands() -> list[Command]:
    from adjudge import Command

    from .command import EXAMPLE, compare
    from .scaling_command import EXAMPLE as SCALING
    from .scaling_command import scaling

    return [Command("compare", compare, EXAMPLE), Command("scaling", scaling, SCALING)]


@hookimpl
def register_reward_rules() -> list[type[RewardRule]]:
    from .spurious import SpuriousCorrectness

    return [SpuriousCorrectness]
