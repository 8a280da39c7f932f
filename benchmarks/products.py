"""Products, convolutions and attention of the run time, beside eager torch and the limits.

    python benchmarks/products.py [--library SO] [--threads 1 2] [--json FILE] [WORD...]

Prints a table and writes JSON. For each case: GFLOPS of ours and of eager's (GB/s of weights where
up to four rows are multiplied), and the share of the limit of the same run: the best product of a
size that suits the caches, or a plain read of memory. One thread is measured by the process's CPU
time, so that other work on the machine does not count; several by the clock, minimum of all calls.
Weights are more than the caches hold, used in turn. A `WORD` chooses the cases whose names have it.
"""

from __future__ import annotations

import argparse
import ctypes
import functools
import itertools
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.runtime.operator_calls import Operators, Optional
from tests.runtime.product_calls import in_blocks

#: rows, columns, terms of a linear layer: y = x W^T + b with W [columns, terms]
LAYERS = {
    "MiniLM": [(128, 384, 384), (128, 1536, 384), (128, 384, 1536), (256, 1536, 384)],
    "BERT": [(128, 768, 768), (128, 3072, 768), (128, 768, 3072)],
    "GPT-2": [(64, 2304, 768), (64, 3072, 768), (64, 768, 3072)],
    "ViT": [(197, 1152, 384), (197, 1536, 384), (197, 384, 1536)],
    "Whisper": [(1500, 384, 384), (1500, 1536, 384), (1500, 384, 1536)],
    "Llama": [(1, 768, 768), (1, 2048, 768), (1, 768, 2048), (1, 32000, 768), (128, 2048, 768)],
    "few rows": [(2, 3072, 768), (4, 3072, 768), (8, 3072, 768), (16, 3072, 768), (32, 3072, 768)],
    "squares": [(1024, 1024, 1024), (4096, 1024, 1024)],
}
#: input, weight, stride, padding, groups, channels last
CONVOLUTIONS = {
    "ResNet": [
        ((1, 3, 224, 224), (64, 3, 7, 7), 2, 3, 1, True),
        ((1, 64, 56, 56), (64, 64, 1, 1), 1, 0, 1, True),
        ((1, 64, 56, 56), (64, 64, 3, 3), 1, 1, 1, True),
        ((1, 128, 28, 28), (128, 128, 3, 3), 1, 1, 1, True),
        ((1, 256, 14, 14), (256, 256, 3, 3), 1, 1, 1, True),
        ((1, 512, 7, 7), (512, 512, 3, 3), 1, 1, 1, True),
        ((1, 2048, 7, 7), (512, 2048, 1, 1), 1, 0, 1, True),
    ],
    "ConvNeXt": [
        ((1, 3, 224, 224), (96, 3, 4, 4), 4, 0, 1, True),
        ((1, 96, 56, 56), (96, 1, 7, 7), 1, 3, 96, True),
        ((1, 384, 14, 14), (384, 1, 7, 7), 1, 3, 384, True),
        ((1, 96, 56, 56), (192, 96, 2, 2), 2, 0, 1, True),
    ],
    "ResNeXt": [((1, 512, 14, 14), (512, 16, 3, 3), 1, 1, 32, True)],
    "Whisper": [
        ((1, 80, 3000), (384, 80, 3), 1, 1, 1, False),
        ((1, 384, 3000), (384, 384, 3), 2, 1, 1, False),
    ],
    "Wav2Vec2": [
        ((1, 1, 16000), (512, 1, 10), 5, 0, 1, False),
        ((1, 512, 3199), (512, 512, 3), 2, 0, 1, False),
        ((1, 768, 49), (768, 48, 128), 1, 64, 16, False),
    ],
}
#: batch, heads, queries, keys, size, causal
ATTENTION = {
    "MiniLM": (1, 12, 128, 128, 32, False),
    "MiniLM, batch of 8": (8, 12, 32, 32, 32, False),
    "BERT": (1, 12, 128, 128, 64, False),
    "GPT-2": (1, 12, 64, 64, 64, True),
    "ViT": (1, 6, 197, 197, 64, False),
    "Whisper": (1, 6, 1500, 1500, 64, False),
    "long, causal": (1, 12, 512, 512, 64, True),
    "one token": (1, 12, 1, 256, 64, False),
}


