"""Every message of the error family is spelled in one way: fact, cause, next step."""

from __future__ import annotations

import re

import pytest

from error_messages import CLOSE, OPEN, Message, messages, messages_of_models

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
