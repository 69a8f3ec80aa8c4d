"""`token_logprobs`, `token_statistics` and the half for vocabulary shards: inputs checked, rows gathered, ignored targets left out.

Shapes: T tokens, N rows of hidden states, V vocabulary (or one shard of it), D model width.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from .backends import WORKSPACE, Backend, by_triton, every, statistics
from .chosen import chosen_logits
from .chunked import Problem
from .statistics import Stats, TokenStatistics, Transform


def token_logprobs(
    hidden_TD: Tensor, head_VD: Tensor, target_T: Tensor, *, bias_V: Tensor | None, rows_T: Tensor | None, temperature: float,
    logit_scale: float, softcap: float | None, ignore_index: int, entropy: bool, backend: Backend, workspace_mib: float | None,
) -> Tensor | tuple[Tensor, Tensor]:  # fmt: skip
    """See `adjudge_rstar.token_logprobs`."""
    transform = _transform(temperature, logit_scale, softcap)
    chosen_TD, chosen_T, kept = _chosen(hidden_TD, head_VD, target_T, bias_V, rows_T, ignore_index)
    stats = statistics(_problem(chosen_TD, head_VD, bias_V, chosen_T, 0, transform, entropy, workspace_mib), backend)
    logprob_T = _spread(stats.logprob_T, kept, len(target_T))
    return (logprob_T, _spread(stats.entropy_T, kept, len(target_T))) if entropy else logprob_T


def token_statistics(
    hidden_TD: Tensor, head_VD: Tensor, target_T: Tensor, *, ids: Tensor | None, top: int, bias_V: Tensor | None, rows_T: Tensor | None,
    temperature: float, logit_scale: float, softcap: float | None, ignore_index: int, backend: Backend, workspace_mib: float | None,
) -> TokenStatistics:  # fmt: skip
    """See `adjudge_rstar.token_statistics`."""
    transform = _transform(temperature, logit_scale, softcap)
    chosen_TD, chosen_T, kept = _chosen(hidden_TD, head_VD, target_T, bias_V, rows_T, ignore_index)
    if not 0 <= top <= len(head_VD):
        raise ValueError(f"top must lie in [0, {len(head_VD)}], not {top}")
    problem = _problem(chosen_TD, head_VD, bias_V, chosen_T, 0, transform, True, workspace_mib)
    stats, beside = every(problem, backend, top)
    log_z_T, relative_T = stats.max_T + stats.log_sum_T, stats.log_sum_T.unsqueeze(1)
    values = {
        "logprob_T": stats.logprob_T, "entropy_T": stats.entropy_T, "log_z_T": log_z_T, "mean_logit_T": beside.mean_logit_T,
        "p_squared_T": beside.square_T, "rank_T": torch.where(log_z_T.isnan(), 0, beside.above_T + 1),
        "top_id_TK": beside.top_id_TK, "top_logprob_TK": (beside.top_logit_TK - stats.max_T.unsqueeze(1)) - relative_T,
    }  # fmt: skip
    if ids is not None:
        id_TK = _ids(ids, head_VD, len(target_T), kept)
        logit_TK = _logits_of(problem, id_TK, backend)
        values["id_logprob_TK"] = (logit_TK - stats.max_T.unsqueeze(1)) - relative_T
    return TokenStatistics(**{name: _spread(value, kept, len(target_T)) for name, value in values.items()})


def _logits_of(problem: Problem, id_TK: Tensor, backend: Backend) -> Tensor:
    if backend == "reference":
        bias_V = None if problem.bias_V is None else problem.bias_V.double()
        problem = replace(problem, hidden_TD=problem.hidden_TD.double(), head_VD=problem.head_VD.double(), bias_V=bias_V)
        return chosen_logits(problem, id_TK, triton=False)
    return chosen_logits(problem, id_TK, triton=by_triton(problem, backend))


def _ids(ids: Tensor, head_VD: Tensor, tokens: int, kept: Tensor | None) -> Tensor:
    """Of every token that counts. Raises `ValueError` for ids of another shape, and for one that is no token."""
    if ids.dtype not in (torch.int32, torch.int64) or ids.ndim not in (1, 2) or (ids.ndim == 2 and len(ids) != tokens):
        raise ValueError(f"ids must be integers of shape (K,) or (T, K) with T = {tokens}, not {ids.dtype} of {tuple(ids.shape)}")
    if ids.device != head_VD.device:
        raise ValueError(f"ids must be on the device of the head, {head_VD.device}, not on {ids.device}")
    if ids.numel() and not bool(((ids >= 0) & (ids < len(head_VD))).all()):
        raise ValueError(f"ids must lie in [0, {len(head_VD)}); they run from {int(ids.min())} to {int(ids.max())}")
    id_TK = ids.long().expand(tokens, -1) if ids.ndim == 1 else ids.long()
    return id_TK if kept is None else id_TK[kept]


def _chosen(
    hidden_TD: Tensor, head_VD: Tensor, target_T: Tensor, bias_V: Tensor | None, rows_T: Tensor | None, ignore_index: int
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Inputs checked: the hidden states and targets that count, and their places, None where all do."""
    _check_tensors(hidden_TD, head_VD, target_T, bias_V, rows_T)
    kept = _kept(target_T, ignore_index, len(head_VD))
    if kept is None:
        return hidden_TD if rows_T is None else hidden_TD[_rows(rows_T, len(hidden_TD))], target_T, None
    return hidden_TD[kept if rows_T is None else _rows(rows_T[kept], len(hidden_TD))], target_T[kept], kept


