"""For plugin authors: an engine that replays texts, and checks of what each kind promises.

    from adjudge.testing import check_aggregator
    check_aggregator(Elo())

Every ``check_*`` raises `AssertionError` that says which promise was broken.
"""

from typing import TYPE_CHECKING

from .lazy import lazy_names

if TYPE_CHECKING:
    from adjudge_engines.recorded import RecordedEngine, ReplaySession
    from adjudge_scaffold import (
        Decide,
        check_aggregator,
        check_component,
        check_judge,
        check_rule,
        check_scorer,
        completion_of,
        path_of,
        play_with,
    )

__all__ = [
    "Decide", "RecordedEngine", "ReplaySession", "check_aggregator", "check_component", "check_judge", "check_rule", "check_scorer",
    "completion_of", "path_of", "play_with",
]  # fmt: skip
__getattr__ = lazy_names(__name__, beside="adjudge_")
