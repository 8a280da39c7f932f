"""A script: writes the wrappers of this folder, one for each kind of generated C++.

    PYTHONPATH=tests python tests/unit/wrapper/generated/make_wrappers.py [KIND ...]

Torch 2.13 writes them as it does for its users. Of each, the part from the model's constructor to
the end of its run is kept: it is what `parse_source` reads, and what lies between.
"""

from __future__ import annotations

import sys
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.export import Dim, ExportedProgram, export

from stub_compiler import COMPILER


class Module(nn.Module):
    """What a kind needs as parameters and buffers, and a function over them."""

    def __init__(
        self,
        forward: Callable[..., Any],
        parameters: dict[str, torch.Tensor] | None = None,
        buffers: dict[str, torch.Tensor] | None = None,
        **attributes: Any,
    ) -> None:
        super().__init__()
        self.function = forward
        for name, tensor in (parameters or {}).items():
            self.register_parameter(name, nn.Parameter(tensor, requires_grad=False))
        for name, tensor in (buffers or {}).items():
            self.register_buffer(name, tensor)
        for name, value in attributes.items():
            setattr(self, name, value)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(self, *args, **kwargs)


def dtypes() -> ExportedProgram:
    """Constants of each kind of number, and inputs of them."""
    tensors = {
        "weight_f32": torch.ones(3, 5),
        "weight_f64": torch.ones(15, dtype=torch.float64),
        "weight_f16": torch.ones(15, dtype=torch.float16),
        "weight_bf16": torch.ones(15, dtype=torch.bfloat16),
        "weight_c64": torch.ones(15, dtype=torch.complex64),
    }
    buffers = {
        "index_i64": torch.arange(15),
        "index_i32": torch.arange(15, dtype=torch.int32),
        "bytes_u8": torch.arange(15, dtype=torch.uint8),
        "mask_bool": torch.ones(15, dtype=torch.bool),
    }

    def forward(self: Any, x: torch.Tensor, flags: torch.Tensor, bf: torch.Tensor) -> Any:
        real = self.weight_f64 + self.weight_f16 + self.weight_bf16 + self.index_i64
        counted = torch.where(self.mask_bool & flags, self.index_i32, self.bytes_u8)
        return x @ self.weight_f32, real + counted, self.weight_c64 * 2, bf + self.weight_bf16

    args = (torch.ones(4, 3), torch.ones(15, dtype=torch.bool), torch.ones(15).bfloat16())
    return export(Module(forward, tensors, buffers), args)


def dynamic_shapes() -> ExportedProgram:
    """Sizes that are free, derived from one another, and fixed; an input that only gives a size."""

    def forward(self: Any, x: torch.Tensor, y: torch.Tensor, z: torch.Tensor) -> Any:
        return x[:, :4] @ self.weight, y.sum(0) + z.shape[0]

    n = Dim("n", min=2, max=100)
    return export(
        Module(forward, {"weight": torch.ones(4, 16)}),
        (torch.ones(8, 4), torch.ones(17, 3), torch.ones(5, 2)),
        dynamic_shapes=(({0: n}, {0: 2 * n + 1}, {0: Dim.DYNAMIC}),),
    )


def several_outputs() -> ExportedProgram:
    """Results in a dict and a tuple, a constant and an input among them, arguments by name."""

    def forward(self: Any, x: torch.Tensor, *, scale: torch.Tensor, unused: torch.Tensor) -> Any:
        y = x * scale
        return {"sum (all)": y.sum(), 'quoted "key"': (y, self.weight), "x": x}

    return export(
        Module(forward, {"weight": torch.ones(16)}),
        (torch.ones(16),),
        {"scale": torch.tensor(2.0), "unused": torch.ones(3)},
    )


def folded_constants() -> ExportedProgram:
    """A product of parameters that AOTInductor computes at load time."""

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        return x @ (self.weight * 2 + self.scale)

    weights = {"scale": torch.arange(8.0), "weight": torch.ones(8, 8)}
    return export(Module(forward, weights), (torch.ones(3, 8),))


def no_constants() -> ExportedProgram:
    return export(Module(lambda self, x: torch.relu(x) + 1), (torch.ones(2, 4),))


def many_dimensions() -> ExportedProgram:
    """Shapes that are longer than a line, of a constant and of an input."""
    shape = (1, 2) * 12

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        return x + self.weight

    return export(Module(forward, {"weight": torch.ones(shape)}), (torch.ones(shape),))


def unusual_names() -> ExportedProgram:
    """Names that are no identifiers, and two that are one when they are made identifiers."""
    names = ("größe", "a b", "a-b", "semi;colon", "brace}", "名前")

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        for name in names:
            x = x + getattr(self, name)
        return x

    weights = {name: torch.full((16,), float(at)) for at, name in enumerate(names)}
    return export(Module(forward, weights), (torch.ones(16),))


