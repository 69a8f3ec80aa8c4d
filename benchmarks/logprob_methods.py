"""The ways to get per-token log-probabilities that `logprob_kernel.py` compares, each importable with torch alone where it needs no more.

A method is made for given tensors and returns a function that makes log-probabilities of shape (T,), or those and entropies.
Shapes: T tokens, V vocabulary, D model width.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
import types
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

ROOT = Path(__file__).parents[1]
PREVIOUS, FOLDER = "08e505a8fb04b2e071b55354d999010f774cd657", "plugins/adjudge_rstar"
EVERY = "adjudge, all statistics"
Run = Callable[[Tensor, Tensor, Tensor, bool], Any]


def ours() -> Any:
    """The module with our `token_logprobs`, which needs torch and, for two backends, triton.

    Where adjudge is not installed, the folder stands in for the package, so that nothing else of adjudge is imported.
    """
    if importlib.util.find_spec("adjudge") is None and "adjudge_rstar" not in sys.modules:
        package = types.ModuleType("adjudge_rstar")
        package.__path__ = [str(ROOT / "plugins" / "adjudge_rstar")]
        sys.modules["adjudge_rstar"] = package
    return importlib.import_module("adjudge_rstar.logprobs")


def with_backend(backend: str) -> Run:
    module = ours()

    def run(hidden_TD: Tensor, head_VD: Tensor, target_T: Tensor, entropy: bool) -> Any:
        return module.token_logprobs(
            hidden_TD, head_VD, target_T, bias_V=None, rows_T=None, temperature=1.0, logit_scale=1.0, softcap=None, ignore_index=-100,
            entropy=entropy, backend=backend, workspace_mib=None,
        )  # fmt: skip

    return run


def every_statistic(hidden_TD: Tensor, head_VD: Tensor, target_T: Tensor, entropy: bool) -> Any:
    """Rank, log Z, mean logit, Σp², the five most probable tokens and two chosen ones, beside log-probability and entropy."""
    found = ours().token_statistics(
        hidden_TD, head_VD, target_T, ids=torch.tensor([1, 2], device=target_T.device), top=5, bias_V=None, rows_T=None, temperature=1.0,
        logit_scale=1.0, softcap=None, ignore_index=-100, backend="auto", workspace_mib=None,
    )  # fmt: skip
    return (found.logprob_T, found.entropy_T) if entropy else found.logprob_T


def previous() -> Run:
    """The build before this one, from the repository's history, under a name of its own."""
    name = "adjudge_rstar_before"
    if name not in sys.modules:
        folder = Path(tempfile.mkdtemp())
        for file in subprocess.check_output(["git", "ls-tree", "-r", "--name-only", PREVIOUS, FOLDER], cwd=ROOT, text=True).split():
            (folder / Path(file).name).write_bytes(subprocess.check_output(["git", "show", f"{PREVIOUS}:{file}"], cwd=ROOT))
        package = types.ModuleType(name)
        package.__path__ = [str(folder)]
        sys.modules[name] = package
    module = importlib.import_module(f"{name}.logprobs")

    def run(hidden_TD: Tensor, head_VD: Tensor, target_T: Tensor, entropy: bool) -> Any:
        return module.token_logprobs(
            hidden_TD, head_VD, target_T, bias_V=None, rows_T=None, temperature=1.0, logit_scale=1.0, softcap=None, ignore_index=-100,
            entropy=entropy, backend="chunked", workspace_mib=None,
        )  # fmt: skip

    return run


def materialised(hidden_TD: Tensor, head_VD: Tensor, target_T: Tensor, entropy: bool) -> Any:
    """All logits, in fp32 from there on, as a plain loop has them."""
    logprob_TV = (hidden_TD @ head_VD.T).float().log_softmax(-1)
    logprob_T = logprob_TV.gather(-1, target_T.unsqueeze(-1)).squeeze(-1)
    return (logprob_T, -(logprob_TV.exp() * logprob_TV).sum(-1)) if entropy else logprob_T


