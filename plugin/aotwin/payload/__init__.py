"""A PyTorch model compiled to a Windows DLL by aotwin, and how to call it.

    from demo.classifier import model      # loaded on first use
    y = model(x)                           # as the exported module was called

    from demo.classifier import load       # or an instance of one's own
    y = load()(x)

The DLL maps its weights file by itself; nothing is compiled, extracted or copied here.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import Any, NoReturn

__all__ = ["Model", "ModelError", "load", "model"]

#: version of `aotwin.json` that this code reads
_MANIFEST_VERSION = 1
#: run time of a model -> the module of this package that calls it
_HALVES = {"torch": "over_torch", "own": "over_aotwin"}


class ModelError(RuntimeError):
    """The model cannot be loaded here: the message says what is wrong and what to do.

    Args:
        message: for people.
        status: what aotwin's library gave, a value of aotwin_status; 0 where it was not asked.
    """

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Input:
    """What the manifest says of one tensor that the model takes.

    Args:
        model: its name, for messages.
        row: the manifest's, of the kind "tensor".
    """

    def __init__(self, model: str, row: dict[str, Any]) -> None:
        self.title = f"{model}: {row['name']}"
        #: torch's short name, "" where it is not known
        self.dtype: str = row.get("dtype") or ""
        #: a size each, a symbol's name or None where it is free; None: not known
        self.shape: list[int | str | None] | None = row.get("shape")
        #: dimensions from the slowest to the fastest in memory, where that is not 0, 1, 2, ...
        self.dim_order: list[int] | None = row.get("dim_order")

    def check(self, dtype: str, shape: tuple[int, ...], device: str) -> None:
        """Check one tensor: the compiled code trusts dtype and sizes without looking."""
        if device != "cpu":
            raise ValueError(f"{self.title} must be on the CPU, got {device}")
        if self.dtype and dtype != self.dtype:
            raise TypeError(f"{self.title} must be {self.dtype}, got {dtype}")
        if self.shape is not None and not _fits(shape, self.shape):
            raise ValueError(
                f"{self.title} must have the shape {_spell(self.shape)}, got {list(shape)}"
            )

    def refuse(self, leaf: Any) -> NoReturn:
        """Refuse what is no tensor."""
        raise TypeError(f"{self.title} must be a tensor, got {type(leaf).__name__}")


class Model:
    """A loaded model. Call it as the exported module was called; safe from several threads.

    Args:
        directory: the folder with `aotwin.json`, the DLL and the weights.
        num_runners: how many calls may run at the same time; further ones wait.
        num_threads: how many threads a call may use; by default the physical cores. Only for
            models over aotwin's own run time: torch has torch.set_num_threads.

    Raises:
        ModelError: this is not Windows, the CPU or torch does not fit, or a file is missing or
            is not the one that belongs to the DLL.
        ValueError: a number that cannot be, or `num_threads` for a model over torch.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        num_runners: int = 1,
        num_threads: int | None = None,
    ) -> None:
        self.directory = Path(directory).resolve()
        self.manifest = _read_manifest(self.directory)
        _require_windows(str(self.manifest["name"]), sys.platform)
        _require_positive(num_runners=num_runners, num_threads=num_threads)
        _require_blob(self.directory, self.manifest)
        half = _half_for(self.manifest)
        self._rows: list[dict[str, Any]] = self.manifest["inputs"]
        self._outputs: list[dict[str, Any]] = self.manifest["outputs"]
        inputs = [Input(self.name, row) for row in self._rows if row["kind"] == "tensor"]
        self._has_fixed = len(inputs) != len(self._rows)
        self._runner = half.open_model(
            self.directory, self.manifest, inputs, num_runners=num_runners, num_threads=num_threads
        )
        self.dll: Path = self._runner.dll
        self._keywords = dict.fromkeys(self._runner.keywords)

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
                Over aotwin's own run time a tensor is a numpy array, a torch tensor, or anything
                with `__dlpack__`.

        Returns:
            What the exported module returned: tensors in the same nesting. Over aotwin's own run
            time they are torch tensors where one was among the arguments, else numpy arrays.

        Raises:
            TypeError: another call form than the exported one, or a wrong dtype.
            ValueError: a shape that the model was not exported for.
            RuntimeError: the model ran and failed.
        """
        tensors = self._tensors(self._flatten(args, kwargs))
        outputs = zip(self._outputs, self._runner.run(tensors), strict=True)
        return self._runner.unflatten([_result(row, output) for row, output in outputs])

    def _flatten(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
        if kwargs.keys() != self._keywords.keys():
            raise TypeError(
                f"{self.name} takes the keyword arguments {sorted(self._keywords)}, "
                f"got {sorted(kwargs)}"
            )
        ordered = {key: kwargs[key] for key in self._keywords}
        leaves: list[Any] | None = self._runner.flatten(args, ordered)
        if leaves is None:
            raise TypeError(
                f"{self.name} must be called as the exported module was: expected "
                f"{self._runner.call_form()}, got {self._runner.call_form_of(args, ordered)}"
            )
        return leaves

    def _tensors(self, leaves: list[Any]) -> list[Any]:
        """Those of the arguments that the DLL takes; the others are baked into its code."""
        if len(self._rows) != len(leaves):
            # A ready wrapper does not tell which arguments were no tensors.
            return [leaf for leaf in leaves if self._runner.is_tensor(leaf)]
        if not self._has_fixed:
            return leaves
        tensors = []
        for leaf, row in zip(leaves, self._rows, strict=True):
            if row["kind"] == "tensor":
                tensors.append(leaf)
            elif leaf != row["value"]:
                raise ValueError(
                    f"{self.name}: {row['name']} is fixed to {row['value']!r} since the "
                    f"export, got {leaf!r}"
                )
        return tensors


def load(
    directory: str | os.PathLike[str] | None = None,
    *,
    num_runners: int = 1,
    num_threads: int | None = None,
) -> Model:
    """Load a built model; by default the one in this package.

    Args:
        directory: the folder with `aotwin.json`.
        num_runners: how many calls may run at the same time.
        num_threads: how many threads a call may use, see `Model`.

    Raises:
        ModelError, ValueError: see `Model`.
    """
    folder = Path(__file__).parent if directory is None else directory
    return Model(folder, num_runners=num_runners, num_threads=num_threads)


_default_lock = threading.Lock()


def __getattr__(name: str) -> Any:
    if name != "model":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with _default_lock:
        # From now on the name is found without this function.
        return globals().setdefault("model", globals().get("model") or load())


def _half_for(manifest: dict[str, Any]) -> Any:
    """The module that calls the model's run time; what it needs is imported with it."""
    from importlib import import_module

    run_time = manifest.get("runtime", "torch")
    module = f"{__name__}.{_HALVES.get(run_time, '')}"
    try:
        if run_time in _HALVES:
            return import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
    raise ModelError(
        f"{manifest['name']} was built over the run time {run_time!r}, which this code does not "
        "call. Use the loader that came with the model."
    )


def _read_manifest(directory: Path) -> dict[str, Any]:
    import json

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


def _require_positive(**numbers: int | None) -> None:
    for name, number in numbers.items():
        if number is not None and not 1 <= number <= 4096:
            raise ValueError(f"{name} must be a number from 1 to 4096, got {number}")


def _require_blob(directory: Path, manifest: dict[str, Any]) -> None:
    """The DLL alone would open, wait for weights from its host, and fail in the first call."""
    blob = directory / manifest["blob"]["file"]
    # The DLL looks beside itself first; the blob may be that of another model in the same wheel.
    if not (directory / blob.name).is_file() and not blob.is_file():
        raise ModelError(
            f"{manifest['name']} cannot be opened: its weights {blob.resolve()} are missing. "
            "Reinstall the package."
        )


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
