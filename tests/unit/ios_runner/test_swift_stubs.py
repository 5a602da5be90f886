"""The stubs of Apple's frameworks, as far as no Swift toolchain is needed: they declare all that the app uses, no more.

A name is looked for by the way it is used: after a dot, before an argument, or alone. One that the app declares too is
not noticed, and whether a type fits only a compiler can tell: ios_runner/scripts/swift_check.sh asks one where one is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from test_app_sources import HEADERS, RUNNER, broken, parse
from tree_sitter import Node

APP = sorted((RUNNER / "App").rglob("*.swift"))
STUBS = sorted((RUNNER / "tests" / "stubs").rglob("*.swift"))

# Of the Swift language, its standard library, Foundation, Dispatch and Observation: all with the toolchain for Linux.
TOOLCHAIN = frozenset((Path(__file__).parent / "toolchain_names.txt").read_text().split())
# What tree-sitter-swift takes for an identifier.
KEYWORDS = {"async", "defer", "self", "simulator", "throws", "unchecked"}
# Called by the compiler, or the same in every OptionSet: no source of the app names them.
IMPLIED = {
    "buildBlock",
    "buildEither",
    "buildExpression",
    "buildIf",
    "appendInterpolation",
    "appendLiteral",
    "main",
    "projectedValue",
    "wrappedValue",
    "callAsFunction",
    "rawValue",
    "enqueue",
}
TYPES = {"class_declaration", "protocol_declaration", "typealias_declaration", "associatedtype_declaration"}


@dataclass
class Names:
    alone: set[str] = field(default_factory=set)
    members: set[str] = field(default_factory=set)
    labels: set[str] = field(default_factory=set)

    def all(self) -> set[str]:
        return self.alone | self.members | self.labels


def text(node: Node) -> str:
    # `$name` is a wrapper's projection of `name`.
    return (node.text or b"").decode().strip("`").lstrip("$")


def nodes(root: Node) -> Iterator[Node]:
    yield root
    for child in root.children:
        yield from nodes(child)


def used_in(sources: Iterable[bytes]) -> Names:
    used = Names()
    for source in sources:
        for node in nodes(parse(source)):
            parent = node.parent.type if node.parent is not None else ""
            if node.type == "value_argument_label":
                used.labels.add(text(node))
            elif node.type not in {"simple_identifier", "type_identifier"} or text(node).isdigit():
                continue
            elif source[node.start_byte - 1 : node.start_byte] == b".":
                used.members.add(text(node))
            elif parent == "call_suffix":
                used.labels.add(text(node))
            elif parent not in {"parameter", "value_argument_label"}:
                used.alone.add(text(node))
    return Names(used.alone - KEYWORDS, used.members - {"self"}, used.labels)


def declared_in(sources: Iterable[bytes]) -> Names:
    """What is bound anywhere; members are what types declare, labels their parameters' and stored properties' names."""
    declared = Names()
    for source in sources:
        for node in nodes(parse(source)):
            identifiers = [text(child) for child in node.children if child.type == "simple_identifier"]
            inside = node.parent.type if node.parent is not None else ""
            if node.type in TYPES or node.type == "type_parameter":
                names = [text(child) for child in node.children if child.type == "type_identifier"][:1]
                declared.alone.update(names)
                if node.type in TYPES:
                    declared.members.update(names)
            elif node.type in {"function_declaration", "protocol_function_declaration"}:
                declared.alone.update(identifiers[:1])
                declared.members.update(identifiers[:1])
            elif node.type == "enum_entry":
                declared.members.update(identifiers)
            elif node.type == "parameter":
                declared.labels.update(identifiers[:1])
                declared.alone.update(identifiers[-1:])
            elif node.type in {"pattern", "lambda_parameter"}:
                declared.alone.update(identifiers)
                if inside in {"property_declaration", "protocol_property_declaration"} and not is_local(node):
                    declared.members.update(identifiers)
                    declared.labels.update(identifiers)
            elif node.type == "value_binding_pattern" and node.next_sibling is not None:
                declared.alone.add(text(node.next_sibling))
    return declared


def is_local(pattern: Node) -> bool:
    declaration = pattern.parent
    return (
        declaration is not None and declaration.parent is not None and declaration.parent.type == "statements"
    )


def contents(paths: Iterable[Path]) -> list[bytes]:
    return [path.read_bytes() for path in paths]


def modules_imported(source: bytes) -> set[str]:
    return set(re.findall(r"^(?:@_exported )?import (\w+)", source.decode(), re.MULTILINE))


def core_names() -> set[str]:
    declarations = re.sub(r"/\*.*?\*/", "", "".join(path.read_text() for path in HEADERS), flags=re.DOTALL)
    return set(re.findall(r"\w+", declarations))


def of_apple(app: list[bytes]) -> Names:
    """What `app` uses that neither it, nor the core's headers, nor the toolchain declares."""
    used, own = used_in(app), declared_in(app)
    elsewhere = TOOLCHAIN | core_names() | {name for source in app for name in modules_imported(source)}
    return Names(
        used.alone - own.alone - elsewhere,
        used.members - own.members - elsewhere,
        used.labels - own.labels - elsewhere,
    )


