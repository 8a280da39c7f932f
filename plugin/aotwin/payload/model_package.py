"""A PyTorch model compiled to a Windows DLL by aotwin, and how to call it.

    from demo.classifier import model      # loaded on first use
    y = model(x)                           # as the exported module was called

    from demo.classifier import load       # or an instance of one's own
    y = load()(x)

The DLL maps its weights file by itself; nothing is compiled, extracted or copied here.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

__all__ = ["Model", "ModelError", "load", "model"]  # noqa: F822 - see __getattr__

#: version of `aotwin.json` that this code reads
_MANIFEST_VERSION = 1
#: UCRT's LC_ALL and _ENABLE_PER_THREAD_LOCALE (locale.h)
_LC_ALL, _PER_THREAD = 0, 1


class ModelError(RuntimeError):
    """The model cannot be loaded here: the message says what is wrong and what to do."""


class Model:
    """A loaded model. Call it as the exported module was called; safe from several threads.

    Args:
        directory: the folder with `aotwin.json`, the DLL and the weights.
        num_runners: how many calls may run at the same time; further ones wait.

    Raises:
        ModelError: this is not Windows, the CPU or torch does not fit, or a file is missing or
            is not the one that belongs to the DLL.
    """

    def __init__(self, directory: str | os.PathLike[str], *, num_runners: int = 1) -> None:
        self.directory = Path(directory).resolve()
        self.manifest = _read_manifest(self.directory)
        _require_windows(str(self.manifest["name"]), sys.platform)
        import torch
        from torch.utils import _pytree

        _require_torch(self.manifest, torch.__version__)
        self._torch = torch
        self._pytree = _pytree
        self.dll = self.directory / _choose_dll(self.manifest, torch)
        _require_blob(self.directory, self.manifest)
        path = _narrow_path(self.dll)
        with _utf8_file_names(path):
            try:
                self._runner = torch._C._aoti.AOTIModelContainerRunnerCpu(path, num_runners)
            except RuntimeError as error:
                raise ModelError(_explain(self.dll, error)) from error
        in_spec, out_spec = self._runner.get_call_spec()
        self._in_spec = _pytree.treespec_loads(in_spec)
        self._out_spec = _pytree.treespec_loads(out_spec)
        self._keywords: list[str] = list(self._in_spec.child(1).context or ())

    @property
    def name(self) -> str:
        """The model's dotted package name."""
        return str(self.manifest["name"])

    def __repr__(self) -> str:
        return f"<aotwin model {self.name!r} from {str(self.dll)!r}>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the model.

        Args:
            args, kwargs: tensors on the CPU (and the nested containers of the exported call).

        Returns:
            What the exported module returned: tensors in the same nesting.

        Raises:
            TypeError: another call form than the exported one, or a wrong dtype.
            ValueError: a shape that the model was not exported for.
        """
        tensors = self._flatten(args, kwargs)
        with self._torch.no_grad():
            outputs = self._runner.run(tensors)
        return self._unflatten(outputs)

    def _flatten(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[torch.Tensor]:
        if sorted(kwargs) != sorted(self._keywords):
            raise TypeError(
                f"{self.name} takes the keyword arguments {sorted(self._keywords)}, "
                f"got {sorted(kwargs)}"
            )
        ordered = {key: kwargs[key] for key in self._keywords}
        leaves, spec = self._pytree.tree_flatten((args, ordered))
        if spec != self._in_spec:
            raise TypeError(
                f"{self.name} must be called as the exported module was: expected "
                f"{_describe(self._in_spec)}, got {_describe(spec)}"
            )
        inputs = self.manifest["inputs"]
        if len(inputs) != len(leaves):
            return [leaf for leaf in leaves if isinstance(leaf, self._torch.Tensor)]
        return [
            self._accept(leaf, expected)
            for leaf, expected in zip(leaves, inputs, strict=True)
            if self._is_tensor_input(leaf, expected)
        ]

    def _is_tensor_input(self, leaf: Any, expected: dict[str, Any]) -> bool:
        if expected["kind"] == "tensor":
            return True
        if leaf != expected["value"]:
            raise ValueError(
                f"{self.name}: {expected['name']} is fixed to {expected['value']!r} since the "
                f"export, got {leaf!r}"
            )
        return False

    def _accept(self, leaf: Any, expected: dict[str, Any]) -> torch.Tensor:
        """Check one input: the compiled code trusts dtype, sizes and strides without looking."""
        name = f"{self.name}: {expected['name']}"
        if not isinstance(leaf, self._torch.Tensor):
            raise TypeError(f"{name} must be a tensor, got {type(leaf).__name__}")
        if leaf.device.type != "cpu":
            raise ValueError(f"{name} must be on the CPU, got {leaf.device}")
        dtype = expected.get("dtype")
        if dtype and leaf.dtype is not getattr(self._torch, dtype):
            raise TypeError(f"{name} must be {dtype}, got {str(leaf.dtype).removeprefix('torch.')}")
        shape = expected.get("shape")
        if shape is not None and not _fits(tuple(leaf.shape), shape):
            raise ValueError(f"{name} must have the shape {_spell(shape)}, got {list(leaf.shape)}")
        order = expected.get("dim_order")
        if order:
            inverse = sorted(range(len(order)), key=order.__getitem__)
            leaf = leaf.permute(order).contiguous().permute(inverse)
        else:
            leaf = leaf.contiguous()
        tensor: torch.Tensor = leaf.detach()
        return tensor

    def _unflatten(self, outputs: list[Any]) -> Any:
        rows = self.manifest["outputs"]
        leaves = [_result(row, output) for row, output in zip(rows, outputs, strict=True)]
        return self._pytree.tree_unflatten(leaves, self._out_spec)


def load(directory: str | os.PathLike[str] | None = None, *, num_runners: int = 1) -> Model:
    """Load a built model; by default the one in this package.

    Args:
        directory: the folder with `aotwin.json`.
        num_runners: how many calls may run at the same time.

    Raises:
        ModelError: see `Model`.
    """
    return Model(Path(__file__).parent if directory is None else directory, num_runners=num_runners)


_default_lock = threading.Lock()


def __getattr__(name: str) -> Any:
    if name != "model":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with _default_lock:
        # From now on the name is found without this function.
        return globals().setdefault("model", globals().get("model") or load())


def _read_manifest(directory: Path) -> dict[str, Any]:
    path = directory / "aotwin.json"
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(
            f"{directory} holds no built model: there is no aotwin.json. "
            "Name the folder that has the DLL in it."
        ) from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read: {error}. Reinstall the package.") from error
    if manifest.get("version") != _MANIFEST_VERSION:
        raise ModelError(
            f"{path} has version {manifest.get('version')!r}, this code reads "
            f"{_MANIFEST_VERSION}. Use the loader that came with the model."
        )
    return manifest


def _require_windows(name: str, platform: str) -> None:
    if platform != "win32":
        raise ModelError(
            f"{name} was built for Windows and cannot be loaded on {platform}. "
            "Install the wheel on Windows."
        )


def _require_torch(manifest: dict[str, Any], installed: str) -> None:
    expected = manifest["torch"]["version"]
    if installed.partition("+")[0] != expected:
        raise ModelError(
            f"{manifest['name']} was compiled against torch {expected}, torch {installed} is "
            f'installed. Install the one that fits: pip install "torch=={expected}".'
        )


def _require_blob(directory: Path, manifest: dict[str, Any]) -> None:
    """The DLL alone would open, wait for weights from its host, and fail in the first call."""
    blob = (directory / manifest["blob"]["file"]).resolve()
    # The DLL looks beside itself first; the blob may be that of another model in the same wheel.
    if not (directory / blob.name).is_file() and not blob.is_file():
        raise ModelError(
            f"{manifest['name']} cannot be opened: its weights {blob} are missing. "
            "Reinstall the package."
        )


def _choose_dll(manifest: dict[str, Any], torch: Any) -> str:
    """The DLL of the highest CPU level that this machine has."""
    supported = {
        "x86-64-v4": torch.cpu._is_avx512_supported(),
        "x86-64-v3": torch.cpu._is_avx2_supported(),
    }
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


def _result(described: dict[str, Any], output: Any) -> Any:
    """A tensor, or the Python value that the exported module gave in its place."""
    if described["kind"] == "constant":
        return described["value"]
    return output.item() if described["kind"] == "number" else output


def _fits(found: tuple[int, ...], expected: list[int | str | None]) -> bool:
    return len(found) == len(expected) and all(
        not isinstance(want, int) or want == have
        for have, want in zip(found, expected, strict=True)
    )


def _spell(shape: list[int | str | None]) -> str:
    return "[" + ", ".join("any" if size is None else str(size) for size in shape) + "]"


def _describe(spec: Any) -> str:
    """A call form in one line: "(*, {mask: *})"."""
    if spec.is_leaf():
        return "*"
    children = [_describe(spec.child(index)) for index in range(spec.num_children)]
    if spec.type is dict:
        pairs = zip(spec.context, children, strict=True)
        return "{" + ", ".join(f"{key}: {child}" for key, child in pairs) + "}"
    return "(" + ", ".join(children) + ")"
