"""The table in which a model DLL describes itself to hosts that read no JSON.

It is a C source of its own, so that what it says costs a link and no compile; its layout is
`toolchains/windows/dll/aotwin_description.h`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from aotwin.stages.wrapper import extern_targets
from aotwin.values import TensorSpec, Wrapper


def description_source(
    wrapper: Wrapper,
    *,
    cpu: str,
    torch_version: str,
    run_time: str,
    runs_with: Sequence[str] = (),
) -> str:
    """The C source that defines `AotwinDescribe` and the check of the CPU.

    Args:
        wrapper: whose inputs, outputs and fallback operators are described.
        cpu: the CPU level that the wrapper was compiled for.
        torch_version: whose headers the DLL was compiled with.
        run_time: "torch" or "own".
        runs_with: versions of torch that the DLL runs in.
    """
    kinds = [_kind(wrapper, position) for position in range(len(wrapper.outputs))]
    operators = ", ".join(sorted(extern_targets(wrapper.extern_nodes)))
    return "\n".join(
        (
            "#include <stddef.h>",
            '#include "aotwin_cpu.h"',
            '#include "aotwin_description.h"',
            *_tensors("input", wrapper.inputs, ["TENSOR"] * len(wrapper.inputs)),
            *_tensors("output", wrapper.outputs, kinds),
            "static const AotwinDescription description = {",
            "    .struct_size = sizeof(AotwinDescription),",
            "    .version = AOTWIN_DESCRIPTION_VERSION,",
            f"    .cpu = {c_string(cpu)},",
            f"    .torch_version = {c_string(torch_version)},",
            f"    .fallback_operators = {c_string(operators)},",
            f"    .num_inputs = {len(wrapper.inputs)},",
            f"    .num_outputs = {len(wrapper.outputs)},",
            "    .inputs = inputs,",
            "    .outputs = outputs,",
            f"    .run_time = {c_string(run_time)},",
            f"    .runs_with = {c_string(' '.join(runs_with))},",
            "};",
            "const AotwinDescription* AotwinDescribe(void) { return &description; }",
            f"int aotwin_cpu_fits(void) {{ return aotwin_cpu_level() >= {_level(cpu)}; }}",
            "",
        )
    )


def _level(cpu: str) -> int:
    """The number in the name of a level of the psABI: "x86-64-v3"."""
    return int(cpu.rpartition("-v")[2])


def c_string(text: str) -> str:
    """Text as a C string literal, UTF-8; whatever is not plain ASCII as an octal escape."""
    plain = frozenset(b" !#$%&'()*+,-./:;<=>@[]^_`{|}~")  # no quote, backslash or trigraph
    characters = (
        chr(byte) if byte in plain or (chr(byte).isalnum() and byte < 128) else f"\\{byte:03o}"
        for byte in text.encode("utf-8", "replace")
    )
    return '"' + "".join(characters) + '"'


def _kind(wrapper: Wrapper, position: int) -> str:
    if position in wrapper.fixed_outputs:
        return "CONSTANT"
    return "NUMBER" if position in wrapper.number_outputs else "TENSOR"


def _tensors(role: str, specs: Sequence[TensorSpec], kinds: Sequence[str]) -> Iterable[str]:
    """The arrays of one role, and what they point to."""
    rows: list[str] = []
    for index, (spec, kind) in enumerate(zip(specs, kinds, strict=True)):
        shape = spec.shape
        own = f"{role}_{index}"
        if shape:
            # INT64_C: a size is a 64-bit figure, `long` has 32 bits here.
            yield f"static const int64_t {own}_sizes[] = {{{', '.join(map(_size, shape))}}};"
            symbols = ", ".join(map(_symbol, shape))
            yield f"static const char* const {own}_symbols[] = {{{symbols}}};"
        if spec.dim_order:
            order = ", ".join(map(str, spec.dim_order))
            yield f"static const int32_t {own}_order[] = {{{order}}};"
        rows.append(
            f"    {{{c_string(spec.name)}, {c_string(spec.dtype)}, AOTWIN_KIND_{kind}, "
            f"{-1 if shape is None else len(shape)}, "
            f"{own + '_sizes' if shape else 'NULL'}, {own + '_symbols' if shape else 'NULL'}, "
            f"{own + '_order' if spec.dim_order else 'NULL'}}},"
        )
    # C knows no empty arrays: the last element is a spare one.
    yield f"static const AotwinTensorDescription {role}s[] = {{"
    yield from rows
    yield '    {"", "", 0, -1, NULL, NULL, NULL},'
    yield "};"


def _size(size: int | str | None) -> str:
    return f"INT64_C({size})" if isinstance(size, int) else "-1"


def _symbol(size: int | str | None) -> str:
    if isinstance(size, int):
        return "NULL"
    return c_string(size or "")
