"""What all tests share."""

from __future__ import annotations

import os

import pytest
from xdist.scheduler import LoadScopeScheduling

# What eager torch computes with here, and in each process that a test starts. On CPUs with
# AVX512_FP16 its oneDNN crashes in three-dimensional convolutions of float16, and where a CPU has
# AMX it sums in another order.
os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_BF16")


#: beginnings of files' names -> what they are called together: they share costly fixtures
TOGETHER = {
    "tests/runtime/test_operators": "operators",
    "tests/runtime/": "runtime",
    "tests/windows/test_csharp": "sdk",
    "tests/windows/test_dll_": "dlls",
    "tests/windows/test_run": "sdk",
    "tests/windows/test_sdk.": "sdk",
    "tests/windows/test_signed_dll": "dlls",
}


class ByFiles(LoadScopeScheduling):
    """One of several workers runs all of a file, or of the files that share costly fixtures.

    Groups that tests are marked with would reach xdist 3.8 through a name that pytest 9.2 does not
    read any more, so that each test would run where there is room, and fixtures be made twice.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return next((name for start, name in TOGETHER.items() if file.startswith(start)), file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadScopeScheduling | None:
    return ByFiles(config, log) if config.getvalue("dist") == "loadscope" else None


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--no-skips",
        action="store_true",
        help="fail the run if a test was skipped: a tool that is missing must be installed",
    )


def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if session.config.getoption("--no-skips") and reporter and reporter.stats.get("skipped"):
        reporter.write_line("skipped tests are failures in this run", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
