"""Making text from files and devices safe to show: no control character, no line break, no surprise.

Labels, file names and a runner's messages are written by others. A control character among them could
drive the reader's terminal; a direction mark could make a label read as another.
"""

from __future__ import annotations

import unicodedata

_ZERO_WIDTH_JOINER = "\N{ZERO WIDTH JOINER}"
_DANGEROUS = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})

_ASCII = str.maketrans(
    {
        "\N{MINUS SIGN}": "-",
        "\N{EN DASH}": "-",
        "\N{EM DASH}": "-",
        "±": "+/-",
        "\N{MULTIPLICATION SIGN}": "x",
        "≥": ">=",
        "≤": "<=",
        "≈": "~",
        "→": "->",
        "…": "...",
        "·": "|",
        "★": "*",
        "✔": "+",
        "✘": "x",
        "µ": "u",
        "Δ": "diff",
        "“": '"',
        "”": '"',
        "\N{RIGHT SINGLE QUOTATION MARK}": "'",
        "¹": "(1)",
        "²": "(2)",
        "³": "(3)",
        "⁴": "(4)",
        "⁵": "(5)",
        "⁶": "(6)",
        "⁷": "(7)",
        "⁸": "(8)",
        "⁹": "(9)",
    }
)


def one_line(text: str) -> str:
    """``text`` on one line.

    White space becomes single spaces; what a terminal might obey, or a reader not see, a visible escape.
    """
    return "".join(map(_visible, " ".join(text.split())))


def _visible(character: str) -> str:
    if character == _ZERO_WIDTH_JOINER or unicodedata.category(character) not in _DANGEROUS:
        return character
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def shortened(text: str, length: int) -> str:
    """``text``, its end replaced by an ellipsis where it is longer than ``length`` characters."""
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"


def encodable(text: str, encoding: str) -> str:
    """``text`` as ``encoding`` can write it: unchanged in UTF, else the nearest ASCII or an escape."""
    if encoding.lower().startswith("utf"):
        return text
    return text.translate(_ASCII).encode("ascii", "backslashreplace").decode("ascii")
