"""The suite file: what is read, what it means in base units, and every kind of error with its line and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.core.events import TargetClass
from harness.core.jobs import Loading
from harness.core.policy import Metric, Policy
from harness.core.variants import Recipe
from harness.core.workload import OutputKind, Task
from harness.errors import SuiteError
from harness.suite.document import Suite
from harness.suite.read import parse_suite, read_policy, read_suite

REPOSITORY = Path(__file__).parents[3]

SMALLEST = """\
version = 1
name = "s"
[model]
path = "m.tflite"
[workload]
task = "tensors"
inputs = "x.npy"
[variants]
recipes = ["float32"]
"""
IMAGES = """\
version = 1
name = "s"
[model]
path = "m.keras"
[workload]
task = "image-classification"
inputs = "photos"
[workload.preprocess]
size = [224, 224]
mean = 127
scale = [128, 128.5, 129]
[variants]
recipes = ["float32", "int8"]
"""

TEXTS = """\
version = 1
name = "s"
[model]
path = "m.keras"
[workload]
task = "text-classification"
inputs = "texts.jsonl"
[workload.text]
alphabet = "alphabet.json"
[variants]
recipes = ["float32"]
"""


def parse(text: str) -> Suite:
    return parse_suite(text, where="suite.toml")


def refused(text: str) -> SuiteError:
    with pytest.raises(SuiteError) as caught:
        parse(text)
    assert caught.value.next_step
    return caught.value


def rules(*lines: str) -> Policy:
    return parse(SMALLEST + "[[policy.rules]]\n" + "\n".join(lines) + "\n").policy.policy


def test_the_smallest_suite_has_the_documented_defaults() -> None:
    suite = parse(SMALLEST)
    assert suite.variants.recipes == (Recipe.FLOAT32,)
    assert suite.workload.task is Task.TENSORS
    assert suite.workload.output is OutputKind.PROBABILITIES
    assert (suite.workload.views, suite.workload.seed, suite.workload.background_class) == (1, 0, False)
    assert (suite.run.target, suite.run.rounds, suite.run.threads) == ("local", 5, 1)
    assert suite.run.loading is Loading.MAPPED
    assert suite.run.idle_limit_seconds == 120
    assert suite.policy.confidence == 0.95 and suite.policy.rules == () == suite.policy.candidates


def test_the_demo_is_a_suite() -> None:
    suite, text = read_suite(REPOSITORY / "fixtures" / "demo.toml")
    assert text == (REPOSITORY / "fixtures" / "demo.toml").read_text(encoding="utf-8")
    assert suite.workload.preprocess is not None
    assert suite.policy.rules


def test_settings_are_shared_out_over_the_rounds() -> None:
    """Warm-up counts for each process, steady for each variant over all rounds."""
    text = SMALLEST + (
        "[run]\nrounds = 4\nwarmup = {min_runs = 3, min_seconds = 0.5}\n"
        "steady = {min_runs = 50, min_seconds = 1.0, max_seconds = 2.0}\n"
    )
    settings = parse(text).run.settings
    assert (settings.warmup.min_runs, settings.warmup.min_duration_ns) == (3, 500_000_000)
    assert settings.warmup.max_duration_ns == 0
    assert (settings.steady.min_runs, settings.steady.min_duration_ns) == (13, 250_000_000)
    assert settings.steady.max_duration_ns == 500_000_000


def test_one_mean_stands_for_all_channels() -> None:
    preprocess = parse(IMAGES).workload.preprocess
    assert preprocess is not None
    assert preprocess.encoding.mean == (127.0, 127.0, 127.0)
    assert preprocess.encoding.scale == (128.0, 128.5, 129.0)
    assert preprocess.encoding.shape == (224, 224, 3)


def test_an_alphabet_is_a_file_or_stands_in_the_suite() -> None:
    text = parse(TEXTS).workload.text
    assert text is not None and (text.alphabet, text.characters) == ("alphabet.json", None)
    inline = TEXTS.replace(
        'alphabet = "alphabet.json"', 'characters = "abc ❤"\nlowercase = false\nlength = 7'
    )
    text = parse(inline).workload.text
    assert text is not None and (text.characters, text.lowercase, text.length) == ("abc ❤", False, 7)


def test_gray_has_one_channel() -> None:
    text = IMAGES.replace("scale = [128, 128.5, 129]", 'scale = 128\nchannels = "gray"')
    preprocess = parse(text).workload.preprocess
    assert preprocess is not None and preprocess.encoding.shape == (224, 224, 1)


@pytest.mark.parametrize(
    ("lines", "metric", "limit"),
    [
        (['metric = "top1_agreement"', "min = 0.98"], Metric.TOP1_AGREEMENT, 0.98),
        (['metric = "top5_agreement"', "min = 1"], Metric.TOP5_AGREEMENT, 1.0),
        (['metric = "accuracy_drop"', "max = 0.01"], Metric.ACCURACY_DROP, 0.01),
        (['metric = "p50_latency"', "max_ms = 12.5"], Metric.P50_LATENCY, 12_500_000.0),
        (['metric = "p90_latency"', "max_ms = 20"], Metric.P90_LATENCY, 20_000_000.0),
        (['metric = "peak_memory"', "max_mb = 150"], Metric.PEAK_MEMORY, 150_000_000.0),
        (['metric = "file_size"', "max_mb = 5.5"], Metric.FILE_SIZE, 5_500_000.0),
        (['metric = "compressed_size"', "max_mb = 5"], Metric.COMPRESSED_SIZE, 5_000_000.0),
    ],
)
def test_limits_are_in_base_units(lines: list[str], metric: Metric, limit: float) -> None:
    (rule,) = rules(*lines).rules
    assert rule.metric is metric and rule.relative_to is None
    assert rule.limit == pytest.approx(limit)


def test_a_relative_rule_is_a_factor() -> None:
    text = SMALLEST.replace('["float32"]', '["float32", "float16"]') + (
        '[[policy.rules]]\nmetric = "p50_latency"\nmax_factor = 0.8\nrelative_to = "float32"\n'
        'applies_to = ["float16"]\ntarget_class = "iphone"\n'
    )
    (rule,) = parse(text).policy.policy.rules
    assert (rule.limit, rule.relative_to, rule.applies_to) == (0.8, "float32", ("float16",))
    assert rule.target_class is TargetClass.IPHONE


ERRORS = [
    ("", "suite.toml:1", "version"),
    (SMALLEST.replace('name = "s"\n', ""), "suite.toml:1", "name"),
    (SMALLEST.replace('"s"', '""'), "suite.toml:2", "name"),
    (SMALLEST.replace('"s"', '"../up"'), "suite.toml:2", "name"),
    (SMALLEST.replace('"s"', f'"{"x" * 41}"'), "suite.toml:2", "name"),
    (SMALLEST.replace("version = 1\n", ""), "suite.toml:1", "version"),
    (SMALLEST.replace("version = 1", "version = 0"), "suite.toml:1", "version"),
    (SMALLEST.replace("version = 1", "version = 99"), "suite.toml:1", "version is 99"),
    (SMALLEST.replace("path", "file"), "suite.toml:4", "model.file"),
    (SMALLEST.replace('"m.tflite"', "7"), "suite.toml:4", "model.path"),
    (SMALLEST.replace('"tensors"', '"speech"'), "suite.toml:6", "workload.task"),
    (SMALLEST.replace('"tensors"', '"image-classification"'), "suite.toml:5", "preprocess"),
    (SMALLEST.replace('inputs = "x.npy"\n', ""), "suite.toml:5", "workload.inputs"),
    (SMALLEST.replace('["float32"]', "[]"), "suite.toml", "variants"),
    (SMALLEST.replace('["float32"]', '["int4"]'), "suite.toml:9", "variants.recipes.0"),
    (SMALLEST.replace('["float32"]', '["float32", "float32"]'), "suite.toml:8", "float32"),
    (SMALLEST.replace('["float32"]', '"float32"'), "suite.toml:9", "variants.recipes"),
    (SMALLEST + "[run]\nrounds = 0\n", "suite.toml:11", "run.rounds"),
    (SMALLEST + "[run]\nrounds = true\n", "suite.toml:11", "run.rounds"),
    (SMALLEST + "[run]\nrounds = 2.5\n", "suite.toml:11", "run.rounds"),
    (SMALLEST + "[run]\nthreads = 65\n", "suite.toml:11", "run.threads"),
    (SMALLEST + '[run]\nloading = "disk"\n', "suite.toml:11", "run.loading"),
    (SMALLEST + "[run]\nidle_limit_seconds = 0\n", "suite.toml:11", "run.idle_limit_seconds"),
    (SMALLEST + "[run]\nsteady = {min_runs = -1}\n", "suite.toml:11", "run.steady.min_runs"),
    (SMALLEST + "[run]\nsteady = {runs = 1}\n", "suite.toml:11", "run.steady.runs"),
    (SMALLEST + "[run]\nsteady.min_seconds = inf\n", "suite.toml:11", "run.steady.min_seconds"),
    (SMALLEST + "[run]\nsteady.min_seconds = nan\n", "suite.toml:11", "run.steady.min_seconds"),
    (SMALLEST + "[run]\nseed = 2026-01-01\n", "suite.toml:11", "run.seed"),
    (SMALLEST + "[runs]\nrounds = 3\n", "suite.toml:10", "runs"),
    (SMALLEST + "[policy]\nconfidence = 1\n", "suite.toml:11", "policy.confidence"),
    (SMALLEST + '[policy]\ncandidates = ["int8"]\n', "suite.toml:1", "int8"),
    (SMALLEST + '[[policy.rules]]\nmetric = "speed"\n', "suite.toml:11", "policy.rules.0.metric"),
    (SMALLEST + '[[policy.rules]]\nmetric = "file_size"\n', "suite.toml:10", "max_mb; found none"),
    (SMALLEST + '[[policy.rules]]\nmetric = "file_size"\nmin = 1\n', "suite.toml:10", "max_mb; found min"),
    (
        SMALLEST + '[[policy.rules]]\nmetric = "file_size"\nmax_mb = 1\nmax = 1\n',
        "suite.toml:10",
        "found max, max_mb",
    ),
    (SMALLEST + '[[policy.rules]]\nmetric = "file_size"\nmax_mb = 0\n', "suite.toml:10", "never"),
    (SMALLEST + '[[policy.rules]]\nmetric = "top1_agreement"\nmin = 98\n', "suite.toml:10", "0 to 1"),
    (
        SMALLEST + '[[policy.rules]]\nmetric = "p50_latency"\nmax_ms = 1\nrelative_to = "float32"\n',
        "suite.toml:10",
        "max_factor; found max_ms",
    ),
    (
        SMALLEST + '[[policy.rules]]\nmetric = "top1_agreement"\nmax_factor = 1\nrelative_to = "float32"\n',
        "suite.toml:10",
        "relative_to",
    ),
    (
        SMALLEST + '[[policy.rules]]\nmetric = "p50_latency"\nmax_factor = 1\nrelative_to = "int8"\n',
        "suite.toml:1",
        "int8",
    ),
    (
        SMALLEST + '[[policy.rules]]\nmetric = "p50_latency"\nmax_factor = 1\nrelative_to = "baseline"\n',
        "suite.toml:1",
        "baseline",
    ),
    (
        SMALLEST + '[[policy.rules]]\nmetric = "file_size"\nmax_mb = 1\napplies_to = ["int8"]\n',
        "suite.toml:1",
        "int8",
    ),
    (IMAGES.replace("size = [224, 224]", "size = [224]"), "suite.toml:9", "workload.preprocess.size"),
    (IMAGES.replace("[224, 224]", "[0, 224]"), "suite.toml:9", "workload.preprocess.size"),
    (IMAGES.replace("[224, 224]", "224"), "suite.toml:9", "workload.preprocess.size"),
    (IMAGES.replace("mean = 127", "mean = [1, 2]"), "suite.toml:8", "mean"),
    (IMAGES.replace("mean = 127", 'mean = "127"'), "suite.toml:10", "mean"),
    (IMAGES.replace("mean = 127", "mean = true"), "suite.toml:10", "mean"),
    (IMAGES.replace("128.5", "0"), "suite.toml:11", "scale"),
    (IMAGES.replace("mean = 127", "crop_fraction = 1.5"), "suite.toml", "workload.preprocess"),
    (IMAGES.replace("mean = 127", 'mean = 127\nresize = "stretch"'), "suite.toml:11", "resize"),
    (IMAGES + "[workload.calibration]\n", "suite.toml:14", "hold_out"),
    (IMAGES + '[workload.calibration]\nhold_out = 3\ninputs = "c"\n', "suite.toml:14", "hold_out"),
    (IMAGES + "[workload.calibration]\nhold_out = 3\nviews = 0\n", "suite.toml:16", "views"),
    (IMAGES.replace('"image-classification"', '"tensors"'), "suite.toml:5", "preprocess"),
    (TEXTS.replace('[workload.text]\nalphabet = "alphabet.json"\n', ""), "suite.toml:5", "[workload.text]"),
    (TEXTS.replace("alphabet = ", "letters = "), "suite.toml:9", "workload.text.letters"),
    (TEXTS.replace('alphabet = "alphabet.json"\n', ""), "suite.toml:8", "alphabet"),
    (TEXTS.replace("[variants]", "keystrokes = -1\n[variants]"), "suite.toml:10", "keystrokes"),
    (TEXTS.replace("[variants]", 'characters = "ab"\n[variants]'), "suite.toml:8", "either alphabet"),
    (TEXTS.replace("[variants]", "length = 60\n[variants]"), "suite.toml:8", "stand in the alphabet file"),
    (TEXTS.replace('alphabet = "alphabet.json"', 'characters = "aba"'), "suite.toml:9", "holds 'a' twice"),
    (TEXTS.replace('alphabet = "alphabet.json"', 'characters = ""'), "suite.toml:9", "characters"),
    (TEXTS.replace("[workload.text]", 'truth = "t.csv"\n[workload.text]'), "suite.toml:5", "remove truth"),
    (TEXTS.replace("[workload.text]", "views = 2\n[workload.text]"), "suite.toml:5", "a text has one"),
    (TEXTS.replace('"text-classification"', '"tensors"'), "suite.toml:5", "remove it"),
    (SMALLEST + "[run\n", "suite.toml:10", "not TOML"),
    (SMALLEST + "[model]\n", "suite.toml:10", "not TOML"),
]


@pytest.mark.parametrize(("text", "where", "problem"), ERRORS, ids=[f"{at}-{what}" for _, at, what in ERRORS])
def test_an_error_has_its_line_and_key(text: str, where: str, problem: str) -> None:
    error = refused(text)
    assert error.where is not None
    assert error.where == where or (":" not in where and error.where.startswith(where))
    assert problem in error.problem


def test_a_misspelt_key_is_told_with_what_is_missing() -> None:
    error = refused(SMALLEST.replace("inputs", "input"))
    assert error.where == "suite.toml:7"
    assert "workload.input" in error.problem and "'inputs'" in error.problem


def test_a_newer_version_is_told_before_its_new_keys() -> None:
    error = refused(SMALLEST.replace("version = 1", "version = 2") + "[galaxy]\n")
    assert "version" in error.problem and "Update" in error.next_step


def test_a_target_may_be_a_query_and_a_wrong_one_is_told_with_its_line() -> None:
    query = "iphone where model=iPhone15,* and ios>=18"
    suite = parse_suite(f'{SMALLEST}[run]\ntarget = "{query}"\n', where="suite.toml")
    assert suite.run.target == query
    error = refused(f'{SMALLEST}[run]\nseed = 1\ntarget = "iphone where modle=iPhone15,*"\n')
    assert error.where == f"suite.toml:{SMALLEST.count(chr(10)) + 3}"
    assert error.problem.startswith("run.target: target, character 14: there is no field 'modle'")
    assert "model" in error.problem


class TestPolicyFile:
    def read(self, tmp_path: Path, text: str) -> Policy:
        path = tmp_path / "policy.toml"
        path.write_text(text)
        return read_policy(path).policy

    def test_only_a_policy(self, tmp_path: Path) -> None:
        policy = self.read(tmp_path, '[policy]\ncandidates = ["anything"]\n')
        assert policy.candidates == ("anything",)

    def test_the_policy_of_a_suite_that_is_not_valid_itself(self, tmp_path: Path) -> None:
        assert self.read(tmp_path, "version = 3\n[policy]\nconfidence = 0.9\n").confidence == 0.9

    def test_errors_have_their_line(self, tmp_path: Path) -> None:
        with pytest.raises(SuiteError) as caught:
            self.read(tmp_path, '[policy]\n\n[[policy.rules]]\nmetric = "file_size"\nmax_mb = "1"\n')
        assert caught.value.where == f"{tmp_path / 'policy.toml'}:5"
        assert "policy.rules.0.max_mb" in caught.value.problem


def test_a_sweep_of_threads_makes_a_variant_of_each() -> None:
    text = SMALLEST.replace('["float32"]', '["float32", "int8"]\nthreads = [1, 4]')
    suite = parse_suite(text, where="suite.toml")
    assert [(spec.name, spec.threads) for spec in suite.variants.specs] == [
        ("float32-1t", 1),
        ("float32-4t", 4),
        ("int8-1t", 1),
        ("int8-4t", 4),
    ]
    with pytest.raises(SuiteError, match="listed twice"):
        parse_suite(text.replace("[1, 4]", "[4, 4]"), where="suite.toml")


def test_how_a_variant_runs_is_its_own_or_the_runs() -> None:
    named = (
        '[variants.named.cached]\nrecipe = "float32"\nloading = "weight-cache"\nprofile = 5\n'
        '[run]\naccelerator = "metal"\nprofile = 2\nloading = "heap"\n'
    )
    suite = parse_suite(SMALLEST + named, where="suite.toml")
    of_run, own = (spec.settings(suite.run.settings) for spec in suite.variants.specs)
    assert (of_run.loading, of_run.accelerator, of_run.profile) == ("heap", "metal", 2)
    assert (own.loading, own.accelerator, own.profile) == ("weight-cache", "metal", 5)
