"""A signal that comes when a lock has just been taken does not leave it taken for ever."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import Any

import pytest

from aotwin.adapters.archives.hashed_stream import write_hashed
from aotwin.adapters.tools.jobs import Jobs
from aotwin.session import result_of
from aotwin.termination import terminable


def wait(jobs: Jobs) -> None:
    result_of(jobs.take(lambda: None))


def take(jobs: Jobs) -> None:
    jobs.take(lambda: None)


def one_more(jobs: Jobs) -> None:
    jobs.one_more()


def hash_and_write(jobs: Jobs) -> None:
    write_hashed([b"one", b"two"], bytes, sha256())


@pytest.mark.parametrize("act", [wait, take, one_more, hash_and_write])
def test_a_lock_is_let_go_of(act: Callable[[Jobs], None], monkeypatch: pytest.MonkeyPatch) -> None:
    enter = threading.Condition.__enter__
    taken: list[threading.Condition] = []

    def interrupted(condition: threading.Condition) -> Any:
        result = enter(condition)
        if threading.get_ident() == threading.main_thread().ident:
            taken.append(condition)
            os.kill(os.getpid(), signal.SIGTERM)
        return result

    # What is made within the block ends behind it, and no lock hinders it there.
    jobs = Jobs(1, lambda: None)
    with pytest.raises(SystemExit) as ended, terminable():
        monkeypatch.setattr(threading.Condition, "__enter__", interrupted)
        try:
            act(jobs)
        finally:
            monkeypatch.undo()
    assert ended.value.code == 128 + signal.SIGTERM
    assert taken
    with ThreadPoolExecutor(1) as other:
        for condition in taken:
            assert other.submit(condition.acquire, timeout=5).result()
            other.submit(condition.release).result()
    jobs.shutdown()
