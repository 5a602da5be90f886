"""Reads what a person types to choose devices: ``iphone where model=iPhone15,* and ios>=18``.

    query      KIND [where condition (and condition)*]
    condition  FIELD OP VALUE

Case and spaces around an operator do not matter. A value with spaces, quotes or an operator stands in quotes; such a
quote within it is written twice.
"""

from __future__ import annotations

import difflib
import re
import unicodedata

from harness.core.device_traits import DeviceKind
from harness.core.target_query import (
    BARE_VALUE,
    LONGEST_VALUE,
    MOST_CONDITIONS,
    TRAITS_OF_LOCAL,
    Comparison,
    Condition,
    TargetQuery,
    Trait,
    example_of,
    fault_of,
    quoted,
)
from harness.errors import UsageError

LONGEST_QUERY = 8_000

_WORD = re.compile(r"[^\s\"'=!<>~]*")
_OPERATOR = re.compile(r"[=!<>~]*")
_MISTAKEN_OPERATORS = {"=>": ">=", "=<": "<=", "==": "=", "<>": "!=", "!": "!=", "~": "=", "=~": "="}


def is_target_query(text: str) -> bool:
    """Whether this target is a query, well formed or not: a first word without a colon, and more words."""
    words = text.split(maxsplit=1)
    return len(words) == 2 and ":" not in words[0]


def parse_target_query(text: str) -> TargetQuery:
    """The query in ``text``: ``KIND [where FIELD OP VALUE [and …]]``.

    Raises:
        UsageError: it is none; ``where`` has the position of the first character that is wrong, counted from 1.
    """
    return _Parser(text).query()


class _Parser:
    """One pass over the text from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def query(self) -> TargetQuery:
        self._refuse_hostile()
        kind = self._kind()
        conditions: list[Condition] = []
        if not self._is_at_end():
            self._keyword("where", f"after {kind}", f"Write {kind} where model=iPhone15,* and ios>=18.")
            conditions.append(self._condition(kind))
        while not self._is_at_end():
            self._keyword(
                "and",
                "between conditions",
                'Join conditions with and; quote a value with spaces: name="my phone".',
            )
            conditions.append(self._condition(kind))
            if len(conditions) > MOST_CONDITIONS:
                raise self._error(
                    f"there are more than {MOST_CONDITIONS} conditions", "Use a pattern instead: * and ?."
                )
        return TargetQuery(kind=kind, conditions=tuple(conditions))

    def _refuse_hostile(self) -> None:
        if len(self._text) > LONGEST_QUERY:
            problem = f"a query has at most {LONGEST_QUERY} characters, not {len(self._text)}"
            raise UsageError(problem, where="target", next_step="Use a pattern instead: * and ?.")
        for index, char in enumerate(self._text):
            if unicodedata.category(char) in ("Cc", "Cs"):
                raise self._error(
                    f"U+{ord(char):04X} is a control character",
                    "Leave it out: only spaces stand between words.",
                    index,
                )

    def _kind(self) -> DeviceKind:
        start, word = self._word()
        if word.lower() in list(DeviceKind):
            return DeviceKind(word.lower())
        kinds = " or ".join(DeviceKind)
        problem = f"there is no kind of device {quoted(word)}" if word else "the query is empty"
        raise self._error(problem, f"Begin with {kinds}: iphone where model=iPhone15,*.", start)

    def _keyword(self, keyword: str, where: str, next_step: str) -> None:
        start, word = self._word()
        if word.lower() != keyword:
            raise self._error(
                f"{quoted(word or self._text[start])} stands where {keyword!r} is expected {where}",
                next_step,
                start,
            )

    def _condition(self, kind: DeviceKind) -> Condition:
        trait = self._trait(kind)
        comparison = self._comparison(trait)
        start, value = self._value(trait)
        if len(value) > LONGEST_VALUE:
            raise self._error(
                f"a value has at most {LONGEST_VALUE} characters, not {len(value)}",
                "Use a pattern instead: * and ?.",
                start,
            )
        fault = fault_of(trait, comparison, value)
        if fault:
            raise self._error(*fault, start)
        return Condition(trait=trait, comparison=comparison, value=value)

    def _trait(self, kind: DeviceKind) -> Trait:
        start, word = self._word()
        name = word.lower()
        known = [trait for trait in Trait if kind is not DeviceKind.LOCAL or trait in TRAITS_OF_LOCAL]
        if name in known:
            return Trait(name)
        listed = f"The fields of {kind}: {', '.join(known)}."
        if not word:
            after = self._text[:start].split()[-1]
            raise self._error(
                f"a condition is missing after {after!r}", f"Write FIELD=VALUE there. {listed}", start
            )
        if name in list(Trait):
            raise self._error(f"{kind} has no {name}", listed, start)
        near = difflib.get_close_matches(name, known, n=1)
        meant = f" (is '{near[0]}' meant?)" if near else ""
        raise self._error(f"there is no field {quoted(word)}{meant}", listed, start)

    def _comparison(self, trait: Trait) -> Comparison:
        start = self._skip_spaces()
        found = _OPERATOR.match(self._text, start)
        assert found is not None
        self._at = found.end()
        if found[0] in list(Comparison):
            return Comparison(found[0])
        listed = f"Use one of {' '.join(Comparison)}."
        if not found[0]:
            raise self._error(
                f"{trait} is not compared with anything", f"Write {trait}={example_of(trait)}.", start
            )
        meant = _MISTAKEN_OPERATORS.get(found[0])
        hint = f" (is {meant!r} meant?)" if meant else ""
        raise self._error(f"there is no operator {quoted(found[0])}{hint}", listed, start)

    def _value(self, trait: Trait) -> tuple[int, str]:
        start = self._skip_spaces()
        quote = self._text[start : start + 1]
        if quote in ("'", '"'):
            value = self._quoted_value(quote, start)
        else:
            found = BARE_VALUE.match(self._text, start)
            value = found[0] if found else ""
            self._at = start + len(value)
            if not value or value.lower() == "and":
                raise self._error(
                    f"the value of {trait} is empty",
                    f"Write one: {trait}={example_of(trait)}; a value that is the word and stands in quotes.",
                    start,
                )
        if not self._is_at_end() and not self._text[self._at].isspace():
            raise self._error(
                f"{quoted(self._text[self._at])} stands right after a value",
                "Leave a space before the next word; a value with such characters stands in quotes.",
            )
        return start, value

    def _quoted_value(self, quote: str, start: int) -> str:
        """A quote within the quotes is written twice."""
        found = re.compile(rf"{quote}((?:[^{quote}]|{quote}{quote})*){quote}").match(self._text, start)
        if found is None:
            raise self._error(f"the quote {quote} is not closed", f"End the value with {quote}.", start)
        self._at = found.end()
        return found[1].replace(quote * 2, quote)

    def _word(self) -> tuple[int, str]:
        start = self._skip_spaces()
        found = _WORD.match(self._text, start)
        assert found is not None
        self._at = found.end()
        return start, found[0]

    def _skip_spaces(self) -> int:
        while self._at < len(self._text) and self._text[self._at].isspace():
            self._at += 1
        return self._at

    def _is_at_end(self) -> bool:
        return not self._text[self._at :].strip()

    def _error(self, problem: str, next_step: str, at: int | None = None) -> UsageError:
        position = (self._at if at is None else at) + 1
        return UsageError(problem, where=f"target, character {position}", next_step=next_step)
