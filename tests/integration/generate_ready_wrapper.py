"""A script: what `torch._inductor.aoti_compile_and_package` writes for a small model.

    python generate_ready_wrapper.py OUTPUT.pt2 COMPILER [freezing]

Torch's own packaging compiles a host library beside the files that matter here. COMPILER stands
in for it, so that the tests need no C++ compiler of the host.
"""

from __future__ import annotations

import sys
import warnings
from typing import Any

import torch


class Classifier(torch.nn.Module):
    """Weights of 4 MiB, and a buffer that it writes."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Linear(64, 8192)
        self.second = torch.nn.Linear(8192, 64)
        self.register_buffer("calls", torch.zeros(16))

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        self.calls.add_(1)
        return {"y": self.second(torch.tanh(self.first(x))), "calls": self.calls.sum()}


def main() -> None:
    """Write one archive."""
    output, compiler, *modes = sys.argv[1:]
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    program = torch.export.export(Classifier().eval(), (torch.randn(5, 64),))
    settings: dict[str, Any] = {
        "aot_inductor.package_cpp_only": True,
        "aot_inductor.package_constants_in_so": False,
        "aot_inductor.package_constants_on_disk_format": "binary_blob",
        "aot_inductor.model_name_for_generated_files": "classifier",
        "aot_inductor.precompile_headers": False,
        "cpp.simdlen": 256,
        "cpp.vec_isa_ok": True,
        "cpp.cxx": (None, compiler),
        "cpp.dynamic_threads": True,
        "freezing": "freezing" in modes,
    }
    with torch.no_grad():
        torch._inductor.aoti_compile_and_package(
            program, package_path=output, inductor_configs=settings
        )


if __name__ == "__main__":
    main()
