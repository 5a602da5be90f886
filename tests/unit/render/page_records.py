"""A report with everything a page can show, and texts that try to be more than text."""

from __future__ import annotations

import io

import numpy as np
import render_records
from PIL import Image

from harness.core.events import Conditions, OperationTime, Profile
from harness.core.explanation import Explanation, Factor, Link
from harness.core.layer_blame import OperationError, rank
from harness.core.report import RunReport
from harness.core.sample_series import SampleSeries, Stretch, Weather
from harness.render.html.exhibits import Exhibits, Picture

HOSTILE = '<img src=x onerror="document.title=1"></script><script>document.title="owned"</script>{{7*7}}&amp;'
HOSTILE_LABEL = "<b>tiger</b> \"cat'"


def hostile_report() -> RunReport:
    """As ``render_records.report``, but whoever names things there means ill."""
    report = render_records.report()
    inputs = tuple(
        one.model_copy(update={"name": HOSTILE}) if index == 10 else one
        for index, one in enumerate(report.workload.inputs)
    )
    results = list(report.results)
    int8 = results[3]
    assert int8.outcome == "measured"
    renamed = tuple(
        one.model_copy(update={"input_name": HOSTILE}) if one.input_index == 10 else one
        for one in int8.agreement.disagreements
    )
    results[3] = int8.model_copy(
        update={
            "agreement": int8.agreement.model_copy(update={"disagreements": renamed}),
            "device": int8.device.model_copy(update={"model": HOSTILE}),
        }
    )
    return report.model_copy(
        update={
            "results": tuple(results),
            "target_description": HOSTILE,
            "workload": report.workload.model_copy(
                update={"inputs": inputs, "labels": (HOSTILE_LABEL, *render_records.LABELS[1:])}
            ),
            "plan": report.plan.model_copy(update={"suite_toml": HOSTILE}),
        }
    )


def series(variant: str = "int8", samples: int = 300, median_ms: float = 1.9, seed: int = 0) -> SampleSeries:
    """Three rounds, the first fifth of each warm-up; one sample is far slower than all others."""
    random = np.random.default_rng(seed)
    latencies = (median_ms * 1e6 * random.lognormal(0, 0.05, samples)).astype(np.int64)
    latencies[samples // 2] *= 9
    share = samples // 3
    stretches = tuple(
        Stretch(first, count, round_index, 0, steady)
        for round_index in range(3)
        for first, count, steady in (
            (round_index * share, share // 5, False),
            (round_index * share + share // 5, share - share // 5, True),
        )
    )
    started = np.concatenate(([0], np.cumsum(latencies)[:-1]))
    inputs = np.arange(samples, dtype=np.int64) % render_records.INPUTS
    return SampleSeries(variant, latencies, inputs, started, stretches)


def picture(seed: int = 0) -> Picture:
    written = io.BytesIO()
    noise = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), np.uint8)
    Image.fromarray(noise).save(written, format="PNG")
    return Picture("image/png", written.getvalue())


def exhibits(samples: int = 300) -> Exhibits:
    medians = {"float32": 4.3, "float16": 4.3, "dynamic-int8": 3.1, "int8": 1.9}
    every = tuple(
        series(name, samples, median_ms, seed) for seed, (name, median_ms) in enumerate(medians.items())
    )
    times = tuple(
        OperationTime(name=name, delegated=index > 0, runs=10, total_ns=1_000_000 * (index + 1))
        for index, name in enumerate((HOSTILE, "CONV_2D", "SOFTMAX"))
    )
    return Exhibits(
        series=every,
        weather=tuple(
            Weather(second * 10**8, "int8", Conditions(other_cpu_fraction=0.1, thermal_state="fair"))
            for second in range(10)
        ),
        pictures={index: picture(index) for index in (10, 11, 12)},
        profiles={
            "int8": (
                Profile(
                    t_ns=1,
                    runs=10,
                    invocations_ns=20_000_000,
                    operations=3,
                    delegated_operations=2,
                    partitions=1,
                    times=times,
                ),
            )
        },
        explanations=(explanation(),),
    )


def explanation() -> Explanation:
    """Quantization explains all; the last operation is blamed, and its tensor has an ill name."""
    link = Link(
        factor=Factor.QUANTIZATION,
        a="float32 by LiteRT",
        b="int8 by LiteRT",
        agreement=render_records.proportion(487, 500),
        largest_difference=0.2,
        bit_identical=False,
        explains=13,
    )
    layers = (
        OperationError(index=1, op="SOFTMAX", tensor=HOSTILE, error=0.3, input_error=0.02, shape=(1, 9)),
        OperationError(index=0, op="CONV_2D", tensor="conv1", error=0.02, input_error=0.0, shape=(1, 8)),
    )
    return Explanation(
        run_id="20261120-101112-effnet-4f2a",
        variant="int8",
        target_class="iphone",
        inputs=render_records.INPUTS,
        disagreements=13,
        links=(link,),
        beside=(),
        preprocessing=(),
        not_crossed=(),
        tolerance=0.1,
        layers=rank(layers, tolerance=0.1),
        layer_inputs=4,
    )
