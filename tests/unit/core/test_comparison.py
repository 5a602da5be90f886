from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from core_records import SHA, device, measurement, workload

from harness.core.changes import PROPORTIONS, Change, ComparedFigure, Conclusion, Criterion, Method
from harness.core.comparison import Comparison, Mismatch, compare, worse
from harness.core.events import TargetClass
from harness.core.jobs import Blob, RunSettings, StopRule
from harness.core.measurements import Disagreement, Disturbance, Measurement, NotMeasured, Result
from harness.core.policy import Policy
from harness.core.report import RunReport
from harness.core.runs import Host, Plan, SourceRecord
from harness.core.stats import mcnemar_exact, paired_drop
from harness.core.verdict import Answer, Verdict

INPUTS = 100
Rounds = list[np.ndarray]


def run(
    results: Sequence[Result],
    run_id: str = "a",
    *,
    threads: int = 2,
    target_class: TargetClass = TargetClass.LOCAL,
    truths: Sequence[int | None] = (0,) * INPUTS,
    records: str = SHA,
    source: str = SHA,
) -> RunReport:
    stop = StopRule(min_runs=1, min_duration_ns=0)
    inputs = workload(truths)
    return RunReport(
        plan=Plan(
            run_id=run_id,
            created_unix_ns=0,
            harness_version="0.1.0",
            suite_name="s",
            suite_path="s.toml",
            suite_toml="",
            host=Host(system="s", machine="m", cpu="c", logical_cores=1, python="3.11", packages={}),
            source=SourceRecord(path="m.keras", format="keras", sha256=source, bytes=1),
            target="local",
            rounds=4,
            seed=0,
            settings=RunSettings(threads=threads, warmup=stop, steady=stop),
        ),
        target_description="this machine",
        target_class=target_class,
        workload=inputs.model_copy(update={"records": Blob(sha256=records, bytes=len(truths))}),
        reference_engine="keras",
        skipped_inputs=(),
        results=tuple(results),
        reference_variant=None,
        findings=(),
        verdict=Verdict(answer=Answer.UNDECIDED, reason="r", results=(), releasable=(), policy=Policy()),
        jobs_done=1,
        jobs_planned=1,
        measuring_ns=0,
        inference_ns=0,
    )


def latencies(scale: float, seed: int = 1, rounds: int = 6, count: int = 100) -> Rounds:
    generator = np.random.default_rng(seed)
    return [(scale * 1e6 * generator.lognormal(0, 0.02, count)).astype(np.int64) for _ in range(rounds)]


def of_rounds(rounds: Rounds, **rest: Any) -> Measurement:
    return measurement(rounds=[one.tolist() for one in rounds], **rest)


def compared(
    rounds_a: Rounds,
    rounds_b: Rounds,
    *,
    effect: float = 0.05,
    a: Result | None = None,
    b: Result | None = None,
) -> Comparison:
    return compare(
        run([a or of_rounds(rounds_a)]),
        run([b or of_rounds(rounds_b)], "b"),
        criterion=Criterion(effect=effect),
    )


def change(comparison: Comparison, figure: ComparedFigure) -> Change:
    (variant,) = comparison.variants
    return next(one for one in variant.changes if one.figure is figure)


def figures_of(comparison: Comparison) -> set[ComparedFigure]:
    return {one.figure for variant in comparison.variants for one in variant.changes}


SIZES = {ComparedFigure.FILE_SIZE, ComparedFigure.COMPRESSED_SIZE}


