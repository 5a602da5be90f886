"""What decides the last bits of an engine's answer on a machine, as a short name.

Shards of one computation may go to several machines only where this is the same: then their answers are those of one
machine, bit for bit. Engines choose their kernels by the processor's features and cut sums by the sizes of its caches.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from harness.shards.request import CODE_VERSION

_PACKAGES: Final = ("numpy", "tensorflow", "tensorflow-cpu", "keras", "ai-edge-litert", "litert-quantizer")
_DIGITS: Final = 16

# Of x86, then of ARM. Frequencies and the like are no property of the processor.
_CPUINFO_KEYS: Final = frozenset(
    {"vendor_id", "cpu family", "model", "model name", "stepping", "cache size", "flags"}
    | {"CPU implementer", "CPU architecture", "CPU variant", "CPU part", "CPU revision", "Features"}
)
_SYSCTL_NAMES: Final = ("machdep.cpu.brand_string", "hw.optional", "hw.perflevel0.l1dcachesize")
_SYSCTL_TIMEOUT_S: Final = 10.0
# With these a person changes the kernels.
_SETTINGS: Final = ("TF_ENABLE_ONEDNN_OPTS", "TF_XLA_FLAGS", "XLA_FLAGS")
_SETTING_PREFIXES: Final = ("ONEDNN_", "DNNL_")


@cache
def engine_fingerprint() -> str:
    """Of this machine and its packages: 16 hexadecimal digits. Imports none of them."""
    return fingerprint_of(
        machine=(platform.system(), platform.machine()),
        processor=_processor(),
        packages=_versions(),
        environment=os.environ,
    )


def fingerprint_of(
    *,
    machine: tuple[str, str],
    processor: Iterable[str],
    packages: Mapping[str, str],
    environment: Mapping[str, str],
) -> str:
    """The digest of these facts: system and architecture, what ``processor_facts`` gives, versions, settings."""
    settings = {
        name: value
        for name, value in environment.items()
        if name in _SETTINGS or name.startswith(_SETTING_PREFIXES)
    }
    everything = {
        "code": CODE_VERSION,
        "machine": machine,
        "processor": sorted(processor),
        "packages": dict(packages),
        "settings": settings,
    }
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()[:_DIGITS]


def processor_facts(text: str, keys: Iterable[str] | None = _CPUINFO_KEYS) -> frozenset[str]:
    """Each ``key: value`` line of ``/proc/cpuinfo`` or of macOS's sysctl whose key counts, once; ``None``: all do.

    The words of a value are sorted: a list of features has no order.
    """
    wanted = None if keys is None else frozenset(keys)
    facts = set()
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon and (wanted is None or key.strip() in wanted):
            facts.add(f"{key.strip()}: {' '.join(sorted(value.split()))}")
    return frozenset(facts)


def _processor() -> frozenset[str]:
    if sys.platform == "darwin":
        return processor_facts(_sysctl(), None)
    try:
        return processor_facts(Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return frozenset({platform.processor()})


def _sysctl() -> str:
    try:
        asked = subprocess.run(
            ["/usr/sbin/sysctl", *_SYSCTL_NAMES],
            capture_output=True,
            text=True,
            timeout=_SYSCTL_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return asked.stdout


def _versions() -> dict[str, str]:
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions
