"""From an exported program to the C++ of its model: AOTInductor, kept away from the build host.

The only stage that needs torch, and it needs nothing else: no C++ compiler, no CPU with the
target's vector instructions. What Inductor would ask the build host about (compilers, vector
instructions, cores, caches) is answered from the target instead, so that the same program gives
the same source on every machine.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aotwin.adapters.storage.results import REMEMBERED
from aotwin.errors import ProgramError
from aotwin.progress import note
from aotwin.stages.generate.attention_inputs import attend_in_place
from aotwin.stages.generate.call_form import CallForm, call_form, example_inputs, has_counter
from aotwin.stages.generate.convolutions import arrange_convolutions
from aotwin.stages.generate.inductor_isolation import (
    RecordedConstants,
    private_cache,
    quiet,
    rare_collection,
    recorded_constants,
    sines_once,
    target_vectors,
)
from aotwin.stages.generate.inductor_options import merged_options
from aotwin.stages.generate.layer_operators import layer_operators
from aotwin.stages.generate.linear_layers import arrange_linear_layers
from aotwin.stages.generate.remembered import Memory, read_tensors
from aotwin.stages.generate.torch_settings import nobody_registers
from aotwin.stages.wrapper import (
    SourceFacts,
    operator_warnings,
    parse_source,
    pointer_written_names,
    strip_commands,
    weights_of_layers,
    with_strides,
)
from aotwin.values import Constant, Wrapper
from aotwin.weights_layout import lies_in_blocks, strides_in_blocks
from aotwin.weights_source import MemoryRegion, MemoryWeights

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram

#: the end of a message is where Python's exceptions say what happened
_MAX_CAUSE_CHARACTERS = 1200
#: where a function of Python lay, in what Inductor says of it: another place in each process
_ADDRESS = re.compile(r"(?<=[^\s]) at 0x[0-9a-f]{6,16}(?=>)")
#: Inductor's setting for a last pass over a graph
_LAST_OF_GRAPH = "post_grad_custom_post_pass"


@dataclass(frozen=True)
class _Lowered:
    """The files that AOTInductor wrote, and what its graph knows of the constants."""

    source: str
    definitions: tuple[str, ...]
    metadata: Mapping[str, str]
    extern_nodes: bytes | None
    recorded: RecordedConstants


def generate(
    program: ExportedProgram,
    *,
    name: str,
    simdlen: int,
    inductor: Mapping[str, Any],
    fused: Collection[str] = (),
) -> tuple[Wrapper, MemoryWeights]:
    """Lower an exported program to C++ with AOTInductor, as `Lowering` does."""
    return Lowering(program, name, simdlen, inductor, fused).generate()


class Lowering:
    """An exported program on its way to the C++ of one CPU level.

    Args:
        program: what torch.export.export returned, on the CPU, with its example inputs.
        name: stem of the generated files: letters, digits and underscores.
        simdlen: width of the target's vectors in bits, 256 (AVX2) or 512 (AVX-512).
        inductor: the user's settings for Inductor.
        fused: dtypes in which linear layers and the activations behind them are one operator, and
            weights lie as our own run time multiplies by them: those of convolutions by terms,
            those of linear layers in blocks.

    Raises:
        ConfigurationError: a setting of `inductor` is unknown or not the user's to choose.
    """

    def __init__(
        self,
        program: ExportedProgram,
        name: str,
        simdlen: int,
        inductor: Mapping[str, Any],
        fused: Collection[str] = (),
    ) -> None:
        from torch._inductor import config

        self._program, self._simdlen, self._fused = program, simdlen, fused
        self._options = merged_options(
            inductor, config.get_config_copy(), name=name, simdlen=simdlen
        )
        if has_counter(program):
            self._options["joint_graph_constant_folding"] = False
        self._memory = Memory(program, {**self._options, "fused": [*fused]})

    @cached_property
    def remembered(self) -> tuple[Wrapper, MemoryWeights] | None:
        """What a build before has made of it, with the program's own tensors."""
        return self._memory.recall(lambda: _arranged(self._program, self._fused))

    def generate(self) -> tuple[Wrapper, MemoryWeights]:
        """The wrapper, lowered where it is not remembered.

        Returns:
            The wrapper, and a source that hands out the program's own tensors, uncopied (buffers
            are copied once, by AOTInductor, which runs what writes them).

        Raises:
            ProgramError: the program cannot be lowered for a Windows CPU.
        """
        from torch._inductor import config

        if self.remembered is not None:
            note(REMEMBERED)
            return self.remembered
        program, fused, options = self._program, self._fused, dict(self._options)
        in_blocks: list[Tensor] = []
        # A pass of the user's, in the settings or set for the process, stays the one that is run.
        if fused and options.get(_LAST_OF_GRAPH, getattr(config, _LAST_OF_GRAPH)) is None:
            options[_LAST_OF_GRAPH] = layer_operators(fused, in_blocks)
        form = call_form(program)
        module = _arranged(program, fused)
        arranged = read_tensors(module)
        wrapper, recorded = _generated(program, module, form, options, self._simdlen)
        wrapper = _with_blocks(wrapper, recorded, in_blocks)
        self._memory.remember(wrapper, recorded.tensors, arranged)
        return wrapper, _weights(wrapper.constants, recorded)


