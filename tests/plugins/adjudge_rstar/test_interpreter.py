"""The suites of `token_logprobs` and of the kernels in Triton's interpreter, chosen before triton is imported: in another process."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path as FilePath

import pytest
import torch

from .test_token_logprobs import GIVEN, STORIES, own_text

SUITES = [FilePath(__file__).with_name(f"test_{name}.py") for name in ("token_logprobs", "token_statistics", "kernel_fold", "kernel_fused")]


@pytest.mark.skipif(torch.cuda.is_available(), reason="the GPU runs the suite natively")
@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="triton is not installed")
def test_the_triton_backends_pass_the_same_suite(tmp_path: FilePath) -> None:
    environment = {**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    if STORIES.is_dir():
        torch.save(own_text(), environment.setdefault(GIVEN, str(tmp_path / "own_text.pt")))
    command = [sys.executable, "-m", "pytest", *map(str, SUITES), "-q", "-k", "hybrid or fused or kernel", "-p", "no:cacheprovider"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) >= 150
