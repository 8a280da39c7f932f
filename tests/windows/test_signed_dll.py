"""A signed DLL loads and finds its weights as an unsigned one does."""

from __future__ import annotations

from pathlib import Path

from model_dlls import ModelDll
from weights_host import WeightsHost

from aotwin.adapters.pe.authenticode import read_signature
from aotwin.model_spec import SignOptions
from aotwin.stages.link.linker import seal
from aotwin.stages.sign.signer import open_signer, sign_dll
from signing import make_certificate


def test_a_signed_dll_loads_with_its_weights(
    counting: ModelDll, host: WeightsHost, tmp_path: Path
) -> None:
    dll = counting.copied_to(tmp_path / "model")
    options = SignOptions(description="Counting")
    signer = open_signer({"counting": options}, make_certificate(tmp_path / "certificate").environ)
    signed = sign_dll(seal(dll, "x86-64-v3"), options, signer)
    assert read_signature(signed.path.read_bytes())
    commands = (("create", 0, 1), ("run", 0, 64), ("info", 0))
    unsigned_answers = host.run(("load", counting.dll), *commands)
    signed_answers = host.run(("load", signed.path), *commands)
    assert signed_answers[2]["outputs"] == unsigned_answers[2]["outputs"]
    assert signed_answers[3]["blob_size"] == unsigned_answers[3]["blob_size"] > 64
