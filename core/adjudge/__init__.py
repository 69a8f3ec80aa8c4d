"""adjudge, a plugin framework for reasoning reward models. These names are the API; everything else may change."""

from .components import (
    Aggregator,
    Component,
    Dataset,
    Engine,
    Judge,
    PathScorer,
    Reporter,
    RewardRule,
    Session,
    StageTrainer,
    named_once,
)
from .errors import AdjudgeError, ConfigError, DataError, JobError, PluginError
from .hookspecs import hookimpl
from .jsonl import RowError, not_empty, read_rows, text_field
from .judging import PromptTooLong, defused, mean_reward, read_verdict, summarise, wilson
from .manager import Plugins
from .records import (
    Completion,
    Match,
    Message,
    Order,
    Outcome,
    Path,
    Problem,
    Ranking,
    Score,
    Span,
    StageResult,
    Verdict,
    held_out,
    stable_id,
    stable_seed,
)
from .stage import Stage, score_paths

__version__ = "0.1.0"

__all__ = [
    "AdjudgeError",
    "Aggregator",
    "Completion",
    "Component",
    "ConfigError",
    "DataError",
    "Dataset",
    "Engine",
    "JobError",
    "Judge",
    "Match",
    "Message",
    "Order",
    "Outcome",
    "Path",
    "PathScorer",
    "PluginError",
    "Plugins",
    "Problem",
    "PromptTooLong",
    "Ranking",
    "Reporter",
    "RewardRule",
    "RowError",
    "Score",
    "Session",
    "Span",
    "Stage",
    "StageResult",
    "StageTrainer",
    "Verdict",
    "defused",
    "held_out",
    "hookimpl",
    "mean_reward",
    "named_once",
    "not_empty",
    "read_rows",
    "read_verdict",
    "score_paths",
    "stable_id",
    "stable_seed",
    "summarise",
    "text_field",
    "wilson",
]
