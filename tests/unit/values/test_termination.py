"""A signal that asks for the end lets every block clean up, once, and is passed on afterwards."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import FrameType

import pytest

from aotwin import build_meta, cli, doctor
from aotwin.termination import terminable, undisturbed

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.fixture(autouse=True)
def not_ignored() -> Iterator[None]:
    """The signals as a terminal's programs have them: nohup and `&` let tests ignore some."""
    with ExitStack() as handlers:
        for number in SIGNALS:
            default = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
            handlers.enter_context(handler_of(number, default))
        yield


def receive(number: int) -> None:
    # Python runs the handler before the call returns, as this is the main thread.
    os.kill(os.getpid(), number)


@contextmanager
def handler_of(
    number: int, handler: Callable[[int, FrameType | None], object] | signal.Handlers
) -> Iterator[None]:
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_signal_unwinds_the_block_and_is_an_exit_code(
    number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {each: signal.getsignal(each) for each in SIGNALS}
    done = []
    with pytest.raises(SystemExit) as ended, terminable():
        try:
            receive(number)
        finally:
            done.append("cleaned up")
    assert ended.value.code == 128 + number
    assert done == ["cleaned up"]
    assert {each: signal.getsignal(each) for each in SIGNALS} == before
    assert capsys.readouterr().err.endswith("; nothing half-written was left\n")


@pytest.mark.parametrize("second", SIGNALS, ids=lambda number: number.name)
def test_a_second_signal_does_not_disturb_the_clean_up(second: signal.Signals) -> None:
    done = []

    @contextmanager
    def block(name: str) -> Iterator[None]:
        try:
            yield
        finally:
            receive(second)
            done.append(name)

    with pytest.raises(SystemExit) as ended, terminable(), block("outer"), block("inner"):
        receive(signal.SIGTERM)
    assert ended.value.code == 128 + signal.SIGTERM
    assert done == ["inner", "outer"]


def test_a_signal_that_a_program_swallowed_can_be_sent_again() -> None:
    with pytest.raises(SystemExit) as ended, terminable():
        with suppress(KeyboardInterrupt):
            receive(signal.SIGTERM)
        receive(signal.SIGTERM)
        pytest.fail("the second one is lost")
    assert ended.value.code == 128 + signal.SIGTERM


def test_a_signal_that_was_swallowed_is_an_exit_code_all_the_same() -> None:
    with pytest.raises(SystemExit) as ended, terminable():
        try:
            receive(signal.SIGTERM)
        except KeyboardInterrupt:
            raise SystemExit("interrupted") from None
    assert ended.value.code == 128 + signal.SIGTERM


def test_what_must_not_be_disturbed_ends_first() -> None:
    done = []
    with pytest.raises(SystemExit), terminable():
        with undisturbed(), undisturbed():
            receive(signal.SIGTERM)
            receive(signal.SIGINT)
            done.append("first")
        done.append("second")
    assert done == ["first"]


def test_a_handler_of_another_program_gets_the_signal_after_the_clean_up() -> None:
    seen: list[object] = []
    with (
        handler_of(signal.SIGTERM, lambda number, _: seen.append(number)),
        pytest.raises(SystemExit),
        terminable(),
    ):
        try:
            receive(signal.SIGTERM)
        finally:
            seen.append("cleaned up")
    assert seen == ["cleaned up", signal.SIGTERM]


def test_an_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with terminable():
            receive(signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_another_thread_changes_no_handler() -> None:
    before = {each: signal.getsignal(each) for each in SIGNALS}
    found = []

    def inside() -> None:
        with terminable(), undisturbed():
            found.append({each: signal.getsignal(each) for each in SIGNALS})

    thread = threading.Thread(target=inside)
    thread.start()
    thread.join()
    assert found == [before]


def test_errors_pass() -> None:
    with pytest.raises(ValueError, match="as it was"), terminable():
        raise ValueError("as it was")


def test_the_command_line_and_the_hooks_are_such_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        receive(signal.SIGTERM)

    monkeypatch.setattr(doctor, "examine", stop)
    monkeypatch.setattr(build_meta, "_load", stop)
    for call in (lambda: cli.main(["doctor"]), lambda: build_meta.build_wheel("dist")):
        with pytest.raises(SystemExit) as ended:
            call()
        assert ended.value.code == 143
