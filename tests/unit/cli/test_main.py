"""From whatever ends a verb to a message and an exit status."""

from __future__ import annotations

import errno

import click
import pytest

from harness.cli import main
from harness.errors import BuildError, ModelError, RunError, TargetError, UsageError

EXPLAINED = [
    (UsageError("u", next_step="n"), 2, "error: u"),
    (ModelError("m", where="file.tflite", next_step="n"), 2, "error: file.tflite: m"),
    (RunError("r", next_step="n"), 2, "error: r"),
    (BuildError("b", next_step="n"), 3, "error: b"),
    (TargetError("t", next_step="n"), 4, "error: t"),
    (OSError(errno.ENOSPC, "No space left on device", "/full"), 2, "error: /full: No space left on device"),
    (click.UsageError("w"), 2, "error: w"),
]


def ending(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> int:
    def end(**arguments: object) -> None:
        raise error

    monkeypatch.setattr(main.cli, "main", end)
    return main.run_cli([])


@pytest.mark.parametrize(("error", "status", "line"), EXPLAINED, ids=lambda value: type(value).__name__)
def test_what_a_user_can_cause_is_explained(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    status: int,
    line: str,
) -> None:
    assert ending(monkeypatch, error) == status
    out, err = capsys.readouterr()
    first, second = err.splitlines()
    assert out == "" and first == line and second.startswith("next:  ")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.exceptions.Abort()], ids=["signal", "prompt"])
def test_an_interrupt_is_130(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    assert ending(monkeypatch, error) == 130


@pytest.mark.parametrize("error", [ZeroDivisionError(), OSError(errno.EBADF, "bad"), KeyError("k")])
def test_a_fault_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    with pytest.raises(type(error)):
        ending(monkeypatch, error)


def test_every_verb_exists_and_says_what_it_is_for() -> None:
    context = click.Context(main.cli)
    for name in main.cli.list_commands(context):
        command = main.cli.get_command(context, name)
        assert command is not None and command.name == name
        assert command.get_short_help_str()
        options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
        assert [option.name for option in options if not option.help] == []
