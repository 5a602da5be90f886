"""What a page shows beside the report: samples, conditions, and what the inputs that matter look like."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from harness.core.events import Profile
from harness.core.explanation import Explanation
from harness.core.joblog import JobLog
from harness.core.jobs import PixelEncoding
from harness.core.measurements import Measurement, result_name
from harness.core.sample_series import SampleSeries, origin_unix_ns, sample_series, weather
from harness.pipeline.evaluate import Evaluation, suite_of
from harness.render.html.disagreement_cards import most_important_inputs
from harness.render.html.exhibits import Exhibits, Picture
from harness.store import RunFolder
from harness.wire.job_folder import job_folder, read_job
from harness.workloads.thumbnails import MIME_TYPE, thumbnail


def exhibits(
    folder: RunFolder, evaluated: Evaluation, *, pictures: bool = True, samples_file: str | None = None
) -> Exhibits:
    """Of a stored run. ``pictures`` of the inputs in dispute are made from the pixels in the run's folder."""
    origin_ns = origin_unix_ns(evaluated.logs)
    wanted = most_important_inputs(evaluated.report) if pictures else ()
    return Exhibits(
        series=tuple(all_series(evaluated)),
        weather=tuple(weather(evaluated.logs, origin_ns)),
        pictures=_pictures(folder, evaluated, wanted),
        profiles=_profiles(evaluated.logs),
        explanations=tuple(explanations(folder, evaluated)),
        samples_file=samples_file,
    )


def all_series(evaluated: Evaluation) -> list[SampleSeries]:
    """Of every variant that ran, in the order of the report."""
    origin_ns = origin_unix_ns(evaluated.logs)
    in_report = [result_name(result) for result in evaluated.report.results]
    ran = {log.variant for log in evaluated.logs}
    return [sample_series(name, evaluated.logs, origin_ns) for name in in_report if name in ran]


def _pictures(folder: RunFolder, evaluated: Evaluation, wanted: Sequence[int]) -> dict[int, Picture]:
    """None where the inputs are no pictures or their bytes are gone: the page then names them only."""
    encoding = evaluated.report.workload.encoding
    preprocess = suite_of(folder).workload.preprocess
    if not isinstance(encoding, PixelEncoding) or preprocess is None:
        return {}
    found: dict[int, Picture] = {}
    missing = set(wanted)
    for log in evaluated.logs:
        here = [(record, index) for record, index in enumerate(log.inputs.tolist()) if index in missing]
        if not here:
            continue
        blob = read_job(job_folder(folder.path, log.job_id)).inputs[0].blob
        if not folder.blobs.has(blob):
            continue
        records = np.memmap(
            folder.blobs.path(blob), np.uint8, mode="r", shape=(log.input_count, *encoding.shape)
        )
        for record, index in here:
            found[index] = Picture(MIME_TYPE, thumbnail(records[record], preprocess.channels))
            missing.discard(index)
    return found


def explanations(folder: RunFolder, evaluated: Evaluation) -> Iterator[Explanation]:
    """Those that are stored in the run, in the order of the report."""
    for result in evaluated.report.results:
        if isinstance(result, Measurement) and (found := folder.explanation(result.variant.name)) is not None:
            yield found


def _profiles(logs: Iterable[JobLog]) -> dict[str, tuple[Profile, ...]]:
    found: dict[str, tuple[Profile, ...]] = {}
    for log in logs:
        taken = tuple(event for event in log.events if isinstance(event, Profile))
        if taken:
            found[log.variant] = (*found.get(log.variant, ()), *taken)
    return found
