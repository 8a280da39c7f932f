"""aotwin: from a PyTorch model on Linux to a Windows package, in one command.

The public functions are imported on first use, so that `import aotwin` (which every build hook
does) costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aotwin.version import __version__

if TYPE_CHECKING:
    from aotwin.checking import check
    from aotwin.formats.findings import Finding, Report
    from aotwin.payload import Model, load
    from aotwin.pipeline.model import build_model
    from aotwin.values import BuiltModel

__all__ = [
    "BuiltModel",
    "Finding",
    "Model",
    "Report",
    "__version__",
    "build_model",
    "check",
    "load",
]

_HOMES = {
    "BuiltModel": "aotwin.values",
    "Finding": "aotwin.formats.findings",
    "Model": "aotwin.payload",
    "Report": "aotwin.formats.findings",
    "build_model": "aotwin.pipeline.model",
    "check": "aotwin.checking",
    "load": "aotwin.payload",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'aotwin' has no attribute {name!r}")
