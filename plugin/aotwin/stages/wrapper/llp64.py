"""Make generated C++ safe for Windows' data model (LLP64).

AOTInductor looks at the build host's platform, so on Linux it writes `0L` and `long` and means
64 bits. On Windows both have 32: such code compiles silently and fails, or computes with half the
bits, only at run time. The literals become `LL`, bare `long` becomes `int64_t`.

One compiled expression walks over the source and stops only at what must be skipped (comments,
string and character literals, raw strings, header names) or may have to change (numbers, runs of
the words that make up an integer type). Grammar: [lex] and [dcl.type.simple] of the C++ standard.
"""

from __future__ import annotations

import re

#: what is read as one token; the order decides where two could start at the same place
_TOKENS = re.compile(
    r"""
      (?P<skip>
          (?<!\w) (?:u8|[uUL])? R"(?P<delimiter>[^()\\\s"]{0,16}) \( .*? \) (?P=delimiter) "
        | // (?:[^\n\\] | \\.)*
        | /\* .*? \*/
        | (?:(?<=\n)|\A) [ \t]* \# [ \t]* include \b [^\n]*
        | " (?:[^"\\\n] | \\.)* "
      )
    # a preprocessing number: digits, letters, separators, and signs after an exponent's letter
    | (?P<number> (?<![\w.]) \.? \d (?: [eEpP][+-] | '\w | [\w.] )* )
    | (?P<character> ' (?:[^'\\\n] | \\.)* ' )
    | (?P<words> \b (?:unsigned|signed|long|int|short|char|double)
             (?: \s+ (?:unsigned|signed|long|int|short|char|double) )* \b )
    """,
    re.VERBOSE | re.DOTALL,
)

_LONG_LITERAL = re.compile(
    r"(?P<digits>0[xX][\da-fA-F']+|0[bB][01']+|\d[\d']*)(?P<suffix>[lL][uU]|[uU]?[lL])"
)

#: what AOTInductor appends to the file: commands for the build host, with its paths
_COMMANDS = re.compile(r"(?:^// (?:Compile|Link) cmd\n//[^\n]*(?:\n|\Z))+\Z", re.MULTILINE)


def to_llp64(source: str) -> str:
    """Rewrite LP64 C++ so that it means the same where `long` has 32 bits.

    Args:
        source: a translation unit as AOTInductor generated it on a 64-bit Linux.

    Returns:
        The same text with `L`/`UL` integer literals as `LL`/`ULL`, and `long` / `unsigned long`
        (in any spelling) as `int64_t` / `uint64_t`. `long long`, `long double`, floating
        literals, comments, literals and header names stay as they are; the trailing comments
        with the build host's commands are gone. Applying it twice changes nothing more.
    """
    return _TOKENS.sub(_rewritten, strip_commands(source))


def strip_commands(source: str) -> str:
    """Drop the trailing `// Compile cmd` and `// Link cmd` comments, which hold host paths."""
    return _COMMANDS.sub("", source)


def _rewritten(token: re.Match[str]) -> str:
    text = token.group()
    kind = token.lastgroup
    if kind == "number":
        literal = _LONG_LITERAL.fullmatch(text)
        if literal is None:
            return text
        return literal["digits"] + ("ULL" if len(literal["suffix"]) == 2 else "LL")
    if kind == "words":
        words = text.split()
        if words.count("long") != 1 or "double" in words:
            return text
        return "uint64_t" if "unsigned" in words else "int64_t"
    return text
