"""Paths that a client names, held inside the folder it may see."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ConfinedFolder:
    """A folder as a client's root. ``only`` names the one entry of it that the client may touch, if not all."""

    root: Path
    only: str | None = None

    @property
    def top(self) -> Path:
        """What the client sees as its highest folder; it may neither be removed nor renamed."""
        root = Path(os.path.realpath(self.root))
        return root if self.only is None else root / self.only

    def entry(self, path: str) -> Path:
        """The place of ``path``, whose last component may be a link or nothing yet.

        Raises:
            PermissionError: it is outside what the client may see, by dots, or by a link on the way.
        """
        parts: list[str] = []
        for part in path.split("/"):
            if part == "..":
                if not parts:
                    raise PermissionError(errno.EACCES, "outside the folder", path)
                parts.pop()
            elif part not in ("", "."):
                parts.append(part)
        if self.only is not None and parts[:1] != [self.only]:
            raise PermissionError(errno.EACCES, "not shared", path)
        root = Path(os.path.realpath(self.root))
        if not parts:
            return root
        parent = Path(os.path.realpath(root.joinpath(*parts[:-1])))
        return self._inside(root, parent / parts[-1], path)

    def target(self, path: str) -> Path:
        """As ``entry``, with a link at the end followed.

        Raises:
            PermissionError: as for ``entry``, or the link leads outside.
        """
        entry = self.entry(path)
        return self._inside(Path(os.path.realpath(self.root)), Path(os.path.realpath(entry)), path)

    def _inside(self, root: Path, place: Path, path: str) -> Path:
        seen = root / self.only if self.only is not None else root
        if place != seen and seen not in place.parents:
            raise PermissionError(errno.EACCES, "outside the folder", path)
        return place
