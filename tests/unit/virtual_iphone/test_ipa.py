"""Packages: what is read from them, and what a hostile one cannot do."""

from __future__ import annotations

import plistlib
import stat
import zipfile
from pathlib import Path
from typing import Any

import pytest

from harness import __version__
from harness.core.jobs import WIRE_VERSION
from harness.virtual_iphone.ipa import BadPackageError, read_package, unpack
from harness.virtual_iphone.programs import executable_marker, marked_program
from harness.virtual_iphone.runner_ipa import RUNNER_BUNDLE_ID, runner_info, write_runner_ipa


def write(file: Path, members: dict[str, bytes], *links: str) -> Path:
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        for name in links:
            link = zipfile.ZipInfo(name)
            link.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(link, "/etc/passwd")
    return file


def members(**changes: Any) -> dict[str, bytes]:
    info = {name: value for name, value in (runner_info("2.3.0") | changes).items() if value is not None}
    return {"Payload/App.app/Info.plist": plistlib.dumps(info), "Payload/App.app/HarnessRunner": b"x"}


def test_the_runner_package_says_what_the_harness_looks_for(tmp_path: Path) -> None:
    package = read_package(write_runner_ipa(tmp_path / "runner.ipa", "2.3.0"))
    assert (package.bundle_id, package.app_folder) == (RUNNER_BUNDLE_ID, "HarnessRunner.app")
    assert package.is_development_signed
    assert package.info["HarnessRunnerVersion"] == __version__
    assert package.info["HarnessWireVersion"] == WIRE_VERSION
    assert package.info["HarnessRuntimeVersion"] == "2.3.0"
    bundle = unpack(tmp_path / "runner.ipa", package, tmp_path / "unpacked")
    assert marked_program(bundle / "HarnessRunner") == "harness-runner"
    assert not read_package(
        write_runner_ipa(tmp_path / "store.ipa", "2.3.0", development_signed=False)
    ).is_development_signed


@pytest.mark.parametrize("name", ["../escaped", "Payload/../../escaped", "/escaped", "a\\..\\escaped"])
def test_no_member_leaves_the_folder(tmp_path: Path, name: str) -> None:
    file = write(tmp_path / "slip.ipa", members() | {name: b"out"})
    folder = tmp_path / "in" / "here"
    folder.mkdir(parents=True)
    with pytest.raises(BadPackageError, match="outside"):
        unpack(file, read_package(file), folder)
    assert not list(tmp_path.rglob("*escaped*"))


def test_no_link_is_unpacked(tmp_path: Path) -> None:
    file = write(tmp_path / "link.ipa", members(), "Payload/App.app/link")
    with pytest.raises(BadPackageError, match="is no file"):
        unpack(file, read_package(file), tmp_path / "in")
    assert not list(tmp_path.rglob("link"))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_comes_twice_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "twice.ipa", members())
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("Payload/App.app/HarnessRunner", b"another")
    with pytest.raises(BadPackageError, match="HarnessRunner"):
        unpack(file, read_package(file), tmp_path / "in")


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", "PackageExtractionFailed"),
        (b"PK\x05\x06" + bytes(17), "PackageExtractionFailed"),
        (b"no archive at all" * 100, "PackageExtractionFailed"),
    ],
)
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes, error: str) -> None:
    (tmp_path / "bad.ipa").write_bytes(content)
    with pytest.raises(BadPackageError) as refused:
        read_package(tmp_path / "bad.ipa")
    assert refused.value.error == error


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ({}, "ApplicationVerificationFailed"),
        ({"Payload/App.app/HarnessRunner": b"x"}, "ApplicationVerificationFailed"),
        ({"Payload/App.app/Info.plist": b"no plist"}, "ApplicationVerificationFailed"),
        ({"Payload/App.app/Info.plist": plistlib.dumps([1])}, "ApplicationVerificationFailed"),
        (members() | {"Payload/Other.app/Info.plist": b""}, "ApplicationVerificationFailed"),
        (members(CFBundleIdentifier=None), "MissingBundleIdentifier"),
        (members(CFBundleIdentifier="../../evil"), "MissingBundleIdentifier"),
        (members(CFBundleIdentifier=5), "MissingBundleIdentifier"),
        (members(CFBundleExecutable="../../bin/sh"), "MissingBundleExecutable"),
        (members(CFBundleExecutable=None), "MissingBundleExecutable"),
    ],
)
def test_what_is_no_app_is_refused(tmp_path: Path, content: dict[str, bytes], error: str) -> None:
    with pytest.raises(BadPackageError) as refused:
        read_package(write(tmp_path / "bad.ipa", content))
    assert refused.value.error == error


def test_a_cut_off_package_is_refused(tmp_path: Path) -> None:
    whole = write_runner_ipa(tmp_path / "whole.ipa", "2.3.0").read_bytes()
    for size in range(0, len(whole), 97):
        (tmp_path / "cut.ipa").write_bytes(whole[:size])
        with pytest.raises(BadPackageError):
            read_package(tmp_path / "cut.ipa")


@pytest.mark.parametrize(
    "content", [b"", b"\xcf\xfa\xed\xfe" + bytes(100), b"[]", b'{"virtual_iphone_program": 5}']
)
def test_an_executable_names_a_program_or_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "executable").write_bytes(content)
    assert marked_program(tmp_path / "executable") is None
    (tmp_path / "executable").write_bytes(executable_marker("harness-runner") + b" " * 5000)
    assert marked_program(tmp_path / "executable") is None
