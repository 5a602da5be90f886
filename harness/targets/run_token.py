"""A run's own token: by it a phone's or a worker's job folders are known to be this run's."""

from __future__ import annotations

import secrets
from pathlib import Path

from harness.core.value import Value
from harness.wire.strict_json import read_value, write_value

_TOKEN_FILE = "phone_token.json"


class RunToken(Value):
    """``<run>/phone_token.json``."""

    token: str


def run_token(root: Path) -> str:
    """The token of the run in ``root``, made when its first job leaves this machine: 32 hexadecimal digits."""
    path = root / _TOKEN_FILE
    if not path.is_file():
        write_run_token(root, secrets.token_hex(16))
    return read_value(path, RunToken, next_step="Start a new run.").token


def write_run_token(root: Path, token: str) -> None:
    """Make ``token`` that of the run in ``root``, which is another machine's."""
    write_value(root / _TOKEN_FILE, RunToken(token=token))
