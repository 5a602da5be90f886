"""The documents say what is so: commands, options, links and the keys of a suite are checked against the code."""

from __future__ import annotations

import re
import shlex
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Union, get_args, get_origin

import click
import pytest
from pydantic import BaseModel

from harness.cli.main import cli
from harness.core.policy import Metric
from harness.core.variants import Recipe
from harness.suite.document import Suite

_ROOT = Path(__file__).parents[1]
_DOCUMENTS = sorted(
    [
        *_ROOT.glob("*.md"),
        *_ROOT.glob("docs/**/*.md"),
        *_ROOT.glob("fixtures/*.md"),
        *_ROOT.glob("benchmarks/*.md"),
        *_ROOT.glob("ios_runner/*.md"),
    ]
)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
# Blocks within a numbered list are indented.
_FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")


def _without_code(text: str) -> str:
    return _CODE.sub("", _FENCE.sub("", text))


def _commands(text: str) -> Iterator[str]:
    """Every ``harness …`` command: lines of fenced blocks, and inline code."""
    for language, block in _FENCE.findall(text):
        if language in ("", "sh", "console", "bash"):
            for line in map(str.strip, block.replace("\\\n", " ").splitlines()):
                if line.startswith(("harness ", "$ harness ")):
                    yield line.removeprefix("$ ")
    for code in _CODE.findall(_FENCE.sub("", text)):
        if re.match(r"harness [a-z]", code):
            yield code


_COMMANDS = [
    pytest.param(command, id=f"{path.name}: {command}")
    for path in _DOCUMENTS
    for command in _commands(path.read_text(encoding="utf-8"))
]


def _command(name: str) -> click.Command:
    found = cli.get_command(click.Context(cli), name)
    assert found is not None, f"there is no verb {name}"
    return found


@pytest.mark.parametrize("text", _COMMANDS)
def test_a_command_in_the_documents_exists(text: str) -> None:
    """It parses with these options and as many arguments; ``…`` stands for more."""
    words = [word for word in shlex.split(text, comments=True)[1:] if word != "…"]
    command = _command(words[0])
    if len(words) == 1:
        return
    context = command.make_context(f"harness {words[0]}", words[1:], resilient_parsing=False)
    context.close()


def test_the_readme_shows_every_verb() -> None:
    shown = {text.split()[1] for text in _commands((_ROOT / "README.md").read_text(encoding="utf-8"))}
    assert shown >= set(cli.list_commands(click.Context(cli)))


def _anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", path.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", _DOCUMENTS, ids=lambda path: str(path.relative_to(_ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    broken = []
    for link in _LINK.findall(_without_code(path.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("path", _DOCUMENTS, ids=lambda path: str(path.relative_to(_ROOT)))
def test_files_that_are_named_exist(path: Path) -> None:
    """Inline code that reads as a path from the top of the repository."""
    names = re.findall(
        r"`((?:harness|tests|docs|fixtures|ios_runner|benchmarks)/[\w./-]+)`", path.read_text("utf-8")
    )
    # What `make fixtures` brings is not in the repository.
    missing = [
        name for name in names if not (_ROOT / name).exists() and not name.startswith("fixtures/cache")
    ]
    assert missing == []


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (Union, types.UnionType, tuple):
        for part in get_args(annotation):
            yield from _models(part)


def _keys(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield field.alias or name
        for inner in _models(field.annotation):
            yield from _keys(inner)


@pytest.mark.parametrize("key", sorted(set(_keys(Suite))))
def test_every_key_of_a_suite_is_documented(key: str) -> None:
    text = (_ROOT / "docs" / "suite.md").read_text(encoding="utf-8")
    assert re.search(
        rf"(?<!\w){key}(?!\w)", " ".join(_CODE.findall(text)) + " ".join(re.findall(r"^#+ .*$", text, re.M))
    )


def test_the_keys_of_a_suite_are_found() -> None:
    assert {"version", "preprocess", "crop_fraction", "hold_out", "min_seconds", "max_factor"} <= set(
        _keys(Suite)
    )


@pytest.mark.parametrize("value", [*Recipe, *Metric], ids=str)
def test_every_value_of_a_suite_is_documented(value: Recipe | Metric) -> None:
    assert f"`{value.value}`" in (_ROOT / "docs" / "suite.md").read_text(encoding="utf-8")


def test_the_layout_names_what_is_there() -> None:
    """The folders and modules of docs/architecture.md."""
    text = (_ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    (block,) = [block for _, block in _FENCE.findall(text) if block.startswith("harness/")]
    top = ""
    for line in block.splitlines():
        name = line.split()[0]
        if not line.startswith(" "):
            top = name
            assert (_ROOT / name).exists(), name
        elif top == "harness/":
            assert (_ROOT / "harness" / name).exists(), name
