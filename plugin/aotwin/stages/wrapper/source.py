"""Read what a generated translation unit says about itself.

The model's constructor (`codegen_model_constructor` in torch/_inductor/codegen/cpp_wrapper_cpu.py)
names inputs, outputs and constants one statement a line. Those lines are what is read here; what
the code expects of its inputs is read in `inputs`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aotwin.errors import WrapperError
from aotwin.stages.wrapper.inputs import input_specs
from aotwin.values import BLOB_ALIGNMENT, Constant, TensorSpec

_CONSTRUCTOR = re.compile(
    r"^(?P<class>AOTInductorModel\w*)::(?P=class)\(.*?"
    r": AOTInductorModelBase\(\s*(?P<inputs>\d+),\s*(?P<outputs>\d+),\s*(?P<constants>\d+),"
    r"\s*device_str,\s*std::move\(cubin_dir\),\s*(?P<include_weights>true|false)\)\s*\{"
    r"(?P<body>.*?)^\}$",
    re.MULTILINE | re.DOTALL,
)
_NAME = re.compile(r'^ *(inputs|outputs)_info_\[(\d+)\]\.name = "(.*)";$', re.MULTILINE)
_CONSTANT = re.compile(r"^ *constants_info_\[(\d+)\]\.(\w+) = (.*);$", re.MULTILINE)
_STRIDE = re.compile(r"^( *constants_info_\[(\d+)\]\.stride = )\{[^;\n]*\};$", re.MULTILINE)
_SPEC = re.compile(r'^ *(in|out)_spec_ =\s*((?:R"\(.*?\)"\s*)+);$', re.MULTILINE | re.DOTALL)
_RAW_STRING = re.compile(r'R"\((.*?)\)"', re.DOTALL)

#: bytes of an element, by torch's short name
ITEM_NBYTES = {
    "bool": 1, "uint8": 1, "int8": 1, "float8_e4m3fn": 1, "float8_e5m2": 1,
    "float8_e4m3fnuz": 1, "float8_e5m2fnuz": 1, "float8_e8m0fnu": 1,
    "int16": 2, "uint16": 2, "float16": 2, "bfloat16": 2, "complex32": 4,
    "int32": 4, "uint32": 4, "float32": 4,
    "int64": 8, "uint64": 8, "float64": 8, "complex64": 8, "complex128": 16,
}  # fmt: skip

_KINDS = {
    "Parameter": "parameter",
    "Buffer": "buffer",
    "TensorConstant": "tensor_constant",
    "Unknown": "unknown",
}
_FIELDS = (
    *("name", "dtype", "offset", "data_size", "from_folded", "type"),
    *("shape", "stride", "layout", "original_fqn"),
)

_REGENERATE = (
    "Generate it with torch 2.10 or later and aot_inductor.package_cpp_only=True, "
    'aot_inductor.package_constants_on_disk_format="binary_blob".'
)


@dataclass(frozen=True)
class SourceFacts:
    """What the constructor and the input checks tell."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    #: those that lie in the blob, all marked immutable: who may write them is another question
    constants: tuple[Constant, ...]
    #: JSON of torch.utils._pytree.treespec_dumps: how (args, kwargs) and the results are nested
    in_spec: str
    out_spec: str
    #: the constants are part of the library, not of a blob
    include_weights: bool


def parse_source(source: str) -> SourceFacts:
    """Read inputs, outputs and constants from the C++ of one model.

    Args:
        source: as AOTInductor generated it, before or after `to_llp64`.

    Raises:
        WrapperError: no AOTInductor model, one for another device than the CPU, statements that
            contradict each other, constants packed for the build host's CPU, or inputs with
            gaps or overlaps in memory.
    """
    constructor = _CONSTRUCTOR.search(source)
    if constructor is None:
        raise _wrong("holds no constructor of an AOTInductorModel")
    if constructor["class"] != "AOTInductorModel":
        raise _wrong(
            f"names its class {constructor['class']}, as compile_standalone does for static linking"
        )
    body = constructor["body"]
    names: dict[str, list[str]] = {"inputs": [], "outputs": []}
    for kind, index, name in _NAME.findall(body):
        if int(index) != len(names[kind]):
            raise _wrong(f"does not count its {kind} from 0 up")
        names[kind].append(name)
    for kind, found in names.items():
        if len(found) != int(constructor[kind]):
            raise _wrong(f"declares {constructor[kind]} {kind} and names {len(found)}")
    specs = {kind: "".join(_RAW_STRING.findall(pieces)) for kind, pieces in _SPEC.findall(body)}
    return SourceFacts(
        inputs=input_specs(source, names["inputs"]),
        outputs=tuple(TensorSpec(name) for name in names["outputs"]),
        constants=_constants(body, int(constructor["constants"])),
        in_spec=specs.get("in", ""),
        out_spec=specs.get("out", ""),
        include_weights=constructor["include_weights"] == "true",
    )


