"""Makes networks and runs them on Windows, one process for each figure."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import page_cache

from against_peers.cases import Case
from against_peers.engines import Engine
from against_peers.windows_python import ON_WINE, peers_python, run
from windows_on_wine import WindowsPython, ensure

HERE = Path(__file__).resolve().parent
REPO = HERE.parents[1]
#: seconds after which a process on Windows is given up
_TOO_LONG = 180
#: one process's figures, by name
Sample = dict[str, float]


class Bench:
    """The Pythons on Windows, and what the networks were made into.

    Args:
        data: a folder for the latter, which stays.
        seconds: of warm calls, per process.
        library: another aotwin.dll for our models than the one they were built with.
        avx2: hold engines to AVX2.
    """

    def __init__(self, data: Path, *, seconds: float, library: Path | None, avx2: bool) -> None:
        self.windows: WindowsPython = ensure()
        self._pythons = {
            "own": self.windows.without_torch.folder,
            "torch": self.windows.folder,
            "peers": peers_python(self.windows),
        }
        self._data = data.absolute()
        self._seconds = seconds
        self._library = library
        self._avx2 = avx2

    def make(self, case: Case, engines: Sequence[Engine]) -> None:
        """Make what of a network is not there yet."""
        folder = self._data / case.network
        parts = {
            engine.part_of(case)
            for engine in engines
            if not (folder / engine.file_of(case)).exists()
        }
        if not (folder / "reference.json").exists():
            parts.add("reference")
        if not parts:
            return
        print(f"· making {case.network}: {', '.join(sorted(parts))}", file=sys.stderr, flush=True)
        path = [HERE.parent, REPO, REPO / "ci", *filter(None, sys.path)]
        subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "against_peers.making", case.network,
             str(self._data), *sorted(parts)],
            check=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))},
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
        )  # fmt: skip

    def flops(self, case: Case) -> int:
        """Floating-point operations of a call: twice the multiplications of its products."""
        reference = self._data / case.network / "reference.json"
        found: int = json.loads(reference.read_text(encoding="utf-8"))["flops"]
        return found

    def run(self, case: Case, engine: Engine, threads: int) -> Sample:
        """Run one process.

        Raises:
            RuntimeError: with what it said.
        """
        folder = self._folder_of(case, engine)
        work = self._data / case.network
        result, figures = work / "result.npz", work / "figures.json"
        for file in _weights_beside(folder / engine.file_of(case)):
            page_cache.fill(file)
        figures.unlink(missing_ok=True)
        name = self.windows.path
        run(
            self.windows,
            self._pythons[engine.python],
            [name(HERE / "on_windows.py"), engine.name, name(folder), case.network, case.dtype,
             str(threads), str(self._seconds), name(result), name(figures)],
            self._environment(case, engine, threads),
            timeout=_TOO_LONG,
        )  # fmt: skip
        sample: Sample = json.loads(figures.read_text(encoding="utf-8"))
        with np.load(result) as got, np.load(work / "eager.npz") as expected:
            wanted = expected["result"]
            apart = np.abs(got["result"] - wanted).max() / np.abs(wanted).max()
            sample["difference"] = float(apart)
        return sample

    def _environment(self, case: Case, engine: Engine, threads: int) -> dict[str, str]:
        env: dict[str, str] = {}
        if engine.python == "torch":
            env["OMP_NUM_THREADS"] = str(threads)
        if engine.python == "peers":
            env |= ON_WINE
        if engine.python == "own" and case.dtype == "bfloat16":
            env["PYTHONPATH"] = self.windows.path(self.windows.ml_dtypes)
        if self._avx2:
            assert engine.avx2 is not None
            env |= engine.avx2
        return env

    def _folder_of(self, case: Case, engine: Engine) -> Path:
        """The network's folder; one of links to it where our model runs on another library."""
        folder = self._data / case.network
        if engine.name != "own" or self._library is None:
            return folder
        other = self._data / "other-library" / case.network
        shutil.rmtree(other, ignore_errors=True)
        package = Path(engine.file_of(case)).parent
        shutil.copytree(folder / package, other / package, copy_function=os.link)
        for file in folder.glob("input*.npy"):
            os.link(file, other / file.name)
        libs, description = other / package / "libs", other / package / "aotwin.json"
        shutil.rmtree(libs)
        libs.mkdir()
        # Windows takes a loaded DLL for another of the same name: this is no other's.
        replaced = shutil.copy(self._library, libs / "aotwin-measured.dll")
        manifest = json.loads(description.read_text(encoding="utf-8"))
        manifest["libs"]["library"] = f"libs/{Path(replaced).name}"
        description.unlink()  # it is a link
        description.write_text(json.dumps(manifest), encoding="utf-8")
        return other

    def installed(self, case: Case, engine: Engine) -> int:
        """Bytes that a user installs besides Python, numpy and the network's weights."""
        site = self._pythons[engine.python] / "Lib" / "site-packages"
        size = sum(_distribution_size(site, package) for package in engine.packages)
        if engine.name in ("own", "torch"):
            package = (self._data / case.network / engine.file_of(case)).parent
            size += sum(
                file.stat().st_size
                for file in package.rglob("*")
                if file.is_file() and file.suffix not in (".blob", ".pyc")
            )
        return size


def _weights_beside(opened: Path) -> list[Path]:
    """The large files of a network: blobs of our models, what else bears the opened file's name."""
    ours = opened.name == "aotwin.json"
    return sorted(opened.parent.glob("*.blob" if ours else f"{opened.stem}.*"))


def _distribution_size(site: Path, package: str) -> int:
    """Bytes of an installed distribution's files, byte code apart."""
    (record,) = site.glob(f"{package}-*.dist-info/RECORD")
    files = (line.rsplit(",", 2)[0] for line in record.read_text(encoding="utf-8").splitlines())
    paths = [site / file.strip('"') for file in files]
    return sum(path.stat().st_size for path in paths if path.suffix != ".pyc" and path.is_file())
