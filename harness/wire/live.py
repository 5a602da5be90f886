"""Live variants as files: ``<root>/live/<name>-<first 8 of sha256>.json``, written after its blobs."""

from __future__ import annotations

from pathlib import Path

from harness.core.live import LIVE_VERSION, LiveVariant
from harness.errors import WireError
from harness.wire.strict_json import parse_object, read_value, version_problem, write_value


def live_document(variant: LiveVariant) -> str:
    """The file's text; keys that are not set are left out."""
    return variant.model_dump_json(indent=2, exclude_none=True) + "\n"


def write_live_variant(root: Path, variant: LiveVariant) -> Path:
    """Write the document below ``root``, whole or not at all; its blobs are there already."""
    path = root / "live" / variant.file_name
    write_value(path, variant)
    return path


def read_live_variant(path: Path) -> LiveVariant:
    """The live variant in ``path``.

    Raises:
        WireError: missing, broken, of a newer version, or under another name than its own.
    """
    next_step = "Write it again with 'harness camera'."
    try:
        newer = version_problem(parse_object(path.read_bytes()), "live_version", LIVE_VERSION)
    except (OSError, ValueError):
        newer = None
    if newer:
        raise WireError(newer, where=str(path), next_step="Update the harness that reads this file.")
    variant = read_value(path, LiveVariant, next_step=next_step)
    if variant.file_name != path.name:
        raise WireError(f"its name and hash say {variant.file_name}", where=str(path), next_step=next_step)
    return variant
