"""How fast weights get into blob and wheel, and how much memory a build takes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import torch
from results import Row, median

from aotwin.stages.pack.wheel import PackedFile, PackedModel, pack_wheel
from aotwin.stages.weights import write_blob
from aotwin.values import BLOB_ALIGNMENT
from aotwin.weights_source import MemoryRegion, MemoryWeights

HERE = Path(__file__).resolve().parent
_PURE = {
    "demo-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: demo\nVersion: 1\n",
    "demo-1.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "demo-1.dist-info/RECORD": "",
}


def random_weights(nbytes: int) -> MemoryWeights:
    """Bytes that no disk can compress, in memory of this process."""
    nbytes -= nbytes % BLOB_ALIGNMENT
    tensor = torch.randint(-(2**62), 2**62, (nbytes // 8,), dtype=torch.int64)
    return MemoryWeights([MemoryRegion(tensor.data_ptr(), nbytes, nbytes)], tensor)


def blob_and_wheel(nbytes: int, work: Path, case: str, repeats: int) -> Row:
    """Blob and wheel from weights in memory, against `cp` of the blob and `sha256sum` of it.

    The wheel is on the disk (fsync) when its writing ends; `cp` is not asked for that.
    """
    weights = random_weights(nbytes)
    pure = work / "demo-1-py3-none-any.whl"
    with zipfile.ZipFile(pure, "w") as archive:
        for name, content in _PURE.items():
            archive.writestr(name, content)
    blob, copy = work / "demo_weights.blob", work / "copy.blob"
    model = PackedModel("demo", (PackedFile(f"demo/{blob.name}", blob),))

    def pack() -> None:
        pack_wheel(pure, [model], work, wheel_tag="win_amd64")

    samples = []
    for _ in range(repeats):
        sample = {
            "blob": _seconds(lambda: write_blob(weights, blob)),
            "wheel": _seconds(pack),
            "cp": _seconds(lambda: _command("cp", blob, copy)),
            "sha256sum": _seconds(lambda: _command("sha256sum", blob)),
        }
        if shutil.which("openssl"):
            sample["openssl"] = _seconds(lambda: _command("openssl", "dgst", "-sha256", blob))
        samples.append(sample)
        # Not overwritten: truncating a large file would be part of the next figure.
        for path in (blob, copy, *work.glob("*win_amd64.whl")):
            path.unlink()
        os.sync()
    measured, reference = median(samples, "blob", "wheel"), median(samples, "cp", "sha256sum")
    return Row(
        "blob and wheel written",
        case,
        measured,
        reference,
        "s",
        "cp + sha256sum",
        "at least 0.6 of its speed",
        reference / measured >= 0.6,
        {"samples": samples},
    )


def peak_memory(nbytes: int, work: Path, case: str) -> Row:
    """What a build adds to the memory of the loaded program, against torch's own packaging."""
    ours, theirs = (_build_peak(way, nbytes, work) for way in ("aotwin", "torch"))
    allowed = 200e6 + 0.02 * ours["weights"]
    return Row(
        "peak memory of the build, over the loaded program",
        case,
        ours["rise"] / 1e6,
        theirs["rise"] / 1e6,
        "MB",
        "aoti_compile_and_package",
        f"at most {allowed / 1e6:.0f} MB (200 MB + 2%)",
        ours["rise"] <= allowed,
        {"measured": ours, "reference": theirs},
    )


def _build_peak(way: str, nbytes: int, work: Path) -> dict[str, float]:
    with tempfile.TemporaryDirectory(dir=work) as folder:
        done = subprocess.run(
            [sys.executable, HERE / "build_peak.py", way, str(nbytes), folder],
            env={**os.environ, "TORCHINDUCTOR_CACHE_DIR": str(Path(folder, "inductor"))},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


def _command(*command: str | Path) -> None:
    program = shutil.which(str(command[0])) or str(command[0])
    subprocess.run([program, *command[1:]], stdout=subprocess.DEVNULL, check=True)


def _seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start
