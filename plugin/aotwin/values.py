"""Values that the stages hand to each other: frozen, known to all, knowing nobody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

#: AOTInductor pads each constant of a CPU model to this many bytes in the blob
#: (ALIGN_BYTES in torch/_inductor/codecache.py, AOTI_CONST_ALIGNMENT in model_base.h).
BLOB_ALIGNMENT = 64


@dataclass(frozen=True)
class Constant:
    """One entry of the generated model's `constants_info_` (parameter, buffer, tensor constant)."""

    #: position in `constants_info_`
    index: int
    #: name in the generated code, a C identifier
    name: str
    #: the exported program's fully qualified name
    fqn: str
    #: torch's short name: "float32", "bfloat16", ...
    dtype: str
    #: sizes in elements
    shape: tuple[int, ...]
    #: strides in elements
    stride: tuple[int, ...]
    #: where the tensor starts within its storage, in elements
    storage_offset: int
    #: where its storage starts in the blob, in bytes
    offset: int
    #: bytes of its storage in the blob, padding to `BLOB_ALIGNMENT` included
    nbytes: int
    #: "parameter", "buffer", "tensor_constant" or "unknown"
    kind: str
    #: True where the model may write it, so that it must not live in a read-only mapping
    mutable: bool


@dataclass(frozen=True)
class TensorSpec:
    """An input or output of the model as far as it is known at build time."""

    name: str
    #: torch's short name, or "" where the wrapper does not tell
    dtype: str = ""
    #: a size each; a symbol's name, or None, where it is free
    shape: tuple[int | str | None, ...] | None = None
    #: dimensions from the slowest to the fastest in memory where that is not 0, 1, 2, ...: the
    #: code is compiled for it. (0, 2, 3, 1) is torch.channels_last.
    dim_order: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Wrapper:
    """The C++ that AOTInductor generated for one model, and what belongs to it."""

    #: C++ as generated (LP64), one translation unit
    source: str
    #: preprocessor definitions, stripped: "CPU_CAPABILITY_AVX2", "NAME=VALUE"
    definitions: tuple[str, ...]
    #: constants that lie in the blob, in its order (run-time folded ones are not among them)
    constants: tuple[Constant, ...]
    #: `*_metadata.json` as AOTInductor wrote it
    metadata: Mapping[str, str]
    #: the proxy executor's node list (`<stem>.json`), where fallback operators need it
    extern_nodes: bytes | None
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    #: torch that generated it, as far as that is known: "2.13.0", "2.13", "2.10 to 2.12", ""
    torch_version: str = ""
    #: remarks to pass on to the user (an operator that Windows' torch does not have, ...)
    warnings: tuple[str, ...] = ()
    #: how (args, kwargs) are nested: JSON of torch.utils._pytree.treespec_dumps, "" where unknown
    in_spec: str = ""
    #: how the results are nested, likewise
    out_spec: str = ""
    #: position among the flat arguments -> value of those that are no tensors (int, float, bool,
    #: str, None). They are baked into the code: a call with another value must be refused.
    fixed_inputs: Mapping[int, object] = field(default_factory=dict)
    #: position among the flat results -> value of those that are constants; the DLL gives a 0-d
    #: tensor (or no tensor for None) where the exported module gives this value
    fixed_outputs: Mapping[int, object] = field(default_factory=dict)
    #: positions of flat results that are computed numbers (a symbolic size); the DLL gives a 0-d
    #: tensor where the exported module gives a Python number
    number_outputs: tuple[int, ...] = ()

    @property
    def constants_nbytes(self) -> int:
        """Bytes of all constants in the blob, without its trailer."""
        return sum(constant.nbytes for constant in self.constants)


@dataclass(frozen=True)
class BlobInfo:
    """A finished weights blob on disk."""

    path: Path
    #: bytes of the constants, without the trailer
    constants_nbytes: int
    #: sha256 of the constants' bytes: what the trailer holds and the DLL is linked with
    digest: bytes
    #: sha256 of the whole file, trailer included, hex
    file_sha256: str
    #: where the file is another model's: its path from the folder of the DLL, "/" between the parts
    shared_from: str = ""

    @property
    def reference(self) -> str:
        """How a DLL and its manifest name the file, from their folder."""
        return self.shared_from or self.path.name


@dataclass(frozen=True)
class DllSignature:
    """The Authenticode signature that the build put on a DLL, and the file that came of it."""

    #: sha256 of the signed file, hex
    sha256: str
    #: of the signed file
    nbytes: int
    #: sha256 of the signer's encrypted digest, hex: what tells this act of signing from others
    value_sha256: str


class Shipped:
    """A DLL as it was sealed and, where the build signed it, what came of it."""

    #: sha256 of the file as the linker left it, hex
    sha256: str
    #: what signing made of it since, or None
    signature: DllSignature | None

    @property
    def shipped_sha256(self) -> str:
        """sha256 of the file as it leaves the build, hex."""
        return self.sha256 if self.signature is None else self.signature.sha256


@dataclass(frozen=True)
class SealedDll(Shipped):
    """A linked DLL and the digests taken right after the link."""

    path: Path
    #: cpu name of the target it was compiled for ("x86-64-v3")
    cpu: str
    #: sha256 of the file as the linker left it, hex
    sha256: str
    nbytes: int
    #: Authenticode's sha256 of it, hex: what a signature must cover; "" where it was not taken
    authenticode_sha256: str = ""
    #: what signing made of it since, or None
    signature: DllSignature | None = None


@dataclass(frozen=True)
class RuntimeLibs:
    """The DLLs of aotwin's own run time, as the manifest of a model over it names them."""

    #: what a loader opens: its path from the model's folder, "libs/aotwin-1a2b3c4d.dll" or
    #: "../../demo.libs/aotwin-1a2b3c4d.dll"
    library: str
    #: each of them, the library too, by such a path -> sha256, hex
    files: Mapping[str, str]


@dataclass(frozen=True)
class BuiltModel:
    """What `build_model` returns: a folder that any host program on Windows can load."""

    directory: Path
    #: cpu name -> DLL
    dlls: Mapping[str, Path]
    blob: Path
    manifest: Path
