"""What of a wrapper is compiled for each model, and what once for all models of a torch.

AOTInductor puts the definitions of its C API in front of each model, which are the same for all
that a torch generates and bring its containers of models along: more to compile than most models
have themselves. They meet the model in the class `AOTInductorModel`, which torch's headers declare.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from aotwin.stages.wrapper import to_llp64
from aotwin.values import Wrapper

#: the end of the C API's definitions (torch/csrc/inductor/aoti_runtime/interface.cpp of any torch)
_INTERFACE_END = re.compile(r'^\} // extern "C"\n', re.MULTILINE)
_CONSTRUCTOR = re.compile(r"^AOTInductorModel::AOTInductorModel\(", re.MULTILINE)
#: what a wrapper begins with
_HEADER = re.compile(r"\s*(#include <torch/csrc/inductor/aoti_include/\w+\.h>\n)")
#: and where it is for a CPU
_CPU_HEADER = "\n#include <torch/csrc/inductor/aoti_include/cpu.h>\n"
#: what calls one operator and kernel of a model after the other: the line that begins it, its end
_RUN = re.compile(r"^void AOTInductorModel::run_impl\(.*?^\}", re.MULTILINE | re.DOTALL)
#: Lines of it from which on it is not optimised: that takes more than its share, a fifth of what
#: BERT-base takes to compile, and wins nanoseconds a call of an operator.
_MANY_LINES = 500
_NOT_OPTIMISED = "__attribute__((optnone, noinline)) "
_BEFORE, _AFTER = '#include "aotwin_before.h"', '#include "aotwin_after.h"'


@dataclass(frozen=True)
class Units:
    """The translation units of a wrapper, made LLP64-safe, with the DLL's run-time part."""

    model: str
    #: the C API and the run-time part; "" where they could not be told from the model, which has
    #: them then
    interface: str = ""


def translation_units(wrapper: Wrapper) -> Units:
    """The C++ of a wrapper as it is compiled."""
    source = to_llp64(wrapper.source)
    header, end = _HEADER.match(source), _INTERFACE_END.search(source)
    constructor = _CONSTRUCTOR.search(source)
    if not header or not end or not constructor or constructor.start() < end.end():
        return Units("\n".join((_BEFORE, source, _AFTER, "")))
    model = _RUN.sub(_with_attribute, source[end.end() :], count=1)
    return Units(
        "\n".join((_BEFORE, header[1] + model, "")),
        _with_our_part(source[: end.end()]),
    )


def shared_unit(interface: str) -> str:
    """The unit that all models of a torch share, before there is a model.

    Args:
        interface: what AOTInductor of that torch puts in front of each model, its
            `codegen/aoti_runtime/interface.cpp`.

    Returns:
        What `translation_units` takes out of its wrappers; "" where the text is of another form.
    """
    source = to_llp64(f"{_CPU_HEADER}{interface}")
    end = _INTERFACE_END.search(source)
    return _with_our_part(source[: end.end()]) if end else ""


def _with_our_part(interface: str) -> str:
    return "\n".join((_BEFORE, interface, _AFTER, ""))


def _with_attribute(run: re.Match[str]) -> str:
    long = run[0].count("\n") >= _MANY_LINES
    return _NOT_OPTIMISED + run[0] if long else run[0]
