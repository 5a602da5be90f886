"""A run as in life: five variants of an image classifier, 500 inputs, a crash, an undecided rule."""

from __future__ import annotations

import hashlib

from harness.core.events import Device, Memory, Runtime, Stage, TargetClass
from harness.core.finding import Finding, FindingKind
from harness.core.jobs import Blob, PixelEncoding, RunSettings, StopRule
from harness.core.measurements import (
    Agreement,
    Disagreement,
    Estimate,
    Interval,
    Latency,
    Measurement,
    MemoryFigures,
    NotMeasured,
    PairedAccuracy,
    Percentiles,
    Proportion,
)
from harness.core.policy import Metric, Policy, Rule
from harness.core.report import RunReport
from harness.core.runs import Host, Plan, SkippedInput, SourceRecord
from harness.core.stats import clopper_pearson, mcnemar_exact, paired_drop
from harness.core.variants import Build, Recipe, Variant
from harness.core.verdict import Answer, RuleResult, Verdict
from harness.core.workload import Task, Workload, WorkloadInput

INPUTS, ORIGINALS, LABELLED = 500, 100, 100
LABELS = (
    "tiger cat",
    "tabby",
    "Egyptian cat",
    "espresso",
    "cup",
    "moped",
    "motor scooter",
    "missile",
    "tripod",
)


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def estimate(value: float, low: float, high: float) -> Estimate:
    return Estimate(value=value, interval=Interval(low=low, high=high))


def milliseconds(value: float, below: float, above: float) -> Estimate:
    return estimate(value * 1e6, (value - below) * 1e6, (value + above) * 1e6)


def proportion(successes: int, trials: int) -> Proportion:
    return Proportion(successes=successes, trials=trials, interval=clopper_pearson(successes, trials))


def variant(recipe: Recipe, file_bytes: int, compressed_bytes: int) -> Variant:
    return Variant(
        name=recipe.value,
        recipe=recipe,
        model=Blob(sha256=sha256(recipe.value), bytes=file_bytes),
        compressed_bytes=compressed_bytes,
        build=Build(duration_s=9.0, cached=False, tools={"tensorflow": "2.21.0"}),
    )


def disagreement(
    index: int,
    reference: int,
    other: int | None,
    score: float,
    margin: float | None,
    truth: int | None = None,
) -> Disagreement:
    return Disagreement(
        input_index=index,
        input_name=f"kitchen_{index:04}.jpg#view{index % 5}",
        reference_class=reference,
        variant_class=other,
        reference_score=score,
        variant_score=None if other is None else score - 0.01,
        margin=margin,
        truth=truth,
    )


def measurement(
    built: Variant,
    p50: Estimate,
    p90: Estimate,
    p99: Estimate | None,
    stages_ms: tuple[float, float, float],
    peak_bytes: int | None,
    disagreements: tuple[Disagreement, ...],
    kl: float | None,
    difference: float,
    only_reference_right: int = 0,
    only_variant_right: int = 0,
) -> Measurement:
    load, compile_, first = (
        tuple(int(ms * 1e6 * factor) for factor in (1.02, 1.0, 0.97)) for ms in stages_ms
    )
    right = 86 - only_reference_right + only_variant_right
    return Measurement(
        variant=built,
        device=Device(
            target_class=TargetClass.IPHONE,
            model="iPhone15,4",
            os="iOS",
            os_version="26.1",
            cpu="Apple A16",
            logical_cores=6,
            performance_cores=2,
            memory_bytes=5_900_000_000,
        ),
        runtime=Runtime(name="LiteRT", version="2.3.0", library="libLiteRt.dylib"),
        threads=2,
        confidence=0.95,
        latency=Latency(
            steady=Percentiles(samples=1500 if p99 else 500, p50=p50, p90=p90, p99=p99),
            load_ns=load,
            compile_ns=compile_,
            first_run_ns=first,
            warmup_runs=60,
            round_p50_ns=(p50.value, p50.value * 1.001, p50.value * 0.999),
        ),
        memory=MemoryFigures(
            by_stage={Stage.LOAD: Memory(footprint_bytes=20_000_000)},
            peak_bytes=peak_bytes,
            peak_kind=None if peak_bytes is None else "peak_footprint_bytes",
            peak_bytes_by_round=() if peak_bytes is None else (peak_bytes,),
        ),
        agreement=Agreement(
            top1=proportion(INPUTS - len(disagreements), INPUTS),
            top5=proportion(INPUTS, INPUTS),
            mean_kl_divergence_nats=kl,
            largest_absolute_difference=difference,
            invalid_outputs=0,
            constant_output=False,
            disagreements=disagreements,
        ),
        accuracy=PairedAccuracy(
            variant=proportion(right, LABELLED),
            reference=proportion(86, LABELLED),
            only_reference_right=only_reference_right,
            only_variant_right=only_variant_right,
            drop=paired_drop(only_reference_right, only_variant_right, LABELLED),
            mcnemar_p=mcnemar_exact(only_reference_right, only_variant_right),
        ),
        repeat_mismatches=0,
    )


