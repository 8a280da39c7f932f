"""No rule raises, whatever the bytes of a DLL are, and no change to one goes unnoticed."""

from __future__ import annotations

import hashlib

from hypothesis import given, settings
from hypothesis import strategies as st
from pe_image import build_image

from aotwin.adapters.pe import pefile_reader as pe_pefile
from aotwin.adapters.pe.checksum import compute_checksum
from aotwin.adapters.pe.image import PeFacts, Unreadable, facts_of
from aotwin.stages.check.rules import FILE_RULES, IMAGE_RULES, File, Image
from aotwin.stages.check.rules.policy import load_policy

POLICY = load_policy("windows-x86_64")
IMAGE = build_image(sorted(POLICY.exports.required))
SOUND = IMAGE.finish()
_SEAL = "PE-SEAL"
DIGEST = hashlib.sha256(SOUND).hexdigest()
#: headers, tables and directories: where a changed figure leads a reader astray
PLACES = st.one_of(
    st.integers(0, 0x3FF),
    st.sampled_from(sorted(IMAGE.at.values())).flatmap(
        lambda start: st.integers(start, min(start + 64, len(SOUND) - 1))
    ),
    st.integers(0, len(SOUND) - 1),
)
FIGURES = st.one_of(
    st.binary(min_size=1, max_size=8),
    st.sampled_from([0, 1, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF]).map(
        lambda figure: figure.to_bytes(4, "little")
    ),
    st.integers(0, 0x1_0000).map(lambda figure: figure.to_bytes(4, "little")),
)
CHANGES = st.lists(st.tuples(PLACES, FIGURES), min_size=1, max_size=4)


def changed(changes: list[tuple[int, bytes]]) -> bytes:
    data = bytearray(SOUND)
    for place, figure in changes:
        data[place : place + len(figure)] = figure[: len(data) - place]
    return bytes(data)


def read(data: bytes) -> PeFacts | Unreadable:
    # In this process for speed: pefile is pure Python, and the file is too small for its limits.
    try:
        return facts_of(pe_pefile.read(data))
    except Exception as error:
        return Unreadable(str(error))


def found(data: bytes) -> set[str]:
    reading = read(data)
    file = File(data, "", {"pefile": reading}, DIGEST)
    ids = {rule.id for rule in FILE_RULES if rule.findings(file)}
    if isinstance(reading, PeFacts):
        image = Image(data, reading, POLICY, None)
        ids |= {rule.id for rule in IMAGE_RULES if rule.findings(image)}
    return ids


@settings(max_examples=500, deadline=None, derandomize=True)
@given(CHANGES)
def test_a_changed_dll_is_told_by_its_seal_and_without_it_by_its_checksum(
    changes: list[tuple[int, bytes]],
) -> None:
    data = changed(changes)
    told = found(data)
    assert (_SEAL in told) == (data != SOUND)
    try:
        same_sum = compute_checksum(data) == compute_checksum(SOUND)
    except ValueError:
        same_sum = False
    assert same_sum or told - {_SEAL}
