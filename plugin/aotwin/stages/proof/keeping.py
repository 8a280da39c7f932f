"""What a package keeps of its proof: inputs and expected results in `proof.npz`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from aotwin.adapters.storage.files import storage_errors
from aotwin.payload.comparing import inputs_digest
from aotwin.proof_samples import Samples, StoredTensor, read_tensor

#: bytes that a package may grow by without being asked
SMALL_NBYTES = 1_000_000
#: bytes before compression that may still become so few
_WORTH_TRYING = 16 * SMALL_NBYTES


def keep_samples(samples: Samples, path: Path, wanted: bool | None) -> bool:
    """Write the samples of a model beside it.

    Args:
        path: of the `.npz`.
        wanted: None: only where they are small.

    Returns:
        Whether they were written.

    Raises:
        StorageError: the file cannot be written.
    """
    import numpy as np

    tensors = dict(_named(samples))
    nbytes = sum(stored.nbytes for _, stored in tensors.values())
    if wanted is False or (wanted is None and nbytes > _WORTH_TRYING):
        return False
    with storage_errors(path), path.open("wb") as file:
        # numpy gives the members one fixed date, so the bytes are the same for the same samples.
        # Large ones are mapped, not read.
        arrays = {name: read_tensor(*place) for name, place in tensors.items()}
        np.savez_compressed(file, **arrays)
    if wanted is None and path.stat().st_size > SMALL_NBYTES:
        path.unlink()
        return False
    return True


def _named(samples: Samples) -> Iterator[tuple[str, tuple[Path, StoredTensor]]]:
    for call, (inputs, results) in enumerate(zip(samples.inputs, samples.results, strict=True)):
        for place, stored in enumerate(inputs):
            yield f"call{call}_argument{place}", (samples.inputs_file, stored)
        for output, stored in zip(samples.outputs, results, strict=True):
            yield f"call{call}_result{output.position}", (samples.results_file, stored)


def samples_digest(samples: Samples) -> str:
    """The proof's `inputs_sha256`."""
    return inputs_digest(
        [(stored.dtype, read_tensor(samples.inputs_file, stored)) for stored in inputs]
        for inputs in samples.inputs
    )
