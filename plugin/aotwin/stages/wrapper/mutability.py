"""Find the constants that generated code may write, from its text alone.

Used for ready wrappers, where there is no program to ask. A constant that is written must not
live in a read-only mapping, so whatever is not plainly a read counts as a write.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from aotwin.stages.wrapper.statements import statements, words_of

#: an argument of a kernel: written through a plain pointer, read through a pointer to const
_WRITE_POINTER = re.compile(r"\((?!const )[\w:]+\*\)\((\w+)\.data_ptr\(\)\)")
_READ_POINTER = re.compile(r"\(const [\w:]+\*\)\((\w+)\.data_ptr\(\)\)")
#: a call of one C shim, whose arguments follow
_SHIM = re.compile(r"(?<!\w)(aoti_torch_(?!proxy_executor|call_dispatcher)\w+)\(")
_VIEW = re.compile(
    r"wrap_with_raii_handle_if_needed\(reinterpret_tensor_wrapper\((\w+),(?:[^()]|\([^()]*\))*\)\)"
)
_METHOD = re.compile(r"\b(\w+)\.(?:sizes|strides|storage_offset)\(\)")


def pointer_written_names(source: str, names: Iterable[str]) -> frozenset[str]:
    """Return those of `names` that a kernel gets as a pointer to what is not const.

    Args:
        source: the wrapper's C++.
        names: the constants' names in the code.
    """
    return frozenset(names).intersection(_WRITE_POINTER.findall(source))


def written_names(source: str, names: Iterable[str]) -> frozenset[str]:
    """Return those of `names` that the generated code may write.

    A line is a plain read of a constant where it only declares its name, passes it as a pointer to
    const, asks for its sizes, or hands it (or a temporary view of it) to a C shim that neither
    works in place (`..._`) nor, being an `..._out`, has it as its first argument.

    Args:
        source: the wrapper's C++.
        names: the constants' names in the code.
    """
    wanted = frozenset(names)
    written: set[str] = set()
    for line, words in statements(source, "::run_impl("):
        found = wanted.intersection(words)
        if found - written:
            written |= found & _written_in(line)
    return frozenset(written)


def _written_in(line: str) -> set[str]:
    rest = _METHOD.sub("", _READ_POINTER.sub("", line))
    shim = _SHIM.search(rest)
    is_statement = re.match(r"\s*(?:AOTI_TORCH_ERROR_CODE_CHECK\()?aoti_torch_", rest)
    if shim is None or not is_statement or shim[1].endswith("_"):
        return set(words_of(rest))
    arguments = _VIEW.sub(r"\1", rest[shim.end() :])
    if shim[1].endswith("_out"):
        return set(words_of(arguments.partition(",")[0]))
    return set()
