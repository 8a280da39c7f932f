"""The jobs of a build: so many at a time, those first that others wait for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock, Semaphore
from typing import Any, TypeAlias

from aotwin.termination import undisturbed

_Job: TypeAlias = tuple[Future[Any], Callable[[], Any]]


class Jobs(ThreadPoolExecutor):
    """Threads that wait for compilers and for processes that generate code.

    Args:
        number: of jobs at a time, until there is one more.
        initializer: what each thread calls first.
    """

    def __init__(self, number: int, initializer: Callable[[], object]) -> None:
        super().__init__(number + 1, "aotwin-job", initializer)
        self._free = Semaphore(number)
        self._lock = Lock()
        self._urgent: deque[_Job] = deque()
        self._waiting: deque[_Job] = deque()

    def take(self, job: Callable[[], Any], *, urgent: bool = False) -> Future[Any]:
        """Have something done, after what came before it.

        Args:
            urgent: before all that is not, too.
        """
        future: Future[Any] = Future()
        # A signal's exception in between could leave a lock taken that the threads need.
        with undisturbed():
            with self._lock:
                (self._urgent if urgent else self._waiting).append((future, job))
            self.submit(self._next)
        return future

    def one_more(self) -> None:
        """Let one more run at a time: this process has done what it had to do beside them."""
        with undisturbed():
            self._free.release()

    def _next(self) -> None:
        with self._free:
            with self._lock:
                future, job = (self._urgent or self._waiting).popleft()
            try:
                future.set_result(job())
            except BaseException as error:
                future.set_exception(error)
