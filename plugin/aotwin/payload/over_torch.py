"""A model over torch: torch's own runner opens the DLL, tensors are torch's.

Part of a model's package, imported when a model is loaded whose manifest asks for it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.utils import _pytree

from . import ModelError

if TYPE_CHECKING:
    from . import Input

#: UCRT's LC_ALL and _ENABLE_PER_THREAD_LOCALE (locale.h)
_LC_ALL, _PER_THREAD = 0, 1


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
        ModelError: the CPU or torch does not fit, or the DLL cannot be opened.
        ValueError: `num_threads` is given.
    """
    if num_threads is not None:
        raise ValueError(
            f"{manifest['name']} runs over torch, whose threads belong to the whole process: "
            f"leave num_threads out, and call torch.set_num_threads({num_threads})"
        )
    require_torch(manifest, torch.__version__)
    dll = _choose_dll(manifest, supported_levels())
    return Runner(directory / dll, inputs, num_runners)


class Runner:
    """An opened DLL.

    Args:
        dll: its full path.
        inputs: the tensors that it takes.
        num_runners: how many calls may run at the same time.
    """

    def __init__(self, dll: Path, inputs: Sequence[Input], num_runners: int) -> None:
        self.dll = dll
        self._inputs = inputs
        path = _narrow_path(dll)
        with _utf8_file_names(path):
            try:
                self._runner = torch._C._aoti.AOTIModelContainerRunnerCpu(path, num_runners)
            except RuntimeError as error:
                raise ModelError(_explain(dll, error)) from error
        in_spec, out_spec = self._runner.get_call_spec()
        self._in_spec = _pytree.treespec_loads(in_spec)
        self._out_spec = _pytree.treespec_loads(out_spec)
        self.keywords: list[str] = list(self._in_spec.child(1).context or ())

    def is_tensor(self, leaf: Any) -> bool:
        """Whether this is something that the DLL takes."""
        return isinstance(leaf, torch.Tensor)

    def flatten(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any] | None:
        """The leaves of a call; None where it is nested in another way than the exported one."""
        leaves, spec = _pytree.tree_flatten((args, kwargs))
        return leaves if spec == self._in_spec else None

    def call_form(self) -> str:
        """How the model is called, in one line: "((*), {mask: *})"."""
        return _describe(self._in_spec)

    def call_form_of(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """The same of a call."""
        return _describe(_pytree.tree_structure((args, kwargs)))

    def run(self, leaves: Sequence[Any]) -> list[Any]:
        """Check the tensors of a call and run the model; returns its flat results."""
        tensors = list(leaves)
        if len(leaves) == len(self._inputs):
            tensors = [_accept(*each) for each in zip(leaves, self._inputs, strict=True)]
        with torch.no_grad():
            outputs: list[Any] = self._runner.run(tensors)
        return outputs

    def unflatten(self, leaves: list[Any]) -> Any:
        """The results as the exported module nested them."""
        return _pytree.tree_unflatten(leaves, self._out_spec)


def _accept(leaf: Any, expected: Input) -> torch.Tensor:
    """Check one input, and give it the strides that the code was compiled for."""
    if not isinstance(leaf, torch.Tensor):
        expected.refuse(leaf)
    device = "cpu" if leaf.device.type == "cpu" else str(leaf.device)
    expected.check(str(leaf.dtype).removeprefix("torch."), tuple(leaf.shape), device)
    order = expected.dim_order
    if order:
        inverse = sorted(range(len(order)), key=order.__getitem__)
        leaf = leaf.permute(order).contiguous().permute(inverse)
    else:
        leaf = leaf.contiguous()
    tensor: torch.Tensor = leaf.detach()
    return tensor


def require_torch(manifest: dict[str, Any], installed: str) -> None:
    """Refuse a version of torch that the model does not run in.

    Raises:
        ModelError: with those that fit.
    """
    expected = manifest["torch"]["version"]
    fitting = manifest["torch"].get("runs_with", [expected])
    if installed.partition("+")[0] not in fitting:
        raise ModelError(
            f"{manifest['name']} was compiled against torch {expected} and runs in "
            f"{', '.join(fitting)}; torch {installed} is installed. "
            f'Install one that fits: pip install "torch=={expected}".'
        )


def supported_levels() -> dict[str, bool]:
    """Which CPU levels this machine has."""
    return {
        "x86-64-v4": torch.cpu._is_avx512_supported(),
        "x86-64-v3": torch.cpu._is_avx2_supported(),
    }


def _choose_dll(manifest: dict[str, Any], supported: dict[str, bool]) -> str:
    """The DLL of the highest CPU level that this machine has."""
    for level in ("x86-64-v4", "x86-64-v3"):
        for row in manifest["dlls"]:
            if row["cpu"] == level and supported[level]:
                return str(row["file"])
    built = ", ".join(row["cpu"] for row in manifest["dlls"])
    raise ModelError(
        f"{manifest['name']} was built for CPUs of the level {built}, which this machine's CPU "
        "does not have. Build it with a lower `cpu`."
    )


def _narrow_path(dll: Path) -> str:
    """The DLL's path as torch's runner can take it.

    The runner loads the DLL by its UTF-8 path, but looks for the files beside it (metadata, the
    node list of the proxy executor) by narrow names in the system's code page. An 8.3 path is
    ASCII; where the volume has no such names, `_utf8_file_names` has to do.
    """
    path = str(dll)
    if path.isascii():
        return path
    import ctypes

    short_name = ctypes.CDLL(_system_dll("kernel32.dll")).GetShortPathNameW
    buffer = ctypes.create_unicode_buffer(32768)
    length = short_name(ctypes.c_wchar_p(path), buffer, ctypes.c_uint32(len(buffer)))
    return buffer.value if 0 < length < len(buffer) and buffer.value.isascii() else path


@contextmanager
def _utf8_file_names(path: str) -> Iterator[None]:
    """Let the C run time take UTF-8 file names in this thread while a model is opened.

    UCRT since Windows 10 1803 does so where the thread's locale is a UTF-8 one.
    """
    if path.isascii():
        yield
        return
    import ctypes

    ucrt = ctypes.CDLL(_system_dll("ucrtbase.dll"))
    ucrt.setlocale.restype = ctypes.c_char_p
    ucrt.setlocale.argtypes = (ctypes.c_int, ctypes.c_char_p)
    per_thread = ucrt._configthreadlocale(_PER_THREAD)
    before = ucrt.setlocale(_LC_ALL, None)
    ucrt.setlocale(_LC_ALL, b".UTF8")
    try:
        yield
    finally:
        ucrt.setlocale(_LC_ALL, before)
        ucrt._configthreadlocale(per_thread)


def _system_dll(name: str) -> str:
    return str(Path(os.environ.get("SYSTEMROOT", r"C:\Windows"), "System32", name))


def _explain(dll: Path, error: RuntimeError) -> str:
    reason = str(error).strip().splitlines()
    text = f"{dll} cannot be opened: {reason[0] if reason else 'unknown error'}"
    if not dll.is_file():
        text += ". The file is missing: reinstall the package."
    return text


def _describe(spec: Any) -> str:
    """A call form in one line: "(*, {mask: *})"."""
    if spec.is_leaf():
        return "*"
    children = [_describe(spec.child(index)) for index in range(spec.num_children)]
    if spec.type is dict:
        pairs = zip(spec.context, children, strict=True)
        return "{" + ", ".join(f"{key}: {child}" for key, child in pairs) + "}"
    return "(" + ", ".join(children) + ")"