def results() -> tuple[Measurement | NotMeasured, ...]:
    int8 = tuple(disagreement(10 + i, i % 9, (i + 1) % 9, 0.61 - i / 40, 0.27 - i / 50) for i in range(13))
    int8 = (int8[0].model_copy(update={"truth": 0}), int8[1].model_copy(update={"truth": 2}), *int8[2:])
    dynamic = tuple(disagreement(40 + i, (i + 3) % 9, i % 9, 0.42 - i / 50, 0.11 - i / 50) for i in range(5))
    return (
        measurement(
            variant(Recipe.FLOAT32, 18_573_112, 17_204_900),
            milliseconds(4.3123, 0.018, 0.021),
            milliseconds(4.522, 0.05, 0.09),
            milliseconds(5.1, 0.2, 0.4),
            (1.21, 14.2, 6.9),
            61_243_392,
            (),
            2.1e-9,
            2.4e-6,
        ),
        measurement(
            variant(Recipe.FLOAT16, 9_331_208, 8_590_210),
            milliseconds(4.3301, 0.02, 0.02),
            milliseconds(4.561, 0.06, 0.06),
            milliseconds(5.2, 0.2, 0.5),
            (0.812, 24.9, 7.1),
            72_417_280,
            (disagreement(77, 3, 4, 0.402, 0.0011),),
            4.4e-7,
            0.00121,
        ),
        measurement(
            variant(Recipe.DYNAMIC_INT8, 5_012_440, 4_120_330),
            milliseconds(3.104, 0.03, 0.04),
            milliseconds(3.31, 0.05, 0.12),
            None,
            (0.61, 9.3, 5.2),
            33_210_368,
            dynamic,
            0.00312,
            0.0871,
            only_reference_right=2,
            only_variant_right=1,
        ),
        measurement(
            variant(Recipe.INT8, 5_271_072, 4_410_020),
            milliseconds(1.873, 0.011, 0.013),
            milliseconds(1.95, 0.02, 0.04),
            milliseconds(2.4, 0.1, 0.3),
            (0.598, 7.7, 3.1),
            26_804_224,
            int8,
            0.0187,
            0.214,
            only_reference_right=4,
            only_variant_right=1,
        ),
        NotMeasured(
            outcome="failed",
            name="int16x8",
            stage=Stage.COMPILE,
            code="crashed",
            problem="the runner died of signal 11 (SIGSEGV)",
            next_step="Leave the recipe out, or build it with another LiteRT version.",
            variant=variant(Recipe.INT16X8, 5_300_000, 4_500_000),
        ),
    )


AGREEMENT = Rule(metric=Metric.TOP1_AGREEMENT, limit=0.95)
DROP = Rule(metric=Metric.ACCURACY_DROP, limit=0.01)
LATENCY = Rule(metric=Metric.P90_LATENCY, limit=5e6, target_class=TargetClass.IPHONE)
SIZE = Rule(metric=Metric.COMPRESSED_SIZE, limit=0.3, relative_to="float32")


