"""The wrappers of a build's models, generated one after another or beside each other.

Part of the pipeline, below `assembly`. Programs are loaded here, in their order, as that runs the
project's code. Each is then lowered in a fork of this process as it was at that moment, which is
one of the build's jobs, while this process loads the next: what comes of a program depends on what
the project's code did before, and on nothing that it does later.
"""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from multiprocessing.connection import Connection
from typing import Protocol

from aotwin.adapters.storage.results import hand_over, remember
from aotwin.adapters.tools.fork import Fork
from aotwin.bindings import suits_own_alone
from aotwin.model_spec import ModelSpec
from aotwin.progress import Progress
from aotwin.session import Session, result_of
from aotwin.stages.generate import Generator, can_fork, import_inductor, stay_on_one_thread
from aotwin.stages.link import compile_wrapper
from aotwin.stages.weights import remembered_blob
from aotwin.target.toolchain import Cpu
from aotwin.values import Wrapper
from aotwin.weights_source import CHUNK_NBYTES, WeightSource


@dataclass(frozen=True)
class Level:
    """A model as it was generated for one CPU level; its compile is under way."""

    cpu: Cpu
    wrapper: Wrapper
    #: the same for all levels; to be read of the first, before the next model is asked for
    weights: WeightSource
    compiling: Future[tuple[bytes, ...]]


class Generated(Protocol):
    """A model whose levels are generated when, or before, they are asked for."""

    @property
    def spec(self) -> ModelSpec:
        """What its table says."""
        ...

    @property
    def generator(self) -> Generator:
        """What generates it, in this process."""
        ...

    def levels(self) -> Iterator[Level]:
        """Its levels in the order of its table.

        Raises:
            AotwinError: it cannot be loaded or generated.
        """
        ...


@contextmanager
def generated(
    compiled: Sequence[tuple[ModelSpec, Generator]], session: Session
) -> Iterator[Iterator[Generated]]:
    """The models of a build in their order, each as soon as it is generated, or before that."""
    with ExitStack() as forks:
        yield _in_order(compiled, session, forks)


def _in_order(
    compiled: Sequence[tuple[ModelSpec, Generator]], session: Session, forks: ExitStack
) -> Iterator[Generated]:
    # What a model is proven with is computed here, and before the next is loaded.
    beside = len(compiled) > 1 and session.jobs > 1 and session.check != "run"
    ahead: deque[Beside] = deque()
    failure: Exception | None = None
    for spec, generator in compiled:
        try:
            begun = _begun(spec, generator, session, forks) if beside else None
        except Exception as error:
            # Said in its turn: a model before it may fail as well.
            failure = error
            break
        if begun is not None:
            ahead.append(begun)
        while ahead and (begun is None or len(ahead) > session.jobs):
            yield from _handed(ahead.popleft())
        if begun is None:
            yield Here(spec, generator, session)
    if session.jobs > 1:
        # Links are short: what runs beside compilers otherwise is at its end.
        session.workers.one_more()
    for each in ahead:
        yield from _handed(each)
    if failure is not None:
        raise failure


def _handed(model: Beside) -> Iterator[Generated]:
    yield model
    model.fork.end()


@dataclass(frozen=True)
class Here:
    """A model that is generated in this process, when it is asked for."""

    spec: ModelSpec
    generator: Generator
    session: Session

    def levels(self) -> Iterator[Level]:
        """Generate for each CPU level, and set its compile going."""
        for cpu in _cpus(self.spec, self.session):
            with self.session.progress.stage(_title(self.spec, cpu)):
                wrapper, weights = _generate(self.spec, self.generator, cpu)
            yield Level(cpu, wrapper, weights, _compiling(self.spec, wrapper, cpu, self.session))


@dataclass(frozen=True)
class Beside:
    """A model that is generated in a fork of its own."""

    spec: ModelSpec
    generator: Generator
    fork: Fork
    following: Future[list[Level]]

    def levels(self) -> Iterator[Level]:
        """Wait for all levels."""
        yield from result_of(self.following)


def _begun(
    spec: ModelSpec, generator: Generator, session: Session, forks: ExitStack
) -> Beside | None:
    """A model that is loaded and generated beside what comes next; None: it has to be here."""
    with session.progress.stage(f"load {spec.name}"):
        if generator.is_ready(_cpus(spec, session)) or not can_fork():
            return None
        import_inductor()
    try:
        fork = Fork(f"generating {spec.name}", partial(_work, spec, generator, session))
    except OSError:
        return None
    forks.callback(fork.end)
    # Before compilers, most of which wait for what is still to be generated.
    following = session.workers.take(partial(_follow, fork, spec, session), urgent=True)
    return Beside(spec, generator, fork, following)


