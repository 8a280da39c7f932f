"""Mutants of a DLL that the linker made: the whole check, with both readers, stands them all."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_check_linked_dll import POLICY, SYSROOT, linker, sound

from aotwin.adapters.pe.checksum import compute_checksum
from aotwin.adapters.pe.readers import Readers
from aotwin.stages.check.dll import check_dll_bytes

__all__ = ["linker", "sound"]

pytestmark = pytest.mark.zig

#: where to change, as a share of the file; half of the changes hit its first 1 kB, the headers
PLACES = st.one_of(st.integers(0, 0x3FF), st.floats(0, 0.999))
FIGURES = st.one_of(
    st.binary(min_size=1, max_size=8),
    st.sampled_from([0, 1, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF]).map(
        lambda figure: figure.to_bytes(4, "little")
    ),
)
#: share of the file that is left
LENGTHS = st.one_of(st.just(1.0), st.floats(0, 1))


@pytest.fixture(scope="module")
def readers() -> Iterator[Readers]:
    """One pair of processes for all: no file may change what is read of the next."""
    with closing(Readers()) as started:
        yield started


def mutated(data: bytes, changes: list[tuple[float, bytes]], length: float) -> bytes:
    changed = bytearray(data[: round(len(data) * length)])
    for place, piece in changes:
        start = place if isinstance(place, int) else int(place * len(data))
        changed[start : start + len(piece)] = piece
    return bytes(changed)


@settings(
    max_examples=25, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(
    changes=st.lists(st.tuples(PLACES, FIGURES), min_size=1, max_size=3),
    length=LENGTHS,
    covered_up=st.booleans(),
)
def test_a_mutant_is_reported_and_crashes_nothing(
    sound: bytes,
    readers: Readers,
    changes: list[tuple[float, bytes]],
    length: float,
    covered_up: bool,
) -> None:
    data = mutated(sound, changes, length)
    if covered_up:
        try:
            checksum = compute_checksum(data)
            place = int.from_bytes(data[0x3C:0x40], "little") + 24 + 64
            data = data[:place] + checksum.to_bytes(4, "little") + data[place + 4 :]
        except ValueError:
            pass  # no header, so no checksum to mend
    seal = hashlib.sha256(sound).hexdigest()
    report = check_dll_bytes(
        "model.dll",
        data,
        policy=POLICY,
        sysroot_exports=SYSROOT,
        sealed_sha256=seal,
        read=readers.read,
    )
    assert ("PE-SEAL" in {finding.id for finding in report.findings}) == (data != sound)