def verdict() -> Verdict:
    int8_drop = paired_drop(4, 1, LABELLED)
    undecided = (
        "int8 has accuracy drop 3 % (95 % interval -1.966 % to 8.5 %); the limit is at most 1 %. "
        "About 3100 more inputs would decide it, if the value stays."
    )
    ok = Answer.PASS
    judged = (
        RuleResult(
            variant="float16",
            rule=AGREEMENT,
            answer=ok,
            reason="r.",
            value=0.998,
            interval=Interval(low=0.989, high=1),
        ),
        RuleResult(
            variant="float16",
            rule=SIZE,
            answer=Answer.FAIL,
            reason="float16 has compressed size 0.4993x of float32; the limit is at most 0.3x.",
            value=0.4993,
        ),
        RuleResult(
            variant="int8",
            rule=AGREEMENT,
            answer=ok,
            reason="r.",
            value=0.974,
            interval=proportion(487, 500).interval,
        ),
        RuleResult(
            variant="int8",
            rule=DROP,
            answer=Answer.UNDECIDED,
            reason=undecided,
            value=int8_drop.value,
            interval=int8_drop.interval,
            further_inputs=3100,
        ),
        RuleResult(
            variant="int8",
            rule=LATENCY,
            answer=ok,
            reason="r.",
            value=1.95e6,
            interval=Interval(low=1.93e6, high=1.99e6),
        ),
        RuleResult(variant="int8", rule=SIZE, answer=ok, reason="r.", value=0.2563),
        RuleResult(
            variant="dynamic-int8",
            rule=AGREEMENT,
            answer=ok,
            reason="r.",
            value=0.99,
            interval=proportion(495, 500).interval,
        ),
        RuleResult(
            variant="dynamic-int8",
            rule=LATENCY,
            answer=ok,
            reason="r.",
            value=3.31e6,
            interval=Interval(low=3.26e6, high=3.43e6),
        ),
    )
    return Verdict(
        answer=Answer.UNDECIDED,
        reason=undecided,
        results=judged,
        releasable=("dynamic-int8",),
        policy=Policy(rules=(AGREEMENT, DROP, LATENCY, SIZE), candidates=("dynamic-int8", "int8")),
    )


def found() -> tuple[Finding, ...]:
    def noisy(name: str, spread: str) -> Finding:
        return Finding(
            kind=FindingKind.NOISY,
            variant=name,
            message=f"the latencies spread by {spread} of their median",
            advice="Close other apps, let the phone cool, and add rounds.",
            severity="warning",
        )

    return (
        Finding(
            kind=FindingKind.VIEWS_NOT_INDEPENDENT,
            variant=None,
            message="500 inputs are views of 100 originals",
            advice="Read the intervals as those of 100 to 500 inputs.",
            severity="note",
        ),
        noisy("float16", "12 %"),
        Finding(
            kind=FindingKind.THERMAL,
            variant="int8",
            message="the phone reported the thermal state fair in 2 of 9 blocks",
            advice="Let it cool for five minutes and run again.",
            severity="warning",
        ),
        noisy("dynamic-int8", "17 %"),
    )


def report() -> RunReport:
    encoding = PixelEncoding(shape=(224, 224, 3), mean=(127.0,) * 3, scale=(128.0,) * 3)
    stop = StopRule(min_runs=100, min_duration_ns=10**9)
    return RunReport(
        plan=Plan(
            run_id="20261120-101112-effnet-4f2a",
            created_unix_ns=1_795_169_472 * 10**9,
            harness_version="0.1.0",
            suite_name="effnet-lite0",
            suite_path="suites/effnet.toml",
            suite_toml="",
            host=Host(
                system="Linux", machine="x86_64", cpu="Xeon", logical_cores=2, python="3.11.9", packages={}
            ),
            source=SourceRecord(
                path="models/effnet.keras", format="keras", sha256=sha256("s"), bytes=18_826_032
            ),
            target="iphone",
            rounds=3,
            seed=7,
            settings=RunSettings(threads=2, warmup=stop, steady=stop),
        ),
        target_description="Ada's iPhone",
        target_class=TargetClass.IPHONE,
        workload=Workload(
            task=Task.IMAGE_CLASSIFICATION,
            inputs=tuple(
                WorkloadInput(
                    name=f"kitchen_{index:04}.jpg#view{index % 5}",
                    group=f"kitchen_{index // 5:04}.jpg",
                    truth=index % 9 if index < LABELLED else None,
                )
                for index in range(INPUTS)
            ),
            records=Blob(sha256=sha256("records"), bytes=INPUTS * encoding.record_bytes),
            encoding=encoding,
            labels=LABELS,
        ),
        reference_engine="keras 3.15.1 / tensorflow 2.21.0",
        skipped_inputs=(SkippedInput(file="photos/broken.jpg", reason="the file is truncated"),),
        results=results(),
        reference_variant="float32",
        findings=found(),
        verdict=verdict(),
        jobs_done=15,
        jobs_planned=15,
        measuring_ns=74_000_000_000,
        inference_ns=31_000_000_000,
    )
