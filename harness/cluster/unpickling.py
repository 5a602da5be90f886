"""What Dask may unpickle in a process of the harness: the names that its own messages need, and nothing else.

Dask's messages are pickles, and a pickle calls whatever it names. Here every name that any unpickler of the process
looks up is checked by an audit hook (https://docs.python.org/3/library/audit_events.html, ``pickle.find_class``): it
cannot be taken off again, and no way of unpickling goes round it. So a worker's tasks can only be calls of
``harness.cluster.entry``, whose argument is JSON.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from typing import Final

logger = logging.getLogger(__name__)

_ENTRY: Final = ("harness.cluster.entry", "perform")

# A task names its function; Alias stands for a result of another task; the types are those of what is carried beside.
WORKER_NAMES: Final = frozenset(
    {
        _ENTRY,
        ("builtins", "bytes"),
        ("builtins", "tuple"),
        ("dask._task_spec", "Alias"),
        ("dask._task_spec", "Task"),
    }
)
# The scheduler also takes a graph apart.
SCHEDULER_NAMES: Final = frozenset(
    {*WORKER_NAMES, ("dask._expr", "Expr._reconstruct"), ("dask._expr", "LLGExpr")}
)
# A client reads bytes, and nothing of what a worker may have raised.
CLIENT_NAMES: Final = frozenset({("builtins", "bytes"), ("builtins", "tuple")})


class RefusedPickleError(TypeError):
    """A pickle named something that no message of the harness names.

    A ``TypeError``, because Dask takes that for an exception that it cannot show and goes on.
    """


def unpickle_only(names: Iterable[tuple[str, str]]) -> None:
    """From now on no pickle in this process may look up anything but ``names`` (module, qualified name).

    It cannot be undone. A later call can only narrow what may be unpickled.
    """
    # Dask itself unpickles functions of its own while these are imported.
    import distributed  # noqa: F401

    allowed = frozenset(names)

    def refuse(event: str, arguments: tuple[object, ...]) -> None:
        if event == "pickle.find_class" and arguments not in allowed:
            logger.warning("refused a pickle that names %s", ".".join(map(str, arguments)))
            raise RefusedPickleError(f"a pickle names {'.'.join(map(str, arguments))}, which is not allowed")

    sys.addaudithook(refuse)
