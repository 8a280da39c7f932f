"""How many jobs of a build run at a time."""

from __future__ import annotations

from functools import partial
from queue import SimpleQueue
from threading import Event

from aotwin.adapters.tools.jobs import Jobs


def test_as_many_jobs_run_as_were_allowed_and_one_more_later() -> None:
    begun: SimpleQueue[int] = SimpleQueue()
    goes_on = Event()

    def job(number: int) -> int:
        begun.put(number)
        goes_on.wait()
        return number

    with Jobs(2, lambda: None) as jobs:
        results = [jobs.take(partial(job, number)) for number in range(6)]
        assert {begun.get(), begun.get()} == {0, 1}
        # Others have had every chance to begin when this thread has been woken twice.
        assert begun.empty()
        jobs.one_more()
        assert begun.get() == 2
        assert begun.empty()
        goes_on.set()
        assert [result.result() for result in results] == list(range(6))


def test_what_a_job_raises_reaches_its_future() -> None:
    with Jobs(1, lambda: None) as jobs:
        assert isinstance(jobs.take(partial(int, "x")).exception(), ValueError)


def test_what_is_urgent_comes_first_and_then_what_came_first() -> None:
    done, begun, goes_on = list[str](), Event(), Event()

    def first() -> None:
        begun.set()
        goes_on.wait()

    with Jobs(1, lambda: None) as jobs:
        jobs.take(first)
        begun.wait()
        for name in ("compile 1", "generate 1", "compile 2", "generate 2"):
            jobs.take(partial(done.append, name), urgent=name.startswith("generate"))
        goes_on.set()
    assert done == ["generate 1", "generate 2", "compile 1", "compile 2"]
