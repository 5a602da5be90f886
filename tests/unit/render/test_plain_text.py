from __future__ import annotations

import pytest

from harness.render.plain_text import encodable, isolated, one_line, shortened


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("a\nb\tc\r\n d", "a b c d"),
        ("bell\x07", "bell\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("abc\u202etxt.exe", "abc\\u202etxt.exe"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("lone \udc80", "lone \\udc80"),
        ("tag \U000e0041", "tag \\U000e0041"),
        ("❤️ 👍🏽 🏳️‍🌈 🇫🇷", "❤️ 👍🏽 🏳️‍🌈 🇫🇷"),
        ("goal \U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f!",) * 2,
        ("\U0001f3f4\U000e0067", "\U0001f3f4\\U000e0067"),
        ("שלום", "שלום"),
        ("Ägypten 日本 👩\u200d🍳", "Ägypten 日本 👩\u200d🍳"),
    ],
)
def test_only_what_a_terminal_might_obey_is_escaped(text: str, safe: str) -> None:
    assert one_line(text) == safe


def test_shortened_keeps_what_fits() -> None:
    assert shortened("tripod", 6) == "tripod"
    assert shortened("tiger cat", 7) == "tiger…"


def test_encodings_without_the_signs_get_ascii() -> None:
    assert encodable("★ ≥ 95 % → é 日", "ascii") == "* >= 95 % -> \\xe9 \\u65e5"
    assert encodable("★ é", "utf-8") == "★ é"


def test_shortened_does_not_cut_a_joined_emoji() -> None:
    assert shortened("abc 👩\u200d🍳 and more", 8) == "abc 👩\u200d🍳…"
    assert shortened("abc 👩\u200d🍳 and more", 7) == "abc…"
    assert shortened("abc 👍🏽 more", 6) == "abc…"
    assert shortened("abc ❤️ more", 6) == "abc…"


def test_right_to_left_letters_move_nothing_around_them() -> None:
    for text in ("\u05e9\u05dc 1", "\u0645\u0631"):
        assert isolated(text) == f"\u2068{text}\u2069"
    assert isolated("ordinary ❤️") == "ordinary ❤️"
