"""A gate has three answers, and only complete evidence that counts passes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from core_records import device, ended, job_log, measurement, not_measured
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.core.events import Keystrokes, TargetClass
from harness.core.measurements import Measurement, Result
from harness.core.metrics import keystroke_latency
from harness.core.policy import BASELINE, Metric, Policy, Rule
from harness.core.stats import clopper_pearson
from harness.core.verdict import Answer, RuleResult, Verdict, judge, shown

PASS, FAIL, UNDECIDED = Answer.PASS, Answer.FAIL, Answer.UNDECIDED


def rule(metric: Metric, limit: float, **more: Any) -> Rule:
    return Rule(metric=metric, limit=limit, **more)


def judged(
    one: Rule,
    *results: Result,
    baseline: list[Result] | None = None,
    of: str = "int8",
    confidence: float = 0.95,
) -> RuleResult:
    verdict = judge(Policy(rules=(one,), confidence=confidence), results, baseline)
    [found] = [result for result in verdict.results if result.variant == of]
    return found


@pytest.mark.parametrize(
    ("top1", "answer"),
    [((1000, 1000), PASS), ((995, 1000), UNDECIDED), ((970, 1000), FAIL), ((3, 3), UNDECIDED)],
)
def test_agreement_is_decided_by_the_exact_interval(top1: tuple[int, int], answer: Answer) -> None:
    found = judged(rule(Metric.TOP1_AGREEMENT, 0.99), measurement(top1=top1))
    assert found.answer is answer
    assert found.value == top1[0] / top1[1]
    assert found.interval == clopper_pearson(*top1)


def test_the_reason_has_figure_interval_and_limit() -> None:
    found = judged(rule(Metric.TOP1_AGREEMENT, 0.9), measurement(top1=(970, 1000)))
    assert found.reason == (
        "int8 has top1 agreement 97 % (95 % interval 95.74 % to 97.97 %); the limit is at least 90 %."
    )


def test_an_undecided_proportion_says_how_many_more_inputs_decide_it() -> None:
    # Without a flip, 0.025 ** (1 / n) >= 0.99 from n = 368.
    found = judged(rule(Metric.TOP1_AGREEMENT, 0.99), measurement(top1=(100, 100)))
    assert found.answer is UNDECIDED
    assert found.further_inputs == 268
    assert "About 268 more inputs" in found.reason
    assert judged(rule(Metric.TOP1_AGREEMENT, 0.99), measurement(top1=(368, 368))).answer is PASS


def test_a_limit_that_equals_the_figure_is_never_decided() -> None:
    for found in (
        judged(rule(Metric.TOP1_AGREEMENT, 1.0), measurement(top1=(100, 100))),
        judged(rule(Metric.ACCURACY_DROP, 0.0), measurement(accuracy=(0, 0, 50))),
    ):
        assert found.answer is UNDECIDED and found.further_inputs is None
        assert "No reasonable number" in found.reason


@settings(max_examples=50)
@given(st.integers(1, 300), st.data(), st.sampled_from([0.5, 0.9, 0.97]))
def test_further_inputs_do_decide(trials: int, data: st.DataObject, limit: float) -> None:
    successes = data.draw(st.integers(0, trials))
    found = judged(rule(Metric.TOP1_AGREEMENT, limit), measurement(top1=(successes, trials)))
    if found.further_inputs is None:
        return
    total = trials + found.further_inputs
    scaled = (round(successes * total / trials), total)
    assert judged(rule(Metric.TOP1_AGREEMENT, limit), measurement(top1=scaled)).answer is not UNDECIDED


def test_accuracy_drop_needs_labels_enough() -> None:
    limit = rule(Metric.ACCURACY_DROP, 0.02)
    assert "no input has a label" in judged(limit, measurement()).reason
    few = judged(limit, measurement(accuracy=(0, 0, 50)))
    # z^2 / (n + z^2) <= 0.02 from n = 189.
    assert (few.answer, few.value, few.further_inputs) == (UNDECIDED, 0, 139)
    assert judged(limit, measurement(accuracy=(0, 0, 189))).answer is PASS
    assert judged(limit, measurement(accuracy=(30, 0, 300))).answer is FAIL


def test_accuracy_itself_is_judged_where_there_are_labels() -> None:
    limit = rule(Metric.ACCURACY, 0.3)
    assert "no input has a label" in judged(limit, measurement()).reason
    right = judged(limit, measurement(accuracy=(0, 0, 200)))
    assert right.answer is PASS and right.value is not None and right.value > 0.3


def test_top5_is_undecided_below_six_classes() -> None:
    limit = rule(Metric.TOP5_AGREEMENT, 0.9)
    assert judged(limit, measurement()).answer is UNDECIDED
    assert judged(limit, measurement(top5=(100, 100))).answer is PASS


def test_a_constant_output_cannot_pass_by_agreement() -> None:
    same = measurement(top1=(1000, 1000), constant_output=True)
    assert judged(rule(Metric.TOP1_AGREEMENT, 0.9), same).answer is UNDECIDED
    assert judged(rule(Metric.FILE_SIZE, 2000.0), same).answer is PASS
    assert (
        judged(rule(Metric.TOP1_AGREEMENT, 0.9), measurement(top1=(1, 1000), constant_output=True)).answer
        is FAIL
    )


@pytest.mark.parametrize(("limit", "answer"), [(1100.0, PASS), (1050.0, UNDECIDED), (1000.0, FAIL)])
def test_latency_is_decided_by_the_interval(limit: float, answer: Answer) -> None:
    fast = measurement(rounds=[range(1001, 1101)])
    assert judged(rule(Metric.P50_LATENCY, limit), fast).answer is answer


def test_rounds_that_disagree_leave_latency_undecided() -> None:
    rounds = [[1000] * 300, [1200] * 20]
    found = judged(rule(Metric.P50_LATENCY, 1100.0), measurement(rounds=rounds))
    assert found.answer is UNDECIDED and found.interval is not None
    assert (found.interval.low, found.interval.high) == (1000, 1200)


def test_too_few_samples_never_pass() -> None:
    found = judged(rule(Metric.P90_LATENCY, 1e9), measurement(rounds=[range(1, 61)]))
    assert (found.answer, found.value) == (UNDECIDED, None)
    assert found.reason == "int8 has 60 samples: p90 needs at least 64, 4 more."


def test_a_higher_confidence_than_measured_needs_the_samples() -> None:
    limit, one = rule(Metric.P50_LATENCY, 1100.0), measurement(rounds=[range(1001, 1101)])
    assert judged(limit, one, confidence=0.99).answer is UNDECIDED
    policy = Policy(rules=(limit,), confidence=0.99)
    with_samples = judge(policy, [one], round_latencies={"int8": [np.arange(1001, 1101)]})
    assert with_samples.results[0].answer is PASS


def test_latency_relative_to_a_variant_uses_paired_rounds_where_there_are() -> None:
    generator = np.random.default_rng(3)
    drifting = (1.0, 1.3, 1.6, 1.9)
    base = [(1e6 * scale * generator.lognormal(0, 0.02, 50)).astype(np.int64) for scale in drifting]
    half = [(5e5 * scale * generator.lognormal(0, 0.02, 50)).astype(np.int64) for scale in drifting]
    results = [
        measurement("float32", rounds=[one.tolist() for one in base]),
        measurement("int8", rounds=[one.tolist() for one in half]),
    ]
    policy = Policy(rules=(rule(Metric.P50_LATENCY, 0.6, relative_to="float32"),))
    [paired] = judge(policy, results, round_latencies={"float32": base, "int8": half}).results
    [unpaired] = judge(policy, results).results
    assert (paired.variant, paired.answer, unpaired.answer) == ("int8", PASS, UNDECIDED)
    assert paired.value == pytest.approx(0.5, abs=0.02)
    assert unpaired.value == paired.value


def test_peak_memory_is_decided_by_the_range_of_rounds() -> None:
    peaks = measurement(peaks=[90, 110])
    assert judged(rule(Metric.PEAK_MEMORY, 110.0), peaks).answer is PASS
    assert judged(rule(Metric.PEAK_MEMORY, 100.0), peaks).answer is UNDECIDED
    assert judged(rule(Metric.PEAK_MEMORY, 89.0), peaks).answer is FAIL
    assert judged(rule(Metric.PEAK_MEMORY, 1e12), measurement()).answer is UNDECIDED


def test_sizes_are_exact() -> None:
    one = measurement(file_bytes=500, compressed_bytes=400)
    assert judged(rule(Metric.FILE_SIZE, 500.0), one).answer is PASS
    assert judged(rule(Metric.COMPRESSED_SIZE, 399.0), one).answer is FAIL
    base = measurement("float32", file_bytes=1000)
    half = judged(rule(Metric.FILE_SIZE, 0.5, relative_to="float32"), base, one)
    assert (half.answer, half.value, half.interval) == (PASS, 0.5, None)
    assert judged(rule(Metric.FILE_SIZE, 0.49, relative_to="float32"), base, one).answer is FAIL


def test_desktop_evidence_is_none_for_a_phone() -> None:
    limit = rule(Metric.P50_LATENCY, 1e9, target_class=TargetClass.IPHONE)
    for target_class in ("local", "virtual"):
        found = judged(limit, measurement(at=device(target_class)))
        assert (found.answer, found.value) == (UNDECIDED, None)
        assert f"({target_class}), the rule asks for iphone" in found.reason
    assert judged(limit, measurement(at=device("iphone", "iPhone17,1"))).answer is PASS
    assert judged(rule(Metric.FILE_SIZE, 1e9, target_class=TargetClass.IPHONE), measurement()).answer is PASS


@pytest.mark.parametrize(
    ("baseline", "reason"),
    [
        (None, "there is no baseline"),
        ([measurement("float16")], "there is no int8 in the baseline"),
        ([not_measured("int8", "failed")], "in the baseline, int8 failed: it stopped"),
        ([measurement(at=device("iphone", "iPhone14,2"))], "on iPhone14,2 (iphone): they do not compare"),
        ([measurement(threads=8)], "baseline with 8: they do not compare"),
        ([measurement(rounds=[[1, 2]])], "baseline has 2 samples"),
    ],
)
def test_a_baseline_that_does_not_compare_decides_nothing(baseline: list[Result] | None, reason: str) -> None:
    found = judged(rule(Metric.P50_LATENCY, 9.0, relative_to=BASELINE), measurement(), baseline=baseline)
    assert found.answer is UNDECIDED
    assert reason in found.reason


def test_a_baseline_of_the_same_device_decides() -> None:
    before, now = measurement(rounds=[range(1000, 1100)]), measurement(rounds=[range(1500, 1600)])
    limit = rule(Metric.P50_LATENCY, 1.1, relative_to=BASELINE)
    assert judged(limit, now, baseline=[before]).answer is FAIL
    assert judged(limit, before, baseline=[now]).answer is PASS
    samples = {"int8": [np.arange(1500, 1550), np.arange(1550, 1600)]}
    [found] = judge(Policy(rules=(limit,)), [now], [before], round_latencies=samples).results
    assert found.value == pytest.approx(1549 / 1049)
    other_device = measurement(file_bytes=500, at=device("iphone"))
    size = rule(Metric.FILE_SIZE, 1.0, relative_to=BASELINE)
    assert judged(size, measurement(file_bytes=500), baseline=[other_device]).answer is PASS


def test_peaks_of_another_kind_do_not_compare() -> None:
    footprint = measurement(peaks=[100])
    footprint = footprint.model_copy(
        update={"memory": footprint.memory.model_copy(update={"peak_kind": "peak_footprint_bytes"})}
    )
    found = judged(
        rule(Metric.PEAK_MEMORY, 1.0, relative_to=BASELINE), measurement(peaks=[100]), baseline=[footprint]
    )
    assert found.answer is UNDECIDED and "do not compare" in found.reason


SIZE = rule(Metric.FILE_SIZE, 2000.0)


def overall(*results: Result, rules: tuple[Rule, ...] = (SIZE,), candidates: tuple[str, ...] = ()) -> Verdict:
    return judge(Policy(rules=rules, candidates=candidates), results)


def test_nothing_judged_is_undecided() -> None:
    assert overall().answer is UNDECIDED
    assert overall(measurement(), rules=()).answer is UNDECIDED
    only_base = overall(measurement("float32"), rules=(rule(Metric.FILE_SIZE, 1.0, relative_to="float32"),))
    assert (only_base.answer, only_base.releasable) == (UNDECIDED, ())
    assert (
        overall(measurement(), rules=(rule(Metric.FILE_SIZE, 1e9, applies_to=("int-8",)), SIZE)).answer
        is UNDECIDED
    )


def test_fail_beats_undecided_beats_pass() -> None:
    good, bad = measurement("int8"), measurement("float32", file_bytes=9000)
    unknown = not_measured("float16", "incomplete")
    assert overall(good).answer is PASS
    assert overall(good, unknown).answer is UNDECIDED
    failing = overall(good, unknown, bad)
    assert failing.answer is FAIL
    assert failing.reason.startswith("float32 has file size 9000 bytes")
    assert failing.releasable == ("int8",)


@pytest.mark.parametrize("outcome", ["failed", "not-built"])
def test_a_crash_fails_only_a_named_candidate(outcome: str) -> None:
    good, crashed = measurement("int8"), not_measured("float16", outcome)
    passing = overall(good, crashed)
    assert passing.answer is PASS and "Not judged as candidates: float16" in passing.reason
    assert [one.answer for one in passing.results] == [PASS, UNDECIDED]
    failing = overall(good, crashed, candidates=("int8", "float16"))
    assert failing.answer is FAIL and "it stopped" in failing.reason
    assert [one.answer for one in failing.results] == [PASS, FAIL]
    no_rule_for_it = overall(good, crashed, rules=(rule(Metric.FILE_SIZE, 2e3, applies_to=("int8",)),))
    assert no_rule_for_it.answer is PASS


def test_only_named_candidates_count() -> None:
    good, bad = measurement("int8"), measurement("float32", file_bytes=9000)
    assert overall(good, bad, candidates=("int8",)).answer is PASS
    assert overall(good, bad, candidates=("float32",)).answer is FAIL
    missing = overall(good, candidates=("int8", "float16"))
    assert missing.answer is UNDECIDED and "float16 is not in this run" in missing.reason


@settings(max_examples=100)
@given(
    st.lists(st.sampled_from(["good", "bad", "failed", "incomplete", "not-built"]), max_size=3),
    st.lists(st.sampled_from(["int8", "float16", "float32"]), unique=True, max_size=3),
)
def test_a_pass_always_rests_on_measured_candidates_that_pass(
    kinds: list[str], candidates: list[str]
) -> None:
    results: list[Result] = []
    for name, kind in zip(("int8", "float16", "float32"), kinds, strict=False):
        measured = kind in ("good", "bad")
        results.append(
            measurement(name, file_bytes=1000 if kind == "good" else 9000)
            if measured
            else not_measured(name, kind)
        )
    verdict = overall(*results, candidates=tuple(candidates))
    assert Verdict.model_validate_json(verdict.model_dump_json()) == verdict
    if verdict.answer is not PASS:
        return
    named = {one.variant.name for one in results if isinstance(one, Measurement)}
    assert named and set(candidates) <= named
    assert set(candidates or named) <= set(verdict.releasable)


def test_figures_are_shown_with_units() -> None:
    assert shown(0.98251, Metric.TOP1_AGREEMENT.unit) == "98.25 %"
    assert shown(12_500_000, Metric.P50_LATENCY.unit) == "12.5 ms"
    assert shown(5_270_000, Metric.FILE_SIZE.unit) == "5.27 MB"
    assert shown(900, Metric.FILE_SIZE.unit) == "900 bytes"
    assert shown(0.5, rule(Metric.FILE_SIZE, 1.0, relative_to="a").unit) == "0.5x"


def typing(*latencies: int, name: str = "int8") -> Measurement:
    log = job_log([Keystrokes(t_ns=1, texts=1, latency_ns=latencies), ended(1)], of=name)
    return measurement(name).model_copy(update={"keystrokes": keystroke_latency([log], 0)})


def test_keystroke_latency_is_judged_by_its_own_samples() -> None:
    limit = rule(Metric.P90_KEYSTROKE_LATENCY, 1100.0)
    assert "set workload.text.keystrokes" in judged(limit, measurement()).reason
    assert judged(limit, typing(*range(900, 1000))).answer is PASS
    assert judged(limit, typing(*range(1400, 1500))).answer is FAIL
    assert judged(limit, typing(*range(1012, 1112))).answer is UNDECIDED
    assert "has 9 samples: p90 needs at least" in judged(limit, typing(*[900] * 9)).reason


def test_keystroke_latency_relative_to_another_variant() -> None:
    limit = Rule(metric=Metric.P50_KEYSTROKE_LATENCY, limit=0.7, relative_to="float32")
    policy = Policy(rules=(limit,), candidates=("int8",))
    fast, slow = typing(*[500] * 100), typing(*[1000] * 100, name="float32")
    (result,) = [one for one in judge(policy, [slow, fast]).results if one.variant == "int8"]
    assert (result.answer, result.value) == (PASS, 0.5)
