"""Which devices a target stands for: ``iphone where model=iPhone15,* and ios>=18``. The language: docs/suite.md.

``TargetQuery.matches`` asks it of a device, ``str(query)`` writes it as ``target_query_parser`` reads it back, and
``explain_no_match`` says of each device what kept it out.
"""

from __future__ import annotations

import fnmatch
import operator
import re
import unicodedata
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from harness.core.device_traits import DeviceKind, DeviceTraits
from harness.core.value import Value

MOST_CONDITIONS = 16
LONGEST_VALUE = 200
_LONGEST_SHOWN = 60

_VERSION = re.compile(r"\d{1,6}(\.\d{1,6}){0,3}", re.ASCII)
_VERSION_PATTERN = re.compile(r"[\d.*?]+", re.ASCII)
BARE_VALUE = re.compile(r"[^\s\"'=!<>~]+")
"""A value that needs no quotes."""


class Trait(StrEnum):
    """What a condition may ask for."""

    UDID = "udid"
    MODEL = "model"
    IOS = "ios"
    NAME = "name"
    CLASS = "class"
    HOST = "host"


class Comparison(StrEnum):
    """How a device's trait is compared with the condition's value."""

    EQUAL = "="
    NOT_EQUAL = "!="
    AT_LEAST = ">="
    AT_MOST = "<="
    ABOVE = ">"
    BELOW = "<"


_ORDERINGS: dict[Comparison, tuple[Callable[[tuple[int, ...], tuple[int, ...]], bool], str]] = {
    Comparison.AT_LEAST: (operator.ge, "below"),
    Comparison.AT_MOST: (operator.le, "above"),
    Comparison.ABOVE: (operator.gt, "not above"),
    Comparison.BELOW: (operator.lt, "not below"),
}
_CLASSES = ("iphone", "virtual")
# A computer has no other trait.
TRAITS_OF_LOCAL = (Trait.HOST,)
_CALLED = {Trait.UDID: "UDID", Trait.IOS: "iOS"}


class Condition(Value):
    """One ``FIELD OP VALUE``."""

    trait: Trait
    comparison: Comparison
    value: Annotated[str, Field(min_length=1, max_length=LONGEST_VALUE)]

    @model_validator(mode="after")
    def _makes_sense(self) -> Condition:
        fault = fault_of(self.trait, self.comparison, self.value)
        if fault:
            raise ValueError(fault[0])
        return self

    def failure(self, candidate: DeviceTraits) -> str | None:
        """What keeps the candidate out: ``model is not iPhone15,*``; ``None`` where the condition holds.

        What a device does not tell is neither equal nor unequal to anything: the condition fails.
        """
        called = _CALLED.get(self.trait, self.trait.value)
        own = _trait_of(candidate, self.trait)
        if own is None:
            return f"{called} is not known"
        if self.comparison in _ORDERINGS or (self.trait is Trait.IOS and _VERSION.fullmatch(self.value)):
            return self._version_failure(own, called)
        is_equal = fnmatch.fnmatchcase(
            _folded(own, self.trait),
            # Of what fnmatch knows, only * and ? are special here.
            _folded(self.value, self.trait).replace("[", "[[]"),
        )
        return self._unlike(is_equal, called)

    def _unlike(self, is_equal: bool, called: str) -> str | None:
        if is_equal is (self.comparison is Comparison.EQUAL):
            return None
        return f"{called} is {'' if is_equal else 'not '}{self.value}"

    def _version_failure(self, own: str, called: str) -> str | None:
        asked = _numbers(self.value)
        # Compared in as many numbers as were asked for, so that exactly one of <, = and > holds.
        has = (*_numbers(own), 0, 0, 0, 0)[: len(asked)]
        if self.comparison not in _ORDERINGS:
            return self._unlike(has == asked, called)
        holds, otherwise = _ORDERINGS[self.comparison]
        return None if holds(has, asked) else f"{called} is {otherwise} {self.value}"

    def is_about_unknown(self, candidate: DeviceTraits) -> bool:
        """Whether it asks for what the candidate does not tell."""
        return _trait_of(candidate, self.trait) is None

    def __str__(self) -> str:
        value = self.value
        if not BARE_VALUE.fullmatch(value) or value.lower() == "and":
            value = '"' + value.replace('"', '""') + '"'
        return f"{self.trait}{self.comparison}{value}"


