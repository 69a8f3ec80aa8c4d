"""The `fused` and `hybrid` kernels compiled ahead of time for GPUs that need not be here, and their machine code read.

What is compiled is what would be launched: the same tiles, arguments and options. Needs the tools in Triton's wheel, and no GPU.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path as FilePath
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from adjudge_rstar import tiles as table
from adjudge_rstar.statistics import More, Transform
from adjudge_rstar.tiles import Tiles

triton = pytest.importorskip("triton")
TOOL = FilePath(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
pytestmark = [
    pytest.mark.skipif(not TOOL.with_name("ptxas").exists() or not TOOL.exists(), reason="this Triton comes without NVIDIA's assembler"),
    pytest.mark.skipif(triton.knobs.runtime.interpret, reason="Triton interprets here and does not compile"),
]
SHAPES = [(8192, 4096, 152064), (32768, 1536, 151936), (16384, 5120, 152064)]
"""Tokens, width and vocabulary that the kernel is meant for."""
SHARED_MEMORY = 227 * 1024
"""Bytes that a block may have on an H100 or H200."""


@pytest.fixture
def target() -> Iterator[Any]:
    """Says which GPU Triton believes in for the time of a test."""
    from triton.backends.compiler import GPUTarget
    from triton.runtime.driver import driver

    from adjudge_rstar import fused, kernel

    kernels = [fused.partials, fused._combine, fused._dots, kernel._fold, kernel._logit_gradient]
    before = driver._active

    def choose(capability: tuple[int, int]) -> None:
        gpu = GPUTarget("cuda", capability[0] * 10 + capability[1], 32)
        driver.set_active(
            SimpleNamespace(get_current_target=lambda: gpu, get_current_device=lambda: 0, get_current_stream=lambda device: 0)
        )
        for compiled in kernels:
            compiled.device_caches.clear()

    yield choose
    driver._active = before
    for compiled in kernels:
        compiled.device_caches.clear()


def compile_fused(
    tiles: Tiles, dtype: torch.dtype = torch.bfloat16, shape: tuple[int, int, int] = SHAPES[0], transform: Transform = Transform(), *,
    bias: bool = False, entropy: bool = True, more: bool = False,
) -> Any:  # fmt: skip
    from adjudge_rstar import fused

    tokens, width, vocabulary = shape

    def empty(*size: int, dtype: torch.dtype = torch.float32) -> Tensor:
        return torch.empty(*size, dtype=dtype, device="meta")

    partial_XST = empty(6 if more else 3 if entropy else 2, table.splits(vocabulary, tiles), tokens)
    launch = fused.plan(
        empty(tokens, width, dtype=dtype), empty(vocabulary, width, dtype=dtype), empty(vocabulary) if bias else None,
        empty(tokens, dtype=torch.int64), 0, transform, partial_XST, empty(tokens), tiles, entropy=entropy,
        more=More.start(empty(tokens)) if more else None, peak_NT=empty(-(-vocabulary // tiles.columns), tokens) if more else None,
    )  # fmt: skip
    return fused.partials.warmup(*launch.arguments, grid=launch.grid, **launch.options)


def machine_code(compiled: Any, folder: FilePath) -> str:
    file = folder / "kernel.cubin"
    file.write_bytes(compiled.asm["cubin"])
    return subprocess.run([TOOL, "-sass", file], capture_output=True, text=True, check=True).stdout


def spills(code: str) -> int:
    """Instructions that read or write registers kept in memory."""
    return len(re.findall(r"\b(STL|LDL)\b", code))


def on_hopper(dtype: torch.dtype, *, aligned: bool = True, more: bool = False) -> Tiles:
    from adjudge_rstar.fused import VERSION

    return table.choose((9, 0), dtype, aligned=aligned, version=VERSION, more=more)


@pytest.mark.parametrize(
    ("dtype", "shape", "options"),
    [
        (torch.bfloat16, SHAPES[0], {"entropy": False}),
        (torch.bfloat16, SHAPES[1], {}),
        (torch.float16, SHAPES[2], {"bias": True, "transform": Transform(0.7, 1.5, 30.0)}),
        (torch.bfloat16, (4096, 1000, 50257), {"bias": True}),
        (torch.bfloat16, SHAPES[1], {"more": True}),
    ],
    ids=["no entropy", "entropy", "everything, fp16", "odd vocabulary", "all statistics"],
)
def test_on_hopper_the_kernel_is_specialised_and_spills_nothing(
    target: Any, tmp_path: FilePath, dtype: torch.dtype, shape: tuple[int, int, int], options: dict[str, Any]
) -> None:
    target((9, 0))
    tiles = on_hopper(dtype, more=options.get("more", False))
    compiled = compile_fused(tiles, dtype, shape, **options)
    code = machine_code(compiled, tmp_path)
    assert f"HGMMA.64x{tiles.columns}x16" in code
    assert spills(code) == 0
    assert compiled.metadata.shared <= SHARED_MEMORY
    assert "USETMAXREG" in code
    assert compiled.metadata.num_warps == 12  # one group of four that fetches, two that multiply
    assert "UTMALDG.2D" in code


def test_on_hopper_each_consumer_has_rows_of_its_own(target: Any) -> None:
    """What Triton's specialisation makes of the halves of a tile, read before it becomes machine code, since no GPU is needed for that.

    Boxes must be as large as where they are put. Only the one who fetches may add half a tile to the row: consumers already count from
    there, and would be half a tile too far.
    """
    target((9, 0))
    text = compile_fused(on_hopper(torch.bfloat16)).asm["ttgir"]
    boxes = re.findall(r"async_tma_copy_global_to_local .*tensordesc<(?:tensor<)?(\w+),.*-> !ttg.memdesc<(\w+),", text)
    assert [box for box, _ in boxes] == [place for _, place in boxes] == ["64x64xbf16", "256x64xbf16", "64x64xbf16"]
    fetching, *consuming = re.split(r"\n\s*partition\d\(", text)
    assert len(consuming) == 2
    assert re.search(r"addi %\w+, %c64_i32", fetching)
    for first, consumer in zip((0, 64), consuming, strict=True):
        assert f"end = {first + 64} : i32, start = {first} : i32" in consumer
        assert not re.search(r"addi %\w+, %c64_i32", consumer)


@pytest.mark.parametrize(
    ("capability", "dtype", "aligned", "instruction"),
    [
        ((8, 0), torch.bfloat16, True, "HMMA.16816.F32.BF16"),
        ((8, 9), torch.float16, True, "HMMA.16816.F32"),
        ((9, 0), torch.bfloat16, False, "HGMMA"),
        ((9, 0), torch.float32, True, "FFMA"),
        ((10, 0), torch.bfloat16, True, "UTCHMMA"),
        ((12, 0), torch.bfloat16, True, "HMMA.16816.F32.BF16"),
    ],
)
def test_on_other_gpus_and_layouts_it_compiles_to_the_right_instructions(
    target: Any, tmp_path: FilePath, capability: tuple[int, int], dtype: torch.dtype, aligned: bool, instruction: str
) -> None:
    from adjudge_rstar.fused import VERSION

    target(capability)
    tiles = table.choose(capability, dtype, aligned=aligned, version=VERSION)
    compiled = compile_fused(tiles, dtype, (8192, 4096 if aligned else 4097, 152064))
    code = machine_code(compiled, tmp_path)
    assert instruction in code
    assert spills(code) <= 8
    assert compiled.metadata.shared <= (SHARED_MEMORY if capability[0] in (9, 10) else 99 * 1024)
    assert bool(re.search(r"LDGSTS\S*\.128", code)) == (aligned and not tiles.tma)  # 16 bytes at once


def test_on_a_triton_not_yet_read_hopper_gets_the_plain_loop(target: Any, tmp_path: FilePath) -> None:
    target((9, 0))
    code = machine_code(compile_fused(table.choose((9, 0), torch.bfloat16, aligned=True, version=(9, 9))), tmp_path)
    assert "HGMMA" in code
    assert "USETMAXREG" not in code
    assert spills(code) <= 8


def test_the_kernels_of_hybrid_and_the_second_pass_compile_without_spills(target: Any, tmp_path: FilePath) -> None:
    from adjudge_rstar import fused, kernel

    target((9, 0))
    fp32, int64 = torch.float32, torch.int64
    options = {"SOFTCAP": True, **kernel.BLOCK, "num_warps": 4, "grid": (4096,), **kernel.COMPILE}
    kernels = [
        *[
            kernel._fold.warmup(
                fp32, fp32, int64, *[fp32] * 4, *[fp32 if more else None] * 4, 4096, 4096, 4096, 0, 0.5, 0.5,
                ENTROPY=True, MORE=more, **options,
            )
            for more in (False, True)
        ],
        kernel._logit_gradient.warmup(
            fp32, fp32, int64, *[fp32] * 6, torch.bfloat16, 4096, 4096, 4096, 4096, 0, 0.5, 0.5, 0.5, **options
        ),
        fused._dots.warmup(torch.bfloat16, torch.bfloat16, int64, fp32, 5, 4096, 4096, 4096, 1, **fused.DOTS, grid=(8192, 1)),
        fused._combine.warmup(*[fp32] * 12, 8192, SPLITS=8, ENTROPY=True, MORE=True, ROWS=fused.COMBINED, grid=(32,), **kernel.COMPILE),
    ]  # fmt: skip
    for compiled in kernels:
        code = machine_code(compiled, tmp_path)
        assert spills(code) == 0
        assert "LDG.E.128" in code or compiled in kernels[-2:]


def test_the_table_knows_nothing_of_tokens_and_prefers_what_was_read() -> None:
    hopper = table.choose((9, 0), torch.bfloat16, aligned=True, version=(3, 6))
    assert hopper.specialise
    assert hopper == table.choose((9, 0), torch.float16, aligned=True, version=(3, 9))
    for unread in ((3, 5), (3, 10), (4, 0)):
        assert not table.choose((9, 0), torch.bfloat16, aligned=True, version=unread).specialise
    for capability in ((8, 0), (8, 9), (9, 0), (10, 0), (12, 0)):
        assert not table.choose(capability, torch.bfloat16, aligned=False, version=(3, 9)).tma
        assert not table.choose(capability, torch.float32, aligned=True, version=(3, 9)).tma


@pytest.mark.parametrize("shape", SHAPES)
def test_extra_memory_is_below_8_mb(shape: tuple[int, int, int]) -> None:
    """The parts of the first pass, four numbers per token of the result, and two tensor maps of 128 bytes for each program."""
    tokens, _, vocabulary = shape
    tiles = table.choose((9, 0), torch.bfloat16, aligned=True, version=(3, 9))
    parts = table.splits(vocabulary, tiles)
    programs = -(-tokens // tiles.rows) * parts
    assert 4 * tokens * (3 * parts + 4) + programs * 256 <= 8_000_000


def test_no_split_is_empty() -> None:
    tiles = table.choose((9, 0), torch.bfloat16, aligned=True, version=(3, 9))
    assert [table.splits(vocabulary, tiles) for vocabulary in (1, 256, 257, 2048, 151936)] == [1, 1, 2, 8, 8]
