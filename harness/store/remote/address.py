"""The address of a store: a folder, or a URL that fsspec knows; how it is shown, without the secrets in it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from harness.core.stored_run import is_storable
from harness.errors import UsageError

# Two letters at least: `C:\runs` is no URL.
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
# Theirs is the container's name, no secret.
_CONTAINER_BEFORE_AT = ("abfs", "abfss", "az", "adl")
_HIDDEN = "***"


def is_url(text: str) -> bool:
    return bool(_URL.match(text))


@dataclass(frozen=True)
class StoreAddress:
    """Where a store is. ``str()`` of it is for people: no password and no token is in it."""

    url: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> StoreAddress:
        """
        Raises:
            UsageError: it is empty, or chains file systems.
        """
        if not text.strip() or "::" in text:
            raise UsageError(
                "is no address of a store",
                where=text or "--store",
                next_step="Name a folder, or a URL such as s3://bucket/folder: docs/store.md.",
            )
        return cls(text.rstrip("/") if len(text.rstrip("/")) > 0 else text)

    def __str__(self) -> str:
        if not is_url(self.url):
            return self.url
        parts = urlsplit(self.url)
        shown = parts._replace(
            netloc=self._shown_place(parts),
            query=_HIDDEN if parts.query else "",
            fragment=_HIDDEN if parts.fragment else "",
        )
        # An empty host is dropped by `geturl`.
        return shown.geturl() if parts.netloc else f"{parts.scheme}://{shown.path}"

    def _shown_place(self, parts: SplitResult) -> str:
        user, at, host = parts.netloc.rpartition("@")
        if not at or (parts.scheme in _CONTAINER_BEFORE_AT and ":" not in user):
            return parts.netloc
        return f"{_HIDDEN}@{host}"

    def without_secrets(self, text: str) -> str:
        """``text`` (a driver's words) with whatever is secret in the address left out."""
        if not is_url(self.url):
            return text
        parts = urlsplit(self.url)
        text = text.replace(self.url, str(self))
        user, at, _ = parts.netloc.rpartition("@")
        secrets = {
            parts.query,
            parts.fragment,
            *(value.partition("=")[2] for value in parts.query.split("&")),
        }
        if at and self._shown_place(parts) != parts.netloc:
            secrets |= {user, user.partition(":")[2]}
        for secret in sorted(
            {form for one in secrets for form in (one, unquote(one)) if one}, key=len, reverse=True
        ):
            text = text.replace(secret, _HIDDEN)
        return text

    @property
    def scheme(self) -> str:
        return urlsplit(self.url).scheme.lower() if is_url(self.url) else "file"

    @property
    def key(self) -> str:
        """A name for what is kept on this machine of this store; the same whoever asks."""
        text = str(self) if is_url(self.url) else str(Path(self.url).absolute())
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def run_in_store(text: str) -> tuple[StoreAddress, str]:
    """The store and the name of the run in ``STORE/RUN``.

    Raises:
        UsageError: no run is named in it.
    """
    head, mark, query = text.partition("?") if is_url(text) else (text, "", "")
    store, _, name = head.rstrip("/").rpartition("/")
    if not is_storable(name) or store.endswith(":/") or store in ("", "/"):
        raise UsageError(
            "names no run in a store",
            where=str(StoreAddress(text)),
            next_step="Name one as STORE/RUN, such as s3://bucket/folder/RUN.",
        )
    return StoreAddress.parse(f"{store}{mark}{query}"), name
