"""What the process has set, and registered, that decides which code is generated.

Part of the stage `generate`: torch is imported in functions only. A module that exports a program
may change any of it, at any time: it is looked at for each program anew.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from typing import Any

from aotwin.adapters.storage.results import key_of

#: Inductor's settings that decide nothing: where things lie, how they are logged, who does the
#: work, what is for other devices, caches, and what a compile leaves behind
_OF_NO_MATTER = (
    "_micro_pipeline_tp",
    "aot_inductor.metadata",
    "autotune_",
    "bundle_triton_into_fx_graph_cache",
    "compile_threads",
    "cuda.",
    "cudagraph_policy",
    "cutlass.",
    "fx_graph_",
    "halide.",
    "rocm.",
    "trace.",
    "triton.",
    "worker_",
    "xpu.",
)
#: where Inductor finds what an operator becomes: dictionaries and sets that others may add to
_REGISTRIES = {
    "torch._inductor.decomposition": ("decompositions",),
    "torch._inductor.lowering": ("lowerings", "user_lowerings", "fallbacks"),
}


#: digest of what is registered -> what stands for it in keys
_known = {"": ""}


class ForeignCodeError(Exception):
    """Inductor was given code that is not torch's, of which nothing is known but its name."""


def inductor_settings() -> dict[str, Any]:
    """All settings of Inductor and of what it traces with that decide something."""
    from torch._functorch import config as functorch
    from torch._inductor import config as inductor
    from torch.fx.experimental import _config as symbolic_shapes

    return {
        f"{config.__name__}.{name}": value
        for config in (inductor, functorch, symbolic_shapes)
        for name, value in config.get_config_copy().items()
        if not name.startswith(_OF_NO_MATTER)
    }


def flags() -> list[Any]:
    """Switches of torch itself, those for precision among them."""
    import torch

    backends: Any = torch.backends
    math: Any = torch._C
    precision = getattr(math, "_get_fp32_precision_getter", lambda *_: None)
    return [
        str(torch.get_default_dtype()),
        str(torch.get_default_device()),
        _or_mixed(torch.get_float32_matmul_precision),
        [
            precision(backend, operation)
            for backend in ("generic", "mkldnn")
            for operation in ("all", "matmul", "conv", "rnn")
            if backend != "generic" or operation == "all"
        ],
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        torch.utils.deterministic.fill_uninitialized_memory,  # type: ignore[attr-defined]
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.is_autocast_enabled("cpu"),
        str(torch.get_autocast_dtype("cpu")),
        backends.mkldnn.enabled,
        backends.mkldnn.deterministic,
        _or_mixed(lambda: backends.mkldnn.allow_tf32),
        backends.mha.get_fastpath_enabled(),
        # They choose among the forms of attention on a CPU, too.
        backends.cuda.flash_sdp_enabled(),
        backends.cuda.math_sdp_enabled(),
        backends.cuda.mem_efficient_sdp_enabled(),
        getattr(math, "_get_sdp_priority_order", lambda: None)(),
    ]


def _or_mixed(switch: Callable[[], object]) -> object:
    """A switch for precision; torch refuses to tell it where a newer one was set differently."""
    try:
        return switch()
    except RuntimeError:
        return "mixed"


def registered() -> str:
    """What operators become, as far as that is not how torch comes; "" where it is.

    Raises:
        ForeignCodeError: something is registered that is not torch's.
    """
    for _, entry in _entries():
        for layer in _layers(entry):
            module = _module_of(layer)
            if module != "torch" and not module.startswith("torch."):
                raise ForeignCodeError(module)
    names = _names()
    return _known.get(names, names)


@contextmanager
def nobody_registers() -> Iterator[None]:
    """A block in which torch works alone: what it registers by itself changes nothing.

    Inductor is imported where nobody has done so: that is how torch comes.
    """
    if not any(name in sys.modules for name in _REGISTRIES):
        for name in _REGISTRIES:
            import_module(name)
        _known[_names()] = ""
    before = _known.get(_names(), _names())
    yield
    _known[_names()] = before


def _names() -> str:
    lines = [
        " ".join([key, *(f"{_module_of(each)}.{_name_of(each)}" for each in _layers(entry))])
        for key, entry in _entries()
    ]
    return key_of(*sorted(lines)) if lines else ""


def _entries() -> Iterator[tuple[str, Any]]:
    """Each operator, and what it becomes."""
    for module, names in _REGISTRIES.items():
        for name in names if module in sys.modules else ():
            found = getattr(sys.modules[module], name, {})
            for operator in found:
                entry = found[operator] if isinstance(found, Mapping) else operator
                yield f"{name} {operator}", entry


def _layers(entry: Any) -> Iterator[Any]:
    """A function, and those that it decorates."""
    while entry is not None:
        if isinstance(entry, partial):
            entry = entry.func
        else:
            yield entry
            entry = getattr(entry, "__wrapped__", None)


def _module_of(layer: Any) -> str:
    """Where the code is; a decorator gives its function the `__module__` of what it decorates."""
    names: Any = getattr(layer, "__globals__", None)
    return str(names.get("__name__") if names else getattr(layer, "__module__", ""))


def _name_of(layer: Any) -> str:
    return str(getattr(layer, "__qualname__", type(layer).__qualname__))
