"""The Xcode project, its settings and lists, as far as no Xcode is needed: all that is named is there."""

from __future__ import annotations

import json
import plistlib
import re
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from pbxproj import XcodeProject

from harness import __version__
from harness.core.jobs import WIRE_VERSION

REPOSITORY = Path(__file__).parents[3]
RUNNER = REPOSITORY / "ios_runner"
PROJECT = RUNNER / "HarnessRunner.xcodeproj"
IDENTIFIER = re.compile(r"[0-9A-F]{24}")


@pytest.fixture(scope="module")
def objects() -> dict[str, dict[str, Any]]:
    project = XcodeProject.load(str(PROJECT / "project.pbxproj"))
    assert (project.archiveVersion, project.objectVersion) == ("1", "77")
    found = {
        identifier: json.loads(json.dumps(item, default=lambda value: value.__dict__))
        for identifier, item in (
            (entry.get_id(), plain(entry))
            for entry in project.objects.get_objects_in_section(*project.objects.get_sections())
        )
    }
    assert str(project.rootObject) in found
    return found


def plain(item: Any) -> Any:
    """The parser's objects as dictionaries, lists and texts."""
    if isinstance(item, list):
        return [plain(part) for part in item]
    if isinstance(item, str | int):
        return str(item)
    if hasattr(item, "get_keys"):
        return {key: plain(item[key]) for key in item.get_keys()}
    return str(item)


def texts(item: Any) -> list[str]:
    if isinstance(item, dict):
        return [text for part in item.values() for text in texts(part)]
    if isinstance(item, list):
        return [text for part in item for text in texts(part)]
    return [str(item)]


def of_kind(objects: dict[str, dict[str, Any]], isa: str) -> list[dict[str, Any]]:
    return [item for item in objects.values() if item["isa"] == isa]


def test_every_identifier_is_that_of_an_object(objects: dict[str, dict[str, Any]]) -> None:
    named = {text for item in objects.values() for text in texts(item) if IDENTIFIER.fullmatch(text)}
    assert named <= set(objects)
    # Each object but the project is named by another: none is left over.
    (root,) = [key for key, item in objects.items() if item["isa"] == "PBXProject"]
    assert set(objects) - named == {root}


def test_every_kind_of_object_is_one_that_xcode_knows(objects: dict[str, dict[str, Any]]) -> None:
    assert {item["isa"] for item in objects.values()} == {
        "PBXBuildFile",
        "PBXFileReference",
        "PBXFileSystemSynchronizedBuildFileExceptionSet",
        "PBXFileSystemSynchronizedRootGroup",
        "PBXFrameworksBuildPhase",
        "PBXGroup",
        "PBXNativeTarget",
        "PBXProject",
        "PBXResourcesBuildPhase",
        "PBXShellScriptBuildPhase",
        "PBXSourcesBuildPhase",
        "XCBuildConfiguration",
        "XCConfigurationList",
        "XCLocalSwiftPackageReference",
        "XCSwiftPackageProductDependency",
    }


def test_every_file_that_the_project_names_is_there(objects: dict[str, dict[str, Any]]) -> None:
    (config,) = [item for item in of_kind(objects, "PBXGroup") if item.get("path") == "Config"]
    for identifier in config["children"]:
        assert (RUNNER / "Config" / objects[identifier]["path"]).is_file()
    (folder,) = of_kind(objects, "PBXFileSystemSynchronizedRootGroup")
    assert (RUNNER / folder["path"] / "Info.plist").is_file()
    for package in of_kind(objects, "XCLocalSwiftPackageReference"):
        manifest = (RUNNER / package["relativePath"] / "Package.swift").read_text()
        products = [
            item["productName"]
            for item in of_kind(objects, "XCSwiftPackageProductDependency")
            if objects[item["package"]]["relativePath"] == package["relativePath"]
        ]
        assert products and all(f'.library(name: "{product}"' in manifest for product in products)
    (phase,) = of_kind(objects, "PBXShellScriptBuildPhase")
    (script,) = re.findall(r"\$SRCROOT/([\w/.]+)", phase["shellScript"])
    subprocess.run(["sh", "-n", str(RUNNER / script)], check=True)


def test_the_package_leaves_out_what_cmake_leaves_out() -> None:
    core = RUNNER / "core"
    manifest = (core / "Package.swift").read_text()
    names = re.findall(r'"src/([\w.]+\.cc)"', manifest)
    platform = re.search(r"\[(.*?)\]\.map", manifest)
    assert platform is not None
    names += [f"{name}_linux.cc" for name in re.findall(r'"(\w+)"', platform[1])]
    left_out = {path.name for path in (core / "src").glob("*_linux.cc")} | {
        name
        for name in re.findall(
            r"src/([\w.]+)", (core / "CMakeLists.txt").read_text().split("add_executable")[1].split(")")[0]
        )
    }
    assert set(names) == left_out
    built = set(re.findall(r"src/([\w.]+\.cc)", (core / "CMakeLists.txt").read_text()))
    assert built == {path.name for path in (core / "src").glob("*.cc")}