@dataclass(frozen=True)
class Result:
    case: str
    dtype: str
    threads: int
    unit: str
    ours: float
    eager: float
    limit: float
    milliseconds: float


@dataclass(frozen=True)
class Case:
    """`amount` is of what `unit` counts, in giga."""

    name: str
    dtype: torch.dtype
    unit: str
    amount: float
    ours: Callable[[], object]
    eager: Callable[[], object]


def seconds_of(call: Callable[[], object], threads: int, least: float) -> float:
    """One call, warm."""
    call()
    cpu, wall = [], []
    end = time.perf_counter() + least
    while time.perf_counter() < end or len(wall) < 5:
        before, cpu_before = time.perf_counter(), time.process_time()
        call()
        wall.append(time.perf_counter() - before)
        cpu.append(time.process_time() - cpu_before)
    return statistics.quantiles(cpu, n=4)[0] if threads == 1 else min(wall)


def caller(library: Operators, name: str, results: int, *arguments: Any) -> Callable[[], None]:
    """Calls a function, its arguments made once: Python's part is not what is measured."""
    kept: list[Any] = [arguments]
    given = [one for argument in arguments for one in library._given(argument, kept)]
    slots = [ctypes.c_void_p() for _ in range(results)]
    function, delete = (
        getattr(library.library, name),
        library.library.aoti_torch_delete_tensor_object,
    )

    def call() -> None:
        assert kept  # what the arguments point to lives as long as this function
        if function(*given, *(ctypes.byref(slot) for slot in slots)) != 0:
            raise RuntimeError(library.library.torch_exception_get_what().decode())
        for slot in slots:
            delete(slot)

    return call


def in_turn(calls: Sequence[Callable[[], object]]) -> Callable[[], object]:
    """One after the other, a call each."""
    turn = itertools.cycle(calls)

    def call() -> object:
        return next(turn)()

    return call