@pytest.mark.parametrize(
    ("scale", "effect", "conclusion"),
    [
        (0.7, 0.05, Conclusion.FASTER),
        (1.3, 0.05, Conclusion.SLOWER),
        (1.0, 0.05, Conclusion.EQUIVALENT),
        # Beyond doubt three percent, and yet below the effect asked for; above a smaller one.
        (1.03, 0.05, Conclusion.EQUIVALENT),
        (1.03, 0.01, Conclusion.SLOWER),
        (1.0, 0.001, Conclusion.NO_DIFFERENCE_SHOWN),
    ],
)
def test_a_latency_differs_only_beyond_chance_and_the_effect(
    scale: float, effect: float, conclusion: Conclusion
) -> None:
    p50 = change(compared(latencies(1.0), latencies(scale, 2), effect=effect), ComparedFigure.P50_LATENCY)
    assert p50.conclusion is conclusion
    assert p50.ratio == pytest.approx(scale, rel=0.01)
    assert p50.interval is not None and p50.interval.low < scale < p50.interval.high
    assert p50.method is Method.RANK_SUM
    assert (p50.rounds_needed is not None) == (conclusion is Conclusion.NO_DIFFERENCE_SHOWN)


def test_rounds_that_differ_among_themselves_hide_a_difference() -> None:
    drifting = [factor * one for factor, one in zip((0.6, 0.8, 0.9, 1.2, 1.5), latencies(1.0), strict=False)]
    a = [one.astype(np.int64) for one in drifting]
    b = [(1.1 * one).astype(np.int64) for one in drifting[::-1]]
    assert change(compared(a, b), ComparedFigure.P50_LATENCY).conclusion is Conclusion.NO_DIFFERENCE_SHOWN


def test_paired_rounds_cancel_what_both_have_in_common() -> None:
    drift = np.linspace(1.0, 3.0, 9)
    a = [(level * one).astype(np.int64) for level, one in zip(drift, latencies(1.0, 1, 9), strict=True)]
    b = [
        (1.06 * level * one).astype(np.int64) for level, one in zip(drift, latencies(1.0, 2, 9), strict=True)
    ]
    both = run([of_rounds(a, name="float32"), of_rounds(b, name="int8")])
    comparison = compare(both, both, variants=("float32", "int8"), criterion=Criterion(effect=0.02))
    (variant,) = comparison.variants
    assert (variant.variant, variant.variant_b, variant.paired) == ("float32", "int8", True)
    p50 = change(comparison, ComparedFigure.P50_LATENCY)
    assert p50.method is Method.SIGNED_RANK and p50.conclusion is Conclusion.SLOWER
    assert p50.interval is not None and 1.04 < p50.interval.low < 1.06 < p50.interval.high < 1.08
    apart = change(compared(a, b), ComparedFigure.P50_LATENCY)
    assert apart.interval is not None and apart.interval.low < 0.7 and apart.interval.high > 1.5


def test_too_few_pairs_for_signed_ranks_are_taken_apart() -> None:
    both = run([of_rounds(latencies(1.0)[:5], name="float32"), of_rounds(latencies(1.3, 2)[:5], name="int8")])
    p50 = change(compare(both, both, variants=("float32", "int8")), ComparedFigure.P50_LATENCY)
    assert (p50.method, p50.conclusion) == (Method.RANK_SUM, Conclusion.SLOWER)


def test_the_figures_of_a_variant_share_the_chance_of_a_false_alarm() -> None:
    # Three against four rounds fall apart by chance in 2 of 35 cases, four against four in 2 of 70, which is below
    # 0.05 and above a third of it; five against five are below a third.
    for rounds, conclusion in ((4, Conclusion.NOT_ENOUGH_DATA), (5, Conclusion.SLOWER)):
        p50 = change(
            compared(latencies(1.0, rounds=rounds), latencies(1.5, 2, rounds)), ComparedFigure.P50_LATENCY
        )
        assert p50.conclusion is conclusion
        assert p50.rounds_needed == (5 if rounds == 4 else None)


def test_one_round_is_not_enough() -> None:
    one = change(compared(latencies(1.0), latencies(0.5, rounds=1)), ComparedFigure.P50_LATENCY)
    assert one.conclusion is Conclusion.NOT_ENOUGH_DATA
    assert one.ratio is None and one.a is not None and one.b is not None


