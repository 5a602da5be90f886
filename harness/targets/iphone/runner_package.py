"""The runner app as an .ipa: what its Info.plist says, and the copy that ``harness install`` keeps for later runs."""

from __future__ import annotations

import os
import plistlib
import re
import shutil
import zipfile
from pathlib import Path
from xml.parsers.expat import ExpatError

from harness import __version__
from harness.errors import InputError
from harness.targets.iphone.checks import runner_problem

_INFO = re.compile(r"Payload/[^/]+\.app/Info\.plist")
_LARGEST_INFO_BYTES = 1024 * 1024
_NEXT_STEP = "Name the .ipa that Xcode exported; ios_runner/README.md says how to make it."


def check_package(package: Path) -> str | None:
    """Why the runner in ``package`` does not serve this harness; ``None`` where it does.

    Raises:
        InputError: it is no .ipa, or not the runner's.
    """
    info = _read_info(package)
    version, wire = info.get("HarnessRunnerVersion"), info.get("HarnessWireVersion")
    if not isinstance(version, str):
        raise InputError("is another app than the harness runner", where=str(package), next_step=_NEXT_STEP)
    return runner_problem(version, wire if isinstance(wire, int) else None, __version__)


def keep_package(package: Path, cache: Path) -> None:
    """Keep a copy that ``kept_package`` finds again."""
    kept = _kept(cache)
    kept.parent.mkdir(parents=True, exist_ok=True)
    partial = kept.with_name(f".{kept.name}.{os.getpid()}")
    shutil.copyfile(package, partial)
    partial.replace(kept)


def kept_package(cache: Path) -> Path | None:
    """The copy of this very version, which a run may install; ``None`` where there is none."""
    kept = _kept(cache)
    try:
        return kept if kept.is_file() and check_package(kept) is None else None
    except InputError:
        return None


def _kept(cache: Path) -> Path:
    return cache / "runner" / f"{__version__}.ipa"


def _read_info(package: Path) -> dict[str, object]:
    try:
        with zipfile.ZipFile(package) as archive:
            name = next((name for name in archive.namelist() if _INFO.fullmatch(name)), None)
            if name is None or archive.getinfo(name).file_size > _LARGEST_INFO_BYTES:
                raise InputError(
                    "holds no Payload/NAME.app with an Info.plist", where=str(package), next_step=_NEXT_STEP
                )
            info = plistlib.loads(archive.read(name))
    except FileNotFoundError:
        raise InputError("there is no such file", where=str(package), next_step=_NEXT_STEP) from None
    except OSError as error:
        raise InputError(
            f"cannot be read: {error.strerror}", where=str(package), next_step=_NEXT_STEP
        ) from None
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError):
        raise InputError(
            "is no .ipa: it is not a plain ZIP archive", where=str(package), next_step=_NEXT_STEP
        ) from None
    except (plistlib.InvalidFileException, ExpatError, ValueError, OverflowError):
        raise InputError("its Info.plist cannot be read", where=str(package), next_step=_NEXT_STEP) from None
    return info if isinstance(info, dict) else {}
