"""adjudge, a plugin framework for reasoning reward models. These names are the API; everything else may change.

They are imported when they are first used, so that ``adjudge --help`` and a plugin's module cost little.
"""

from typing import TYPE_CHECKING

from .lazy import lazy_names
from .version import __version__ as __version__

# fmt: off
# isort: off
if TYPE_CHECKING:
    from .api.hooks import hookimpl
    from .api.kinds import Aggregator, Dataset, Eligibility, Engine, Judge, PathScorer, RewardRule, Session, check_ranking
    from .api.options import Component, Options, did_you_mean, dump, field_docs, named_once, validate
    from .api.stages import KINDS, Launcher, Probe, ProcessGroup, RecordFile, Reporter, RunInfo, StageContext, StageTrainer
    from .api.values import ReasoningPath as Path
    from .api.values import (
        Command, Completion, Interval, Json, JudgeRequest, Match, Message, Order, Outcome, Problem, Ranking, ReasoningPath, Score,
        Span, StageResult, Verdict, Work, coin, stable_id, stable_seed,
    )
    from .cli.options import DryRunOption, JsonOption, PriceInOption, PriceOutOption, RunFileArgument, SetOption
    from .cli.options import SkipBadLinesOption, SpeedOption
    from .cli.tables import EVALUATION_COLUMNS, FAILURES, evaluation_cells, measures, number, print_table
    from .errors import AdjudgeError, ConfigError, DataError, JobError, PluginError, boundary, number_or_none
    from .host.plugins import Plugins
    from .host.run_file import EvaluationConfig, RunConfig, load_yaml, override
    from .judging.metrics import Metrics, Summary, agree, came_back, consistency, mean_reward, mean_tokens, outcome_rates, summarise, wilson
    from .judging.logprobs import check_statistics, with_logprobs
    from .judging.paths import PromptTooLong, combine, read_verdict, sample_paths
    from .judging.requests import build_requests, check_pairs, count_requests
    from .lazy import lazy_names
    from .run.run import Run, load_set
    from .run.stage import Stage
    from .stopping import Terminated, follow_sigterm
    from .store.files import write_json, write_whole
    from .store.manifest import describe_machine, hash_of_folder, hash_of_problems
    from .store.model_folder import find_model, load_judge, save_judge
    from .store.records import Records, RecordSequence, as_row, join_parts, reader_of, succeeded, token_files, tokens_back
    from .store.run_files import read_run_file
    from .store.run_folder import RunFolder

    from adjudge_data import RowError, held_out, not_empty, object_in, open_lines, problem_in, read_rows, text_field, unique_ids
    from adjudge_engines import escape_special_tokens
    from adjudge_judge_commands import (
        DEFAULT_MODEL, EngineOption, JudgeOption, ModelOption, NoCacheOption, OpenJudge, OrderOption, PairVerdict, RowsArgument, SeedOption,
        open_judge,
    )
    from adjudge_report import duration, snippet
    from adjudge_rstar import score_paths
    from adjudge_tournament import (
        Budget, MatchResult, Ratings, Reward, TournamentResult, Voting, as_reward, bradley_terry, majority, play,
    )
    from adjudge_trl import sigterm_put_off

__all__ = [  # noqa: RUF022
    "AdjudgeError", "Aggregator", "Budget", "Command", "Completion", "Component", "ConfigError", "DEFAULT_MODEL", "DataError", "Dataset",
    "DryRunOption", "EVALUATION_COLUMNS", "Eligibility", "Engine", "EngineOption", "EvaluationConfig", "FAILURES", "Interval", "JobError",
    "Json", "JsonOption", "Judge", "JudgeOption", "JudgeRequest", "KINDS", "Launcher", "Match", "MatchResult", "Message", "Metrics",
    "ModelOption", "NoCacheOption", "OpenJudge", "Options", "Order", "OrderOption", "Outcome", "PairVerdict", "Path", "PathScorer",
    "PluginError", "Plugins", "PriceInOption", "PriceOutOption", "Probe", "Problem", "ProcessGroup", "PromptTooLong", "Ranking",
    "Ratings", "ReasoningPath", "RecordFile", "RecordSequence", "Records", "Reporter", "Reward", "RewardRule", "RowError", "RowsArgument",
    "Run", "RunConfig", "RunFileArgument", "RunFolder", "RunInfo", "Score", "SeedOption", "Session", "SetOption", "SkipBadLinesOption",
    "Span", "SpeedOption", "Stage", "StageContext", "StageResult", "StageTrainer", "Summary", "Terminated", "TournamentResult", "Verdict",
    "Voting", "Work", "agree", "as_reward", "as_row", "boundary", "bradley_terry", "build_requests", "came_back", "check_pairs",
    "check_ranking", "check_statistics", "coin", "combine", "consistency", "count_requests", "describe_machine", "did_you_mean", "dump",
    "duration", "escape_special_tokens", "evaluation_cells", "field_docs", "find_model", "follow_sigterm", "hash_of_folder",
    "hash_of_problems", "held_out", "hookimpl", "join_parts", "lazy_names", "load_judge", "load_set", "load_yaml", "majority",
    "mean_reward", "mean_tokens", "measures", "named_once", "not_empty", "number", "number_or_none", "object_in", "open_judge",
    "open_lines", "outcome_rates", "override", "play", "print_table", "problem_in", "read_rows", "read_run_file", "read_verdict",
    "reader_of", "sample_paths", "save_judge", "score_paths", "sigterm_put_off", "snippet", "stable_id", "stable_seed", "succeeded",
    "summarise", "text_field", "token_files", "tokens_back", "unique_ids", "validate", "wilson", "with_logprobs", "write_json",
    "write_whole",
]
# isort: on
# fmt: on

__getattr__ = lazy_names(__name__, beside="adjudge_")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
