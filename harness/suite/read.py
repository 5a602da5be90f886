"""Reads suite files. Errors name the file, the line and the key; an unknown key is an error."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from harness.core.value import Value
from harness.errors import SuiteError
from harness.suite.document import Suite
from harness.suite.policy import PolicySection
from harness.suite.toml_location import line_of_key

V = TypeVar("V", bound=Value)

SUITE_VERSION = 1
LARGEST_SUITE_BYTES = 1024 * 1024


def read_suite(path: Path) -> tuple[Suite, str]:
    """The suite in ``path`` and its text, word for word.

    Raises:
        SuiteError: missing, not TOML, of a newer version, or with a wrong key; ``where`` has the line and key.
    """
    text = _read_text(path)
    return parse_suite(text, where=str(path)), text


def parse_suite(text: str, *, where: str) -> Suite:
    """The suite in ``text``; ``where`` names it in errors.

    Raises:
        SuiteError: see ``read_suite``.
    """
    document = _parse_toml(text, where)
    version = document.get("version")
    if isinstance(version, int) and version > SUITE_VERSION:
        raise SuiteError(
            f"version is {version}, and this harness reads version {SUITE_VERSION}",
            where=f"{where}:{line_of_key(text, ('version',))}",
            next_step="Update the harness: pip install --upgrade the package this suite was written for.",
        )
    return _validate(Suite, document, text, where)


def read_policy(path: Path) -> PolicySection:
    """The ``[policy]`` table of a suite or of a file that has only that.

    Raises:
        SuiteError: see ``read_suite``; also when there is no such table.
    """
    text = _read_text(path)
    document = _parse_toml(text, str(path))
    table = document.get("policy")
    if not isinstance(table, dict):
        raise SuiteError("has no [policy] table", where=str(path), next_step="Add one: see docs/suite.md.")
    return _validate(PolicySection, table, text, str(path), prefix=("policy",))


def _read_text(path: Path) -> str:
    next_step = "Name a suite file (TOML); docs/suite.md shows one."
    try:
        if path.stat().st_size > LARGEST_SUITE_BYTES:
            raise SuiteError("is too large for a suite", where=str(path), next_step=next_step)
        text = path.read_text(encoding="utf-8")
    except IsADirectoryError:
        raise SuiteError("is a folder, not a suite file", where=str(path), next_step=next_step) from None
    except OSError as problem:
        raise SuiteError(
            f"cannot be read: {problem.strerror}", where=str(path), next_step=next_step
        ) from None
    except UnicodeDecodeError:
        raise SuiteError("is not UTF-8 text", where=str(path), next_step=next_step) from None
    if not text.strip():
        raise SuiteError("is empty", where=str(path), next_step=next_step)
    return text


def _parse_toml(text: str, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        line = re.search(r"line (\d+)", str(problem))
        raise SuiteError(
            f"is not TOML: {problem}",
            where=f"{where}:{line[1] if line else text.count(chr(10)) + 1}",
            next_step="Mend that line; docs/suite.md shows the format.",
        ) from None


def _validate(
    kind: type[V], document: dict[str, Any], text: str, where: str, prefix: tuple[str, ...] = ()
) -> V:
    try:
        return kind.model_validate_json(json.dumps(document, default=str, allow_nan=True))
    except ValidationError as problem:
        # A misspelt key is both unknown and missing: the unknown one is what the person typed.
        found = sorted(
            problem.errors(include_url=False), key=lambda error: error["type"] != "extra_forbidden"
        )
        first = found[0]
        keys = (*prefix, *first["loc"])
        name = ".".join(str(key) for key in keys) or "suite"
        message = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            missing = [str(error["loc"][-1]) for error in found if error["type"] == "missing"]
            message = "unknown key" + (f" (is {missing[0]!r} meant?)" if missing else "")
        raise SuiteError(
            f"{name}: {message[:1].lower()}{message[1:]}",
            where=f"{where}:{line_of_key(text, keys)}",
            next_step="docs/suite.md lists every key and its values.",
        ) from None