@dataclass(frozen=True)
class _Outcome:
    """What a fork says of one level."""

    wrapper: Wrapper
    nbytes: int
    identity: str
    note: str
    remembered: list[tuple[str, str, bytes]]


def _work(spec: ModelSpec, generator: Generator, session: Session, connection: Connection) -> None:
    """Generate all levels, in a fork, and hand out the weights as often as they are asked for."""
    stay_on_one_thread()
    # Whatever ends this process, its folders are gone with those of the build.
    tempfile.tempdir = str(session.work)
    remembered = hand_over()
    # Until a job is free.
    connection.recv()
    first: WeightSource | None = None
    for cpu in _cpus(spec, session):
        with Progress(quiet=True).stage(_title(spec, cpu)) as step:
            wrapper, weights = _generate(spec, generator, cpu)
        outcome = _Outcome(wrapper, weights.nbytes, weights.identity, step.note, [*remembered])
        connection.send(outcome)
        remembered.clear()
        first = first or weights
    while first is not None:
        connection.recv()
        for chunk in first.chunks():
            connection.send_bytes(chunk)


def _follow(fork: Fork, spec: ModelSpec, session: Session) -> list[Level]:
    """Let a fork begin, and set the compile of each level going as soon as it is there."""
    fork.send("begin")
    levels: list[Level] = []
    for cpu in _cpus(spec, session):
        with session.progress.stage(_title(spec, cpu)) as step:
            outcome: _Outcome = fork.receive()
            step.note = outcome.note
        compiling = _compiling(spec, outcome.wrapper, cpu, session)
        for result in outcome.remembered:
            remember(*result)
        weights = _ForkWeights(fork, outcome.nbytes, outcome.identity)
        if remembered_blob(weights, session.work) is not None:
            # Its bytes might be asked for when the fork is gone, if at all.
            weights = _ForkWeights(fork, outcome.nbytes, "")
        levels.append(Level(cpu, outcome.wrapper, weights, compiling))
    return levels


class _ForkWeights:
    """Constants that lie in a fork's memory, as they were when it began.

    Args:
        nbytes: of all of them, padding included.
        identity: what decides them, or "".
    """

    def __init__(self, fork: Fork, nbytes: int, identity: str) -> None:
        self._fork = fork
        self._nbytes = nbytes
        self._identity = identity

    @property
    def nbytes(self) -> int:
        """Bytes of all constants, padding included."""
        return self._nbytes

    @property
    def identity(self) -> str:
        """What decides all bytes, where that is known; else empty."""
        return self._identity

    def chunks(self) -> Iterator[memoryview]:
        """Ask the fork for all bytes, once; yield views of two buffers that are filled in turns."""
        self._fork.send("weights")
        buffers = cycle([memoryview(bytearray(CHUNK_NBYTES)) for _ in range(2)])
        done = 0
        while done < self._nbytes:
            buffer = next(buffers)
            count = self._fork.receive_into(buffer)
            done += count
            yield buffer[:count]


def _generate(spec: ModelSpec, generator: Generator, cpu: Cpu) -> tuple[Wrapper, WeightSource]:
    wrapper, weights = generator.generate(cpu)
    if suits_own_alone(spec, wrapper):
        wrapper, weights = generator.generate(cpu, over_torch=True)
    return wrapper, weights


def _compiling(
    spec: ModelSpec, wrapper: Wrapper, cpu: Cpu, session: Session
) -> Future[tuple[bytes, ...]]:
    def compiled() -> tuple[bytes, ...]:
        with session.progress.stage(f"compile {spec.name} for {cpu.name}"):
            return compile_wrapper(
                wrapper,
                toolchain=session.toolchain,
                cpu=cpu,
                sysroot=session.sysroot,
                zig=session.zig,
            )

    return session.workers.take(compiled)


def _cpus(spec: ModelSpec, session: Session) -> list[Cpu]:
    return [session.toolchain.cpus[name] for name in spec.cpu]


def _title(spec: ModelSpec, cpu: Cpu) -> str:
    return f"generate {spec.name} for {cpu.name}"
