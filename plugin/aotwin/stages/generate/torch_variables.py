"""Environment variables that torch's settings are read from: they decide generated code."""

from __future__ import annotations

import os
from collections.abc import Mapping

_PREFIXES = ("TORCH", "_TORCH", "PYTORCH", "INDUCTOR", "AOT_", "AOTI", "DYNAMO", "FUNCTORCH")
#: those that say where something lies, how much is said, and how many work: no code depends on them
_OF_NO_MATTER = frozenset(
    {
        "PYTORCH_KERNEL_CACHE_PATH",
        "TORCHDYNAMO_VERBOSE",
        "TORCHINDUCTOR_CACHE_DIR",
        "TORCHINDUCTOR_COMPILE_THREADS",
        "TORCHINDUCTOR_WORKER_START",
        "TORCH_CPP_LOG_LEVEL",
        "TORCH_EXTENSIONS_DIR",
        "TORCH_HOME",
        "TORCH_LOGS",
        "TORCH_LOGS_FORMAT",
        "TORCH_LOGS_OUT",
        "TORCH_SHOW_CPP_STACKTRACES",
        "TORCH_TRACE",
    }
)


def torch_variables() -> Mapping[str, str]:
    """The variables, by name."""
    return {
        name: value
        for name, value in sorted(os.environ.items())
        if name.startswith(_PREFIXES) and name not in _OF_NO_MATTER
    }
