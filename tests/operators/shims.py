"""torch's C functions: their names and C types from its headers, their meaning from its schemas."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from case_file import KINDS

HEADERS = Path(torch.__file__).parent / "include" / "torch" / "csrc" / "inductor" / "aoti_torch"

PREFIXES = ("aoti_torch_cpu_", "aoti_torch_aten_")

#: type in a schema -> kind of C argument
_SCHEMA_KINDS = {
    "Tensor": "T",
    "Tensor?": "T?",
    "Tensor[]": "T[]",
    "Tensor?[]": "T?[]",
    "int": "i",
    "SymInt": "i",
    "int?": "i?",
    "SymInt?": "i?",
    "int[]": "i[]",
    "SymInt[]": "i[]",
    "int[]?": "i[]?",
    "SymInt[]?": "i[]?",
    "Scalar": "d",
    "Scalar?": "d?",
    "float": "d",
    "float?": "d?",
    "float[]?": "d[]?",
    "Scalar?[]": "d?[]",
    "bool": "b",
    "bool?": "b?",
    "bool[]": "b[]",
    "ScalarType": "e",
    "ScalarType?": "e?",
    "Layout": "e",
    "Layout?": "e?",
    "MemoryFormat": "e",
    "MemoryFormat?": "e?",
    "str": "s",
    "str?": "s?",
    "Device": "D",
    "Device?": "D?",
    "Generator?": "G?",
}


@dataclass(frozen=True)
class Parameter:
    """An argument of an operator, as its C function takes it."""

    name: str
    kind: str
    written: bool
    default: Any


@dataclass(frozen=True)
class Shim:
    """A C function generated from an operator's schema."""

    name: str
    overload: Any
    #: of the C function: results of an out form come first
    parameters: tuple[Parameter, ...]
    #: kinds of what is returned through pointers
    returns: tuple[str, ...]
    #: for an out form: the functional form that takes the same arguments, where there is one
    functional: Any = None

    @property
    def is_out(self) -> bool:
        return bool(self.parameters) and self.parameters[0].name.startswith("out") and self.is_form

    @property
    def is_form(self) -> bool:
        return self.overload._overloadname.endswith("out")

    @property
    def kinds(self) -> list[str]:
        return [parameter.kind for parameter in self.parameters] + list(self.returns)


@cache
def declarations() -> dict[str, tuple[str, ...]]:
    """Each C function of torch's headers -> the types of its arguments."""
    found: dict[str, tuple[str, ...]] = {}
    for name in (
        "generated/c_shim_cpu.h",
        "generated/c_shim_aten.h",
        "c/shim.h",
        "c/shim_cpu.h",
        "c/shim_deprecated.h",
    ):
        text = re.sub(r"//[^\n]*", "", (HEADERS / name).read_text("utf-8"))
        pattern = r"AOTI_TORCH_EXPORT\s+[\w*\s]+?\b(aoti_\w+)\s*\(([^()]*)\)\s*;"
        for function, parameters in re.findall(pattern, text):
            found[function] = tuple(_c_type(text) for text in parameters.split(",") if text.strip())
    return found


def _c_type(parameter: str) -> str:
    words = re.sub(r"\s*\*", "* ", " ".join(parameter.split()))
    return re.sub(r"\*\s+\*", "**", words.rpartition(" ")[0].strip())


@cache
def shims() -> dict[str, Shim]:
    """The C functions that torchgen made, by name."""
    found = {}
    for name in declarations():
        prefix = next(
            (p for p in ("aoti_torch_cpu_", "aoti_torch_aten_") if name.startswith(p)), ""
        )
        overload = _overload(name.removeprefix(prefix)) if prefix else None
        if overload is not None:
            shim = _shim(name, overload)
            expected = tuple(kind for each in shim.kinds for kind in KINDS[each])
            if expected == declarations()[name]:
                found[name] = shim
    return found


#: functions of oneDNN's operators, which are in another namespace
_ONEDNN = {
    "mkldnn__convolution_pointwise": ("_convolution_pointwise", "default"),
    "mkldnn__convolution_pointwise_binary": ("_convolution_pointwise", "binary"),
    "mkldnn__convolution_pointwise_binary_": ("_convolution_pointwise_", "binary"),
    "mkldnn__convolution_transpose_pointwise": ("_convolution_transpose_pointwise", "default"),
    "_linear_pointwise": ("_linear_pointwise", "default"),
    "_linear_pointwise_binary": ("_linear_pointwise", "binary"),
}


def _overload(name: str) -> Any:
    if name in _ONEDNN:
        packet, overload = _ONEDNN[name]
        return getattr(getattr(torch.ops.mkldnn, packet), overload)
    for cut in [len(name), *(place for place in range(len(name)) if name[place] == "_")]:
        packet = getattr(torch.ops.aten, name[:cut], None) if cut else None
        overload = name[cut + 1 :] or "default"
        if packet is not None and overload in packet.overloads():
            return getattr(packet, overload)
    return None


def _shim(name: str, overload: Any) -> Shim:
    from torchgen.model import FunctionSchema

    text = str(overload._schema).partition("::")[2]
    # oneDNN's return the argument that they write, which torchgen's grammar has no form for
    onednn = overload._schema.name.startswith("mkldnn")
    if onednn:
        text = text.replace("(a!)", "").replace("_.", ".")
    schema = FunctionSchema.parse(text)
    defaults = {argument.name: argument for argument in overload._schema.arguments}
    arguments = [*schema.arguments.out, *schema.arguments.flat_non_out]
    parameters = tuple(
        Parameter(
            name=argument.name,
            kind=_SCHEMA_KINDS[re.sub(r"\[\d+\]", "[]", str(argument.type))],
            written=(
                defaults[argument.name].alias_info is not None
                and defaults[argument.name].alias_info.is_write
            ),
            default=(
                defaults[argument.name].default_value
                if defaults[argument.name].has_default_value()
                else None
            ),
        )
        for argument in arguments
    )
    inplace = schema.is_out_fn() or schema.name.name.inplace
    returns = () if inplace else tuple(_return_kind(str(one.type)) for one in schema.returns)
    functional = _functional(overload) if schema.is_out_fn() else None
    return Shim(name, overload, parameters, returns, functional)


def _return_kind(type_name: str) -> str:
    return "R" if type_name == "Tensor" else "Ri"


def _functional(overload: Any) -> Any:
    wanted = [
        (argument.name, str(argument.type))
        for argument in overload._schema.arguments
        if not argument.is_out
    ]
    packet = getattr(torch.ops.aten, overload._schema.name.split("::")[1])
    for name in packet.overloads():
        other = getattr(packet, name)
        if [(one.name, str(one.type)) for one in other._schema.arguments] == wanted:
            return other
    return None
