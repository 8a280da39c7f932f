"""What a program gives eagerly is kept for its proof, and the program stays as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.export import Dim, ExportedProgram, export

from aotwin.errors import ProgramError
from aotwin.proof_samples import Samples, read_tensor
from aotwin.stages.generate.eager import eager_samples
from aotwin.stages.generate.random_results import random_results

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore")]


class Counter(nn.Module):
    """Writes a buffer, and takes an argument that the export fixes."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("total", torch.zeros(3))

    def forward(self, x: torch.Tensor, *, scale: int = 2) -> dict[str, Any]:
        self.total.add_(x.sum(0) * scale)
        return {"sum": self.total + 0, "rows": x.shape[0] * 2, "none": None}


@pytest.fixture(scope="module")
def counter() -> ExportedProgram:
    shapes = {"x": {0: Dim.AUTO}, "scale": None}
    return export(Counter(), (torch.ones(2, 3),), {"scale": 2}, dynamic_shapes=shapes)


def results(samples: Samples) -> list[list[Any]]:
    return [
        [read_tensor(samples.results_file, each).tolist() for each in call]
        for call in samples.results
    ]


def test_calls_see_what_the_calls_before_have_written(
    counter: ExportedProgram, tmp_path: Path
) -> None:
    calls = [((torch.ones(size, 3),), {"scale": 2}) for size in (2, 4)]
    samples = eager_samples(counter, calls, "e", tmp_path)
    assert results(samples) == [[[4.0] * 3, 4], [[12.0] * 3, 8]]
    assert [(each.position, each.dtype) for each in samples.outputs] == [
        (0, "float32"), (1, "int64"),
    ]  # fmt: skip
    assert samples.outputs[0].noise == 0
    # The program's own buffer, which goes into the blob.
    assert counter.state_dict["total"].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (((torch.ones(2, 3),), {"scale": 3}), "argument 1 is 3, and fixed to 2"),
        (((torch.ones(2, 3),), {}), "its keyword arguments are not ['scale']"),
        ((([torch.ones(2, 3)],), {"scale": 2}), "nested in another way"),
        (((torch.ones(2, 4),), {"scale": 2}), "x is float32 [2, 4], expected float32"),
        (((torch.ones(2, 3).double(),), {"scale": 2}), "x is float64 [2, 3], expected float32"),
        (((np.ones((2, 3), np.float32),), {"scale": 2}), "x is no tensor on the CPU"),
        (((torch.ones(2, 3),), [2]), "it is no pair of a tuple and a dict"),
    ],
)
def test_a_call_that_does_not_fit_is_refused(
    counter: ExportedProgram, call: Any, told: str, tmp_path: Path
) -> None:
    with pytest.raises(ProgramError, match=r"sample 1 of samples\.py cannot be used") as caught:
        good = ((torch.ones(2, 3),), {"scale": 2})
        eager_samples(counter, [good, call], "samples.py", tmp_path)
    assert told in caught.value.cause


class Rounding(nn.Module):
    """A sum that float32 rounds, and one that random numbers are in."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (x * 0.1).cumsum(0), x + torch.rand(1), nn.functional.dropout(x, training=False)


def test_noise_is_what_rounding_makes(tmp_path: Path) -> None:
    program = export(Rounding().eval(), (torch.arange(100.0),))
    summed, random, same = eager_samples(program, None, "e", tmp_path).outputs
    assert summed.noise is not None and 0 < summed.noise < 1e-3
    assert [each.is_random for each in (summed, random, same)] == [False, True, False]
    assert same.noise == 0


class Noise(nn.Module):
    """Random numbers on their way through a buffer and through a branch."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("state", torch.zeros(3))
        self.register_buffer("table", torch.ones(3))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        before = self.state + x
        self.state.copy_(torch.rand(3))
        branch = torch.cond(x.sum() > 0, lambda y: y + torch.rand(3), lambda y: y - 1, (x,))
        written = torch.zeros(3)
        written.uniform_()
        return before, branch, written + 1, self.table + x


@pytest.mark.parametrize("lowered", [False, True], ids=["as exported", "decomposed"])
def test_random_numbers_are_followed(lowered: bool) -> None:
    program = export(Noise(), (torch.ones(3),))
    if lowered:
        program = program.run_decompositions()
    tainted = random_results(program)
    names = [
        spec.arg.name
        for spec in program.graph_signature.output_specs
        if spec.kind.name == "USER_OUTPUT"
    ]
    assert [name in tainted for name in names] == [True, True, True, False]


def test_bfloat16_and_nothing_are_kept(tmp_path: Path) -> None:
    class Casts(nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return x.bfloat16(), x[:0], x.t(), x.to(torch.complex64).conj()

    x = torch.randn(3, 2)
    samples = eager_samples(export(Casts(), (x,)), None, "e", tmp_path)
    half, empty, turned, conjugate = (
        read_tensor(samples.results_file, each) for each in samples.results[0]
    )
    assert half.tobytes() == x.bfloat16().view(torch.int16).numpy().tobytes()
    assert empty.shape == (0, 2)
    np.testing.assert_array_equal(turned, x.t().numpy())
    assert conjugate.dtype == np.complex64
