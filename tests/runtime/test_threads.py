"""The pool of threads behind clang's and Visual C++'s OpenMP interfaces."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from .handles import Runtime, RuntimeCallError  # noqa: E402

pytestmark = [pytest.mark.zig, pytest.mark.torch]


def test_region_has_the_threads_that_were_set(openmp_program: ctypes.CDLL, threads: int) -> None:
    assert openmp_program.team_size() == threads
    assert openmp_program.team_size_of(2) == min(2, threads)


@pytest.mark.parametrize("count", [0, 1, 2, 5, 97, 1000])
@pytest.mark.parametrize(
    "schedule",
    range(7),
    ids=["static", "chunks", "dynamic", "guided", "nowait", "collapsed", "backwards"],
)
def test_every_iteration_runs_once(
    openmp_program: ctypes.CDLL, threads: int, schedule: int, count: int
) -> None:
    counts = (ctypes.c_int32 * max(count, 1))()
    step = 2 if schedule < 5 else 1
    openmp_program.count_iterations(
        schedule,
        ctypes.c_int64(3),
        ctypes.c_int64(count),
        ctypes.c_int64(step),
        ctypes.c_int64(4),
        counts,
    )
    assert set(counts[:count]) <= {{4: 9, 5: 3}.get(schedule, 1)}


def test_barriers_singles_and_criticals_hold(openmp_program: ctypes.CDLL, threads: int) -> None:
    assert openmp_program.phases(1000) == 0


def test_reduction_is_the_same_in_every_run(openmp_program: ctypes.CDLL, threads: int) -> None:
    openmp_program.sum.restype = ctypes.c_double
    values = (ctypes.c_double * 1000)(*[1 / (i + 1) for i in range(1000)])
    assert len({openmp_program.sum(values, ctypes.c_int64(1000)) for _ in range(100)}) == 1


def test_region_passes_many_variables(openmp_program: ctypes.CDLL, threads: int) -> None:
    openmp_program.many_variables.restype = ctypes.c_int64
    assert openmp_program.many_variables(ctypes.c_int64(5)) == 12 * 5 + 66 + 8


def test_region_inside_of_a_region_runs_alone(openmp_program: ctypes.CDLL, threads: int) -> None:
    assert openmp_program.nested() == threads


def test_failed_check_inside_of_a_region_is_told_afterwards(
    runtime: Runtime, openmp_program: ctypes.CDLL, threads: int
) -> None:
    dimensions = ctypes.c_int64()
    handle = runtime.over(torch.empty(2))
    openmp_program.failing_region(ctypes.c_int64(100), ctypes.c_int64(57))
    with pytest.raises(RuntimeCallError, match="index out of bounds"):
        runtime.call("aoti_torch_get_dim", handle, ctypes.byref(dimensions))
    runtime.call("aoti_torch_get_dim", handle, ctypes.byref(dimensions))
    openmp_program.failing_region(ctypes.c_int64(100), ctypes.c_int64(0))
    assert b"index out of bounds" in runtime.library.aotwin_take_failure()
    assert runtime.library.aotwin_take_failure() is None
    openmp_program.failing_region(ctypes.c_int64(100), ctypes.c_int64(-1))
    assert runtime.library.aotwin_take_failure() is None


def test_failed_check_outside_of_a_region_is_an_exception(
    runtime: Runtime, openmp_program: ctypes.CDLL
) -> None:
    # Generated code catches everything. Which class it is, is up to how types are compared.
    assert openmp_program.failing_check() in (1, 2)
    assert b"outside of a region" in runtime.library.torch_exception_get_what()


def test_limit_of_one_thread_is_its_own(runtime: Runtime, openmp_program: ctypes.CDLL) -> None:
    runtime.library.aotwin_set_num_threads(3)
    assert runtime.library.aotwin_limit_threads(2) == 0
    sizes = []
    other = threading.Thread(target=lambda: sizes.append(openmp_program.team_size()))
    other.start()
    other.join()
    assert sizes == [3]
    assert openmp_program.team_size() == 2
    assert runtime.library.aotwin_limit_threads(0) == 2
    assert runtime.library.aotwin_set_num_threads(0) == 3


def in_new_process(library: Path, program: str, **environment: str) -> str:
    code = f"import ctypes\nlibrary = ctypes.CDLL({str(library)!r})\n{textwrap.dedent(program)}"
    variables = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    return subprocess.run(
        [sys.executable, "-c", code],
        env=variables | environment,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout.strip()


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_hosts_share_the_pool(
    library_path: Path, openmp_program: ctypes.CDLL, threads: int
) -> None:
    # Workers never end, so that another test's would be counted in this process.
    program = f"""
        import os
        library.aotwin_set_num_threads({threads})
        program = ctypes.CDLL({openmp_program._name!r}, mode=os.RTLD_DEEPBIND)
        most = ctypes.c_int()
        assert program.hosts_at_once(4, 100, ctypes.byref(most)) == 0
        print(most.value)
    """
    # Four callers, and never more helpers than the pool has.
    assert 1 <= int(in_new_process(library_path, program)) <= 4 + threads - 1


@pytest.mark.parametrize("value, expected", [("3", 3), ("4,2", 4), ("0", None), ("many", None)])
def test_omp_num_threads_is_the_default(
    library_path: Path, value: str, expected: int | None
) -> None:
    told = int(
        in_new_process(
            library_path, "print(library.aotwin_get_num_threads())", OMP_NUM_THREADS=value
        )
    )
    assert told == (
        expected or int(in_new_process(library_path, "print(library.aotwin_get_num_threads())"))
    )


def test_default_is_what_the_process_may_use(library_path: Path) -> None:
    program = """
        import os
        os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[0]})
        print(library.aotwin_get_num_threads())
    """
    assert in_new_process(library_path, program) == "1"


def test_process_ends_while_threads_sleep_or_spin(library_path: Path) -> None:
    program = """
        import time
        library.aotwin_set_num_threads(4)
        long = ctypes.c_int64
        kind = ctypes.CFUNCTYPE(None, long, long, ctypes.c_void_p)
        library.torch_parallel_for(long(0), long(100), long(1), kind(lambda *part: None), None)
        time.sleep({})
        print("done")
    """
    for pause in ("0", "0.05"):
        assert in_new_process(library_path, program.replace("{}", pause)) == "done"


def test_idle_threads_use_no_time(runtime: Runtime, openmp_program: ctypes.CDLL) -> None:
    runtime.library.aotwin_set_num_threads(4)
    openmp_program.team_size()
    time.sleep(0.05)
    before = time.process_time()
    time.sleep(0.5)
    runtime.library.aotwin_set_num_threads(0)
    assert time.process_time() - before < 0.05
