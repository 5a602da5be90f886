"""What a page shows beside the report's value: samples one by one, conditions, and what the inputs look like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.core.events import Profile
from harness.core.explanation import Explanation
from harness.core.sample_series import SampleSeries, Weather


@dataclass(frozen=True, slots=True)
class Picture:
    """A small picture of an input as the model saw it."""

    mime_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Exhibits:
    """``pictures`` are by the index of the input, ``profiles`` by variant.

    ``samples_file`` is the name of a file beside the page that holds all samples where the page cannot.
    """

    series: tuple[SampleSeries, ...] = ()
    weather: tuple[Weather, ...] = ()
    pictures: Mapping[int, Picture] = field(default_factory=dict)
    profiles: Mapping[str, tuple[Profile, ...]] = field(default_factory=dict)
    explanations: tuple[Explanation, ...] = ()
    samples_file: str | None = None
