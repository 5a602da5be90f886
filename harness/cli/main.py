"""The entry point: finds the verb, runs it, and turns what a user can cause into a message and an exit status."""

from __future__ import annotations

import errno
import importlib
import signal
import sys
from types import FrameType
from typing import Any

import click

from harness import __version__
from harness.errors import ExitStatus, HarnessError, UsageError

# As a shell shows a command that SIGPIPE ended: neither a pass nor a fail.
_BROKEN_PIPE = 128 + 13
_MENDED_BY_THE_USER = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EEXIST,
    errno.ENAMETOOLONG,
    errno.EMFILE,
    errno.EIO,
}

_VERBS = {
    "run": "Build, run, measure and judge a suite; or resume a run.",
    "build": "Build a suite's variants and show their sizes.",
    "label": "Label photos or typed texts with a model: the five best classes of each.",
    "inspect": "Show what a model file holds: interface, ops, weights, metadata.",
    "check": "Find the ops of a model that the phone's runtime lacks.",
    "report": "Show a stored run.",
    "gate": "Judge a stored run again, by its own or another policy.",
    "compare": "Compare two stored runs.",
    "explain": "Tell why a variant's labels differ from the reference's.",
    "rescue": "Search the smallest mixed form of a variant that meets the policy.",
    "history": "Show how the figures went over the stored runs.",
    "push": "Send a run to the store where runs gather.",
    "pull": "Bring a run from the store where runs gather.",
    "baseline": "Keep the runs that releases are compared with.",
    "emoji": "Train a model that suggests emoji for a text, and export it.",
    "transform": "Prepare a graph: strip, fold, round, memory-map, restore, freeze, compare.",
    "virtual-iphone": "A phone on loopback, to try the pipeline with no phone at hand.",
    "worker": "Put this machine's phones and cores into a cluster.",
    "scheduler": "Run the scheduler of a cluster.",
    "devices": "List the attached iPhones and how each stands.",
    "certificates": "Make and show the certificates of a lab's machines.",
    "camera": "Put a variant on an iPhone for the app's live screens.",
    "install": "Install or update the runner app on an iPhone.",
    "doctor": "Check what is here, what is missing, and what to do next.",
    "completion": "Print the shell completion script.",
}


class _LazyGroup(click.Group):
    """Imports a verb's module only when that verb is used, so that ``--help`` stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _VERBS:
            return None
        command = importlib.import_module(f"harness.cli.{cmd_name.replace('-', '_')}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_VERBS.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="harness")
def cli() -> None:
    """Tells, with numbers, whether a model still does its job on the device it ships to.

    Exit status: 0 pass, 1 fail, 2 wrong use or bad input, 3 undecided or incomplete, 4 target or device trouble.
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit."""
    # What ends a CI job ends the runner too, and leaves a run that can be resumed.
    signal.signal(signal.SIGTERM, _interrupt)
    sys.exit(run_cli(arguments))


def run_cli(arguments: list[str] | None = None) -> int:
    """The exit status of ``harness ARGUMENTS``. The only place where errors become messages."""
    try:
        result: Any = cli.main(args=arguments, prog_name="harness", standalone_mode=False)
    except HarnessError as error:
        _explain(error)
        return int(error.exit_status)
    except click.exceptions.Abort:
        click.echo("Interrupted.", err=True)
        return int(ExitStatus.INTERRUPTED)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return int(ExitStatus.USAGE)
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        _explain(_wrong_use(error.format_message(), context.command_path if context else "harness"))
        return int(ExitStatus.USAGE)
    except KeyboardInterrupt:
        click.echo("Interrupted.", err=True)
        return int(ExitStatus.INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output went away (``| head``): there is nobody left to tell.
        sys.stderr.close()
        return _BROKEN_PIPE
    except SystemExit:
        # How rich answers a broken pipe; nothing else below raises it.
        return _BROKEN_PIPE
    except OSError as error:
        if error.errno not in _MENDED_BY_THE_USER:
            raise
        _explain(
            HarnessError(
                f"{error.strerror}",
                where=str(error.filename) if error.filename else None,
                next_step="Check the path, its permissions and the free space on the disk.",
            )
        )
        return int(ExitStatus.USAGE)
    return int(result) if isinstance(result, int) else int(ExitStatus.PASS)


def _wrong_use(problem: str, command: str) -> UsageError:
    return UsageError(problem.rstrip("."), next_step=f"{command} --help")


def _interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt


def _explain(error: HarnessError) -> None:
    where = f"{error.where}: " if error.where else ""
    click.echo(f"{click.style('error:', fg='red', bold=True)} {_shown(where + error.problem)}", err=True)
    click.echo(f"{click.style('next:', fg='cyan', bold=True)}  {_shown(error.next_step)}", err=True)


def _shown(text: str) -> str:
    """``text`` without what a terminal might obey: a device or another machine may have said it."""
    return "".join(char if char.isprintable() or char == "\n" else ascii(char)[1:-1] for char in text)
