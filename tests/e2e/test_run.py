"""``harness run`` from a suite to the verdict, through the real runner."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from desk import CLASSES, TINY, Desk, assert_explained, jobs, measured, not_measured

from harness.core.joblog import steady_samples
from harness.core.report import RunReport
from harness.core.verdict import Answer as Verdict
from harness.pipeline.evaluate import read_logs
from harness.store import list_runs
from harness.wire.job_folder import job_folder

PASS = '[[policy.rules]]\nmetric = "file_size"\nmax_mb = 1.0\n'
FAIL = '[[policy.rules]]\nmetric = "file_size"\nmax_mb = 0.000001\n'
# 12 inputs cannot show 99 %.
UNDECIDED = '[[policy.rules]]\nmetric = "top1_agreement"\nmin = 0.99\n'


@pytest.mark.parametrize(
    ("policy", "status", "verdict"),
    [
        (PASS, 0, Verdict.PASS),
        (FAIL, 1, Verdict.FAIL),
        (UNDECIDED, 3, Verdict.UNDECIDED),
        (PASS + UNDECIDED, 3, Verdict.UNDECIDED),
        (UNDECIDED + FAIL, 1, Verdict.FAIL),
        ("", 3, Verdict.UNDECIDED),
    ],
    ids=["pass", "fail", "undecided", "pass-and-undecided", "undecided-and-fail", "no-rule"],
)
def test_the_exit_status_is_the_verdict(desk: Desk, policy: str, status: int, verdict: Verdict) -> None:
    desk.tensors()
    answer = desk.harness("run", desk.suite(policy=policy, recipes=("float32",), rounds=1))
    assert answer.status == status, answer
    assert desk.report().verdict.answer is verdict


def test_a_tensor_suite_gives_sane_figures(desk: Desk) -> None:
    desk.tensors(count=12)
    assert desk.harness("run", desk.suite(rounds=3, min_runs=30)).status == 0
    report = desk.report()
    assert report.is_complete and (report.jobs_done, report.jobs_planned) == (6, 6)
    assert len(report.workload.inputs) == 12
    assert report.reference_variant == "float32"
    assert report.reference_engine.startswith("LiteRT ")
    assert 0 < report.inference_ns < report.measuring_ns
    for name in ("float32", "float16"):
        found = measured(report, name)
        assert found.latency.steady.samples == 30
        assert found.latency.steady.p50 is not None and found.latency.steady.p50.value > 0
        assert len(found.latency.load_ns) == len(found.latency.first_run_ns) == 3
        assert found.latency.warmup_runs == 3
        assert found.memory.peak_bytes is not None and found.memory.peak_bytes > 1_000_000
        assert found.agreement.top1.trials == 12
        assert found.agreement.invalid_outputs == 0
        assert not found.agreement.constant_output
        assert found.repeat_mismatches == 0
        assert found.accuracy is None
    exact = measured(report, "float32").agreement
    assert exact.top1.successes == 12 and exact.disagreements == ()
    assert exact.largest_absolute_difference is not None and exact.largest_absolute_difference < 1e-6
    assert measured(report, "float16").variant.file_bytes < measured(report, "float32").variant.file_bytes


def test_an_image_suite_with_every_recipe(desk: Desk) -> None:
    desk.photos(24)
    recipes = ("float32", "float16", "dynamic-int8", "int8", "int16x8", "rounded")
    suite = desk.image_suite(calibration="hold_out = 8\n", recipes=recipes, rounds=2, policy=PASS)
    answer = desk.harness("run", suite)
    assert answer.status == 0, answer
    report = desk.report()
    assert len(report.workload.inputs) == 16
    assert report.workload.calibration_count == 8
    assert [measured(report, name).variant.recipe.value for name in recipes] == list(recipes)
    assert measured(report, "float32").agreement.top1.successes == 16
    for name in recipes:
        # Weights are random, so near ties abound; a broken quantization or a wrong input would guess 1 in 10.
        assert measured(report, name).agreement.top1.successes >= 12, name
    assert measured(report, "int8").variant.file_bytes < measured(report, "float32").variant.file_bytes


def test_labels_and_truth_give_accuracy(desk: Desk) -> None:
    photos = desk.photos(10)
    desk.write("labels.txt", "".join(f"label {index}\n" for index in range(CLASSES)))
    rows = "".join(f"{photo.name},label {index}\n" for index, photo in enumerate(photos))
    desk.write("truth.csv", "file,label\n" + rows)
    suite = desk.image_suite(
        more='labels = "labels.txt"\ntruth = "truth.csv"\n', recipes=("float32",), policy=PASS
    )
    assert desk.harness("run", suite).status == 0
    report = desk.report()
    accuracy = measured(report, "float32").accuracy
    assert accuracy is not None
    assert accuracy.variant.trials == 10
    assert accuracy.variant.successes == accuracy.reference.successes
    assert accuracy.drop.value == 0
    assert report.workload.label(3) == "label 3"


def test_a_source_model_that_is_quantized_already(desk: Desk) -> None:
    desk.photos(8)
    answer = desk.harness("run", desk.image_suite(model=TINY / "image_int8.tflite", recipes=("float32",)))
    assert_explained(answer, 3, "image_int8.tflite", "already quantized")
    assert list_runs(desk.runs) == []


def test_a_model_of_tokens(desk: Desk) -> None:
    tokens = np.random.default_rng(0).integers(0, 50, (9, 12)).astype(np.int32)
    np.save(desk.folder / "inputs.npy", tokens)
    assert (
        desk.harness("run", desk.suite(model=TINY / "tokens_int32.tflite", recipes=("float32",))).status == 0
    )
    assert measured(desk.report(), "float32").agreement.top1.successes == 9


def test_a_model_of_two_inputs(desk: Desk) -> None:
    random = np.random.default_rng(0)
    np.savez(
        desk.folder / "inputs.npz",
        zulu=random.normal(size=(8, 4)).astype(np.float32),
        alpha=random.normal(size=(8, 6)).astype(np.float32),
    )
    suite = desk.suite(
        model=TINY / "two_in_two_out.tflite",
        workload='task = "tensors"\ninputs = "inputs.npz"\noutput = "logits"\n',
        recipes=("float32",),
        policy=PASS,
    )
    answer = desk.harness("run", suite)
    assert answer.status == 0, answer
    report = desk.report()
    found = measured(report, "float32").agreement
    assert found.top1.successes == 8
    assert found.largest_absolute_difference is not None and found.largest_absolute_difference < 1e-5
    assert all(len(job.inputs) == 2 for job, _ in jobs(desk.newest()))


def test_every_input_runs_for_every_variant(desk: Desk) -> None:
    desk.tensors(count=11)
    assert desk.harness("run", desk.suite(rounds=3, min_runs=3)).status == 0
    folder = desk.newest()
    for variant in ("float32", "float16"):
        inputs = [
            int(index)
            for log in read_logs(folder)
            if log.variant == variant
            for index in steady_samples(log)[0]
        ]
        assert sorted(inputs) == list(range(11))


def test_fewer_inputs_than_rounds(desk: Desk) -> None:
    desk.tensors(count=2)
    assert desk.harness("run", desk.suite(rounds=3, min_runs=6, policy=PASS)).status == 0
    assert measured(desk.report(), "float16").latency.steady.samples == 6


def test_the_second_run_converts_nothing_and_agrees(desk: Desk) -> None:
    desk.tensors(seed=1)
    suite = desk.suite(policy=UNDECIDED)
    assert desk.harness("run", suite).status == 3
    first = desk.report()
    answer = desk.harness("run", suite)
    assert answer.status == 3
    assert "cached" in answer.out and "built in" not in answer.out
    second = desk.report()
    assert len(list_runs(desk.runs)) == 2 and second.plan.run_id != first.plan.run_id
    for name in ("float32", "float16"):
        assert measured(second, name).variant.build.cached
        assert measured(second, name).variant.model == measured(first, name).variant.model
        assert measured(second, name).agreement == measured(first, name).agreement


def test_json_goes_to_standard_output_and_progress_elsewhere(desk: Desk) -> None:
    desk.tensors()
    answer = desk.harness("run", desk.suite(recipes=("float32",)), "--json")
    assert answer.status == 0
    assert RunReport.model_validate_json(answer.out) == desk.report()
    assert "Measuring" in answer.err


def test_another_policy_judges(desk: Desk) -> None:
    desk.tensors()
    policy = desk.write("strict.toml", "[policy]\n" + FAIL)
    assert desk.harness("run", desk.suite(recipes=("float32",)), "--policy", policy).status == 1


def test_the_run_folder_stands_for_itself(desk: Desk) -> None:
    """A report of a run that was moved, and whose suite and cache are gone, is the same."""
    desk.tensors()
    suite = desk.suite()
    assert desk.harness("run", suite, "--cache", desk.folder / "cache").status == 0
    before = desk.report()
    moved = desk.folder / "elsewhere"
    desk.newest().path.rename(moved)
    suite.unlink()
    (desk.folder / "inputs.npy").unlink()
    (desk.folder / "cache").rename(desk.folder / "gone")
    answer = desk.harness("report", moved, "--json")
    assert answer.status == 0, answer
    assert RunReport.model_validate_json(answer.out) == before


def test_paths_count_from_the_suites_folder(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.tensors()
    desk.suite(recipes=("float32",))
    (desk.folder / "below").mkdir()
    monkeypatch.chdir(desk.folder / "below")
    assert desk.harness("run", Path("..") / "suite.toml", "--runs", desk.runs).status == 0


def test_one_recipe_run_in_two_ways(desk: Desk) -> None:
    desk.tensors()
    named = '[variants.named.on-heap]\nrecipe = "float32"\nloading = "heap"\nthreads = 2\n'
    rule = '[[policy.rules]]\nmetric = "file_size"\nmax_factor = 1.0\nrelative_to = "float32"\n'
    suite = desk.suite(recipes=("float32",), policy=named + rule)
    answer = desk.harness("run", suite)
    assert answer.status == 0, answer
    report = desk.report()
    plain, other = measured(report, "float32"), measured(report, "on-heap")
    assert plain.variant.model == other.variant.model
    assert (plain.threads, other.threads) == (1, 2)
    loading = {job.variant: job.settings.loading.value for job, _ in jobs(desk.newest())}
    assert loading == {"float32": "mapped", "on-heap": "heap"}
    assert other.agreement.top1.successes == 12


def test_a_variant_that_cannot_be_built_fails_alone(desk: Desk) -> None:
    desk.tensors()
    answer = desk.harness("run", desk.suite(recipes=("float32", "int8"), policy=PASS))
    report = desk.report()
    failed = not_measured(report, "int8")
    assert failed.outcome == "not-built"
    assert "calibration" in failed.problem + failed.next_step
    assert measured(report, "float32").agreement.top1.successes == 12
    assert answer.status == 0
    assert "int8" in answer.out


def test_no_variant_can_be_built(desk: Desk) -> None:
    desk.tensors()
    answer = desk.harness("run", desk.suite(recipes=("int8",)))
    assert_explained(answer, 3, "calibration")
    assert list_runs(desk.runs) == []


def test_a_replay_gives_the_recorded_figures(desk: Desk) -> None:
    desk.tensors()
    suite = desk.suite()
    assert desk.harness("run", suite).status == 0
    recorded = desk.newest()
    first = desk.report()
    answer = desk.harness("run", suite, "--target", f"replay:{recorded.path.relative_to(desk.folder)}")
    assert answer.status == 0, answer
    second = desk.report()
    assert desk.newest().path != recorded.path
    assert second.plan.target == f"replay:{recorded.path}"
    for name in ("float32", "float16"):
        assert measured(second, name).latency == measured(first, name).latency
        assert measured(second, name).agreement == measured(first, name).agreement
    for job in recorded.schedule():
        old, new = (job_folder(folder.path, job.job_id) for folder in (recorded, desk.newest()))
        assert (old / "events.jsonl").read_bytes() == (new / "events.jsonl").read_bytes()


def test_a_replay_of_other_inputs_is_refused(desk: Desk) -> None:
    desk.tensors(seed=2)
    suite = desk.suite(recipes=("float32",))
    assert desk.harness("run", suite).status == 0
    recorded = desk.newest().path
    desk.tensors(seed=3)
    answer = desk.harness("run", suite, "--target", f"replay:{recorded}")
    assert_explained(answer, 4, str(recorded), "r00-float32")


def test_a_profile_a_weight_cache_and_an_accelerator_that_is_not_there_are_in_the_report(desk: Desk) -> None:
    desk.tensors()
    run = 'profile = 3\nloading = "weight-cache"\naccelerator = "metal"\n'
    answer = desk.harness("run", desk.suite(recipes=("float32",), run=run))
    assert answer.status == 0, answer
    report = desk.report()
    found = measured(report, "float32")
    assert [profile.runs for profile in found.profiles] == [3, 3]
    assert all(not delegation.obtained for delegation in found.delegations) and len(found.delegations) == 2
    kinds = {finding.kind for finding in report.findings}
    assert {"accelerator-not-used", "weight-cache-built"} <= kinds
    shown = desk.harness("report", desk.newest().path).out
    assert "Operations of float32" in shown and "asked for metal and ran on the CPU" in shown
    for time in found.profiles[0].times:
        assert time.name.split(" (")[0] in shown
