"""How far a variant's tensors are from the reference variant's, tensor by tensor in the order they are computed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from harness.core.jobs import Count, PositiveCount
from harness.core.value import Value
from harness.core.variants import VariantName

Difference = Annotated[float, Field(ge=0)]


class LayerDifference(Value):
    """One tensor. ``relative_error`` is the root mean square of the difference over that of the reference's values;
    absent where the reference is all zero or the variant's values are not finite.

    ``blamed``: it differs although what it is computed from does not.
    """

    tensor: Annotated[str, Field(min_length=1)]
    operation: str
    largest_absolute_difference: Difference | None
    relative_error: Difference | None
    blamed: bool = False


class LayerDifferences(Value):
    """Of ``variant`` against ``reference``, over ``inputs`` inputs. Tensors that only one of them has are left out."""

    layers_version: Literal[1] = 1
    variant: VariantName
    reference: VariantName
    inputs: PositiveCount
    left_out: Count = 0
    layers: tuple[LayerDifference, ...]
