"""Every message of the error family is spelled in one way: fact, cause, next step."""

from __future__ import annotations

import re

import pytest

from error_messages import CLOSE, OPEN, Message, messages, messages_of_models
from library_messages import library_messages

#: may start a fact or a cause with a capital letter
NAME = re.compile(r"AOTInductor\b|Inductor\b|AOTWIN_\w+|Windows\b|Wine\b|Python\b")
RAISED = messages()


def test_the_messages_are_found() -> None:
    assert len(RAISED) > 80


@pytest.mark.parametrize("raised", RAISED, ids=lambda raised: raised.place)
def test_a_message_is_complete_and_uniform(raised: Message) -> None:
    assert raised.cause, "say why, or what was found"
    assert raised.next_step, "say what to do"
    for text in (raised.fact, raised.cause):
        assert not text.endswith("."), "facts and causes end without a full stop"
        assert NAME.match(text) or not text[0].isupper(), "they start with a small letter"
    assert raised.next_step[0].isupper() or raised.next_step[0] == OPEN
    assert re.search(rf"[.?{CLOSE}]$|=\$\(.*\)$", raised.next_step), "a whole sentence"


def test_what_a_model_says_on_windows_is_found() -> None:
    facts = [each.fact for each in messages_of_models()]
    assert any(fact.endswith("Install the wheel on Windows.") for fact in facts)
    assert len(facts) > 15


#: folder of the C++ sources -> messages that there are at least
LIBRARY = {"sdk/src": 50, "dll": 40, "runtime": 250}


@pytest.mark.parametrize("folder", LIBRARY)
def test_messages_of_the_library_are_read_whole(folder: str) -> None:
    told = library_messages(folder)
    assert len(told) >= LIBRARY[folder]
    cut = [each for each in told if re.search(r"[.\\\n]$|\(\)|  |^ ", each.text)]
    assert cut == []
    assert all(each.text.count(OPEN) == each.text.count(CLOSE) for each in told)


def test_what_a_message_of_the_library_fills_in_is_named() -> None:
    told = [(each.code, each.text) for each in library_messages("sdk/src")]
    text = f"the model takes {OPEN}inputs{CLOSE} inputs, got {OPEN}count{CLOSE}"
    assert ("AOTWIN_ERROR_ARGUMENT", text) in told
