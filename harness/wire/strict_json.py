"""JSON as the wire allows it: UTF-8, one value, no duplicate keys, no NaN."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from harness.core.value import Value
from harness.errors import InputError, WireError

V = TypeVar("V", bound=Value)

LARGEST_DOCUMENT_BYTES = 256 * 1024 * 1024


def _refuse_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    keys = {key for key, _ in pairs}
    if len(keys) != len(pairs):
        names = [key for key, _ in pairs]
        repeated = next(key for key in names if names.count(key) > 1)
        raise ValueError(f"key {repeated!r} appears twice in one object")
    return dict(pairs)


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")


def parse_object(text: str | bytes) -> dict[str, object]:
    """The JSON object in ``text``.

    Raises:
        ValueError: not UTF-8, not JSON, not an object, a key twice in one object, NaN or Infinity.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", errors="strict")
    try:
        document = json.loads(text, object_pairs_hook=_refuse_duplicates, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(document, dict):
        raise ValueError(f"a JSON object was expected, not {type(document).__name__}")
    return document


def explain(error: ValidationError) -> str:
    """The first problem of a validation error as ``key.path: what is wrong``."""
    first = error.errors(include_url=False)[0]
    path = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    return f"{path}: {message}" if path else message


def version_problem(document: dict[str, object], key: str, known: int) -> str | None:
    """Why a document of this version cannot be read, or ``None``."""
    version = document.get(key)
    if isinstance(version, int) and not isinstance(version, bool) and version > known:
        return f"{key} is {version}, and this harness knows versions up to {known}"
    return None


def read_value(path: Path, kind: type[V], *, error: type[InputError] = WireError, next_step: str) -> V:
    """The record of type ``kind`` in the JSON file ``path``.

    Raises:
        error: the file is missing, too large, not JSON, or not such a record.
    """
    try:
        if path.stat().st_size > LARGEST_DOCUMENT_BYTES:
            raise error(f"larger than {LARGEST_DOCUMENT_BYTES} bytes", where=str(path), next_step=next_step)
        text = path.read_bytes()
    except OSError as problem:
        raise error(f"cannot be read: {problem.strerror}", where=str(path), next_step=next_step) from None
    try:
        parse_object(text)
        return kind.model_validate_json(text)
    except ValidationError as problem:
        raise error(explain(problem), where=str(path), next_step=next_step) from None
    except (ValueError, UnicodeDecodeError) as problem:
        raise error(f"not valid JSON: {problem}", where=str(path), next_step=next_step) from None


def write_value(path: Path, value: Value) -> None:
    """Write ``value`` as JSON, whole or not at all (temporary name, then rename)."""
    write_text(path, value.model_dump_json(indent=2, exclude_none=True) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8, whole or not at all (temporary name, then rename); the last of several writers stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        temporary.write_text(text, encoding="utf-8", newline="\n")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
