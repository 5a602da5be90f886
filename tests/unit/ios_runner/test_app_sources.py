"""The app's Swift, as far as no Mac is needed: it parses, and all it takes of the core is in the core's headers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import tree_sitter_swift
from tree_sitter import Language, Node, Parser

REPOSITORY = Path(__file__).parents[3]
RUNNER = REPOSITORY / "ios_runner"
SWIFT = sorted([*(RUNNER / "App").rglob("*.swift"), *RUNNER.glob("*/Package.swift")])
HEADERS = sorted((RUNNER / "core" / "include").glob("*.h"))


def parse(source: bytes) -> Node:
    return Parser(Language(tree_sitter_swift.language())).parse(source).root_node


def broken(node: Node) -> list[str]:
    """Where the tree has errors or had to make something up: line and text."""
    found = []
    if node.is_error or node.is_missing:
        text = (node.text or b"").decode()[:60]
        found.append(f"line {node.start_point.row + 1}: {text!r}")
    return found + [place for child in node.children if child.has_error for place in broken(child)]


@pytest.mark.parametrize("path", SWIFT, ids=lambda path: str(path.relative_to(RUNNER)))
def test_swift_parses(path: Path) -> None:
    assert broken(parse(path.read_bytes())) == []


def test_a_mistake_is_seen() -> None:
    assert broken(parse(b"struct A {\n    func f( {\n}\n"))


def test_modules_stay_small() -> None:
    assert max(len(path.read_text().splitlines()) for path in SWIFT) <= 250


def names(pattern: str, text: str) -> set[str]:
    return set(re.findall(pattern, text))


def test_all_that_swift_takes_of_the_core_is_declared() -> None:
    declared = names(r"\b(?:harness|HARNESS)_\w+", "".join(path.read_text() for path in HEADERS))
    used = names(r"\b(?:harness|HARNESS)_[a-zA-Z_]\w*", "".join(path.read_text() for path in SWIFT))
    # Build definitions, not declarations.
    used -= {"HARNESS_VERSION", "HARNESS_BUILD"}
    assert used and used <= declared


def fields(struct: str) -> set[str]:
    text = "".join(path.read_text() for path in HEADERS)
    body = re.search(rf"typedef struct {struct} \{{(.*?)\}} {struct};", text, re.DOTALL)
    assert body is not None
    return names(r"(\w+);", re.sub(r"/\*.*?\*/", "", body[1], flags=re.DOTALL))


@pytest.mark.parametrize(
    ("struct", "variable"),
    [
        ("harness_live_info", "info"),
        ("harness_live_frame", "pixels"),
        ("harness_runner_device", "device"),
        ("harness_runner_progress", "now"),
        ("harness_runner_conditions", "conditions.pointee"),
    ],
)
def test_fields_of_the_cores_structures_are_there(struct: str, variable: str) -> None:
    used: set[str] = set()
    for path in SWIFT:
        text = path.read_text()
        if struct in text or (variable == "info" and "harness_live_describe" in text) or variable == "now":
            used |= {
                name for name in names(rf"\b{re.escape(variable)}\.([a-z_]+)\b", text) if name == name.lower()
            }
    assert used & fields(struct)
    assert {name for name in used if "_" in name} <= fields(struct)


def test_the_jobs_the_core_lists_have_the_keys_that_swift_reads() -> None:
    writer = (RUNNER / "core" / "src" / "runner_c_api.cc").read_text()
    state = (RUNNER / "App" / "Core" / "JobState.swift").read_text().split("var id")[0]
    for name in re.findall(r"let (\w+):", state):
        key = re.sub(r"([A-Z])", lambda match: "_" + match[1].lower(), name)
        assert f'"{key}"' in writer, key


def test_the_module_map_names_every_header() -> None:
    text = (RUNNER / "core" / "include" / "module.modulemap").read_text()
    assert names(r'header "(\S+)"', text) == {path.name for path in HEADERS}


def test_there_is_no_objective_c() -> None:
    assert not [path for path in RUNNER.rglob("*") if path.suffix in {".m", ".mm"}]
