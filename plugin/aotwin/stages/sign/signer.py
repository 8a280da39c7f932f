"""Stage sign: an Authenticode signature on a DLL that has passed the gate, by osslsigncode.

The certificate and its password come from the environment alone. The password reaches the program
through a pipe: it is on no command line and in no file. A trial signature at the start of a build
finds what is wrong with certificate, password, program and timestamp server before minutes of
compiling do.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from aotwin.adapters.pe.authenticode import read_signature, unsigned_bytes
from aotwin.adapters.pe.image import PeFacts
from aotwin.adapters.pe.pkcs7 import SignatureError
from aotwin.adapters.pe.readers import read_with
from aotwin.adapters.storage.files import replacing, storage_errors, temporary_folder
from aotwin.adapters.tools import process
from aotwin.errors import AotwinError, ConfigurationError, ToolError
from aotwin.model_spec import SignOptions
from aotwin.reproducible import source_date_epoch
from aotwin.stages.sign.trial_image import trial_image
from aotwin.values import DllSignature, SealedDll

CERTIFICATE_VARIABLE = "AOTWIN_SIGN_CERTIFICATE"
PASSWORD_VARIABLE = "AOTWIN_SIGN_PASSWORD"  # noqa: S105 - the name of the variable
_TOOL = "osslsigncode"
#: where the program finds the password: its own standard input, a pipe
_PASSWORD_SOURCE = "/dev/stdin"  # noqa: S105
#: seconds; a timestamp server is asked in them, too
_TIMEOUT = 60.0
#: what osslsigncode (2.5 to 2.9) says of an answer, or of none, from a timestamp server
_TIMESTAMP_FAILED = ("timestamping failed", "unable to set unauthenticated attributes")
#: extended key usages (RFC 5280, 4.2.1.12)
_CODE_SIGNING, _ANY_PURPOSE = "1.3.6.1.5.5.7.3.3", "2.5.29.37.0"
#: lines of it that say nothing about a failure
_NOISE = re.compile(r"(Failed|Succeeded|Connecting to .*|PE checksum.*)?")


@dataclass(frozen=True)
class Signer:
    """What signs: a program and a certificate that have proven to work together."""

    program: str
    #: PKCS#12: the certificate, its chain and its private key
    certificate: Path
    #: "" for none
    password: str = field(repr=False)


def open_signer(
    models: Mapping[str, SignOptions], environ: Mapping[str, str] = os.environ
) -> Signer:
    """Make ready to sign, and prove it by a trial signature for each way in which it is asked for.

    Args:
        models: name of a model -> how to sign its DLLs.
        environ: where the certificate is named.

    Raises:
        ConfigurationError: no certificate is named, or it cannot be used: no such file, another
            format, a wrong password, expired.
        ToolError: osslsigncode is missing or failed, or a timestamp server gave no timestamp.
    """
    certificate = environ.get(CERTIFICATE_VARIABLE, "")
    if not certificate:
        raise ConfigurationError(
            f"{next(iter(models))} is to be signed, and no certificate is named",
            cause=f"the environment variable {CERTIFICATE_VARIABLE} is not set",
            next_step="Set it to the absolute path of a PKCS#12 file (.p12, .pfx), and "
            f'{PASSWORD_VARIABLE} to its password; or take "sign" out of its table.',
        )
    _require_readable(Path(certificate))
    program = shutil.which(_TOOL)
    if program is None:
        raise ToolError(
            f"{next(iter(models))} is to be signed, and osslsigncode is not installed",
            cause=f"there is no {_TOOL} in PATH",
            next_step="Install it: apt-get install osslsigncode.",
        )
    signer = Signer(program, Path(certificate).absolute(), environ.get(PASSWORD_VARIABLE, ""))
    # Each timestamp server once, and nothing twice.
    for options in dict.fromkeys(models.values()):
        _require_fit(_signed(trial_image(), options, signer), signer)
    return signer


def sign_dll(dll: SealedDll, options: SignOptions, signer: Signer) -> SealedDll:
    """Sign a sealed DLL in its place.

    Returns:
        The same seal, with what identifies the signed file.

    Raises:
        ConfigurationError, ToolError: as `open_signer`; the DLL is left as it was.
        StorageError: it cannot be read or written.
    """
    with storage_errors(dll.path):
        data = dll.path.read_bytes()
    signed = _signed(data, options, signer)
    try:
        changed = hashlib.sha256(unsigned_bytes(signed)).hexdigest() != dll.sha256
        value = read_signature(signed).value
    except SignatureError as error:
        raise _odd_signature(dll.path.name, str(error)) from error
    if changed:
        raise _odd_signature(dll.path.name, "without it, the file is not the one that was sealed")
    with replacing(dll.path) as file:
        file.write(signed)
    signature = DllSignature(
        hashlib.sha256(signed).hexdigest(), len(signed), hashlib.sha256(value).hexdigest()
    )
    return replace(dll, signature=signature)


def sign_command(
    signer: Signer, options: SignOptions, unsigned: Path, signed: Path, epoch: int
) -> list[str]:
    """The osslsigncode call that signs; the password is not part of it.

    Args:
        epoch: the time of signing that goes into the signature without a timestamp, in seconds
            since 1970: two builds give the same bytes. A timestamp is of its own time anyway.
    """
    command = [signer.program, "sign", "-pkcs12", str(signer.certificate)]
    if signer.password:
        command += ["-readpass", _PASSWORD_SOURCE]
    command += ["-h", "sha256"]
    if options.description:
        command += ["-n", options.description]
    if options.url:
        command += ["-i", options.url]
    if options.timestamp_url:
        command += ["-ts", options.timestamp_url]
    else:
        command += ["-time", str(epoch)]
    return [*command, "-in", str(unsigned), "-out", str(signed)]


def _signed(data: bytes, options: SignOptions, signer: Signer) -> bytes:
    """The signed form of a PE file."""
    with temporary_folder() as folder, storage_errors(folder):
        unsigned, signed = folder / "unsigned.dll", folder / "signed.dll"
        unsigned.write_bytes(data)
        command = sign_command(signer, options, unsigned, signed, source_date_epoch())
        _run(command, options, signer)
        return signed.read_bytes()


def _run(command: list[str], options: SignOptions, signer: Signer) -> None:
    try:
        done = process.run(
            command, tool=_TOOL, timeout=_TIMEOUT, stdin=signer.password or None,
        )  # fmt: skip
    except ToolError as error:
        if options.timestamp_url and isinstance(error.__cause__, subprocess.TimeoutExpired):
            cause = f"no answer within {_TIMEOUT:.0f} seconds"
            raise _no_timestamp(options.timestamp_url, cause) from error
        raise
    if done.returncode != 0:
        raise _failure(_lines(done.stdout + done.stderr, signer.password), options, signer)


def _failure(said: list[str], options: SignOptions, signer: Signer) -> AotwinError:
    """The user's error for what osslsigncode said before it gave up."""
    text = "\n".join(said).lower()
    cause = said[0] if said else "it said nothing"
    if options.timestamp_url and any(each in text for each in _TIMESTAMP_FAILED):
        return _no_timestamp(options.timestamp_url, cause)
    if "wrong password" in text or "mac verify failure" in text:
        given = "the password in" if signer.password else "no password, for want of"
        return ConfigurationError(
            f"the certificate {signer.certificate} cannot be opened with {given} "
            f"{PASSWORD_VARIABLE}",
            cause=cause,
            next_step=f"Set {PASSWORD_VARIABLE} to the password of that file.",
        )
    if "pkcs#12" in text or "pkcs12" in text:
        return ConfigurationError(
            f"the certificate {signer.certificate} is no PKCS#12 file with certificate and key",
            cause=cause,
            next_step="Put both into one: openssl pkcs12 -export -inkey key.pem -in "
            "certificate.pem -out certificate.p12.",
        )
    return ToolError(
        "osslsigncode could not sign",
        cause="\n".join(said[:5]) or cause,
        next_step=f"Try the certificate by hand: {_TOOL} sign -h sha256 -pkcs12 "
        f"{signer.certificate} ...",
    )