def layers(library: Operators, dtype: torch.dtype) -> Iterator[Case]:
    for network, shapes in LAYERS.items():
        for m, n, k in shapes:
            size = n * k * dtype.itemsize
            count = max(1, min(64, 200_000_000 // size))
            weights = [torch.randn(n, k).to(dtype).t() for _ in range(count)]
            x, bias = torch.randn(m, k).to(dtype), torch.randn(n).to(dtype)
            out = torch.empty(m, n, dtype=dtype)
            laid_out = [in_blocks(w.t()) for w in weights] if dtype == torch.float32 else weights
            after = (Optional(bias), "none", [], None)
            ours = [
                # as the build has it: float32 in blocks
                caller(library, "aoti_torch_cpu__linear_pointwise", 1, x, w, *after)
                if dtype == torch.float32
                else caller(library, "aoti_torch_cpu_addmm_out", 0, out, bias, x, w, 1.0, 1.0)
                for w in laid_out
            ]
            reads = m <= 4
            yield Case(
                f"linear, {network}: {m} x {n} x {k}",
                dtype,
                "GB/s" if reads else "GFLOPS",
                1e-9 * (size if reads else 2 * m * n * k),
                in_turn(ours),
                in_turn([functools.partial(torch.addmm, bias, x, w, out=out) for w in weights]),
            )


def convolutions(library: Operators, dtype: torch.dtype) -> Iterator[Case]:
    name = "aoti_torch_cpu_convolution"
    for network, cases in CONVOLUTIONS.items():
        for size, kernel, stride, padding, groups, last in cases:
            x, weight = torch.randn(size).to(dtype), torch.randn(kernel).to(dtype)
            if last:
                form = torch.channels_last
                x, weight = (one.contiguous(memory_format=form) for one in (x, weight))
            bias, places = torch.randn(kernel[0]).to(dtype), len(size) - 2
            ones, none = [1] * places, [0] * places
            lists = ([stride] * places, [padding] * places, ones, False, none, groups)
            eager = functools.partial(torch.ops.aten.convolution, x, weight, bias, *lists)
            ours = caller(library, name, 1, x, weight, Optional(bias), *lists)
            if last and groups == 1 and dtype == torch.float32:
                # as the build has it: another operator, and weights in blocks
                given = (x, in_blocks(weight), Optional(bias), lists[1], lists[0], ones, groups)
                after = ("none", None, 0, None)
                ours = caller(
                    library, "aoti_torch_cpu_mkldnn__convolution_pointwise", 1, *given, *after
                )
            yield Case(
                f"convolution, {network}: {size} {kernel} / {stride}",
                dtype,
                "GFLOPS",
                2e-9 * eager().numel() * weight[0].numel(),
                ours,
                eager,
            )


def attentions(library: Operators, dtype: torch.dtype) -> Iterator[Case]:
    name = "aoti_torch_cpu__scaled_dot_product_flash_attention_for_cpu"
    function = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    for case, (batch, heads, queries, keys, size, causal) in ATTENTION.items():
        query, key, value = (
            torch.randn(batch, rows, heads, size).to(dtype).transpose(1, 2)
            for rows in (queries, keys, keys)
        )
        none = Optional(None)
        pairs = batch * heads * queries * keys * (0.5 if causal else 1)
        yield Case(
            f"attention, {case}",
            dtype,
            "GFLOPS",
            4e-9 * pairs * size,
            caller(library, name, 2, query, key, value, 0.0, causal, none, none),
            functools.partial(function, query, key, value, is_causal=causal),
        )


def limits(library: Operators, threads: int, dtype: torch.dtype) -> dict[str, float]:
    """Of this machine, now."""
    m, n, k = 196 * threads, 256, 2048
    a, b = torch.randn(m, k).to(dtype), torch.randn(n, k).to(dtype).t()
    out = torch.empty(m, n, dtype=dtype)
    ours = caller(library, "aoti_torch_cpu_mm_out", 0, out, a, b)
    calls = (ours, ours, functools.partial(torch.mm, a, b, out=out))
    memory = torch.zeros(1 << 27)
    product = min(seconds_of(call, threads, 0.3) for call in calls)
    reading = min(seconds_of(call, threads, 0.5) for call in (memory.sum, memory.max))
    return {"GFLOPS": 2e-9 * m * n * k / product, "GB/s": memory.nbytes * 1e-9 / reading}


HEADER = """\
| case                                                       | dtype    | threads |   ours \
|  eager | unit   | of the limit |      ms |
|---|---|--:|--:|--:|---|--:|--:|"""


def line(result: Result) -> str:
    return (
        f"| {result.case:58} | {result.dtype:8} | {result.threads:7} | {result.ours:6.1f} "
        f"| {result.eager:6.1f} | {result.unit:6} | {result.ours / result.limit:12.2f} "
        f"| {result.milliseconds:7.3f} |"
    )


def measured(library: Operators, options: argparse.Namespace) -> Iterator[Result]:
    for threads, name in itertools.product(options.threads, options.dtype):
        library.library.aotwin_set_num_threads(threads)
        torch.set_num_threads(threads)
        dtype = getattr(torch, name)
        limit = limits(library, threads, dtype)
        for kind in (layers, attentions, convolutions):
            for case in kind(library, dtype):
                if options.words and not any(word in case.name for word in options.words):
                    continue
                ours = seconds_of(case.ours, threads, options.seconds)
                eager = seconds_of(case.eager, threads, options.seconds)
                rates = (case.amount / ours, case.amount / eager, limit[case.unit])
                yield Result(case.name, name, threads, case.unit, *rates, ours * 1e3)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("words", nargs="*", help="parts of the names of cases; none: all")
    parser.add_argument("--library", type=Path, help="the run time for Linux; none: it is built")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--dtype", nargs="+", default=["float32", "bfloat16"])
    parser.add_argument("--seconds", type=float, default=0.3, help="for each figure")
    parser.add_argument("--json", type=Path, default=Path("products.json"))
    options = parser.parse_args()
    if options.library is None:
        from tests.runtime.product_calls import library

        options.library = library()
    results = []
    print(HEADER)
    for result in measured(Operators(options.library), options):
        results.append(asdict(result))
        print(line(result), flush=True)
    options.json.write_text(json.dumps({"version": 1, "rows": results}, indent=1) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