def missing(app: list[bytes], stubs: list[bytes]) -> set[str]:
    wanted, declared = of_apple(app), declared_in(stubs)
    return (
        (wanted.alone - declared.alone)
        | (wanted.members - declared.members)
        | {f"{label}:" for label in wanted.labels - declared.labels}
    )


def unused(app: list[bytes], stubs: list[bytes]) -> set[str]:
    """What `stubs` declare though neither `app` nor, a type, another stub asks for it; `_Name` is the stubs' own."""
    used, own = used_in(app), declared_in(app)
    # What a protocol or a class asks for, the app declares.
    alive = used.members | own.members | (used.alone - own.alone) | IMPLIED
    identifiers = [
        text(node)
        for source in stubs
        for node in nodes(parse(source))
        if node.type in {"simple_identifier", "type_identifier"}
    ]
    return {
        name
        for name in declared_in(stubs).members - alive
        if not name.startswith("_") and not (name[0].isupper() and identifiers.count(name) > 1)
    }


@pytest.mark.parametrize("path", STUBS, ids=lambda path: str(path.relative_to(RUNNER)))
def test_stubs_parse(path: Path) -> None:
    assert broken(parse(path.read_bytes())) == []
    assert len(path.read_text().splitlines()) <= 150


def test_all_that_the_app_uses_is_declared() -> None:
    assert missing(contents(APP), contents(STUBS)) == set()


def test_a_missing_declaration_is_seen() -> None:
    more = b"struct Extra: View { var body: some View { Slider(value: 1).blur(radius: 3).font(.title3) } }"
    assert missing([*contents(APP), more], contents(STUBS)) == {"Slider", "blur", "radius:", "title3"}
    fewer = [source.replace(b"func swipeActions", b"func swipe") for source in contents(STUBS)]
    assert missing(contents(APP), fewer) == {"swipeActions"}


def test_all_that_is_declared_is_used() -> None:
    assert unused(contents(APP), contents(STUBS)) == set()


def test_a_dead_declaration_is_seen() -> None:
    more = b"public struct Slider: _Leaf {} extension View { public func blur() -> some View { self } }"
    assert unused(contents(APP), [*contents(STUBS), more]) == {"Slider", "blur"}


def test_the_toolchains_names_are_all_used() -> None:
    assert used_in(contents(APP)).all() >= TOOLCHAIN


def test_the_script_builds_every_module_after_those_it_imports() -> None:
    script = (RUNNER / "scripts" / "swift_check.sh").read_text()
    listed = re.search(r'^modules="(.*)"$', script, re.MULTILINE)
    assert listed is not None
    order = listed[1].split()
    assert sorted(order) == sorted({path.parent.name for path in STUBS})
    for place, module in enumerate(order):
        sources = contents(path for path in STUBS if path.parent.name == module)
        imported = {name for source in sources for name in modules_imported(source)}
        assert imported - {"Foundation", "Observation"} <= set(order[:place]), module
    app = {name for source in contents(APP) for name in modules_imported(source)}
    assert app - {"Foundation", "HarnessCore", "Observation"} <= set(order)


def test_the_script_checks_in_the_projects_language_mode() -> None:
    settings = (RUNNER / "Config" / "HarnessRunner.xcconfig").read_text()
    script = (RUNNER / "scripts" / "swift_check.sh").read_text()
    for setting, option in (
        ("SWIFT_VERSION", "-swift-version "),
        ("SWIFT_STRICT_CONCURRENCY", "-strict-concurrency="),
    ):
        value = re.search(rf"^{setting} = (\w+)", settings, re.MULTILINE)
        assert value is not None
        assert set(re.findall(rf"{re.escape(option)}(\w+)", script)) == {value[1]}
