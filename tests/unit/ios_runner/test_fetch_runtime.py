"""The script that fetches LiteRT for iOS, against a server on this machine; Xcode's tools are small stand-ins."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import plistlib
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[3]
SCRIPT = REPOSITORY / "ios_runner" / "scripts" / "fetch_runtime.py"
LIBRARIES = {
    ("ios_arm64", "libLiteRt.dylib"): b"runtime for phones " * 1000,
    ("ios_sim_arm64", "libLiteRt.dylib"): b"runtime for simulators " * 1000,
    ("ios_arm64", "libLiteRtMetalAccelerator.dylib"): b"metal for phones " * 1000,
    ("ios_sim_arm64", "libLiteRtMetalAccelerator.dylib"): b"metal for simulators " * 1000,
}


@pytest.fixture(scope="module")
def script() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("fetch_runtime", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["fetch_runtime"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["fetch_runtime"]


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: pytest shows what matters."""


class Bench:
    """A server with the libraries, pins that point to it, and a folder to fetch into."""

    def __init__(self, folder: Path, script: ModuleType) -> None:
        self.script = script
        self.served = folder / "served"
        self.into = folder / "Runtime"
        self.pins_path = folder / "pins.json"
        for (platform, name), content in LIBRARIES.items():
            (self.served / platform).mkdir(parents=True, exist_ok=True)
            (self.served / platform / name).write_bytes(content)
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(self.served)))
        self.thread = threading.Thread(target=partial(self.server.serve_forever, 0.01), daemon=True)
        self.thread.start()
        self.pins = {
            "release": "2.2.0",
            "url": f"http://127.0.0.1:{self.server.server_port}/{{platform}}/{{file}}",
            "files": [
                {
                    "platform": platform,
                    "file": name,
                    "bytes": len(content),
                    "sha256": hashlib.sha256(content).hexdigest(),
                }
                for (platform, name), content in LIBRARIES.items()
            ],
        }
        self.write_pins()

    def write_pins(self) -> None:
        self.pins_path.write_text(json.dumps(self.pins))

    def fetch(self, *words: str) -> int:
        status: int = self.script.main(["--pins", str(self.pins_path), "--into", str(self.into), *words])
        return status

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def bench(tmp_path: Path, script: ModuleType) -> Iterator[Bench]:
    bench = Bench(tmp_path, script)
    yield bench
    bench.close()


def downloads(bench: Bench) -> list[str]:
    return sorted(path.name for path in (bench.into / "downloads").iterdir())


