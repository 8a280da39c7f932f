"""What users say of a model, checked: apart from `values`, as hooks that build nothing read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

#: names that are taken in an SDK's `lib/`, in lower case: aotwin.lib, libaotwin.dll.a
SDK_STEMS = frozenset({"aotwin", "libaotwin"})


@dataclass(frozen=True)
class SignOptions:
    """How to sign a model's DLLs; the certificate is the environment's to name."""

    #: of an RFC 3161 timestamp server; "" for no timestamp
    timestamp_url: str = ""
    #: what Windows shows as the program's name when it asks about it; "" for nothing
    description: str = ""
    #: of a page about it; "" for none
    url: str = ""


@dataclass(frozen=True)
class ModelSpec:
    """One model of `[tool.aotwin.models]`, checked."""

    #: dotted package name: "demo.classifier"
    name: str
    #: "module:attribute", or a path to a `.pt2` of torch.export.save; None with `wrapper`
    program: str | None
    #: path to a ready wrapper (archive or folder); None with `program`
    wrapper: Path | None
    #: cpu names of the target, the first is the default DLL
    cpu: tuple[str, ...]
    #: passed on to Inductor
    inductor: Mapping[str, Any] = field(default_factory=dict)
    #: None: the DLLs stay unsigned
    sign: SignOptions | None = None
    #: whether its package holds the SDK, too
    sdk: bool = False
    #: "auto", "own" or "torch"
    runtime: str = "auto"
    #: the torch that wrote a ready wrapper, "2.12.1"; "" where the wrapper itself is to tell
    torch: str = ""
    #: what it is proven with: "module:attribute", an `.npz`, or (of `build_model`) the calls
    #: themselves; None: the program's example inputs
    proof: Any = None
    #: (rtol, atol) for all its results that are no integers; None: by dtype and rounding
    proof_tolerance: tuple[float, float] | None = None
    #: whether its package holds what it was proven with; None: where that is small
    proof_data: bool | None = None
    #: folder of a model that was built elsewhere; without `program` and `wrapper` then
    prebuilt: Path | None = None

    @property
    def stem(self) -> str:
        """The last part of the package name: the stem of all the model's files."""
        return self.name.rpartition(".")[2]
