#!/usr/bin/env python3
"""Compile the core for an iPhone and link its executable for a Mac, with ziglang's compiler, on any system.

Zig brings Darwin's public headers and a linker for Mach-O. For aarch64-ios it has no library stubs: there the core is
compiled only; for aarch64-macos the whole executable is linked, which shows every call that Darwin lacks. Warnings are
errors. Nothing that comes out is run or shipped.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

CORE = Path(__file__).resolve().parent.parent / "core"
# What CMake builds the core with; -idirafter gives aarch64-ios the headers that Zig keeps for all of Darwin.
FLAGS = ["-std=c++17", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-ffp-contract=off"]
DEFINES = ['-DHARNESS_VERSION="0.0.0"', '-DHARNESS_BUILD="cross"']
EXECUTABLE_ONLY = {"conditions_file.cc", "live_command.cc", "main.cc"}


def sources() -> list[Path]:
    """The core's sources on Darwin, the executable's included."""
    return sorted(path for path in (CORE / "src").glob("*.cc") if not path.stem.endswith("_linux"))


def zig_headers() -> Path:
    """The folder of headers that all Darwin systems share."""
    spec = find_spec("ziglang")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("error: ziglang is not installed\nnext:  make setup")
    return Path(spec.submodule_search_locations[0]) / "lib" / "libc" / "include" / "any-darwin-any"


def compiler(target: str) -> list[str]:
    """The command that compiles for ``target``."""
    headers = ["-I", str(CORE / "include"), "-I", str(CORE / "src"), "-idirafter", str(zig_headers())]
    return [sys.executable, "-m", "ziglang", "c++", "-target", target, *FLAGS, *DEFINES, *headers]


def run(command: list[str], what: str) -> bool:
    """Whether the command succeeded; what it said where it did not."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(f"{what}: failed\n{done.stderr.strip()}", file=sys.stderr)
    return done.returncode == 0


def build_both(build: Path) -> tuple[bool, bool]:
    """Whether the core compiles for iOS, and whether the executable links for macOS; each from one unit, as a unity
    build has it: every source by itself would take a minute more, and `make runner-test` compiles them so."""
    core = _unity(build / "core.cc", [path for path in sources() if path.name not in EXECUTABLE_ONLY])
    whole = _unity(build / "whole.cc", sources())
    ios = [*compiler("aarch64-ios"), "-c", str(core), "-o", str(build / "core.o")]
    macos = [*compiler("aarch64-macos"), str(whole), "-o", str(build / "harness-runner")]
    with ThreadPoolExecutor() as pool:
        compiled = pool.submit(run, ios, "aarch64-ios, compiling")
        linked = pool.submit(run, macos, "aarch64-macos, linking")
        return compiled.result(), linked.result() and _is_for_apple_silicon(build / "harness-runner")


def _unity(unit: Path, parts: list[Path]) -> Path:
    unit.write_text("".join(f'#include "{path}"\n' for path in parts), encoding="utf-8")
    return unit


def _is_for_apple_silicon(executable: Path) -> bool:
    # mach_header_64.magic and CPU_TYPE_ARM64, of <mach-o/loader.h>.
    return executable.read_bytes()[:8] == bytes.fromhex("cffaedfe0c000001")


def main() -> int:
    """The exit status: 0 where both targets build."""
    with tempfile.TemporaryDirectory() as folder:
        ios, macos = build_both(Path(folder))
    print(f"aarch64-ios: {'compiled' if ios else 'FAILED'}; aarch64-macos: {'linked' if macos else 'FAILED'}")
    return 0 if ios and macos else 1


if __name__ == "__main__":
    sys.exit(main())