class TargetQuery(Value):
    """All devices of a kind that meet every condition."""

    kind: DeviceKind
    conditions: Annotated[tuple[Condition, ...], Field(max_length=MOST_CONDITIONS)] = ()

    @model_validator(mode="after")
    def _a_computer_has_only_a_host(self) -> TargetQuery:
        foreign = [one.trait for one in self.conditions if self._lacks(one.trait)]
        if foreign:
            raise ValueError(f"{self.kind} has no {foreign[0]}")
        return self

    def _lacks(self, trait: Trait) -> bool:
        return self.kind is DeviceKind.LOCAL and trait not in TRAITS_OF_LOCAL

    def matches(self, candidate: DeviceTraits) -> bool:
        return not self.failures(candidate)

    def failures(self, candidate: DeviceTraits) -> tuple[str, ...]:
        """What keeps the candidate out, one phrase for each condition that it fails; empty where it matches."""
        if candidate.kind is not self.kind:
            return (f"is {candidate.kind}, not {self.kind}",)
        failed = (condition.failure(candidate) for condition in self.conditions)
        return tuple(failure for failure in failed if failure)

    def is_undecided(self, candidate: DeviceTraits) -> bool:
        """Whether the candidate does not match, but only for what it does not tell."""
        failed = [condition for condition in self.conditions if condition.failure(candidate)]
        return (
            candidate.kind is self.kind
            and bool(failed)
            and all(condition.is_about_unknown(candidate) for condition in failed)
        )

    def __str__(self) -> str:
        conditions = " and ".join(map(str, self.conditions))
        return f"{self.kind} where {conditions}" if conditions else self.kind.value


def explain_no_match(query: TargetQuery, candidates: Iterable[DeviceTraits]) -> tuple[str, ...]:
    """For each candidate that does not match, why: ``iPhone14,5 iOS 17.6: model is not iPhone15,*``."""
    failed = ((candidate, query.failures(candidate)) for candidate in candidates)
    return tuple(f"{candidate.label}: {', '.join(failures)}" for candidate, failures in failed if failures)


def _trait_of(candidate: DeviceTraits, trait: Trait) -> str | None:
    if trait is Trait.CLASS:
        return None if candidate.is_virtual is None else "virtual" if candidate.is_virtual else "iphone"
    if trait is Trait.IOS:
        found = _VERSION.match(candidate.ios or "")
        return found[0] if found else None
    told = getattr(candidate, trait.value)
    return None if told is None else str(told)


def _folded(text: str, trait: Trait) -> str:
    """``text`` without what a person does not mean to tell apart: case, a UDID's dashes, iOS's own apostrophe."""
    text = unicodedata.normalize("NFC", text).casefold()
    if trait is Trait.UDID:
        return text.replace("-", "")
    return text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def fault_of(trait: Trait, comparison: Comparison, value: str) -> tuple[str, str] | None:
    """What is wrong with a condition, and what to write instead."""
    if any(unicodedata.category(char) in ("Cc", "Cs") for char in value):
        return "a value holds a control character", "Leave it out; ? stands for any one character."
    if not value.strip():
        return f"the value of {trait} is empty", f"Write one: {trait}={example_of(trait)}."
    if comparison in _ORDERINGS:
        if trait is not Trait.IOS:
            return (
                f"{trait} has no order, so {comparison} does not apply",
                "Use = or !=; only ios is ordered.",
            )
        if not _VERSION.fullmatch(value):
            next_step = "Write numbers and dots: ios>=18.5; patterns go with = and !=."
            return f"{quoted(value)} is no version to compare with", next_step
    elif trait is Trait.IOS and not (_VERSION.fullmatch(value) or _VERSION_PATTERN.fullmatch(value)):
        return f"{quoted(value)} is no iOS version", "Write ios=18, ios=18.5 or ios=18.*."
    elif trait is Trait.CLASS and value.lower() not in _CLASSES:
        return f"there is no class {quoted(value)}", f"Use {' or '.join(_CLASSES)}."
    return None


def example_of(trait: Trait) -> str:
    """A value to show in an error."""
    return {Trait.IOS: "18.5", Trait.MODEL: "iPhone15,*", Trait.CLASS: "iphone"}.get(trait, "desk*")


def quoted(text: str) -> str:
    """``text`` for an error, short and harmless to a terminal."""
    shown = text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…"
    return ascii(shown) if not shown.isprintable() else f"'{shown}'"
