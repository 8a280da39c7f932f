"""What a program that was saved to a file becomes, remembered so that torch need not be imported.

Everything that decides it is known without torch: the file, to the byte, the installed torch, the
settings. The constants are taken from the file, in which torch.export.save has stored them as they
lie in memory: for each it is remembered which member holds its bytes.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from aotwin.adapters.archives.zip_reader import ZipMembers
from aotwin.adapters.storage.file_digest import content_digest
from aotwin.adapters.storage.results import enabled, key_of, recall, remember
from aotwin.errors import AotwinError
from aotwin.own_code import own_code_digest
from aotwin.stages.generate.stored_wrapper import packed, unpacked
from aotwin.stages.generate.torch_variables import torch_variables
from aotwin.values import Wrapper
from aotwin.weights_layout import laid_out, terms_to_lay_out
from aotwin.weights_source import CHUNK_NBYTES, MemoryWeights, WeightSource, cut

_KIND = "programs"
#: constants that are in no member of the file, computed by Inductor, are kept up to so many bytes
_MAX_COMPUTED_NBYTES = 200 << 20


class SavedProgram:
    """A file of torch.export.save, and what is remembered of it.

    Args:
        path: the file.
        decided_by: whatever else decides the generated code, plain values; the name of the model,
            its CPU level, its settings.
    """

    def __init__(self, path: Path, decided_by: Sequence[Any]) -> None:
        self._path = path
        self._key = _key(path, decided_by) if enabled() else ""

    def recall(self) -> tuple[Wrapper, WeightSource] | None:
        """The wrapper, and the constants in the file; None where nothing is remembered."""
        data = recall(_KIND, self._key) if self._key else None
        if data is None:
            return None
        try:
            wrapper, place, computed = unpacked(data)
            return wrapper, _MemberWeights(
                self._path, wrapper, place["constants"], computed, self._identity(data)
            )
        except (ValueError, KeyError, TypeError, AotwinError):
            return None

    def remember(self, wrapper: Wrapper, weights: MemoryWeights) -> str:
        """Keep what was made of it.

        Returns:
            What decides the bytes of its constants, as `recall` will say; "" where nothing is kept.
        """
        if not self._key:
            return ""
        try:
            members = _member_digests(self._path)
        except AotwinError:
            return ""
        place: list[Any] = []
        computed = bytearray()
        for region in weights.regions:
            content = region.view()
            name = members.get((len(content), hashlib.sha256(content).digest()))
            if name is not None:
                place.append(name)
                continue
            if len(computed) + len(content) > _MAX_COMPUTED_NBYTES:
                return ""
            place.append([len(computed), len(content)])
            computed += content
        data = packed(wrapper, {"constants": place}, bytes(computed))
        remember(_KIND, self._key, data)
        return self._identity(data)

    def _identity(self, data: bytes) -> str:
        # Of one program there may have been several wrappers, with constants in other orders.
        return key_of("constants", self._key, data)


class _MemberWeights:
    """Constants that are members of a file, or were kept beside the wrapper, in blob order."""

    def __init__(
        self, path: Path, wrapper: Wrapper, place: Sequence[Any], computed: bytes, identity: str
    ) -> None:
        self.identity = identity
        self.nbytes = wrapper.constants_nbytes
        members = ZipMembers(path)
        self._parts: list[tuple[WeightSource | memoryview, int, int]] = []
        for constant, each in zip(wrapper.constants, place, strict=True):
            if isinstance(each, str):
                source: WeightSource | memoryview = members.weights(each)
                nbytes = members.nbytes(each)
            else:
                offset, nbytes = each
                source = memoryview(computed)[offset : offset + nbytes]
                if len(source) != nbytes:
                    raise ValueError("computed constants lie outside of what was kept")
            if nbytes > constant.nbytes:
                raise ValueError("a constant is larger than the code expects")
            terms = terms_to_lay_out(constant)
            self._parts.append((source, terms, constant.nbytes - nbytes))

    def chunks(self) -> Iterator[memoryview]:
        """Yield all bytes once, front to back."""
        for source, terms, padding in self._parts:
            lying = cut(source) if isinstance(source, memoryview) else source.chunks()
            yield from laid_out(lying, terms, CHUNK_NBYTES) if terms else lying
            if padding:
                yield memoryview(bytes(padding))


def _member_digests(path: Path) -> dict[tuple[int, bytes], str]:
    """(bytes, sha256) of every member of an archive -> its name."""
    members = ZipMembers(path)
    found: dict[tuple[int, bytes], str] = {}
    for name in members.names():
        digest = hashlib.sha256()
        if members.nbytes(name):
            for chunk in members.weights(name).chunks():
                digest.update(chunk)
            found[members.nbytes(name), digest.digest()] = name
    return found


def _key(path: Path, decided_by: Sequence[Any]) -> str:
    """The key of a program, or "" where it cannot be told."""
    try:
        told = json.dumps([*decided_by, torch_variables()], sort_keys=True)
        digest = content_digest(path)
    except (TypeError, ValueError, OSError):
        return ""
    torch = _installed_torch()
    if not torch:
        return ""
    return key_of(
        digest,
        told,
        torch,
        platform.python_version(),
        metadata.version("sympy"),
        own_code_digest(),
    )


@cache
def _installed_torch() -> str:
    """A digest of torch's installed files, as its installer recorded them; "" if it did not."""
    record = metadata.distribution("torch").read_text("RECORD") or ""
    lines = sorted(
        line
        for line in record.splitlines()
        if line.startswith("torch/") and "__pycache__" not in line
    )
    return key_of(metadata.version("torch"), *lines) if lines else ""