def tensor_constants() -> ExportedProgram:
    """Tensors that are neither parameters nor buffers; a buffer that is written, one not saved."""

    def forward(self: Any, x: torch.Tensor) -> Any:
        self.calls.add_(1)
        return x + self.table + torch.arange(16.0).mul(3) + self.cache, self.calls + 0

    module = Module(forward, buffers={"calls": torch.zeros(16)}, table=torch.arange(16.0))
    module.register_buffer("cache", torch.ones(16), persistent=False)
    return export(module, (torch.ones(16),))


def views() -> ExportedProgram:
    """Constants that are not contiguous, lie within larger memory, repeat an element, are empty."""
    whole = torch.arange(400.0)
    weights = {
        "transposed": torch.ones(6, 4).t(),
        "tail": whole[300:364].view(8, 8),
        "channels_last": torch.ones(2, 3, 4, 5).to(memory_format=torch.channels_last),
        "number": torch.tensor(2.5),
        "none": torch.ones(0, 7),
    }
    buffers = {"expanded": torch.ones(1, 8).expand(8, 8)}

    def forward(self: Any, x: torch.Tensor, y: torch.Tensor) -> Any:
        return (
            (x @ self.transposed) * self.number,
            self.tail + self.expanded,
            y + self.channels_last,
            torch.cat([self.none, torch.ones(2, 7)]),
        )

    arguments = (torch.ones(4, 3).t(), torch.ones(2, 3, 4, 5))
    return export(Module(forward, weights, buffers), arguments)


def long_specs() -> ExportedProgram:
    """Specs that are longer than what MSVC takes as one string, so that they come in pieces."""

    def forward(self: Any, x: dict[str, torch.Tensor]) -> Any:
        first, second = x.values()
        return {"result " + "(r) " * 2100: first, "result " + "[s] " * 2100: second}

    arguments = {"argument " + letter * 6000: torch.ones(2) for letter in ("(", '"')}
    return export(Module(forward), (arguments,))


def strided_inputs() -> ExportedProgram:
    """Inputs in other orders than the usual one: transposed, channels_last, with a free size."""

    def forward(self: Any, x: torch.Tensor, y: torch.Tensor, z: torch.Tensor) -> Any:
        return x + 1, y + self.weight, z * 2

    arguments = (
        torch.ones(4, 3).t(),
        torch.ones(2, 3, 4, 5).to(memory_format=torch.channels_last),
        torch.ones(6, 7, 2).permute(1, 2, 0),
    )
    return export(
        Module(forward, {"weight": torch.ones(5)}),
        arguments,
        dynamic_shapes=((None, None, {0: Dim.DYNAMIC, 2: Dim.DYNAMIC}),),
    )


def sliced_input() -> ExportedProgram:
    """An input with gaps between its elements."""
    return export(Module(lambda self, x: x + 1), (torch.ones(4, 6)[:, ::2],))


KINDS = {
    function.__name__: function
    for function in (
        *(dtypes, dynamic_shapes, several_outputs, folded_constants, no_constants),
        *(many_dimensions, unusual_names, tensor_constants, views, long_specs),
        *(strided_inputs, sliced_input),
    )
}


def generated(program: ExportedProgram, **settings: Any) -> str:
    """The wrapper's C++, as `aoti_compile_and_package` writes it."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        compiler = Path(folder, "c++")
        compiler.write_text(COMPILER)
        compiler.chmod(0o755)
        archive = Path(folder, "m.pt2")
        torch._inductor.aoti_compile_and_package(
            program,
            package_path=str(archive),
            inductor_configs={
                "aot_inductor.package_cpp_only": True,
                "aot_inductor.package_constants_in_so": False,
                "aot_inductor.package_constants_on_disk_format": "binary_blob",
                "aot_inductor.model_name_for_generated_files": "m",
                "aot_inductor.precompile_headers": False,
                "force_disable_caches": True,
                "cpp.simdlen": 256,
                "cpp.vec_isa_ok": True,
                "cpp.cxx": (None, str(compiler)),
                "cpp.dynamic_threads": True,
                **settings,
            },
        )
        with zipfile.ZipFile(archive) as members:
            (name,) = (each for each in members.namelist() if each.endswith("wrapper.cpp"))
            return members.read(name).decode()


def kept(text: str) -> str:
    """The part of a wrapper that belongs into this folder."""
    start = text.index("AOTInductorModel::AOTInductorModel(")
    end_mark = "} // AOTInductorModel::run_impl"
    return text[start : text.index(end_mark) + len(end_mark)] + "\n"


def main() -> None:
    """Write the kinds that are named, or all."""
    for kind in sys.argv[1:] or KINDS:
        settings = {"aot_inductor.use_runtime_constant_folding": kind == "folded_constants"}
        text = kept(generated(KINDS[kind](), **settings))
        Path(__file__).with_name(f"{kind}.cpp").write_text(text, encoding="utf-8")
        print(f"{kind}.cpp: {len(text)} characters")


if __name__ == "__main__":
    main()
