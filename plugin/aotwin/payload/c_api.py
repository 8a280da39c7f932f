"""The C API of aotwin's run time (aotwin.h) through ctypes.

Part of a model's package. A library is loaded once per process and path, and stays: code of its
models may still run on a thread of its own.
"""

from __future__ import annotations

import ctypes
import os
import threading
import weakref
from pathlib import Path
from typing import Any

from . import ModelError

#: AOTWIN_API_VERSION of the interface that this code calls
_API_VERSION = 1
#: LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR | LOAD_LIBRARY_SEARCH_SYSTEM32 (libloaderapi.h): what the
#: library imports lies beside it; neither PATH nor the current folder is looked into
_SEARCH = 0x100 | 0x800
#: Windows' loader takes longer paths in the verbatim form only
_MAX_PATH = 260
#: dimensions that a tensor may have, as in the library
MAX_RANK = 64

#: aotwin_status
CPU_LACKS = 4
_NOT_ENOUGH_MEMORY = 13
_REFUSALS = {1: TypeError, 8: TypeError, 9: ValueError, 10: ValueError, 11: ValueError}
#: value of aotwin_memory: the result lies in memory of its own
_OWN_MEMORY = 0


class Tensor(ctypes.Structure):
    """aotwin_tensor; addresses are plain numbers, None where they are null."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("nbytes", ctypes.c_uint64),
        ("dtype", ctypes.c_int32),
        ("rank", ctypes.c_int32),
        ("sizes", ctypes.c_void_p),
        ("strides", ctypes.c_void_p),
    )


class _OpenOptions(ctypes.Structure):
    _fields_ = (
        ("struct_size", ctypes.c_uint32),
        ("num_runners", ctypes.c_uint32),
        ("torch_directory", ctypes.c_char_p),
        ("torch_directory_w", ctypes.c_wchar_p),
        ("num_threads", ctypes.c_uint32),
    )


class _ModelInfo(ctypes.Structure):
    """The first fields of aotwin_model_info: the library fills as many as it is told of."""

    _fields_ = (
        ("struct_size", ctypes.c_uint32),
        ("num_inputs", ctypes.c_uint32),
        ("num_outputs", ctypes.c_uint32),
        ("num_runners", ctypes.c_uint32),
        ("dll_path", ctypes.c_char_p),
    )


class Results:
    """Results of one call, freed in the library when nobody refers to them any more."""

    __slots__ = ("_free", "address")

    def __init__(self, address: int, free: Any) -> None:
        self.address = address
        self._free = free

    def __del__(self) -> None:
        self._free(self.address)


class Library:
    """A loaded run time.

    Args:
        path: its full path.

    Raises:
        OSError: it cannot be loaded.
        AttributeError: it lacks a function.
    """

    def __init__(self, path: str) -> None:
        dll = ctypes.CDLL(_loadable(path), winmode=_SEARCH)
        address, number = ctypes.c_void_p, ctypes.c_uint32
        self.api_version = _declared(dll.aotwin_api_version, number)
        self._last_message = _declared(dll.aotwin_last_message, ctypes.c_char_p)
        self._open = _declared(
            dll.aotwin_open_w, ctypes.c_int32, ctypes.c_wchar_p, address, address
        )
        self._close = _declared(dll.aotwin_close, None, address)
        self._describe = _declared(dll.aotwin_describe, ctypes.c_int32, address, address)
        self._run = _declared(
            dll.aotwin_run_results, ctypes.c_int32, address, address, number, address
        )
        self._get = _declared(dll.aotwin_results_get, ctypes.c_int32, address, number, address)
        self._free = _declared(dll.aotwin_results_free, None, address)
        # Not in every version: without it each result is taken for somebody else's memory.
        self._memory = getattr(dll, "aotwin_results_memory", None)
        if self._memory is not None:
            _declared(self._memory, ctypes.c_int32, address, number, address)

    def open(self, directory: Path, num_runners: int, num_threads: int) -> OpenedModel:
        """Open the model of a folder, or one of its DLLs.

        Raises:
            ModelError: with the library's reason; its number is the error's `status`.
        """
        options = _OpenOptions(ctypes.sizeof(_OpenOptions), num_runners, None, None, num_threads)
        model = ctypes.c_void_p()
        code = self._open(str(directory), ctypes.addressof(options), ctypes.addressof(model))
        if code:
            raise ModelError(self._message(), code)
        opened = OpenedModel(self, model.value or 0)
        # At the end of the process threads may be within calls: Windows cleans up without us.
        weakref.finalize(opened, self._close, model.value).atexit = False
        return opened

    def info(self, model: int) -> tuple[Path, int, int]:
        """The DLL of an opened model, how many tensors it takes and how many it gives."""
        info = _ModelInfo(ctypes.sizeof(_ModelInfo))
        if self._describe(model, ctypes.addressof(info)):
            raise ModelError(self._message())
        return Path(info.dll_path.decode()), info.num_inputs, info.num_outputs

    def run(
        self, name: str, model: int, inputs: int, count: int, place: ctypes.c_void_p
    ) -> Results:
        """Run a model.

        Args:
            name: the model's, for messages.
            inputs: address of `count` tensors.
            place: where the address of the results goes for a moment.

        Raises:
            TypeError, ValueError, MemoryError, RuntimeError: with the library's reason.
        """
        code = self._run(model, inputs, count, ctypes.addressof(place))
        if code:
            raise self._failure(name, code)
        return Results(place.value or 0, self._free)

    def get(self, name: str, results: Results, index: int, tensor: Tensor) -> None:
        """Have the library describe one of the results."""
        code = self._get(results.address, index, ctypes.addressof(tensor))
        if code:
            raise self._failure(name, code)

    def is_own(self, results: Results, index: int, place: ctypes.c_int32) -> bool:
        """Whether a result is in memory of its own: no view of an input, weight or buffer."""
        if self._memory is None:
            return False
        code = self._memory(results.address, index, ctypes.addressof(place))
        return code == 0 and place.value == _OWN_MEMORY

    def _failure(self, name: str, code: int) -> Exception:
        text = f"{name}: {self._message()}"
        if code == _NOT_ENOUGH_MEMORY:
            return MemoryError(text)
        return _REFUSALS.get(code, RuntimeError)(text)

    def _message(self) -> str:
        return (self._last_message() or b"").decode("utf-8", "replace")


class OpenedModel:
    """An opened model's address in the library; closed when it goes."""

    __slots__ = ("__weakref__", "address", "library")

    def __init__(self, library: Library, address: int) -> None:
        self.library = library
        self.address = address


