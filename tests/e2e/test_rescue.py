"""Rescuing a variant that a policy refuses: search, suite, run; through the real quantizer, interpreter and runner."""

from __future__ import annotations

from desk import Desk, assert_explained, measured, result
from PIL import Image

from harness.core.explanation import Explanation
from harness.core.measurements import Measurement
from harness.core.rescue import Rescue
from harness.core.verdict import Answer
from harness.store import list_runs


def run_int8(desk: Desk, policy: str) -> None:
    """A run on photos of noise whose int8 variant was calibrated on one grey photo, and so loses labels."""
    desk.photos(100)
    (desk.folder / "grey").mkdir()
    Image.new("RGB", (12, 12), (126, 128, 127)).save(desk.folder / "grey" / "grey.png")
    suite = desk.image_suite(
        calibration='inputs = "grey"\n', recipes=("float32", "int8"), policy="[policy]\n" + policy
    )
    assert desk.harness("run", suite).status in (0, 1, 3)


def agreement_rule(least: float) -> str:
    return f'[[policy.rules]]\nmetric = "top1_agreement"\nmin = {least}\napplies_to = ["int8"]\n'


def test_a_mixture_that_passes_is_found_and_run_beside_the_others(desk: Desk) -> None:
    run_int8(desk, "[[policy.rules]]\nmetric = 'file_size'\nmax_mb = 9\n")
    before = desk.newest()
    plain = measured(desk.report(), "int8")
    lost = len(plain.agreement.disagreements)
    assert lost > 0, "there must be something to rescue"
    strict = desk.write(
        "strict.toml", '[policy]\nconfidence = 0.5\n[[policy.rules]]\nmetric = "top1_agreement"\nmin = 0.35\n'
    )
    answer = desk.harness("rescue", before.path, "int8", "--policy", strict)
    assert "keeps" in answer.out and "in float" in answer.out, answer
    assert answer.status == 1, "int8 as it was is a candidate, too"
    assert desk.report().verdict.releasable == ("float32", "int8-rescued")
    assert (desk.folder / "suite-rescued.toml").is_file()
    assert len(list_runs(desk.runs)) == 2
    rescued = measured(desk.report(), "int8-rescued")
    assert rescued.variant.keep_float
    assert len(rescued.agreement.disagreements) < lost
    assert plain.variant.file_bytes < rescued.variant.file_bytes
    assert isinstance(result(desk.report(), "int8"), Measurement)
    assert_explained(desk.harness("rescue", before.path, "int8"), 2, "suite-rescued.toml", "is there already")


def test_where_nothing_passes_that_is_said(desk: Desk) -> None:
    run_int8(desk, '[[policy.rules]]\nmetric = "file_size"\nmax_mb = 0.000001\n')
    answer = desk.harness("rescue", desk.newest().path, "int8", "--json", "--budget", "3")
    assert answer.status == 1
    found = Rescue.model_validate_json(answer.out)
    assert found.best is None and len(found.tried) == 3
    assert {one.answer for one in found.tried} == {Answer.FAIL}
    assert [len(one.form.keep_float) for one in found.tried] == [0, 1, 2]
    explained = Explanation.model_validate_json(
        desk.harness("explain", desk.newest().path, "int8", "--json").out
    )
    worst = [layer.operation.tensor for layer in explained.layers[:2]]
    assert list(found.tried[2].form.keep_float) == worst
    assert not (desk.folder / "suite-rescued.toml").exists()


def test_what_cannot_be_rescued_is_explained(desk: Desk) -> None:
    run_int8(desk, agreement_rule(0.1))
    run = desk.newest().path
    assert_explained(desk.harness("rescue", run, "float32"), 2, "float32")
    assert_explained(desk.harness("rescue", run, "float16"), 2, "no variant 'float16'")
    latency = desk.write("latency.toml", '[policy]\n[[policy.rules]]\nmetric = "p50_latency"\nmax_ms = 1\n')
    assert_explained(
        desk.harness("rescue", run, "int8", "--policy", latency), 2, "no rule on int8's agreement"
    )
    as_it_is = desk.harness("rescue", run, "int8")
    assert as_it_is.status == 0 and "as it is" in as_it_is.out


def test_a_misspelt_layer_is_a_failed_build_and_a_recipe_that_cannot_be_mixed_a_bad_suite(desk: Desk) -> None:
    desk.tensors()
    named = '[variants.named.mixed]\nrecipe = "dynamic-int8"\nkeep_float = ["nowhere"]\n'
    answer = desk.harness("build", desk.suite(policy=named))
    assert "no operation gives 'nowhere'" in answer.out + answer.err
    wrong = named.replace("dynamic-int8", "rounded")
    assert_explained(desk.harness("build", desk.suite(policy=wrong)), 2, "keep_float and granularity are for")
