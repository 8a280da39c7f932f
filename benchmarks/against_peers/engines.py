"""What runs a network, as data: which files it opens, which Python has it, how it is held back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from against_peers.cases import Case


@dataclass(frozen=True)
class Engine:
    """One way to run a network on Windows; `name` is that of a function in on_windows.py."""

    name: str
    #: in the tables
    title: str
    #: what making.py has to make for it
    part: str
    #: the file of a network that shows that this was made
    file: str
    #: "own": without torch, "torch", "peers"
    python: str
    dtypes: tuple[str, ...] = ("float32",)
    #: what holds it to AVX2; None: nothing does
    avx2: Mapping[str, str] | None = None
    #: distributions that a user installs for it, numpy apart
    packages: tuple[str, ...] = ()

    def part_of(self, case: Case) -> str:
        """What making.py has to make of a case."""
        return self.part.format(dtype=case.dtype)

    def file_of(self, case: Case) -> str:
        """The file of a case, relative to the network's folder."""
        return self.file.format(network=case.network, dtype=case.dtype)


_BOTH = ("float32", "bfloat16")
_TORCH_AVX2 = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
}
_ORT_PACKAGES = ("onnxruntime", "flatbuffers", "packaging", "protobuf")
_TORCH_PACKAGES = (
    *("torch", "filelock", "fsspec", "jinja2", "markupsafe", "mpmath", "networkx"),
    *("setuptools", "sympy", "typing_extensions"),
)

ENGINES: Mapping[str, Engine] = {
    row.name: row
    for row in (
        Engine(
            "own",
            "aotwin",
            "own-{dtype}",
            "own/{network}_{dtype}/aotwin.json",
            "own",
            _BOTH,
            avx2={"AOTWIN_MAX_CPU_LEVEL": "3"},
        ),
        Engine(
            "torch",
            "aotwin over torch",
            "torch-{dtype}",
            "torch/{network}_{dtype}/aotwin.json",
            "torch",
            _BOTH,
            avx2=_TORCH_AVX2,
            packages=_TORCH_PACKAGES,
        ),
        Engine(
            "eager",
            "eager torch",
            "program-{dtype}",
            "program_{dtype}.pt2",
            "torch",
            _BOTH,
            avx2=_TORCH_AVX2,
            packages=_TORCH_PACKAGES,
        ),
        Engine(
            "onnxruntime",
            "ONNX Runtime",
            "onnx",
            "model.onnx",
            "peers",
            packages=_ORT_PACKAGES,
        ),
        Engine(
            "openvino",
            "OpenVINO as it comes",
            "onnx",
            "model.onnx",
            "peers",
            _BOTH,
            avx2={"ONEDNN_MAX_CPU_ISA": "AVX2"},
            packages=("openvino", "openvino_telemetry"),
        ),
        Engine(
            "openvino_float32",
            "OpenVINO in float32",
            "onnx",
            "model.onnx",
            "peers",
            avx2={"ONEDNN_MAX_CPU_ISA": "AVX2"},
            packages=("openvino", "openvino_telemetry"),
        ),
    )
}