@pytest.mark.parametrize(
    ("peaks_a", "peaks_b", "conclusion"),
    [
        ([100, 101, 102, 103, 104], [80, 81, 82, 83, 84], Conclusion.LOWER),
        ([80, 81, 82, 83, 84], [100, 101, 102, 103, 104], Conclusion.HIGHER),
        ([100, 101, 102, 103, 104], [60, 80, 120, 130, 140], Conclusion.NO_DIFFERENCE_SHOWN),
        ([100, 101, 102, 103, 104], [97, 98, 99, 99, 98], Conclusion.NO_DIFFERENCE_SHOWN),
        ([100] * 5, [100] * 5, Conclusion.SAME),
        ([100, 101, 102], [80, 81, 82], Conclusion.NOT_ENOUGH_DATA),
    ],
)
def test_peaks_differ_beyond_what_rounds_do(
    peaks_a: list[int], peaks_b: list[int], conclusion: Conclusion
) -> None:
    rounds = latencies(1.0)
    comparison = compared(rounds, rounds, a=measurement(peaks=peaks_a), b=measurement(peaks=peaks_b))
    peak = change(comparison, ComparedFigure.PEAK_MEMORY)
    assert peak.conclusion is conclusion
    assert (peak.a, peak.b) == (max(peaks_a), max(peaks_b))


def test_a_peak_that_one_run_lacks_is_left_out() -> None:
    rounds = latencies(1.0)
    comparison = compared(rounds, rounds, a=measurement(peaks=[1, 2]), b=measurement())
    assert ComparedFigure.PEAK_MEMORY not in figures_of(comparison)


def test_sizes_are_exact() -> None:
    rounds = latencies(1.0)
    comparison = compared(rounds, rounds, b=measurement(file_bytes=999))
    size = change(comparison, ComparedFigure.FILE_SIZE)
    assert (size.a, size.b, size.ratio, size.conclusion) == (1000, 999, 0.999, Conclusion.LOWER)
    assert change(comparison, ComparedFigure.COMPRESSED_SIZE).conclusion is Conclusion.SAME
    assert comparison.variants[0].same_file


def disagreeing(indices: Sequence[int], *, variant_class: int = 1, reference_class: int = 0) -> Measurement:
    """Of 100 inputs; where it disagrees the reference says 0 (right, by the default truth)."""
    entries = tuple(
        Disagreement(
            input_index=index,
            input_name=f"i{index}",
            reference_class=reference_class,
            variant_class=variant_class,
            reference_score=0.6,
            variant_score=0.5,
            margin=0.2,
            truth=0,
        )
        for index in indices
    )
    wrong = len(indices)
    made = measurement(top1=(INPUTS - wrong, INPUTS), accuracy=(wrong, 0, INPUTS))
    return made.model_copy(update={"agreement": made.agreement.model_copy(update={"disagreements": entries})})


def agreement_and_accuracy(a: Measurement, b: Measurement) -> tuple[Change, Change]:
    comparison = compare(run([a]), run([b], "b"))
    return change(comparison, ComparedFigure.TOP1_AGREEMENT), change(comparison, ComparedFigure.ACCURACY)


def test_agreement_and_accuracy_are_compared_input_by_input() -> None:
    agreement, accuracy = agreement_and_accuracy(disagreeing(range(10)), disagreeing(range(2)))
    assert agreement.conclusion is accuracy.conclusion is Conclusion.HIGHER
    assert (agreement.a, agreement.b) == (0.9, 0.98)
    assert agreement.difference == pytest.approx(0.08)
    assert agreement.interval is not None
    # Four figures share the 5 %: two latencies, agreement and accuracy.
    mirrored = paired_drop(8, 0, INPUTS, 1 - 0.05 / 4).interval
    assert agreement.p_value == mcnemar_exact(8, 0)
    assert agreement.interval.low == pytest.approx(mirrored.low)
    assert agreement.interval.high == pytest.approx(mirrored.high)
    worse, _ = agreement_and_accuracy(disagreeing(range(2)), disagreeing(range(10)))
    assert worse.conclusion is Conclusion.LOWER


