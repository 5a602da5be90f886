"""Built variants, named by what they were built from: a second build of the same thing builds nothing.

``<root>/variants/<key>/meta.json`` says which bytes a build gave; ``<root>/blobs/<sha256>`` holds them. Both
appear under their names only when complete, so several writers may use one cache; the last one's record
stands.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, ValidationError

from harness.core.jobs import Blob, Count, Sha256
from harness.core.model_io import ModelIO
from harness.core.value import Value
from harness.core.variants import Form, Recipe
from harness.errors import WireError
from harness.wire.blobs import BlobStore
from harness.wire.strict_json import write_value

VARIANT_FORMAT_VERSION: Final = 3
"""Raise it whenever the way a recipe is carried out changes, so that older files are built anew."""


class CacheEntry(Value):
    """``meta.json``: what one build gave. ``duration_s`` is the time of that build."""

    version: Literal[1] = 1
    key: Sha256
    recipe: Recipe
    model: Blob
    compressed_bytes: Count
    duration_s: Annotated[float, Field(ge=0)]
    tools: dict[str, str]


def cache_key(
    *,
    source_sha256: str,
    form: Form,
    calibration_sha256: str | None,
    tools: Mapping[str, str],
    io: ModelIO | None = None,
    input_shape: Sequence[int] | None = None,
) -> str:
    """sha256 over all that decides the bytes of a variant; calibration only where the recipe uses it.

    ``io`` and ``input_shape`` are given where the conversion of the source depends on them.
    """
    parts: dict[str, object] = {
        "format": VARIANT_FORMAT_VERSION,
        "source": source_sha256,
        "recipe": form.recipe.value,
        "calibration": calibration_sha256 if form.recipe.needs_calibration else None,
        "tools": dict(tools),
    }
    if not form.is_plain:
        parts["keep_float"] = sorted(form.keep_float)
        parts["granularity"] = form.granularity.value
    if io is not None:
        parts["io"] = io.model_dump(mode="json")
        parts["input_shape"] = input_shape
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class VariantCache:
    """The cache below ``root``, which is made when something is first put there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.blobs = BlobStore(root)

    def find(self, key: str) -> CacheEntry | None:
        """The entry for ``key``, or ``None`` where there is none or it is damaged.

        The model's bytes are hashed; damaged ones are removed, because a blob is never overwritten.
        """
        try:
            entry = CacheEntry.model_validate_json(self._meta_path(key).read_bytes())
        except (OSError, ValidationError):
            return None
        if entry.key != key:
            return None
        try:
            self.blobs.verify(entry.model)
        except (WireError, OSError):
            self.blobs.path(entry.model).unlink(missing_ok=True)
            return None
        return entry

    def put(
        self,
        key: str,
        form: Form,
        file: Path,
        *,
        compressed_bytes: int,
        duration_s: float,
        tools: Mapping[str, str],
    ) -> CacheEntry:
        """Store a copy of ``file`` as the build named ``key``."""
        entry = CacheEntry(
            key=key,
            recipe=form.recipe,
            model=self.blobs.put_file(file),
            compressed_bytes=compressed_bytes,
            duration_s=duration_s,
            tools=dict(tools),
        )
        write_value(self._meta_path(key), entry)
        return entry

    def path(self, entry: CacheEntry) -> Path:
        """Where the entry's model is."""
        return self.blobs.path(entry.model)

    def _meta_path(self, key: str) -> Path:
        return self.root / "variants" / key / "meta.json"