def _generated(
    program: ExportedProgram, module: Any, form: CallForm, options: dict[str, Any], simdlen: int
) -> tuple[Wrapper, RecordedConstants]:
    import torch

    lowered = _lower(program, module, options, simdlen)
    facts = parse_source(lowered.source)
    _check_call_form(facts, form)
    wrapper = Wrapper(
        source=lowered.source,
        definitions=lowered.definitions,
        constants=_constants(facts, lowered),
        metadata=lowered.metadata,
        extern_nodes=lowered.extern_nodes,
        inputs=form.inputs,
        outputs=form.outputs,
        torch_version=str(torch.__version__),
        warnings=(*form.warnings, *operator_warnings(lowered.source, lowered.extern_nodes)),
        in_spec=facts.in_spec,
        out_spec=facts.out_spec,
        fixed_inputs=form.fixed_inputs,
        fixed_outputs=form.fixed_outputs,
        number_outputs=form.number_outputs,
    )
    return wrapper, lowered.recorded


def _with_blocks(
    wrapper: Wrapper, recorded: RecordedConstants, in_blocks: Collection[Tensor]
) -> Wrapper:
    """The wrapper with strides that say which weights of linear layers lie in blocks.

    Args:
        in_blocks: weights that can. What has become another constant, or is read by other code
            than was meant, stays as it is.
    """
    addresses = [tensor.untyped_storage().data_ptr() for tensor in recorded.read]
    wanted = {tensor.untyped_storage().data_ptr() for tensor in in_blocks}
    changed: dict[str, Constant] = {}
    for constant, address in zip(wrapper.constants, addresses, strict=True):
        if address in wanted and addresses.count(address) == 1 and not constant.mutable:
            marked = replace(constant, stride=strides_in_blocks(constant.shape))
            if lies_in_blocks(marked):
                changed[constant.name] = marked
    names = weights_of_layers(wrapper.source, changed) if changed else frozenset()
    changed = {name: constant for name, constant in changed.items() if name in names}
    return replace(
        wrapper,
        source=with_strides(wrapper.source, {each.index: each.stride for each in changed.values()}),
        constants=tuple(changed.get(each.name, each) for each in wrapper.constants),
    )


def _arranged(program: ExportedProgram, fused: Collection[str]) -> Any:
    """The program as a module with its tensors, in the form that is lowered."""
    with quiet(), _lowering_errors():
        # as torch._inductor.aoti_compile_and_package does, short of its archive
        module: Any = program.module(check_guards=False)
        arrange_convolutions(module, fused)
        arrange_linear_layers(module, fused)
        attend_in_place(module)
        return module


def _lower(
    program: ExportedProgram, module: Any, options: dict[str, Any], simdlen: int
) -> _Lowered:
    from torch._inductor import aot_compile

    args, kwargs = example_inputs(program)
    with (
        private_cache(),
        quiet(),
        rare_collection(),
        target_vectors(simdlen),
        sines_once(),
        nobody_registers(),
        recorded_constants() as records,
        _lowering_errors(),
    ):
        written: Any = aot_compile(module, args, kwargs, options=options)
        files = [Path(file) for file in written if isinstance(file, str)]
        return _collected(files, records[-1])