_loaded: dict[str, Library] = {}
_lock = threading.Lock()


def load_library(path: Path) -> Library:
    """Load a run time, or return it where this process has it already.

    Raises:
        ModelError: it is missing, cannot be loaded, or is another version's.
    """
    full = os.path.realpath(path)
    with _lock:
        library = _loaded.get(os.path.normcase(full))
        if library is None:
            library = _loaded[os.path.normcase(full)] = _load(full)
    return library


def _load(full: str) -> Library:
    try:
        library = Library(full)
    except OSError as error:
        if not Path(full).is_file():
            raise ModelError(f"the run time {full} is missing. Reinstall the package.") from error
        raise ModelError(
            f"the run time {full} cannot be loaded: {error}. It is for 64-bit Python on x86-64; "
            "if that is what you have, reinstall the package."
        ) from error
    except AttributeError as error:
        raise ModelError(
            f"{full} is no run time for this code: {error}. Reinstall the package."
        ) from error
    if library.api_version() != _API_VERSION:
        raise ModelError(
            f"{full} has the interface {library.api_version()}, this code calls {_API_VERSION}. "
            "Reinstall the package."
        )
    return library


def _loadable(path: str) -> str:
    """A full path as Windows' loader takes it, of whatever length."""
    if len(path) < _MAX_PATH or path.startswith(("/", "\\\\?\\")):
        return path
    return f"\\\\?\\UNC{path[1:]}" if path.startswith("\\\\") else f"\\\\?\\{path}"


def _declared(function: Any, result: Any, *arguments: Any) -> Any:
    """A function of the library with its types, of which ctypes knows nothing."""
    function.restype = result
    function.argtypes = arguments
    return function
