"""What a program gives eagerly, on Linux: the results that a DLL is proven with.

Part of the stage `generate`. Every call's inputs and results go into files as soon as they are
there. Calls are made in their order with one module, whose buffers are not the program's own: a
model that writes them sees what the calls before have written, as the DLL does.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aotwin.errors import ProgramError
from aotwin.proof_samples import ExpectedResult, Samples, StoredTensor, TensorFile
from aotwin.stages.generate.call_form import CallForm, call_form, example_inputs
from aotwin.stages.generate.exact import exact_run
from aotwin.stages.generate.inductor_isolation import quiet
from aotwin.stages.generate.random_results import random_results, writes_in_place

if TYPE_CHECKING:
    from torch.export import ExportedProgram

#: one call: positional and keyword arguments
Call = tuple[tuple[Any, ...], dict[str, Any]]
#: what eager gives is not known to be off by
_NO_NOISE = 0.0
_MAX_CAUSE_CHARACTERS = 800


@dataclass
class _Found:
    """What is known of one result after some calls."""

    dtype: str = ""
    noise: float | None = None
    largest: float = 0.0


def eager_samples(
    program: ExportedProgram, calls: Sequence[Call] | None, source: str, folder: Path
) -> Samples:
    """Call a program eagerly and keep what went in and came out.

    Args:
        program: stays as it is.
        calls: None for its own example inputs.
        source: where the calls come from, for messages and the manifest.
        folder: where the files go.

    Raises:
        ProgramError: a call does not fit the program, or fails.
    """
    import torch

    run = _Run(program, source)
    with (
        closing(TensorFile(folder / "inputs")) as inputs_file,
        closing(TensorFile(folder / "results")) as results_file,
        quiet(),
        torch.no_grad(),
    ):
        inputs, results = [], []
        for index, (args, kwargs) in enumerate(calls or [example_inputs(program)]):
            leaves = run.leaves(index, args, kwargs)
            inputs.append(
                tuple(
                    _store(inputs_file, leaf)
                    for position, leaf in enumerate(leaves)
                    if position not in run.form.fixed_inputs
                )
            )
            results.append(tuple(_store(results_file, each) for each in run.call(index, leaves)))
    return Samples(
        source=source,
        inputs_file=inputs_file.path,
        results_file=results_file.path,
        inputs=tuple(inputs),
        results=tuple(results),
        outputs=run.outputs(),
        seconds=run.seconds,
        versions={"torch": str(torch.__version__)},
    )


def _store(file: TensorFile, tensor: Any) -> StoredTensor:
    import torch

    plain = tensor.detach().resolve_conj().resolve_neg().contiguous()
    elements = plain.reshape(-1).view(torch.uint8).numpy() if plain.numel() else b""
    return file.append(_dtype(tensor), tensor.shape, elements)


def _dtype(tensor: Any) -> str:
    return str(tensor.dtype).removeprefix("torch.")


class _Run:
    """A program being called."""

    def __init__(self, program: ExportedProgram, source: str) -> None:
        self.form: CallForm = call_form(program)
        self._program = program
        self._source = source
        self._module: Any = program.module()
        writes = program.graph_signature.buffers_to_mutate or writes_in_place(program.graph)
        state = self._own_buffers() if writes else {}
        self._exact: Callable[[list[Any]], list[Any]] | None = exact_run(program, state)
        self._found = [_Found() for _ in self.form.outputs]
        self._random = random_results(program)
        #: how long the longest call took
        self.seconds = 0.0

    def _own_buffers(self) -> dict[str, Any]:
        """Give the module copies of the program's buffers; returns these as they are now."""
        buffers = dict(self._module.named_buffers())
        for name, buffer in buffers.items():
            owner, _, attribute = name.rpartition(".")
            self._module.get_submodule(owner)._buffers[attribute] = buffer.clone()
        return buffers

    def leaves(self, index: int, args: Any, kwargs: Any) -> list[Any]:
        """The flat arguments of a call, checked as far as the DLL's loader checks them."""
        from torch.utils import _pytree

        in_spec = self._program.call_spec.in_spec
        if not isinstance(args, tuple) or not isinstance(kwargs, dict):
            raise self._wrong(index, "it is no pair of a tuple and a dict")
        keywords = [*(in_spec.child(1).context or ())]
        if kwargs.keys() != set(keywords):
            raise self._wrong(index, f"its keyword arguments are not {sorted(keywords)}")
        ordered = {key: kwargs[key] for key in keywords}
        leaves, spec = _pytree.tree_flatten((args, ordered))
        if spec != in_spec:
            raise self._wrong(index, "it is nested in another way than the example inputs are")
        tensors = iter(self.form.inputs)
        for position, leaf in enumerate(leaves):
            if position not in self.form.fixed_inputs:
                self._check(index, leaf, next(tensors))
            elif leaf != self.form.fixed_inputs[position]:
                value = self.form.fixed_inputs[position]
                raise self._wrong(
                    index, f"argument {position} is {leaf!r}, and fixed to {value!r} by the export"
                )
        return leaves

    def _check(self, index: int, leaf: Any, expected: Any) -> None:
        import torch

        if not isinstance(leaf, torch.Tensor) or leaf.device.type != "cpu":
            raise self._wrong(index, f"{expected.name} is no tensor on the CPU")
        sizes = [size if isinstance(size, int) else None for size in expected.shape or ()]
        fits = len(sizes) == leaf.dim() and all(
            size in (None, found) for size, found in zip(sizes, leaf.shape, strict=True)
        )
        if _dtype(leaf) != expected.dtype or not fits:
            found = f"{_dtype(leaf)} {list(leaf.shape)}"
            raise self._wrong(
                index, f"{expected.name} is {found}, expected {expected.dtype} {expected.shape}"
            )

    def call(self, index: int, leaves: list[Any]) -> list[Any]:
        """Call the module; returns the results that are tensors or numbers, as tensors."""
        import torch
        from torch.utils import _pytree

        in_spec = self._program.call_spec.in_spec
        args, kwargs = _pytree.tree_unflatten([_copied(leaf) for leaf in leaves], in_spec)
        began = time.monotonic()
        try:
            result = self._module(*args, **kwargs)
        except Exception as error:
            raise self._wrong(
                index, f"{type(error).__name__}: {str(error).strip()[:_MAX_CAUSE_CHARACTERS]}"
            ) from error
        self.seconds = max(self.seconds, time.monotonic() - began)
        found, spec = _pytree.tree_flatten(result)
        if spec != self._program.call_spec.out_spec:
            raise self._wrong(index, "its results are nested in another way than the program's")
        self._look_at_noise(leaves, found)
        tensors = []
        for position, each in enumerate(found):
            if position not in self.form.fixed_outputs:
                tensors.append(each if isinstance(each, torch.Tensor) else torch.tensor(each))
                self._found[position].dtype = _dtype(tensors[-1])
        return tensors

    def _look_at_noise(self, leaves: list[Any], found: list[Any]) -> None:
        """Compare with float64; where an operator cannot do that, nothing is known."""
        exact: list[Any] = []
        if self._exact is not None:
            try:
                exact = self._exact([_copied(leaf) for leaf in leaves])
            except Exception:  # whatever an operator says about a type that it was not made for
                self._exact = None
        for position, (row, eager) in enumerate(zip(self._found, found, strict=True)):
            if not hasattr(eager, "dtype") or not (eager.is_floating_point() or eager.is_complex()):
                continue
            row.largest = max(row.largest, _largest(eager))
            if self._exact is None or exact[position].shape != eager.shape:
                row.noise = math.nan
            else:
                difference = _largest(exact[position] - eager.to(exact[position].dtype))
                row.noise = max(row.noise or _NO_NOISE, difference)

    def outputs(self) -> tuple[ExpectedResult, ...]:
        """What is known of each result that is a tensor or a number."""
        names = [
            getattr(spec.arg, "name", "")
            for spec in self._program.graph_signature.output_specs
            if spec.kind.name == "USER_OUTPUT"
        ]
        return tuple(
            ExpectedResult(
                position,
                output.name,
                row.dtype,
                is_random=names[position] in self._random,
                noise=None if row.noise is None or math.isnan(row.noise) else row.noise,
                largest=row.largest,
            )
            for position, (output, row) in enumerate(
                zip(self.form.outputs, self._found, strict=True)
            )
            if position not in self.form.fixed_outputs
        )

    def _wrong(self, index: int, cause: str) -> ProgramError:
        return ProgramError(
            f"sample {index} of {self._source} cannot be used to prove the model",
            cause=cause,
            next_step="Each sample is a pair (args, kwargs), as the exported module is called.",
        )


def _copied(leaf: Any) -> Any:
    """A tensor that a module may write."""
    return leaf.clone() if hasattr(leaf, "clone") else leaf


def _largest(tensor: Any) -> float:
    """The largest finite absolute value."""
    import torch

    wide = torch.complex128 if tensor.is_complex() else torch.float64
    sizes = tensor.to(wide).abs()
    finite = sizes[torch.isfinite(sizes)]
    return float(finite.max()) if finite.numel() else 0.0
