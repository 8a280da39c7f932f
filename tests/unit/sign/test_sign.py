"""What osslsigncode is told, and what nobody is told."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from aotwin.adapters.pe import pefile_reader as pe_pefile
from aotwin.adapters.pe.authenticode import has_signature, unsigned_bytes
from aotwin.adapters.pe.image import facts_of
from aotwin.adapters.tools import process
from aotwin.model_spec import SignOptions
from aotwin.stages.sign import signer
from aotwin.stages.sign.signer import Signer, sign_command
from aotwin.stages.sign.trial_image import trial_image

SIGNER = Signer("/usr/bin/osslsigncode", Path("/secrets/signer.p12"), "se cret")


def command(options: SignOptions = SignOptions(), signer: Signer = SIGNER) -> list[str]:  # noqa: B008
    return sign_command(signer, options, Path("in.dll"), Path("out.dll"), 1_600_000_000)


def test_a_signature_is_of_sha256_and_of_the_time_of_the_build() -> None:
    assert command() == [
        "/usr/bin/osslsigncode", "sign", "-pkcs12", "/secrets/signer.p12",
        "-readpass", "/dev/stdin", "-h", "sha256", "-time", "1600000000",
        "-in", "in.dll", "-out", "out.dll",
    ]  # fmt: skip


def test_a_timestamp_takes_the_place_of_the_time_of_the_build() -> None:
    words = command(SignOptions("http://t.example", "-n", "https://e.example"))
    assert words[words.index("-ts") + 1] == "http://t.example"
    assert words[words.index("-n") + 1] == "-n"
    assert words[words.index("-i") + 1] == "https://e.example"
    assert "-time" not in words


def test_the_password_is_on_no_command_line_in_no_text_and_in_no_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert "se cret" not in " ".join(command())
    assert "se cret" not in repr(SIGNER)
    assert signer._lines("Failed\nbad se cret!\n\nConnecting to x\n", "se cret") == ["bad ***!"]
    monkeypatch.setenv("AOTWIN_SIGN_PASSWORD", "se cret")
    script = "import os, sys; print(os.environ.get('AOTWIN_SIGN_PASSWORD'), sys.stdin.read())"
    said = process.run([sys.executable, "-c", script], tool="Python", stdin="what it may read")
    assert said.stdout.split("\n")[0] == "None what it may read"


def test_without_a_password_none_is_read() -> None:
    assert "-readpass" not in command(signer=Signer("osslsigncode", Path("signer.p12"), ""))


def test_the_trial_file_is_a_pe_file_without_a_signature() -> None:
    data = trial_image()
    facts = facts_of(pe_pefile.read(data))
    assert (len(data), facts.magic, len(facts.sections)) == (1024, 0x20B, 1)
    assert not has_signature(data)
    assert unsigned_bytes(data) == data
