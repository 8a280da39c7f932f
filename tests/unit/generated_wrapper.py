"""Small wrappers in the form that AOTInductor writes, for tests that need no torch."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = "m/data/aotinductor/model/"


@dataclass(frozen=True)
class FakeConstant:
    name: str
    data_size: int = 64
    kind: str = "Parameter"
    shape: tuple[int, ...] = (4, 4)
    changes: dict[str, str] = field(default_factory=dict)

    def statements(self, index: int) -> str:
        stride = [1] * len(self.shape)
        for axis in reversed(range(len(self.shape) - 1)):
            stride[axis] = stride[axis + 1] * self.shape[axis + 1]
        fields = {
            "name": f'"{self.name}"',
            "dtype": "cached_torch_dtype_float32",
            "device_type": "cached_torch_device_type_cpu",
            "offset": "0",
            "data_size": str(self.data_size),
            "from_folded": "false",
            "type": f"static_cast<int32_t>(torch::aot_inductor::ConstantType::{self.kind})",
            "shape": "{" + ", ".join(map(str, self.shape)) + "}",
            "stride": "{" + ", ".join(map(str, stride)) + "}",
            "layout": "static_cast<int32_t>(cached_torch_layout_strided)",
            "original_fqn": f'"layers.{self.name}"',
            **self.changes,
        }
        return "".join(
            f"    constants_info_[{index}].{name} = {value};\n" for name, value in fields.items()
        )


WEIGHT = FakeConstant("weight")
BUFFER = FakeConstant("buffer", kind="Buffer")


def source(
    constants: tuple[FakeConstant, ...] = (WEIGHT,),
    *,
    declared: int | None = None,
    include_weights: bool = False,
    class_name: str = "AOTInductorModel",
    run: str = "",
    kernels: str = "",
) -> str:
    count = len(constants) if declared is None else declared
    statements = "".join(item.statements(index) for index, item in enumerate(constants))
    return f"""#include <torch/csrc/inductor/aoti_include/cpu.h>
namespace torch::aot_inductor {{
{class_name}::{class_name}(std::shared_ptr<ConstantMap> constants_map,
                                   const std::string& device_str,
                                   std::optional<std::string> cubin_dir)
    : AOTInductorModelBase(1,
                           1,
                           {count},
                           device_str,
                           std::move(cubin_dir),
                           {"true" if include_weights else "false"}) {{
    inputs_info_[0].name = "arg1_1";
{statements}    update_constants_map(std::move(constants_map));
    in_spec_ = R"([1, {{"type": "builtins.tuple"}}])";
    out_spec_ =
    R"([1, {{"type": null, )"
    R"("context": null}}])"
    ;
    outputs_info_[0].name = "output0";
    this->kernels_ = std::make_unique<AOTInductorModelKernels>();
}}

AOTI_NOINLINE static void check_input_0(
    AtenTensorHandle* input_handles
) {{
    int32_t arg1_1_expected_dtype = aoti_torch_dtype_int64();
}}

void AOTInductorModel::run_impl(
    AtenTensorHandle* input_handles) {{
    if (check) {{ assert_size_stride(arg1_1, {{s77, 8L, 2L*s77}}, {{8L, 1L, 1L}}, "input"); }}
{run}
}} // AOTInductorModel::run_impl
}} // namespace torch::aot_inductor

{kernels}
// Compile cmd
// g++ /home/someone/m.wrapper.cpp -o /home/someone/m.wrapper.o
// Link cmd
// g++ /home/someone/m.wrapper.o
"""


def files(text: str | None = None, blob: bytes | None = bytes(64)) -> dict[str, bytes]:
    """The members of a model's folder, by name."""
    members = {
        "m.wrapper.cpp": (source() if text is None else text).encode(),
        "m.wrapper_compile_flags.json": json.dumps(
            {"definitions": ["CPU_CAPABILITY_AVX2", " USE_MMAP_EXTERNAL"], "cflags": ["O3"]}
        ).encode(),
        "m.wrapper_metadata.json": b'{"AOTI_DEVICE_KEY": "cpu"}',
    }
    if blob is not None:
        members["m.wrapper_weights.blob"] = blob
    return members


def archive(path: Path, members: dict[str, bytes], folder: str = FOLDER) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(folder + name, content)
    return path
