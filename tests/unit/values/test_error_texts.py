"""Every message of the error family is spelled in one way: fact, cause, next step."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from aotwin import errors

PACKAGE = Path(__file__).resolve().parents[3] / "plugin" / "aotwin"
FAMILY = {
    name
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, errors.AotwinError)
}
#: may start a fact or a cause with a capital letter
NAME = re.compile(r"AOTInductor\b|Inductor\b|AOTWIN_\w+|Windows\b|Wine\b|Python\b")
#: stands for a value that is filled in
VALUE = "\N{OBJECT REPLACEMENT CHARACTER}"


@dataclass(frozen=True)
class Raised:
    """One call of an error class, its texts as far as the source tells them."""

    place: str
    fact: str
    cause: str | None
    next_step: str | None


def _text(node: ast.expr) -> str:
    """The text of an expression, values replaced; of an alternative, its first branch."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(_text(value) for value in values)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _text(left) + _text(right)
        case ast.IfExp(body=body):
            return _text(body)
        case _:
            return VALUE


def _raised() -> Iterator[Raised]:
    for path in sorted(PACKAGE.rglob("*.py")):
        # what lies in payload/ is copied into users' packages and knows nothing of the family
        if "payload" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                if node.func.id not in FAMILY or not node.args:
                    continue
                texts = {word.arg: _text(word.value) for word in node.keywords}
                yield Raised(
                    f"{path.relative_to(PACKAGE)}:{node.lineno}",
                    _text(node.args[0]),
                    texts.get("cause"),
                    texts.get("next_step"),
                )


RAISED = list(_raised())


def test_the_messages_are_found() -> None:
    assert len(RAISED) > 80


@pytest.mark.parametrize("raised", RAISED, ids=lambda raised: raised.place)
def test_a_message_is_complete_and_uniform(raised: Raised) -> None:
    assert raised.cause, "say why, or what was found"
    assert raised.next_step, "say what to do"
    for text in (raised.fact, raised.cause):
        assert not text.endswith("."), "facts and causes end without a full stop"
        assert NAME.match(text) or not text[0].isupper(), "they start with a small letter"
    assert raised.next_step[0].isupper() or raised.next_step[0] == VALUE
    assert re.search(rf"[.?{VALUE}]$|=\$\(.*\)$", raised.next_step), "a whole sentence"