def _no_timestamp(url: str, cause: str) -> ToolError:
    return ToolError(
        f"the timestamp server {url} gave no timestamp",
        cause=cause,
        next_step="Check timestamp-url and the network, or try again later.",
    )


def _odd_signature(name: str, cause: str) -> ToolError:
    return ToolError(
        f"osslsigncode made of {name} what is no plain signature of it",
        cause=cause,
        next_step="Please report it, with the version of osslsigncode.",
    )


def _lines(said: str, password: str) -> list[str]:
    """What a program said, without the password, should it ever say that."""
    if password:
        said = said.replace(password, "***")
    lines = [line.strip() for line in said.splitlines()]
    return [line for line in lines if not _NOISE.fullmatch(line)]


def _require_readable(certificate: Path) -> None:
    try:
        with certificate.open("rb") as file:
            file.read(1)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"the certificate that {CERTIFICATE_VARIABLE} names cannot be read",
            cause=str(error),
            next_step="Set it to the absolute path of a PKCS#12 file (.p12, .pfx).",
        ) from error


def _require_fit(signed: bytes, signer: Signer) -> None:
    """Refuse a certificate that has expired or is for other things: Windows would, later."""
    facts = read_with("lief", signed)
    if not isinstance(facts, PeFacts) or len(facts.signatures) != 1:
        reason = "LIEF does not see it" if isinstance(facts, PeFacts) else facts.reason
        raise _odd_signature("a trial file", reason)
    (seen,) = facts.signatures
    if seen.problem:
        raise _odd_signature("a trial file", f"it does not verify: {seen.problem}")
    if seen.valid_to and seen.valid_to < tuple(time.gmtime()[:6]):
        year, month, day, *_ = seen.valid_to
        raise ConfigurationError(
            f"the certificate {signer.certificate} has expired",
            cause=f"{seen.subject} was valid until {year}-{month:02}-{day:02}",
            next_step=f"Have it renewed, and set {CERTIFICATE_VARIABLE} to the new one.",
        )
    if seen.purposes and not {_CODE_SIGNING, _ANY_PURPOSE} & set(seen.purposes):
        raise ConfigurationError(
            f"the certificate {signer.certificate} is not for signing code",
            cause=f"the extended key usage of {seen.subject} is {', '.join(seen.purposes[:5])}",
            next_step="Take a code signing certificate: Windows refuses signatures of others.",
        )
