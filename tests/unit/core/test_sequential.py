"""Rules judged while samples come in: the answer, when it fell, and its error rates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from core_records import measurement

from harness.core.evidence import Refusal
from harness.core.policy import Metric, Policy, Rule
from harness.core.rule_result import Answer
from harness.core.sampling import Originals, Sampled
from harness.core.sequential import Decision, EvidenceUnit, Rates, SequentialEvidence, judge_sequentially
from harness.core.verdict import SampledEvidence, judge, open_rules

RATES = Rates(alpha=0.05, beta=0.05)
NOTHING = Originals(np.zeros(0), np.zeros(0, np.int64))


def originals(figures: Sequence[float], per_round: int = 10) -> Originals:
    return Originals(np.array(figures, dtype=np.float64), np.arange(len(figures)) // per_round)


def sampled(
    *,
    top1: Sequence[float] = (),
    right: Sequence[float] = (),
    drop: Sequence[float] = (),
    p50_ns: Sequence[float] = (),
    p90_ns: Sequence[float] = (),
    keystroke_p90_ns: Sequence[float] = (),
    peaks: Sequence[float] = (),
) -> Sampled:
    return Sampled(
        top1=originals(top1),
        top5=NOTHING,
        right=originals(right),
        drop=originals(drop),
        p50_ns=dict(enumerate(p50_ns)),
        p90_ns=dict(enumerate(p90_ns)),
        keystroke_p50_ns={},
        keystroke_p90_ns=dict(enumerate(keystroke_p90_ns)),
        peak_bytes=dict(enumerate(peaks)),
    )


def found(
    rule: Rule, ours: Sampled, other: Sampled | None = None, indifference: float = 0.0
) -> SequentialEvidence:
    evidence = judge_sequentially(rule, ours, other, indifference, RATES)
    assert isinstance(evidence, SequentialEvidence), evidence
    return evidence


AGREES = Rule(metric=Metric.TOP1_AGREEMENT, limit=0.95)


def test_agreement_passes_as_soon_as_the_evidence_is_there_and_for_good() -> None:
    evidence = found(AGREES, sampled(top1=[1.0] * 150 + [0.0] * 40), indifference=0.02)
    assert evidence.decision is Decision.PASS
    assert evidence.decided_at_unit == 107 and evidence.decided_in_round == 10
    assert evidence.units == 190
    # The looks are at the ends of rounds; the later failures took the capital away again, not the decision.
    assert [look.units for look in evidence.looks] == list(range(10, 191, 10))
    assert evidence.looks[10].log_pass is not None and evidence.looks[10].log_pass >= np.log(20)
    last = evidence.looks[-1].log_pass
    assert last is not None and last < 0


def test_keystrokes_are_judged_by_round() -> None:
    rule = Rule(metric=Metric.P90_KEYSTROKE_LATENCY, limit=1000)
    assert found(rule, sampled(keystroke_p90_ns=[500.0] * 20)).decision is Decision.PASS
    refusal = judge_sequentially(rule, sampled(p90_ns=[500.0] * 20), None, 0.0, RATES)
    assert isinstance(refusal, Refusal) and "workload.text.keystrokes" in refusal.reason


def test_accuracy_is_of_the_labelled_inputs() -> None:
    evidence = found(Rule(metric=Metric.ACCURACY, limit=0.3), sampled(right=[1.0, 0.0] * 100))
    assert (evidence.decision, evidence.value) == (Decision.PASS, 0.5)
    refusal = judge_sequentially(
        Rule(metric=Metric.ACCURACY, limit=0.3), sampled(top1=[1.0]), None, 0.0, RATES
    )
    assert isinstance(refusal, Refusal) and "no input that ran has a label" in refusal.reason


def test_agreement_fails_early_where_it_is_far_too_low() -> None:
    evidence = found(AGREES, sampled(top1=[0.0, 1.0] * 20))
    assert evidence.decision is Decision.FAIL
    assert evidence.decided_at_unit is not None and evidence.decided_at_unit < 12
    assert evidence.value == 0.5
    assert (
        evidence.low is not None and evidence.high is not None and evidence.low < 0.5 < evidence.high < 0.95
    )


def test_views_of_one_original_are_one_observation() -> None:
    # Ten views each, all alike: what would be 300 inputs are 30 originals.
    evidence = found(AGREES, sampled(top1=[1.0] * 30))
    assert evidence.unit is EvidenceUnit.ORIGINAL
    assert (evidence.decision, evidence.units) == (Decision.OPEN, 30)


@pytest.mark.parametrize("limit", [1.0, 0.0])
def test_a_limit_that_no_evidence_can_show_or_deny(limit: float) -> None:
    evidence = found(Rule(metric=Metric.TOP1_AGREEMENT, limit=limit), sampled(top1=[1.0] * 500))
    assert evidence.decision is (Decision.OPEN if limit == 1.0 else Decision.PASS)


def test_one_disagreement_refutes_that_all_agree() -> None:
    evidence = found(Rule(metric=Metric.TOP1_AGREEMENT, limit=1.0), sampled(top1=[1.0, 1.0, 0.0, 1.0]))
    assert (evidence.decision, evidence.decided_at_unit) == (Decision.FAIL, 3)
    assert evidence.looks[-1].log_fail is None


def test_accuracy_drop_is_paired() -> None:
    rule = Rule(metric=Metric.ACCURACY_DROP, limit=0.03)
    same = found(rule, sampled(drop=[0.0] * 400))
    assert same.decision is Decision.PASS and same.value == 0
    assert same.low is not None and same.high is not None and same.low < 0 < same.high <= 0.03
    worse = found(rule, sampled(drop=[1.0, 0.0, 0.0, 0.0] * 30))
    assert worse.decision is Decision.FAIL and worse.value == 0.25
    # As many repairs as errors: discordant, and yet no drop.
    balanced = found(rule, sampled(drop=[1.0, -1.0] * 10))
    assert balanced.decision is Decision.OPEN


def test_a_latency_is_decided_by_rounds_not_by_samples() -> None:
    rule = Rule(metric=Metric.P50_LATENCY, limit=10e6)
    fast = found(rule, sampled(p50_ns=[8e6, 8.2e6, 8.1e6, 7.9e6, 8e6, 8e6, 8.3e6]))
    assert fast.unit is EvidenceUnit.ROUND
    assert fast.decision is Decision.PASS and fast.decided_at_unit == 6
    assert found(rule, sampled(p50_ns=[8e6] * 5)).decision is Decision.OPEN
    slow = found(rule, sampled(p50_ns=[11e6] * 7))
    assert slow.decision is Decision.FAIL
    assert slow.value == 11e6


def test_between_good_and_the_limit_it_passes() -> None:
    evidence = found(
        Rule(metric=Metric.P50_LATENCY, limit=10e6), sampled(p50_ns=[9.8e6] * 8), indifference=0.1
    )
    assert evidence.good == 9e6
    assert evidence.decision is Decision.PASS


def test_a_relative_latency_is_paired_by_round() -> None:
    rule = Rule(metric=Metric.P90_LATENCY, limit=1.1, relative_to="float32")
    # The machine slows threefold meanwhile; the ratio stays 1.05.
    base = [10e6 * (1 + index / 4) for index in range(8)]
    ours = sampled(p90_ns=[1.05 * figure for figure in base])
    evidence = found(rule, ours, sampled(p90_ns=base))
    assert evidence.decision is Decision.PASS
    assert evidence.value == pytest.approx(1.05)
    assert evidence.low == pytest.approx(1.05) and evidence.high == pytest.approx(1.05)


def test_a_baseline_brings_its_own_uncertainty() -> None:
    rule = Rule(metric=Metric.P50_LATENCY, limit=1.1, relative_to="baseline")
    base = measurement(rounds=[[9_000_000 + 100_000 * index] * 12 for index in range(7)])
    ours = sampled(p50_ns=[9.95e6] * 20)
    evidence = judge_sequentially(rule, ours, base, 0.0, RATES)
    assert isinstance(evidence, SequentialEvidence)
    # 9.95 is within 1.1 of the baseline's median round, 9.3, yet not of the least that this median may be: 9.0.
    assert evidence.alpha == 0.025
    assert evidence.decision is Decision.OPEN
    near = judge_sequentially(rule, sampled(p50_ns=[9.85e6] * 20), base, 0.0, RATES)
    assert isinstance(near, SequentialEvidence) and near.decision is Decision.PASS
    few = measurement(rounds=[[9_000_000] * 12] * 3)
    refused = judge_sequentially(rule, ours, few, 0.0, RATES)
    assert isinstance(refused, Refusal) and "3 rounds" in refused.reason and "takes 6" in refused.reason


@pytest.mark.parametrize(
    ("metric", "says"),
    [
        (Metric.TOP1_AGREEMENT, "no finished job"),
        (Metric.TOP5_AGREEMENT, "six classes"),
        (Metric.ACCURACY_DROP, "label"),
        (Metric.P50_LATENCY, "no finished round"),
        (Metric.P90_LATENCY, "min_runs"),
        (Metric.PEAK_MEMORY, "no peak memory"),
    ],
)
def test_what_was_not_measured_is_refused(metric: Metric, says: str) -> None:
    limit = 0.5 if metric.unit.value == "proportion" else 1e6
    refused = judge_sequentially(Rule(metric=metric, limit=limit), sampled(), None, 0.0, RATES)
    assert isinstance(refused, Refusal) and says in refused.reason


def test_the_verdict_shares_beta_out_and_tells_what_is_open() -> None:
    policy = Policy(
        rules=(
            AGREES,
            Rule(metric=Metric.P50_LATENCY, limit=10e6),
            Rule(metric=Metric.FILE_SIZE, limit=2000),
        ),
        candidates=("int8",),
    )
    results = [measurement("int8"), measurement("float16")]
    evidence = SampledEvidence(
        {"int8": sampled(top1=[1.0] * 300, p50_ns=[10e6] * 3)}, end="The budget is spent."
    )
    verdict = judge(policy, results, sampled=evidence)
    agreement, latency, size = [one for one in verdict.results if one.variant == "int8"]
    assert agreement.answer is Answer.PASS and agreement.evidence is not None
    assert (agreement.evidence.alpha, agreement.evidence.beta) == (0.05, 0.025)
    assert latency.answer is Answer.UNDECIDED and "The budget is spent." in latency.reason
    assert size.answer is Answer.PASS and size.evidence is None
    assert [one.rule.metric for one in open_rules(verdict, results)] == [Metric.P50_LATENCY]
    assert verdict.answer is Answer.UNDECIDED
    # A variant that has run in no round beside it is no evidence, and not open either.
    assert [one.answer for one in verdict.results if one.variant == "float16"][:2] == [Answer.UNDECIDED] * 2


def test_a_constant_output_passes_nothing() -> None:
    results = [measurement("int8", constant_output=True)]
    evidence = SampledEvidence({"int8": sampled(top1=[1.0] * 300)})
    (one,) = judge(Policy(rules=(AGREES,)), results, sampled=evidence).results
    assert one.answer is Answer.UNDECIDED and "says nothing" in one.reason


def test_error_rates_of_the_whole_gate() -> None:
    """Twice 300 gates, of a variant at the limit and of a good one, each looked at after every input up to 1200."""
    generator = np.random.default_rng(5)
    rule = Rule(metric=Metric.TOP1_AGREEMENT, limit=0.9)

    def answers(truth: float) -> list[Decision]:
        return [
            found(rule, sampled(top1=agreeing), indifference=0.05).decision
            for agreeing in (generator.random((300, 1200)) < truth).astype(np.float64)
        ]

    bad, good = answers(0.9), answers(0.95)
    assert bad.count(Decision.PASS) <= 0.05 * 300 < bad.count(Decision.FAIL)
    assert good.count(Decision.FAIL) <= 0.05 * 300
    assert good.count(Decision.PASS) >= 0.9 * 300