@contextmanager
def _lowering_errors() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise ProgramError(
            "the program cannot be lowered to C++",
            cause=f"Inductor says: {_short(error)}",
            next_step=_next_step(error),
        ) from error


def _next_step(error: Exception) -> str:
    if "mutating a non-functional tensor" in str(error):
        return (
            "The module writes a tensor that is no buffer of it: register it with "
            "register_buffer, and reach it through the module."
        )
    return (
        "Check that torch._inductor.aoti_compile_and_package accepts the program; "
        "an operator that it lacks must be rewritten."
    )


def _short(error: Exception) -> str:
    text = f"{type(error).__name__}: {error}".strip()
    return text if len(text) <= _MAX_CAUSE_CHARACTERS else text[:_MAX_CAUSE_CHARACTERS] + " ..."


def _collected(files: list[Path], recorded: RecordedConstants) -> _Lowered:
    """Read the generated files, which are gone when the private cache is."""
    by_ending = {
        ending: file
        for file in files
        for ending in ("wrapper.cpp", "_compile_flags.json", "_metadata.json", "wrapper.json")
        if file.name.endswith(ending)
    }
    custom_objects = [file.name for file in files if file.name.startswith("custom_objs_config")]
    if custom_objects:
        raise ProgramError(
            "the program holds TorchBind objects",
            cause="their classes are C++ of a library that is not part of torch for Windows",
            next_step="Express the module with tensors only.",
        )
    flags = json.loads(by_ending["_compile_flags.json"].read_text("utf-8"))
    nodes = by_ending.get("wrapper.json")
    return _Lowered(
        source=_ADDRESS.sub("", strip_commands(by_ending["wrapper.cpp"].read_text("utf-8"))),
        definitions=tuple(name.strip() for name in flags["definitions"] if name.strip()),
        metadata=json.loads(by_ending["_metadata.json"].read_text("utf-8")),
        extern_nodes=nodes.read_bytes() if nodes else None,
        recorded=recorded,
    )


def _check_call_form(facts: SourceFacts, form: CallForm) -> None:
    """Stop where the library would be called otherwise than the exported module."""
    for kind, generated, exported in (
        ("arguments that are tensors", len(facts.inputs), len(form.inputs)),
        ("results", len(facts.outputs), len(form.outputs)),
    ):
        if generated != exported:
            raise ProgramError(
                f"AOTInductor generated {generated} {kind} for a program with {exported}",
                cause=(
                    "it does so when the program writes a parameter; torch's own loader fails on "
                    "such a model as well"
                ),
                next_step="Register what the module writes as a buffer, not as a parameter.",
            )


def _constants(facts: SourceFacts, lowered: _Lowered) -> tuple[Constant, ...]:
    recorded = lowered.recorded
    names = tuple(constant.name for constant in facts.constants)
    if names != recorded.names:
        raise ProgramError(
            "the generated code and Inductor's graph disagree on the constants",
            cause=f"the code has {len(names)}, the graph {len(recorded.names)}",
            next_step="Please report this with the program.",
        )
    written = recorded.mutated | pointer_written_names(lowered.source, names)
    return tuple(
        replace(constant, mutable=constant.name in written) for constant in facts.constants
    )


def _weights(constants: tuple[Constant, ...], recorded: RecordedConstants) -> MemoryWeights:
    regions: list[MemoryRegion] = []
    for constant, tensor in zip(constants, recorded.tensors, strict=True):
        if tensor.device.type != "cpu" or tensor.is_mkldnn:
            raise ProgramError(
                f"the constant {constant.fqn} is not plain memory of the CPU",
                cause=f"it lives on {tensor.device} with layout {tensor.layout}",
                next_step="Move the model to the CPU before it is exported.",
            )
        storage = tensor.untyped_storage()
        nbytes = storage.nbytes()
        region = MemoryRegion.of_constant(constant, storage.data_ptr(), nbytes)
        if region is None:
            raise ProgramError(
                f"the constant {constant.fqn} has another size than the code expects",
                cause=f"it has {nbytes} bytes, the code reserves {constant.nbytes}",
                next_step="Please report this with the program.",
            )
        regions.append(region)
    return MemoryWeights(regions, recorded.tensors)