def shard_statistics(
    hidden_TD: Tensor, head_VD: Tensor, target_T: Tensor, *, start: int, bias_V: Tensor | None, temperature: float, logit_scale: float,
    softcap: float | None, entropy: bool, backend: Backend, workspace_mib: float | None,
) -> Stats:  # fmt: skip
    """See `adjudge_rstar.shard_statistics`."""
    transform = _transform(temperature, logit_scale, softcap)
    _check_tensors(hidden_TD, head_VD, target_T, bias_V, None)
    return statistics(_problem(hidden_TD, head_VD, bias_V, target_T, start, transform, entropy, workspace_mib), backend)


def _problem(
    hidden_TD: Tensor, head_VD: Tensor, bias_V: Tensor | None, target_T: Tensor, start: int, transform: Transform, entropy: bool,
    workspace_mib: float | None,
) -> Problem:  # fmt: skip
    """As autocast would cast them; of two precisions the wider."""
    device = hidden_TD.device.type
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else torch.promote_types(hidden_TD.dtype, head_VD.dtype)
    workspace = WORKSPACE.get(device, WORKSPACE["cpu"]) if workspace_mib is None else int(workspace_mib * 2**20)
    return Problem(hidden_TD.to(dtype), head_VD.to(dtype), bias_V, target_T, start, transform, entropy, workspace)


def _transform(temperature: float, logit_scale: float, softcap: float | None) -> Transform:
    for name, value in (("temperature", temperature), ("softcap", 1.0 if softcap is None else softcap)):
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"{name} must be a finite number above 0, not {value}")
    if not math.isfinite(logit_scale):
        raise ValueError(f"logit_scale must be finite, not {logit_scale}")
    return Transform(temperature, logit_scale, softcap)


def _check_tensors(hidden_TD: Tensor, head_VD: Tensor, target_T: Tensor, bias_V: Tensor | None, rows_T: Tensor | None) -> None:
    if hidden_TD.ndim != 2 or head_VD.ndim != 2 or hidden_TD.shape[1] != head_VD.shape[1]:
        raise ValueError(f"hidden must be (T, D) and head (V, D), not {tuple(hidden_TD.shape)} and {tuple(head_VD.shape)}")
    tokens = hidden_TD.shape[:1] if rows_T is None else rows_T.shape
    if target_T.ndim != 1 or target_T.shape != tokens:
        raise ValueError(f"target must be (T,) = {tuple(tokens)}, not {tuple(target_T.shape)}")
    if bias_V is not None and bias_V.shape != head_VD.shape[:1]:
        raise ValueError(f"bias must be (V,) = ({len(head_VD)},), not {tuple(bias_V.shape)}")
    for name, tensor in (("hidden", hidden_TD), ("head", head_VD), ("bias", bias_V)):
        if tensor is not None and not tensor.is_floating_point():
            raise ValueError(f"{name} must be of a floating-point type, not {tensor.dtype}")
    for name, tensor in (("target", target_T), ("rows", rows_T)):
        if tensor is not None and tensor.dtype not in (torch.int32, torch.int64):
            raise ValueError(f"{name} must be int32 or int64, not {tensor.dtype}")
    devices = {str(tensor.device) for tensor in (hidden_TD, head_VD, target_T, bias_V, rows_T) if tensor is not None}
    if len(devices) > 1:
        raise ValueError(f"all tensors must be on one device, not on {' and '.join(sorted(devices))}")


def _kept(target_T: Tensor, ignore_index: int, vocabulary: int) -> Tensor | None:
    """Places of the targets that count; None when all do. Raises `ValueError` for one that is no token."""
    counts_T = target_T != ignore_index
    wrong_T = counts_T & ((target_T < 0) | (target_T >= vocabulary))
    wrong, all_count = torch.stack([wrong_T.any(), counts_T.all()]).tolist()  # one wait for the device, not two
    if wrong:
        place = int(wrong_T.nonzero()[0])
        raise ValueError(f"targets must lie in [0, {vocabulary}) or be {ignore_index}; target {place} is {int(target_T[place])}")
    return None if all_count else counts_T.nonzero().squeeze(1)


def _rows(rows_T: Tensor, size: int) -> Tensor:
    wrong_T = (rows_T < 0) | (rows_T >= size)
    if bool(wrong_T.any()):
        place = int(wrong_T.nonzero()[0])
        raise ValueError(f"rows must lie in [0, {size}), the rows of hidden; row {place} is {int(rows_T[place])}")
    return rows_T


def _spread(value_T: Tensor, kept: Tensor | None, tokens: int) -> Tensor:
    """Back to all tokens, 0 at the ignored ones."""
    return value_T if kept is None else value_T.new_zeros(tokens, *value_T.shape[1:]).index_put((kept,), value_T)
