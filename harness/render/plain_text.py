"""Making text from files and devices safe to show: no control character, no line break, no surprise.

Labels, file names and a runner's messages are written by others. A control character among them could
drive the reader's terminal; a direction mark could make a label read as another.
"""

from __future__ import annotations

import re
import unicodedata

_ZERO_WIDTH_JOINER = "\N{ZERO WIDTH JOINER}"
_JOINING = frozenset(f"{_ZERO_WIDTH_JOINER}\ufe0e\ufe0f\u20e3" + "".join(map(chr, range(0x1F3FB, 0x1F400))))
_FIRST_STRONG_ISOLATE = "\N{FIRST STRONG ISOLATE}"
_POP_ISOLATE = "\N{POP DIRECTIONAL ISOLATE}"
_RIGHT_TO_LEFT = frozenset({"R", "AL"})
# England, Scotland, Wales: a black flag followed by tag characters, which are harmless there (UTS 51, ED-14a).
_TAGGED_FLAG = re.compile("\U0001f3f4[\U000e0061-\U000e007a\U000e0030-\U000e0039]{1,6}\U000e007f")
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
    line = " ".join(text.split())
    parts = _TAGGED_FLAG.split(line)
    flags = [*_TAGGED_FLAG.findall(line), ""]
    return "".join("".join(map(_visible, part)) + flag for part, flag in zip(parts, flags, strict=True))


def isolated(text: str) -> str:
    """``text`` so that its right-to-left letters, if it has any, do not move what stands around it.

    The isolates of Unicode's bidirectional algorithm (UAX 9), for media that follow it: the web does, few terminals do.
    """
    if not any(unicodedata.bidirectional(character) in _RIGHT_TO_LEFT for character in text):
        return text
    return f"{_FIRST_STRONG_ISOLATE}{text}{_POP_ISOLATE}"


def _visible(character: str) -> str:
    if character == _ZERO_WIDTH_JOINER or unicodedata.category(character) not in _DANGEROUS:
        return character
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def shortened(text: str, length: int) -> str:
    """``text``, its end replaced by an ellipsis where it is longer than ``length`` characters."""
    if len(text) <= length:
        return text
    # Not in the middle of a character that is joined or modified.
    end = length - 1
    while end > 1 and (text[end] in _JOINING or text[end - 1] == _ZERO_WIDTH_JOINER):
        end -= 1
    return f"{text[:end].rstrip()}…"


def encodable(text: str, encoding: str) -> str:
    """``text`` as ``encoding`` can write it: unchanged in UTF, else the nearest ASCII or an escape."""
    if encoding.lower().startswith("utf"):
        return text
    return text.translate(_ASCII).encode("ascii", "backslashreplace").decode("ascii")
