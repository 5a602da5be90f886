"""What a worker answered: read strictly, since it may be of another release, or nobody's friend."""

from __future__ import annotations

from pydantic import ValidationError

import harness.errors
from harness.cluster.messages import ANSWER, AnyAnswer, Refused
from harness.errors import HarnessError, TargetError, WireError
from harness.wire.strict_json import explain, parse_object

Answer = tuple[AnyAnswer, tuple[bytes, ...]]
"""And the bytes beside it."""


def read_answer(raw: object) -> Answer:
    """An answer as a worker gave it.

    Raises:
        HarnessError: what the worker says.
        WireError: it is no answer.
    """
    problem = "is no tuple of bytes"
    if isinstance(raw, tuple | list) and raw and all(isinstance(one, bytes) for one in raw):
        try:
            parse_object(raw[0])
            answer = ANSWER.validate_json(raw[0])
        except ValidationError as error:
            problem = explain(error)
        except ValueError as error:
            problem = str(error)
        else:
            if isinstance(answer, Refused):
                raise _refusal(answer)
            return answer, tuple(raw[1:])
    raise WireError(
        f"a worker's answer cannot be read: {problem}",
        where="cluster",
        next_step="Install the same release of the harness on every machine of the cluster.",
    )


def _refusal(answer: Refused) -> HarnessError:
    kind = getattr(harness.errors, answer.kind, None)
    if not (isinstance(kind, type) and issubclass(kind, HarnessError)):
        kind = TargetError
    return kind(answer.problem, where=answer.where, next_step=answer.next_step)