def test_equal_counts_on_other_inputs_are_not_the_same() -> None:
    agreement, accuracy = agreement_and_accuracy(disagreeing([1, 2, 3]), disagreeing([4, 5, 6]))
    assert agreement.difference == accuracy.difference == 0
    assert agreement.conclusion is accuracy.conclusion is Conclusion.NO_DIFFERENCE_SHOWN
    assert (
        agreement.interval is not None and agreement.interval.low < -0.02 and agreement.interval.high > 0.02
    )
    same, _ = agreement_and_accuracy(disagreeing([1, 2, 3]), disagreeing([1, 2, 3]))
    assert same.conclusion is Conclusion.SAME


def test_a_variant_can_be_right_where_the_reference_is_wrong() -> None:
    mended = disagreeing(range(10), variant_class=0, reference_class=1)
    agreement, accuracy = agreement_and_accuracy(disagreeing([]), mended)
    assert agreement.conclusion is Conclusion.LOWER
    assert accuracy.conclusion is Conclusion.HIGHER
    assert accuracy.difference == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("other", "mismatch", "left"),
    [
        (run([measurement(at=device(model="Else"))], "b"), Mismatch.DEVICE, SIZES),
        (run([measurement()], "b", target_class=TargetClass.IPHONE), Mismatch.TARGET_CLASS, SIZES),
        (run([measurement()], "b", records="1" * 64), Mismatch.WORKLOAD, SIZES),
        (
            run([measurement(threads=4)], "b"),
            Mismatch.THREADS,
            SIZES | {ComparedFigure.TOP1_AGREEMENT},
        ),
        (
            run([measurement()], "b", source="1" * 64),
            Mismatch.REFERENCE,
            SIZES | {ComparedFigure.P50_LATENCY, ComparedFigure.P90_LATENCY},
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(
    other: RunReport, mismatch: Mismatch, left: set[ComparedFigure]
) -> None:
    comparison = compare(run([measurement()]), other)
    (refused,) = comparison.incomparable
    assert refused.mismatch is mismatch
    assert refused.a != refused.b
    assert figures_of(comparison) == left
    assert not left & set(refused.figures)


def test_other_labels_leave_agreement_comparable() -> None:
    a, b = disagreeing([1]), disagreeing([2])
    comparison = compare(run([a]), run([b], "b", truths=(1,) * INPUTS))
    assert [one.mismatch for one in comparison.incomparable] == [Mismatch.TRUTH]
    assert ComparedFigure.TOP1_AGREEMENT in figures_of(comparison)
    assert ComparedFigure.ACCURACY not in figures_of(comparison)


def test_equal_runs_have_no_mismatch_and_other_runtimes_are_told() -> None:
    assert compare(run([measurement()]), run([measurement()], "b")).incomparable == ()
    newer = compare(run([measurement()]), run([measurement(runtime_version="2.4.0")], "b"))
    (told,) = newer.circumstances
    assert (told.what, told.a, told.b) == ("runtime", "LiteRT 2.3.0", "LiteRT 2.4.0")


def test_variants_of_one_run_only_and_those_without_figures_are_listed() -> None:
    crashed = NotMeasured(outcome="failed", name="int8", code="crashed", problem="p", next_step="n")
    a = run([measurement("float32"), measurement("int8"), measurement("float16")])
    b = run([measurement("rounded"), crashed, measurement("float16")], "b")
    comparison = compare(a, b)
    assert [one.variant for one in comparison.variants] == ["float16"]
    assert (comparison.only_in_a, comparison.only_in_b) == (("float32",), ("rounded",))
    (lost,) = comparison.not_compared
    assert (lost.variant, lost.outcome_a, lost.outcome_b) == ("int8", "measured", "failed")


def test_a_run_without_measurements_has_no_device_to_differ() -> None:
    crashed = NotMeasured(outcome="failed", name="int8", code="crashed", problem="p", next_step="n")
    assert compare(run([measurement()]), run([crashed], "b")).incomparable == ()


def test_a_device_that_was_held_back_is_no_witness_of_latency() -> None:
    hot = measurement().model_copy(update={"disturbance": Disturbance(worst_thermal_state="serious")})
    saving = measurement().model_copy(update={"disturbance": Disturbance(low_power_mode=True)})
    warm = measurement().model_copy(update={"disturbance": Disturbance(worst_thermal_state="fair")})
    for slowed, words in ((hot, "thermal state serious"), (saving, "low-power mode")):
        for a, b in ((slowed, measurement()), (measurement(), slowed), (slowed, slowed)):
            comparison = compare(run([a]), run([b], "b"))
            (refused,) = comparison.incomparable
            assert refused.mismatch is Mismatch.THROTTLED
            assert words in refused.a + refused.b
            assert figures_of(comparison) == SIZES | {ComparedFigure.TOP1_AGREEMENT}
    assert compare(run([warm]), run([measurement()], "b")).incomparable == ()


def test_threads_may_differ_between_variants_of_one_run() -> None:
    both = run([measurement("float32", threads=1), measurement("int8", threads=4)])
    comparison = compare(both, both, variants=("float32", "int8"))
    assert comparison.incomparable == ()
    assert [(one.what, one.a, one.b) for one in comparison.circumstances] == [("threads", "1", "4")]


def test_only_inputs_that_both_ran_are_compared() -> None:
    a = disagreeing(range(10)).model_copy(update={"inputs_run": tuple(range(20))})
    b = disagreeing([15]).model_copy(update={"inputs_run": tuple(range(10, 40))})
    agreement, accuracy = agreement_and_accuracy(a, b)
    # Of 10 to 19: a is right on all, b on all but one.
    assert agreement.difference == accuracy.difference == pytest.approx(-0.1)
    apart = b.model_copy(update={"inputs_run": tuple(range(30, 40))})
    assert not figures_of(compare(run([a]), run([apart], "b"))) & set(PROPORTIONS)


def test_views_of_one_original_count_once_in_mcnemars_test() -> None:
    groups = [f"photo{index // 10}" for index in range(INPUTS)]
    inputs = workload([None] * INPUTS, groups)

    def of_views(measured: Measurement, run_id: str) -> RunReport:
        unlabelled = measured.model_copy(update={"accuracy": None})
        return run([unlabelled], run_id).model_copy(update={"workload": inputs})

    # Ten views of one photo and nothing else: one discordant original of ten, not ten of a hundred.
    comparison = compare(of_views(disagreeing(range(10)), "a"), of_views(disagreeing([]), "b"))
    agreement = change(comparison, ComparedFigure.TOP1_AGREEMENT)
    assert agreement.difference == pytest.approx(0.1)
    assert agreement.p_value == 1.0
    assert agreement.conclusion is Conclusion.NO_DIFFERENCE_SHOWN
    assert agreement.interval is not None and agreement.interval.low < 0 < agreement.interval.high


def test_a_difference_of_answers_must_matter() -> None:
    a, b = run([disagreeing(range(10))]), run([disagreeing([])], "b")
    for points, conclusion in ((0.09, Conclusion.HIGHER), (0.11, Conclusion.NO_DIFFERENCE_SHOWN)):
        comparison = compare(a, b, criterion=Criterion(effect_points=points))
        assert change(comparison, ComparedFigure.TOP1_AGREEMENT).conclusion is conclusion


def test_what_is_worse_is_listed_unless_a_second_run_did_not_see_it() -> None:
    comparison = compared(latencies(1.0), latencies(1.3, 2), b=of_rounds(latencies(1.3, 2), file_bytes=2000))
    assert [one.figure for _, one in worse(comparison)] == [
        ComparedFigure.FILE_SIZE,
        ComparedFigure.P50_LATENCY,
        ComparedFigure.P90_LATENCY,
    ]
    (variant,) = comparison.variants
    gone = tuple(one.model_copy(update={"confirmed": False}) for one in variant.changes)
    again = comparison.model_copy(update={"variants": (variant.model_copy(update={"changes": gone}),)})
    assert worse(again) == []
    assert worse(compared(latencies(1.3, 2), latencies(1.0))) == []


def test_a_comparison_survives_json() -> None:
    comparison = compared(latencies(1.0), latencies(0.7, 2))
    assert Comparison.model_validate_json(comparison.model_dump_json()) == comparison
