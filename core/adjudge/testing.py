"""For plugin authors: an engine that replays texts, and checks that raise `AssertionError` where a kind's promise is broken.

from adjudge.testing import check_aggregator
check_aggregator(Elo())
"""

from typing import TYPE_CHECKING

from .lazy import lazy_names

if TYPE_CHECKING:
    from adjudge_engines.recorded import RecordedEngine, ReplaySession
    from adjudge_scaffold import (
        Decide,
        check_aggregator,
        check_component,
        check_eligibility,
        check_judge,
        check_rule,
        check_scorer,
        completion_of,
        path_of,
        play_with,
    )

__all__ = [
    "Decide", "RecordedEngine", "ReplaySession", "check_aggregator", "check_component", "check_eligibility", "check_judge", "check_rule",
    "check_scorer", "completion_of", "path_of", "play_with",
]  # fmt: skip
__getattr__ = lazy_names(__name__, beside="adjudge_")