@pytest.mark.parametrize("configuration", ["Debug", "Release"])
def test_schemes_build_the_target_in_their_configuration(
    objects: dict[str, dict[str, Any]], configuration: str
) -> None:
    path = PROJECT / "xcshareddata" / "xcschemes" / f"HarnessRunner {configuration}.xcscheme"
    scheme = ElementTree.parse(path).getroot()
    for reference in scheme.iter("BuildableReference"):
        target = objects[reference.attrib["BlueprintIdentifier"]]
        assert (target["isa"], target["name"]) == ("PBXNativeTarget", reference.attrib["BlueprintName"])
    actions = [scheme.find(name) for name in ("LaunchAction", "ProfileAction", "ArchiveAction")]
    assert [action.attrib["buildConfiguration"] for action in actions if action is not None] == [
        configuration
    ] * 3


def test_the_workspace_is_that_of_the_project() -> None:
    root = ElementTree.parse(PROJECT / "project.xcworkspace" / "contents.xcworkspacedata").getroot()
    assert [item.attrib["location"] for item in root.iter("FileRef")] == ["self:"]


def settings(name: str) -> dict[str, str]:
    """An .xcconfig with what it includes; an optional include that is not there is left out."""
    found: dict[str, str] = {}
    for line in (RUNNER / "Config" / name).read_text().splitlines():
        line = line.split("//")[0].strip()
        include = re.fullmatch(r'#include(\??) "(.+)"', line)
        if include is not None:
            if include[1] and not (RUNNER / "Config" / include[2]).exists():
                continue
            found |= settings(include[2])
        elif line:
            key, separator, value = line.partition("=")
            assert separator and re.fullmatch(r"[A-Z][A-Z0-9_]*", key.strip()), line
            found[key.strip()] = value.strip()
    return found


@pytest.mark.parametrize("name", ["Debug.xcconfig", "Release.xcconfig", "Team.example.xcconfig"])
def test_settings_are_settings(name: str) -> None:
    assert settings(name)


def test_the_apps_information_is_what_the_harness_looks_for() -> None:
    known = settings("Release.xcconfig")
    assert known["MARKETING_VERSION"] == __version__
    information = plistlib.loads((RUNNER / "App" / "Info.plist").read_bytes())
    resolved = {
        key: known.get(value[2:-1], value) if isinstance(value, str) and value.startswith("$(") else value
        for key, value in information.items()
    }
    assert resolved["HarnessRunnerVersion"] == __version__
    assert resolved["HarnessWireVersion"] == WIRE_VERSION
    assert re.fullmatch(r"2\.\d+\.\d+", resolved["HarnessRuntimeVersion"])
    assert (resolved["CFBundleIdentifier"], resolved["CFBundleDisplayName"]) == (
        "org.harness.runner",
        "Harness Runner",
    )
    assert resolved["UIFileSharingEnabled"] and resolved["LSSupportsOpeningDocumentsInPlace"]
    assert len(resolved["NSCameraUsageDescription"]) > 20
    assert f'"\\"{__version__}\\""' in (RUNNER / "core" / "Package.swift").read_text()


def test_other_lists_and_catalogs_are_read() -> None:
    assert plistlib.loads((RUNNER / "Config" / "ExportOptions.plist").read_bytes())["method"] == "debugging"
    catalogs = sorted((RUNNER / "App").rglob("Contents.json"))
    assert len(catalogs) == 3
    for path in catalogs:
        assert json.loads(path.read_text())["info"]["author"] == "xcode"


def test_make_without_a_team_says_what_to_do(tmp_path: Path) -> None:
    done = subprocess.run(
        ["make", "-C", str(RUNNER), "Config/Team.xcconfig"], capture_output=True, text=True, check=False
    )
    if (RUNNER / "Config" / "Team.xcconfig").exists():
        pytest.skip("this checkout has a team")
    assert done.returncode == 2 and "Team.example.xcconfig" in done.stderr


def unended(text: str) -> list[str]:
    """Entries without the end that Xcode asks for and the parser does not: ``;`` in dictionaries, ``,`` in lists."""
    bare = re.sub(
        r'"(?:[^"\\]|\\.)*"', '""', re.sub(r"/\*.*?\*/|^//[^\n]*", "", text, flags=re.DOTALL | re.MULTILINE)
    )
    dictionaries = re.findall(r"\S*[^;{\s]\s*\}", bare.rstrip()[:-1])
    return dictionaries + re.findall(r"\S*[^,(\s]\s*\)", bare)


def test_every_entry_is_ended() -> None:
    text = (PROJECT / "project.pbxproj").read_text()
    assert unended(text) == []
    assert unended(text.replace('sourceTree = "<group>";', 'sourceTree = "<group>"', 1))
    assert unended(text.replace("/* HarnessRunner */,\n", "/* HarnessRunner */\n"))
