"""DLLs signed by osslsigncode: the check accepts the signature of the build and sound new ones."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import lief
import pytest
from test_build_project import NOT_ISOLATED, WHEEL, build
from test_check_linked_dll import EXPORTS, POLICY, SYSROOT, Linker, linker

from aotwin import checking
from aotwin.adapters.pe.authenticode import (
    authenticode_sha256,
    read_signature,
    unsigned_bytes,
)
from aotwin.adapters.pe.checksum import with_checksum
from aotwin.errors import AotwinError
from aotwin.model_spec import SignOptions
from aotwin.stages.check.dll import check_dll
from aotwin.stages.link.linker import seal
from aotwin.stages.sign.signer import Signer, open_signer, sign_dll
from aotwin.values import SealedDll
from signing import (
    PASSWORD,
    Certificate,
    make_certificate,
    make_expired_certificate,
    osslsigncode,
    sign_by_hand,
    timestamp_server,
)

__all__ = ["linker"]

pytestmark = pytest.mark.zig

PLAIN = SignOptions()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("signer"))


@pytest.fixture(scope="module")
def signer(certificate: Certificate) -> Signer:
    return open_signer({"demo.model": PLAIN}, certificate.environ)


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with timestamp_server(tmp_path_factory.mktemp("clock")) as url:
        yield url


@pytest.fixture(scope="module")
def linked(linker: Linker) -> bytes:
    return linker.link(EXPORTS, imported="aoti_torch_get_dim").read_bytes()


@pytest.fixture
def sealed(linked: bytes, tmp_path: Path) -> SealedDll:
    path = tmp_path / "model.dll"
    path.write_bytes(linked)
    return seal(path, "x86-64-v3")


def found(dll: SealedDll, data: bytes | None = None) -> set[str]:
    """Rules that a DLL breaks, itself or other bytes in its place."""
    path = dll.path
    if data is not None:
        path = dll.path.with_name("changed.dll")
        path.write_bytes(data)
    report = check_dll(path, policy=POLICY, sysroot_exports=SYSROOT, sealed=dll)
    return {finding.id for finding in report.findings}


OPTIONS = {
    "plain": PLAIN,
    "described": SignOptions(description="-n “Modèle” & co", url="https://example.org/?a=b&c"),
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_a_signed_dll_passes_and_others_agree(
    sealed: SealedDll, linked: bytes, signer: Signer, options: SignOptions, tmp_path: Path
) -> None:
    signed = sign_dll(sealed, options, signer)
    data = signed.path.read_bytes()
    assert found(signed) == set()
    assert signed.signature is not None
    assert signed.shipped_sha256 == hashlib.sha256(data).hexdigest() != signed.sha256
    assert unsigned_bytes(data) == linked

    removed = tmp_path / "removed.dll"
    osslsigncode("remove-signature", "-in", signed.path, "-out", removed)
    assert removed.read_bytes() == linked
    said = osslsigncode("verify", "-in", signed.path).stdout
    digests = re.findall(r"(?:Current|Calculated) message digest\s*: (\w+)", said)
    assert [each.lower() for each in digests] == [signed.authenticode_sha256] * 2
    assert options.description in said
    image = lief.PE.parse(str(signed.path))
    assert bytes(image.authentihash(lief.PE.ALGORITHMS.SHA_256)).hex() == authenticode_sha256(data)
    # The certificate was made a moment ago: a clock that is set back puts that into the future.
    checks = lief.PE.Signature.VERIFICATION_CHECKS.SKIP_CERT_TIME
    assert image.verify_signature(checks) == lief.PE.Signature.VERIFICATION_FLAGS.OK


def test_two_signatures_of_one_dll_are_the_same_bytes(
    sealed: SealedDll, linked: bytes, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = []
    for epoch in (None, "1600000000", "1600000000"):
        if epoch:
            monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
        sealed.path.write_bytes(linked)
        digests.append(sign_dll(sealed, PLAIN, signer).shipped_sha256)
        year = "2020" if epoch else "1980"
        assert re.search(rf"Signing time: .* {year} GMT", osslsigncode(
            "verify", "-in", sealed.path
        ).stdout)  # fmt: skip
    assert digests[0] != digests[1] == digests[2]


def test_a_timestamp_is_asked_for_and_accepted(
    sealed: SealedDll, certificate: Certificate, clock: str
) -> None:
    options = SignOptions(timestamp_url=clock)
    signer = open_signer({"demo.model": options}, certificate.environ)
    signed = sign_dll(sealed, options, signer)
    assert read_signature(signed.path.read_bytes()).timestamped
    assert found(signed) == set()


def test_certificates_with_elliptic_curves_and_without_a_password_do(
    sealed: SealedDll, tmp_path: Path
) -> None:
    certificate = make_certificate(tmp_path / "ec", key="ec", password="")
    signer = open_signer({"demo.model": PLAIN}, certificate.environ)
    assert found(sign_dll(sealed, PLAIN, signer)) == set()


@pytest.fixture(scope="module")
def signed(linked: bytes, signer: Signer, tmp_path_factory: pytest.TempPathFactory) -> SealedDll:
    path = tmp_path_factory.mktemp("signed") / "model.dll"
    path.write_bytes(linked)
    return sign_dll(seal(path, "x86-64-v3"), PLAIN, signer)


def table_behind(data: bytes, table: bytes) -> bytes:
    """Some unsigned file with the certificate table of another one."""
    (header,) = struct.unpack_from("<I", data, 0x3C)
    content = bytearray(data + table)
    struct.pack_into("<II", content, header + 24 + 112 + 32, len(data), len(table))
    return with_checksum(bytes(content))


Tamper = Callable[[SealedDll, Certificate, Path], bytes]


def signed_by_hand(*options: str) -> Tamper:
    def tamper(dll: SealedDll, certificate: Certificate, folder: Path) -> bytes:
        return sign_by_hand(certificate, dll.path, folder / "by-hand.dll", *options).read_bytes()

    return tamper


def of_another_file(dll: SealedDll, certificate: Certificate, folder: Path) -> bytes:
    unsigned = unsigned_bytes(dll.path.read_bytes())
    (folder / "other.dll").write_bytes(with_checksum(unsigned[:-1] + b"!"))
    other = sign_by_hand(certificate, folder / "other.dll", folder / "signed.dll").read_bytes()
    return table_behind(unsigned, other[len(unsigned) :])


def forged(dll: SealedDll, certificate: Certificate, folder: Path) -> bytes:
    data = dll.path.read_bytes()
    place = data.index(read_signature(data).value)
    return with_checksum(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])


def wrong_checksum(dll: SealedDll, *_: object) -> bytes:
    data = bytearray(dll.path.read_bytes())
    (header,) = struct.unpack_from("<I", data, 0x3C)
    data[header + 24 + 64] ^= 1
    return bytes(data)


TAMPERED: dict[str, tuple[Tamper, set[str]]] = {
    "signed-anew": (signed_by_hand("-time", "1700000000"), set()),
    "nested": (signed_by_hand("-nest"), {"PE-SIGNATURE-FORM"}),
    "installer-blob": (signed_by_hand("-addUnauthenticatedBlob"), {"PE-SIGNATURE-FORM"}),
    "sha1": (signed_by_hand("-h", "sha1"), {"PE-SIGNATURE-COVERS"}),
    "taken-away": (
        lambda dll, *_: unsigned_bytes(dll.path.read_bytes()), {"PE-SIGNATURE-ASKED"},
    ),
    "appended": (
        lambda dll, *_: with_checksum(dll.path.read_bytes() + b"payload!"), {"PE-SIGNATURE-FORM"},
    ),
    "of-another-file": (of_another_file, {"PE-SIGNATURE-COVERS"}),
    "forged": (forged, {"PE-SIGNATURE-CRYPTO"}),
    "checksum": (wrong_checksum, {"PE-CHECKSUM"}),
}  # fmt: skip


@pytest.mark.parametrize("case", TAMPERED)
def test_what_happened_to_a_signed_dll_is_named_by_one_rule(
    signed: SealedDll, certificate: Certificate, tmp_path: Path, case: str
) -> None:
    tamper, rules = TAMPERED[case]
    assert found(signed, tamper(signed, certificate, tmp_path)) == rules


def test_a_signature_that_nobody_asked_for_is_one_finding(signed: SealedDll) -> None:
    unasked = replace(signed, signature=None)
    assert found(unasked) == {"PE-SIGNATURE-ASKED"}


def test_any_changed_byte_of_a_signed_dll_is_reported(signed: SealedDll) -> None:
    data = signed.path.read_bytes()
    start = len(unsigned_bytes(data))
    for place in (0x40, *range(start, len(data), 97), len(data) - 1):
        changed = data[:place] + bytes([data[place] ^ 0x20]) + data[place + 1 :]
        assert found(signed, with_checksum(changed)), place


MISTAKES: dict[str, tuple[Callable[[Certificate, Path], dict[str, str]], str]] = {
    "no-certificate": (lambda good, _: {}, "demo.model is to be signed, and no certificate"),
    "no-file": (
        lambda good, folder: {"AOTWIN_SIGN_CERTIFICATE": str(folder / "none.p12")},
        "the certificate that AOTWIN_SIGN_CERTIFICATE names cannot be read",
    ),
    "folder": (
        lambda good, folder: {"AOTWIN_SIGN_CERTIFICATE": str(folder)}, "cannot be read",
    ),
    "pem": (
        lambda good, _: {"AOTWIN_SIGN_CERTIFICATE": str(good.path.with_name("certificate.pem"))},
        "is no PKCS#12 file",
    ),
    "wrong-password": (
        lambda good, _: {**good.environ, "AOTWIN_SIGN_PASSWORD": "hunter2"},
        "cannot be opened with the password in AOTWIN_SIGN_PASSWORD",
    ),
    "no-password": (
        lambda good, _: {"AOTWIN_SIGN_CERTIFICATE": str(good.path)}, "with no password, for want",
    ),
    "expired": (
        lambda _, folder: make_expired_certificate(folder / "old").environ, "has expired",
    ),
    "other-purpose": (
        lambda _, folder: make_certificate(folder / "web", usage="serverAuth").environ,
        "is not for signing code",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", MISTAKES)
def test_a_certificate_that_does_not_do_is_named_before_the_build(
    certificate: Certificate, tmp_path: Path, case: str
) -> None:
    environ, message = MISTAKES[case]
    with pytest.raises(AotwinError) as caught:
        open_signer({"demo.model": PLAIN}, environ(certificate, tmp_path))
    assert message in caught.value.fact
    assert not {PASSWORD, "hunter2"} & set(re.split(r"\s", str(caught.value)))
    assert PASSWORD not in str(caught.value)


def test_a_timestamp_server_that_does_not_answer_is_named(certificate: Certificate) -> None:
    options = SignOptions(timestamp_url="http://127.0.0.1:9/timestamp")
    with pytest.raises(AotwinError, match=r"timestamp server http://127\.0\.0\.1:9/timestamp gave"):
        open_signer({"demo.model": options}, certificate.environ)


def test_a_missing_osslsigncode_is_named(
    certificate: Certificate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AotwinError, match="apt-get install osslsigncode"):
        open_signer({"demo.model": PLAIN}, certificate.environ)


@pytest.fixture
def signing_project(ready_project: Path) -> Path:
    pyproject = ready_project / "pyproject.toml"
    pyproject.write_text(pyproject.read_text() + 'sign = { description = "Classifier" }\n')
    return ready_project


@pytest.mark.torch
def test_a_wheel_with_a_signed_dll_passes_and_a_changed_byte_is_reported(
    signing_project: Path, certificate: Certificate, warm_cache: Path, tmp_path: Path
) -> None:
    said = build(signing_project, "--wheel", *NOT_ISOLATED, environ=certificate.environ)
    assert "sign classifier.dll" in said
    assert PASSWORD not in said
    wheel = signing_project / "dist" / WHEEL
    report = checking.check(wheel)
    assert report, report.to_text()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    home = tmp_path / "demo" / "classifier"
    assert checking.check(home)
    row = json.loads((home / "aotwin.json").read_text())["dlls"][0]
    dll = (home / "classifier.dll").read_bytes()
    assert row["signature"]["sha256"] == hashlib.sha256(dll).hexdigest()
    assert (row["signature"]["nbytes"], row["nbytes"]) == (len(dll), len(unsigned_bytes(dll)))
    assert hashlib.sha256(unsigned_bytes(dll)).hexdigest() == row["sha256"]
    assert row["authenticode_sha256"] == authenticode_sha256(dll)
    bill = next(tmp_path.glob("*.dist-info/sboms/*.json")).read_text()
    assert row["signature"]["sha256"] in bill
    assert installed_check(tmp_path) == (0, "")

    (home / "classifier.dll").write_bytes(unsigned_bytes(dll))
    assert {each.id for each in checking.check(home).findings} == {"PE-SIGNATURE-ASKED"}
    assert installed_check(tmp_path) == (
        1, "classifier.dll: its signature was taken away; the code is as it was built\n",
    )  # fmt: skip
    for place in (len(unsigned_bytes(dll)) + 900, len(dll) - 1, 5000):
        changed = with_checksum(dll[:place] + bytes([dll[place] ^ 1]) + dll[place + 1 :])
        (home / "classifier.dll").write_bytes(changed)
        assert not checking.check(home), place
        assert installed_check(tmp_path)[0] == 1


def installed_check(site: Path) -> tuple[int, str]:
    """Exit code and findings of `python -m demo.classifier --check`."""
    result = subprocess.run(
        [sys.executable, "-E", "-S", "-m", "demo.classifier", "--check"],
        cwd=site, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return result.returncode, result.stdout if result.returncode else ""


@pytest.mark.torch
def test_a_project_to_be_signed_fails_at_once_without_a_certificate(signing_project: Path) -> None:
    with pytest.raises(AssertionError) as caught:
        build(signing_project, "--wheel", *NOT_ISOLATED)
    assert "the environment variable AOTWIN_SIGN_CERTIFICATE is not set" in str(caught.value)
    assert "compile" not in str(caught.value)
    assert not list((signing_project / "dist").glob("*"))
    shutil.rmtree(signing_project / "dist", ignore_errors=True)