def with_strides(source: str, strides: Mapping[int, Sequence[int]]) -> str:
    """The C++ of a model with other strides of some constants, by their index."""

    def changed(line: re.Match[str]) -> str:
        found = strides.get(int(line[2]))
        return line[0] if found is None else f"{line[1]}{{{', '.join(map(str, found))}}};"

    return _STRIDE.sub(changed, source)


def _wrong(what: str) -> WrapperError:
    return WrapperError(
        f"the wrapper {what}",
        cause="it is not the C++ that AOTInductor generates for a CPU model",
        next_step=_REGENERATE,
    )


def _constants(body: str, declared: int) -> tuple[Constant, ...]:
    fields: dict[int, dict[str, str]] = {}
    for index, field, value in _CONSTANT.findall(body):
        if fields.setdefault(int(index), {}).setdefault(field, value) is not value:
            raise _wrong(f"says {field} of constant {index} twice")
    if sorted(fields) != list(range(declared)):
        raise _wrong(f"declares {declared} constants and describes {len(fields)}")
    constants: list[Constant] = []
    offset = 0
    for index in range(declared):
        constant = _constant(index, fields[index], offset)
        if constant is not None:
            constants.append(constant)
            offset += constant.nbytes
    return tuple(constants)


def _constant(index: int, fields: dict[str, str], offset: int) -> Constant | None:
    """Build one constant that starts at `offset` in the blob; None if it is folded at run time."""
    missing = [field for field in _FIELDS if field not in fields]
    if missing:
        raise _wrong(f"does not say {', '.join(missing)} of constant {index}")
    if fields["from_folded"] == "true":
        return None
    name = _unquoted(fields["name"])
    _refuse_foreign(name, fields)
    kind = fields["type"].rpartition("::")[2].rstrip(")")
    try:
        data_nbytes = int(fields["data_size"])
        constant = Constant(
            index=index,
            name=name,
            fqn=_unquoted(fields["original_fqn"]),
            dtype=fields["dtype"].removeprefix("cached_torch_dtype_"),
            shape=_integers(fields["shape"]),
            stride=_integers(fields["stride"]),
            storage_offset=int(fields["offset"]),
            offset=offset,
            nbytes=data_nbytes + -data_nbytes % BLOB_ALIGNMENT,
            kind=_KINDS[kind],
            mutable=False,
        )
    except (ValueError, KeyError) as error:
        raise _wrong(f"describes constant {name} in an unknown way ({error})") from error
    if not _fits(constant):
        raise _wrong(f"gives constant {name} fewer bytes than its shape needs")
    return constant


def _refuse_foreign(name: str, fields: dict[str, str]) -> None:
    # torch 2.10 does not say it: there, all constants are on the model's own device
    if not fields.get("device_type", "_cpu").endswith("_cpu"):
        raise WrapperError(
            f"the constant {name} does not live on the CPU",
            cause=f"its device is {fields['device_type'].removeprefix('cached_torch_')}",
            next_step="Move the model to the CPU before it is exported.",
        )
    if not fields["layout"].endswith("_strided)") or "opaque_metadata" in fields:
        raise packed_for_host(f"the constant {name} has a layout of oneDNN's own")


def packed_for_host(cause: str) -> WrapperError:
    """Make the error for constants in a layout that only the build host's CPU was asked for."""
    return WrapperError(
        "this is a model whose constants are packed for the build host's CPU",
        cause=cause,
        next_step=(
            "Generate it without freezing (freezing=False) and without cpp.weight_prepack, so "
            "that weights stay plain and the target's own CPU decides."
        ),
    )


def _unquoted(literal: str) -> str:
    return literal.removeprefix('"').removesuffix('"')


def _integers(braces: str) -> tuple[int, ...]:
    inner = braces.strip().removeprefix("{").removesuffix("}")
    return tuple(int(item) for item in inner.split(",") if item.strip())


def _fits(constant: Constant) -> bool:
    if len(constant.shape) != len(constant.stride) or constant.storage_offset < 0:
        return False
    if min((*constant.shape, *constant.stride, constant.nbytes), default=0) < 0:
        return False
    if math.prod(constant.shape) == 0:
        return True
    last = constant.storage_offset + sum(
        (size - 1) * stride for size, stride in zip(constant.shape, constant.stride, strict=True)
    )
    return (last + 1) * ITEM_NBYTES.get(constant.dtype, 1) <= constant.nbytes
