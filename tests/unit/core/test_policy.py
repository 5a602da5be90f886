"""A rule that makes no sense is no rule."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from harness.core.policy import Metric, Policy, Rule, Unit


@pytest.mark.parametrize(
    ("json", "message"),
    [
        ('{"metric": "top1_agreement", "limit": 98}', "proportion from 0 to 1"),
        ('{"metric": "accuracy_drop", "limit": -0.1}', "greater than or equal to 0"),
        ('{"metric": "file_size", "limit": 0}', "can never be met"),
        ('{"metric": "top1_agreement", "limit": 0.9, "relative_to": "float32"}', "no relative_to"),
        (
            '{"metric": "file_size", "limit": 1, "relative_to": "a", "applies_to": ["a"]}',
            "cannot apply to it",
        ),
        ('{"metric": "p99_latency", "limit": 1}', "metric"),
        ('{"metric": "file_size", "limit": NaN}', "finite"),
        ('{"metric": "file_size", "limit": 1, "unit": "kB"}', "Extra inputs"),
    ],
)
def test_a_senseless_rule_is_refused(json: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Rule.model_validate_json(json)


def test_the_unit_follows_from_the_metric_and_relation() -> None:
    assert Rule(metric=Metric.P50_LATENCY, limit=1.0).unit is Unit.NANOSECONDS
    assert Rule(metric=Metric.P50_LATENCY, limit=1.0, relative_to="float32").unit is Unit.FACTOR
    assert Rule(metric=Metric.PEAK_MEMORY, limit=1.0).unit is Unit.BYTES
    assert Rule(metric=Metric.ACCURACY_DROP, limit=0.0).unit is Unit.PROPORTION


def test_a_rule_holds_for_all_but_what_it_is_relative_to() -> None:
    relative = Rule(metric=Metric.FILE_SIZE, limit=0.5, relative_to="float32")
    assert relative.holds_for("int8") and not relative.holds_for("float32")
    named = Rule(metric=Metric.FILE_SIZE, limit=5.0, applies_to=("int8",))
    assert named.holds_for("int8") and not named.holds_for("float16")


def test_a_policy_survives_its_json_and_names_a_candidate_once() -> None:
    policy = Policy(rules=(Rule(metric=Metric.FILE_SIZE, limit=5.0),), candidates=("int8",))
    assert Policy.model_validate_json(policy.model_dump_json()) == policy
    with pytest.raises(ValidationError, match="named twice"):
        Policy(candidates=("int8", "int8"))
    with pytest.raises(ValidationError):
        Policy(confidence=1.0)
