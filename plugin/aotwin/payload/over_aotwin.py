"""A model over aotwin's own run time: its library opens the DLL, tensors are numpy's or torch's.

Part of a model's package, imported when a model is loaded whose manifest asks for it. Needs numpy;
torch only where the user hands its tensors over.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import ModelError
from .arrays import Argument, Place
from .c_api import OpenedModel, Tensor, load_library
from .call_tree import LEAF, Node, describe, flat, flat_call, read_tree
from .results import Result, Scratch

if TYPE_CHECKING:
    from . import Input


def open_model(
    directory: Path,
    manifest: dict[str, Any],
    inputs: Sequence[Input],
    *,
    num_runners: int,
    num_threads: int | None,
) -> Runner:
    """Open a built model.

    Args:
        inputs: the tensors that it takes, as its manifest says.

    Raises:
        ModelError: a file is missing or damaged, or the CPU does not fit.
    """
    try:
        library = directory.joinpath(*manifest["libs"]["library"].split("/"))
        arguments, results = _call_trees(manifest)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ModelError(
            f"{directory / 'aotwin.json'} does not say how to call the model: "
            f"{type(error).__name__}: {error}. Reinstall the package, or build it with the "
            'setting runtime = "torch".'
        ) from error
    opened = load_library(library).open(directory, num_runners, num_threads or 0)
    return Runner(opened, manifest, inputs, arguments, results)


def _call_trees(manifest: dict[str, Any]) -> tuple[Node, Node]:
    """How arguments and results are nested; flat tuples where a ready wrapper did not tell."""
    call = manifest.get("call", {})
    project = manifest["name"].partition(".")[0]
    inputs, outputs = len(manifest["inputs"]), len(manifest["outputs"])
    arguments, results = flat_call(inputs), flat(outputs)
    if call.get("in_spec"):
        arguments = read_tree(call["in_spec"], project)
    if call.get("out_spec"):
        results = read_tree(call["out_spec"], project)
    if arguments.children is None or len(arguments.children) != 2:
        raise ValueError("in_spec is not that of arguments and keyword arguments")
    if results.count() != outputs:
        raise ValueError(f"out_spec has {results.count()} leaves for {outputs} results")
    return arguments, results


class _Frame:
    """What one call at a time hands to the library, made once."""

    __slots__ = ("address", "inputs", "places", "results", "scratch")

    def __init__(self, count: int) -> None:
        self.inputs = (Tensor * count)()
        self.address = ctypes.addressof(self.inputs)
        self.places = [Place(tensor) for tensor in self.inputs]
        self.results = ctypes.c_void_p()
        self.scratch = Scratch()


class Runner:
    """An opened model.

    Args:
        opened: in the library.
        manifest: the model's.
        inputs: the tensors that it takes.
        arguments, results: how they are nested.
    """

    def __init__(
        self,
        opened: OpenedModel,
        manifest: dict[str, Any],
        inputs: Sequence[Input],
        arguments: Node,
        results: Node,
    ) -> None:
        self._name = str(manifest["name"])
        self._opened = opened
        self._library = opened.library
        self.dll, takes, gives = opened.library.info(opened.address)
        if (takes, gives) != (len(inputs), len(manifest["outputs"])):
            raise ModelError(
                f"{self.dll} takes {takes} tensors and gives {gives} results, its manifest "
                f"says {len(inputs)} and {len(manifest['outputs'])}. Reinstall the package."
            )
        self._arguments, self._results = arguments, results
        self.keywords: Sequence[str] = (arguments.children or [LEAF, LEAF])[1].keys or ()
        self._inputs = [Argument(each) for each in inputs]
        self._outputs = [
            None if row["kind"] == "constant" else Result(self._name, index, row)
            for index, row in enumerate(manifest["outputs"])
        ]
        #: of types that numpy lacks
        self._without_numpy = [each for each in self._outputs if each and not each.is_numpys]
        #: those that no call has at the moment
        self._frames: list[_Frame] = []

    def is_tensor(self, leaf: Any) -> bool:
        """Whether this is something that the DLL takes."""
        return isinstance(leaf, (np.ndarray, np.generic)) or hasattr(leaf, "__dlpack__")

    def flatten(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any] | None:
        """The leaves of a call; None where it is nested in another way than the exported one."""
        return self._arguments.leaves_of((args, kwargs))

    def call_form(self) -> str:
        """How the model is called, in one line: "((*), {mask: *})"."""
        return str(self._arguments)

    def call_form_of(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """The same of a call."""
        return describe((args, kwargs))

    def run(self, leaves: Sequence[Any]) -> list[Any]:
        """Check the tensors of a call and run the model; returns its flat results.

        They are tensors of torch's where one is among the arguments, else arrays of numpy's.
        """
        if len(leaves) != len(self._inputs):
            raise TypeError(f"{self._name} takes {len(self._inputs)} tensors, got {len(leaves)}")
        torch = sys.modules.get("torch")
        if not hasattr(torch, "Tensor"):
            # Not imported, or another thread is just about to.
            torch = None
        try:
            frame = self._frames.pop()
        except IndexError:
            frame = _Frame(len(self._inputs))
        try:
            calls = zip(leaves, self._inputs, frame.places, strict=True)
            # What must live until the library has returned.
            kept = [argument.put(leaf, place, torch) for leaf, argument, place in calls]
            if torch is not None and not any(isinstance(leaf, torch.Tensor) for leaf in kept):
                torch = None
            if torch is None and self._without_numpy:
                self._without_numpy[0].refuse()
            found = self._library.run(
                self._name, self._opened.address, frame.address, len(kept), frame.results
            )
            return [
                None if output is None else output.take(self._library, found, frame.scratch, torch)
                for output in self._outputs
            ]
        finally:
            self._frames.append(frame)

    def unflatten(self, leaves: list[Any]) -> Any:
        """The results as the exported module nested them."""
        return self._results.build(leaves)