def test_files_are_fetched_once_and_checked(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.fetch("--only-download") == 0
    assert [name.split("-", 1)[1] for name in downloads(bench)] == ["libLiteRt.dylib"] * 2
    assert "LiteRT 2.2.0: 2 files" in capsys.readouterr().out
    assert bench.fetch("--only-download", "--metal") == 0
    assert capsys.readouterr().out.count("Fetching") == 2


def test_a_wrong_hash_keeps_nothing(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    target = bench.served / "ios_arm64" / "libLiteRt.dylib"
    target.write_bytes(target.read_bytes()[:-1] + b"!")
    assert bench.fetch("--only-download") == 1
    error = capsys.readouterr().err
    assert "it is not the pinned file: its sha256 is" in error and "Do not use it" in error
    assert "/ios_arm64/libLiteRt.dylib" in error
    assert downloads(bench) == []


def test_a_short_answer_is_said_as_that(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    (bench.served / "ios_arm64" / "libLiteRt.dylib").write_bytes(b"short")
    assert bench.fetch("--only-download") == 1
    assert "only 5 of 19000 bytes came" in capsys.readouterr().err
    assert downloads(bench) == []


def test_a_pointer_of_git_lfs_is_said_as_that(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
    (bench.served / "ios_arm64" / "libLiteRt.dylib").write_bytes(pointer)
    assert bench.fetch("--only-download") == 1
    assert "Git LFS's pointer" in capsys.readouterr().err


def test_a_moved_file(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    (bench.served / "ios_arm64" / "libLiteRt.dylib").unlink()
    assert bench.fetch("--only-download") == 1
    error = capsys.readouterr().err
    assert "answers 404" in error and "the file moved" in error and "runtime_pins.json" in error


def test_no_network(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    # A port that nobody listens on any more.
    bench.pins["url"] = "http://127.0.0.1:9/{platform}/{file}"
    bench.write_pins()
    assert bench.fetch("--only-download") == 1
    error = capsys.readouterr().err
    assert "it cannot be fetched" in error and "HTTPS_PROXY" in error


def test_a_file_put_there_by_hand_needs_no_network(bench: Bench) -> None:
    assert bench.fetch("--only-download") == 0
    bench.pins["url"] = "http://127.0.0.1:9/{platform}/{file}"
    bench.write_pins()
    assert bench.fetch("--only-download") == 0


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"release": "1", "url": "", "files": [{}]}'])
def test_pins_that_are_none(bench: Bench, capsys: pytest.CaptureFixture[str], text: str) -> None:
    bench.pins_path.write_text(text)
    assert bench.fetch("--only-download") == 1
    assert "the pins cannot be read" in capsys.readouterr().err


def test_without_xcode_the_next_step_is_said(
    bench: Bench, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert bench.fetch() == 1
    error = capsys.readouterr().err
    assert "install_name_tool is not here" in error and "--only-download" in error


def stand_in(folder: Path, name: str, text: str) -> None:
    tool = folder / name
    tool.write_text(f"#!{sys.executable}\nimport sys, pathlib, shutil\n{text}\n")
    tool.chmod(0o755)


def test_frameworks_are_wrapped_named_and_joined(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    note = f"print(*sys.argv[1:], file=open({str(tmp_path / 'calls')!r}, 'a'))"
    stand_in(tools, "install_name_tool", note)
    stand_in(tools, "codesign", note)
    join = (
        "out = pathlib.Path(sys.argv[-1])\n"
        "for word in sys.argv[2:-2]:\n"
        "    if word != '-framework':\n"
        "        part = pathlib.Path(word)\n"
        "        shutil.copytree(part, out / part.parent.name / part.name)"
    )
    stand_in(tools, "xcodebuild", join)
    monkeypatch.setenv("PATH", str(tools))
    assert bench.fetch("--metal") == 0
    framework = bench.into / "LiteRt.xcframework" / "iphoneos" / "LiteRt.framework"
    assert (framework / "LiteRt").read_bytes() == LIBRARIES["ios_arm64", "libLiteRt.dylib"]
    information = plistlib.loads((framework / "Info.plist").read_bytes())
    assert information["CFBundleExecutable"] == "LiteRt" and information["CFBundlePackageType"] == "FMWK"
    assert information["CFBundleSupportedPlatforms"] == ["iPhoneOS"]
    assert information["CFBundleShortVersionString"] == "2.2.0"
    metal = bench.into / "metal" / "iphonesimulator" / "LiteRtMetalAccelerator.framework"
    information = plistlib.loads((metal / "Info.plist").read_bytes())
    assert information["CFBundleExecutable"] == "libLiteRtMetalAccelerator.dylib"
    assert (metal / "libLiteRtMetalAccelerator.dylib").read_bytes().startswith(b"metal for simulators")
    calls = (tmp_path / "calls").read_text()
    assert "-id @rpath/LiteRt.framework/LiteRt" in calls
    assert "-id @rpath/LiteRtMetalAccelerator.framework/libLiteRtMetalAccelerator.dylib" in calls
    assert not (bench.into / "frameworks").exists()


def test_a_tool_that_fails_is_quoted(
    bench: Bench, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stand_in(tmp_path, "install_name_tool", "sys.exit('larger updated load commands do not fit')")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert bench.fetch() == 1
    assert "install_name_tool failed: larger updated load commands do not fit" in capsys.readouterr().err


def test_the_pins_of_the_repository(script: ModuleType) -> None:
    release, pins = script.read_pins(script.PINS)
    config = (REPOSITORY / "ios_runner/Config/HarnessRunner.xcconfig").read_text()
    assert f"HARNESS_RUNTIME_VERSION = {release}\n" in config
    assert {(pin.platform, pin.file) for pin in pins} == set(LIBRARIES)
    assert all(pin.url.startswith("https://media.githubusercontent.com/") for pin in pins)
    assert all(len(pin.sha256) == 64 for pin in pins)
