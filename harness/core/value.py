"""The base of every record that is written to disk: frozen, strict, closed."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """A frozen record. Unknown keys and silently converted types are refused.

    JSON has no tuples and no enums, so those two are read from arrays and strings
    (``model_validate_json`` is strict and still accepts them).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
