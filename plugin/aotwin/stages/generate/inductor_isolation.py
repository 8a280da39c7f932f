"""Keep Inductor away from the build host while it generates code for the target.

Part of the stage `generate`: torch is imported in functions only. Each context manager changes
one thing that is global to the process and puts it back.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aotwin.adapters.storage.files import temporary_folder

if TYPE_CHECKING:
    from torch import Tensor

#: new objects after which Python looks for garbage among them; 700 by default
_RARELY = 50_000
_CACHE_VARIABLES = ("TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR")


@dataclass(frozen=True)
class RecordedConstants:
    """What Inductor's graph knows of the constants when its code is final."""

    #: names in the code, in the order of `constants_info_`, without run-time folded ones
    names: tuple[str, ...]
    #: their values before any mutation, the program's own memory where it is not a buffer
    tensors: tuple[Tensor, ...]
    #: what the graph read while it was compiled: copies, for buffers
    read: tuple[Tensor, ...]
    #: names of what the code writes, constants among them
    mutated: frozenset[str]


@contextlib.contextmanager
def private_cache() -> Iterator[None]:
    """Give Inductor an empty cache folder that is deleted afterwards.

    The user's cache is neither read, so that the code does not depend on what ran before, nor
    filled.
    """
    saved = {name: os.environ.get(name) for name in _CACHE_VARIABLES}
    from torch._inductor.utils import clear_caches

    with temporary_folder() as folder:
        try:
            for name in _CACHE_VARIABLES:
                os.environ[name] = str(folder)
            clear_caches()
            yield
        finally:
            # asks for the folder, and would create and announce the default one
            clear_caches()
            for name, value in saved.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence warnings and logs below an error, and keep prints off stdout, which is for data."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)


@contextlib.contextmanager
def rare_collection() -> Iterator[None]:
    """Let Python look for garbage less often, and not among what was there before.

    Imports of large packages and a lowering make millions of objects of which most are needed to
    the end: a ninth of their time went into looking through them.
    """
    thresholds = gc.get_threshold()
    # 0 is how a user turns it off.
    ours = (_RARELY if thresholds[0] else 0, *thresholds[1:])
    gc.freeze()
    gc.set_threshold(*ours)
    try:
        yield
    finally:
        # A module that a block imports may choose for itself.
        if gc.get_threshold() == ours:
            gc.set_threshold(*thresholds)
        gc.unfreeze()


@contextlib.contextmanager
def target_vectors(simdlen: int) -> Iterator[None]:
    """Let Inductor see exactly the target's vector instructions.

    By default it asks the build host's CPU and compiles and runs a probe. With 512 bits it would
    even choose AMX where the build host has it.

    Args:
        simdlen: 256 (AVX2) or 512 (AVX-512), in bits.
    """
    from torch._inductor import cpu_vec_isa

    plain = {256: cpu_vec_isa.VecAVX2, 512: cpu_vec_isa.VecAVX512}[simdlen]
    # the parent's truth value is the probe
    attributes = {"__bool__": lambda _: True, "__hash__": plain.__hash__}
    isa = type(plain.__name__, (plain,), attributes)()
    original = cpu_vec_isa.valid_vec_isa_list
    namespace = vars(cpu_vec_isa)
    namespace["valid_vec_isa_list"] = lambda: [isa]
    try:
        yield
    finally:
        namespace["valid_vec_isa_list"] = original


@contextlib.contextmanager
def sines_once() -> Iterator[None]:
    """Let sines and cosines that several loops read be computed once, as exponentials are.

    Inductor takes them for cheap, and computes a rotary embedding's anew for each number that is
    turned by it, in each layer.
    """
    from torch._inductor import ir

    storage: Any = ir.StorageBox
    original = storage.should_realize_on_reuse

    def decide(box: Any, users: int, *args: Any, **kwargs: Any) -> bool:
        if original(box, users, *args, **kwargs):
            return True
        if users < 2 or not isinstance(box.data, (ir.Pointwise, ir.Reduction)):
            return False
        return not {"sin", "cos"}.isdisjoint(box.data.inner_fn_opcount().used_ops)

    storage.should_realize_on_reuse = decide
    try:
        yield
    finally:
        storage.should_realize_on_reuse = original


@contextlib.contextmanager
def recorded_constants() -> Iterator[list[RecordedConstants]]:
    """Write down each graph's constants at the moment its code is handed over for packaging.

    AOTInductor returns the tensors in a dict keyed by their names in the program, where two
    constants may meet, and does not return at all which of them the code writes.
    """
    from torch._inductor.codecache import AotCodeCompiler

    records: list[RecordedConstants] = []
    compiler: Any = AotCodeCompiler
    original = compiler.__dict__["compile"]

    def recording(cls: Any, graph: Any, *args: Any, **kwargs: Any) -> Any:
        names = tuple(name for name in graph.constants if name not in graph.folded_constants)
        records.append(
            RecordedConstants(
                names=names,
                tensors=tuple(graph.get_original_value_of_constant(name) for name in names),
                read=tuple(graph.constants[name] for name in names),
                mutated=frozenset(graph.mutated_buffers),
            )
        )
        return original.__func__(cls, graph, *args, **kwargs)

    compiler.compile = classmethod(recording)
    try:
        yield records
    finally:
        compiler.compile = original
