"""Read what generated code expects of each input: dtype, sizes, order in memory.

Two places tell. `check_input_<n>` (`codegen_input_output_runtime_checks` of cpp_wrapper_cpu.py)
compares the dtype, and those sizes and strides that are fixed. `assert_size_stride(..., "input")`,
before the first kernel that reads an input, has all sizes and strides, symbols included; an input
that no kernel reads has none.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from aotwin.errors import WrapperError
from aotwin.values import TensorSpec

_ASSERTION = re.compile(
    r'assert_size_stride\((\w+), \{([^{}]*)\}, \{([^{}]*)\}, "input"\)',
)
_CHECK = re.compile(r"static void check_input_(\d+)\(.*?\) \{(.*?)^\}$", re.MULTILINE | re.DOTALL)
_EXPECTED_DTYPE = re.compile(r"_expected_dtype = aoti_torch_dtype_(\w+)\(\);")
_FIXED = re.compile(r"if \((\d+) != \w+_(size|stride)\[(\d+)\]\)")
_BOUNDED = re.compile(r"if \(\w+_size\[(\d+)\] [<>] ")

#: stands in the place of each symbol where strides are compared: larger than any fixed size
_SYMBOL_VALUE = 1 << 32
_MAX_EXPRESSION_CHARACTERS = 200
_UNKNOWN = "?"


def input_specs(source: str, names: Sequence[str]) -> tuple[TensorSpec, ...]:
    """Return one spec for each input.

    Args:
        source: the wrapper's C++, before or after `to_llp64`.
        names: the inputs' names in the code, in their order.

    Raises:
        WrapperError: the code was compiled for an input with gaps or overlaps in memory.
    """
    checks = {int(index): body for index, body in _CHECK.findall(source)}
    assertions = {
        name: (_items(sizes), _items(strides))
        for name, sizes, strides in _ASSERTION.findall(source)
    }
    specs: list[TensorSpec] = []
    for index, name in enumerate(names):
        check = checks.get(index)
        dtype = _EXPECTED_DTYPE.search(check or "")
        known = assertions.get(name) or (None if check is None else _checked(check))
        sizes, strides = known or (None, [])
        specs.append(
            TensorSpec(
                name,
                dtype=dtype[1] if dtype else "",
                shape=None if sizes is None else tuple(map(_size, sizes)),
                dim_order=None if sizes is None else _memory_order(name, sizes, strides),
            )
        )
    return tuple(specs)


def _items(braces: str) -> list[str]:
    """Split at commas that are not within a call: `s0, std::max(s1, 2L)`."""
    items = [""]
    depth = 0
    for character in braces:
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            items.append("")
        else:
            items[-1] += character
    return [item.strip() for item in items if item.strip()]


def _checked(check: str) -> tuple[list[str], list[str]] | None:
    """Return sizes and strides as far as they are compared, None where not even the rank is sure.

    Free sizes have a lower bound, unless `aot_inductor.check_lowerbound` is off. Then the fastest
    of the free dimensions has a fixed stride and no word on its size.
    """
    fixed = {(what, int(at)): value for value, what, at in _FIXED.findall(check)}
    bounded = {int(at) for at in _BOUNDED.findall(check)}
    sized = bounded | {at for what, at in fixed if what == "size"}
    rank = 1 + max((*sized, *(at for _, at in fixed)), default=-1)
    if sized != set(range(rank)):
        return None
    sizes, strides = (
        [fixed.get((what, at), _UNKNOWN) for at in range(rank)] for what in ("size", "stride")
    )
    return sizes, strides


def _size(expression: str) -> int | str | None:
    number = re.fullmatch(r"(\d+)L*", expression)
    if number:
        return int(number[1])
    return expression if re.fullmatch(r"[A-Za-z_]\w*", expression) else None


def _memory_order(
    name: str, sizes: Sequence[str], strides: Sequence[str]
) -> tuple[int, ...] | None:
    """Return the dimensions from slowest to fastest, or None where that is 0, 1, 2, ..."""
    steps = [_value(stride) for stride in strides]
    known = [step for step in steps if step is not None]
    if len(steps) != len(sizes) or len(known) != len(steps):
        return None
    _refuse_gaps(name, [_size(size) for size in sizes], [_size(stride) for stride in strides])
    order = tuple(sorted(range(len(known)), key=lambda dimension: -known[dimension]))
    # where a dimension of one element lies makes no difference
    moved = [dimension for dimension in order if _size(sizes[dimension]) != 1]
    return None if moved == sorted(moved) else order


def _refuse_gaps(
    name: str, sizes: Sequence[int | str | None], strides: Sequence[int | str | None]
) -> None:
    """Stop where the elements do not lie side by side, as far as all sizes are fixed."""
    pairs = [
        (stride, size)
        for stride, size in zip(strides, sizes, strict=True)
        if isinstance(stride, int) and isinstance(size, int)
    ]
    if len(pairs) != len(sizes) or 0 in sizes:
        return
    expected = 1
    for stride, size in sorted(pairs):
        if size != 1 and stride != expected:
            raise WrapperError(
                f"the input {name} was exported with an example that is not dense in memory",
                cause=f"its shape is {list(sizes)}, its strides are {list(strides)}",
                next_step="Export and generate it again with example.contiguous(), or .clone().",
            )
        expected *= size


def _value(expression: str) -> int | None:
    """Compute a sum or product, None where the expression is something else."""
    if len(expression) > _MAX_EXPRESSION_CHARACTERS:
        return None
    try:
        tree = ast.parse(re.sub(r"\b(\d+)L+\b", r"\1", expression), mode="eval")
    except (SyntaxError, ValueError):
        return None
    return _computed(tree.body)


def _computed(node: ast.expr) -> int | None:
    match node:
        case ast.Constant(value=int(value)):
            return value
        case ast.Name():
            return _SYMBOL_VALUE
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            value_of = _computed(operand)
            return None if value_of is None else -value_of
        case ast.BinOp(left=left, op=ast.Add() | ast.Mult() as operator, right=right):
            one, other = _computed(left), _computed(right)
            if one is None or other is None:
                return None
            return one + other if isinstance(operator, ast.Add) else one * other
    return None