def torch_chunked(hidden_TD: Tensor, head_VD: Tensor, target_T: Tensor, entropy: bool) -> Any:
    from torch.nn import LinearCrossEntropyOptions
    from torch.nn.functional import linear_cross_entropy

    return -linear_cross_entropy(hidden_TD, head_VD, target_T, reduction="none", options=LinearCrossEntropyOptions())


def trl_chunked() -> Run:
    from trl.kernels import ChunkedLogProbFunction
    from trl.trainer.utils import _CHUNKED_LOGPROB_CHUNK_SIZE as columns

    def run(hidden_TD: Tensor, head_VD: Tensor, target_T: Tensor, entropy: bool) -> Any:
        outputs = ("entropy",) if entropy else ()
        found = ChunkedLogProbFunction.apply(hidden_TD, head_VD, None, target_T, 1.0, columns, None, 1.0, outputs)
        return found[:2] if entropy else found[0]

    return run


def liger() -> Run:
    from liger_kernel.ops import LigerFusedLinearScaledCrossEntropyFunction as Fused

    def run(hidden_TD: Tensor, head_VD: Tensor, target_T: Tensor, entropy: bool) -> Any:
        found = Fused.apply(hidden_TD, head_VD, target_T, 1.0, -100, None, entropy)
        return (-found[0], found[1]) if entropy else -(found[0] if isinstance(found, tuple) else found)

    return run


def cut_cross_entropy() -> Run:
    from cut_cross_entropy import linear_cross_entropy

    return lambda hidden_TD, head_VD, target_T, entropy: -linear_cross_entropy(hidden_TD, head_VD, target_T, reduction="none")


@dataclass(frozen=True)
class Method:
    name: str
    make: Callable[[], Run]
    entropy: bool = True
    """Whether it can give entropies too."""
    plain: bool = True
    """Whether it can leave them out."""
    backward: bool = True
    devices: tuple[str, ...] = ("cpu", "cuda")
    needs: tuple[str, ...] = ()


METHODS = (
    Method("materialised", lambda: materialised),
    Method("torch.compile", lambda: torch.compile(materialised, dynamic=False)),
    Method("torch linear_cross_entropy, chunked", lambda: torch_chunked, entropy=False, backward=False),
    Method("TRL ChunkedLogProbFunction", trl_chunked, needs=("trl",)),
    Method("liger FSLCE", liger, devices=("cuda",), needs=("liger_kernel",)),
    Method("cut-cross-entropy", cut_cross_entropy, entropy=False, devices=("cuda",), needs=("cut_cross_entropy",)),
    Method("adjudge chunked", lambda: with_backend("chunked")),
    Method(EVERY, lambda: every_statistic, plain=False, backward=False),
    Method("adjudge chunked, build before", previous, devices=("cpu",)),
    Method("adjudge hybrid", lambda: with_backend("hybrid"), devices=("cuda",), needs=("triton",)),
    Method("adjudge fused", lambda: with_backend("fused"), devices=("cuda",), needs=("triton",)),
)


def usable(device: str) -> tuple[dict[str, tuple[Method, Run]], dict[str, str]]:
    """The methods that this machine can run, and why it cannot run the others."""
    found: dict[str, tuple[Method, Run]] = {}
    missing: dict[str, str] = {}
    for method in METHODS:
        absent = [name for name in method.needs if importlib.util.find_spec(name) is None]
        if device not in method.devices:
            missing[method.name] = f"not for {device}"
        elif absent:
            missing[method.name] = f"{' and '.join(absent)} not installed"
        else:
            try:
                found[method.name] = (method, method.make())
            except (ImportError, AttributeError, subprocess.CalledProcessError) as error:
                missing[method.name] = str(error).split("\n")[0]
    return found, missing


warnings.filterwarnings("ignore", category=UserWarning)
