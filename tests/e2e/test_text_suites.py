"""Texts from the suite to the verdict, by the real runner: a tiny model of 12 characters and five emoji."""

from __future__ import annotations

import io
import json
import random
import subprocess
import sys
from pathlib import Path

import desk as user_desk
import numpy as np
import pytest
from desk import AGREES, TINY, Desk, assert_explained, jobs, measured, not_measured

from harness.core.agreement import OutputTally, ScoreChunk
from harness.core.divergence import Scores
from harness.core.findings import FindingKind
from harness.core.jobs import CharacterEncoding
from harness.core.text_encoding import TextEncoding, encode_texts
from harness.core.verdict import Answer, judge
from harness.core.workload import OutputKind

ALPHABET = "abcdefghijklmnopqrstuvwxyz !?.,'0123456789❤é"
RULE = TextEncoding(alphabet=ALPHABET, length=12)
LABELS = ("❤️", "😂", "🏳️‍🌈", "👍🏽", "🇫🇷")
WORKLOAD = 'task = "text-classification"\ninputs = "texts.jsonl"\nlabels = "labels.txt"\n'
TEXT = '[workload.text]\nalphabet = "alphabet.json"\n'
ACCURATE = '[[policy.rules]]\nmetric = "accuracy"\nmin = 0.9\n'


def some_texts(count: int) -> list[str]:
    draw = random.Random(5)
    letters = ALPHABET[:27]
    return ["".join(draw.choices(letters, k=draw.randint(3, 12))).strip() + "x" for _ in range(count)]


def suggested(answer: user_desk.Answer) -> list[str]:
    assert answer.status == 0, answer
    return [text["best"][0]["label"] for text in json.loads(answer.out)["texts"]]


@pytest.fixture
def texts(desk: Desk) -> list[str]:
    """The files of a suite; the labels are what the model itself says."""
    desk.write("labels.txt", "\n".join(LABELS) + "\n")
    desk.write("alphabet.json", RULE.model_dump_json())
    given = some_texts(60)
    labels = suggested(
        desk.harness(
            "label",
            TINY / "tokens_int32.tflite",
            *given,
            "--alphabet",
            "alphabet.json",
            "--labels",
            "labels.txt",
            "--json",
        )
    )
    assert len(set(labels)) > 2
    lines = [json.dumps({"text": text, "label": label}) for text, label in zip(given, labels, strict=True)]
    desk.write("texts.jsonl", "\n".join(lines) + "\n")
    return given


def text_suite(desk: Desk, **rest: object) -> Path:
    given: dict[str, object] = {"model": TINY / "tokens_int32.tflite", "workload": WORKLOAD + TEXT}
    return desk.suite(**(given | {"recipes": ("float32", "float16")} | rest))  # type: ignore[arg-type]


def test_a_suite_of_texts_runs_to_its_verdict(desk: Desk, texts: list[str]) -> None:
    suite = text_suite(desk, policy="[policy]\n" + ACCURATE)
    answer = desk.harness("run", suite)
    assert answer.status == 0, answer
    report = desk.report()
    assert measured(report, "float32").agreement.top1.value == 1.0
    accuracy = measured(report, "float32").accuracy
    assert accuracy is not None and (accuracy.variant.successes, accuracy.variant.trials) == (60, 60)
    assert "60 inputs, 60 labelled (text classification)" in answer.out
    for job, _ in jobs(desk.newest()):
        encoding = job.inputs[0].encoding
        assert isinstance(encoding, CharacterEncoding) and encoding.rule == RULE
        records = desk.newest().blobs.path(job.inputs[0].blob).read_bytes()
        shard = texts[job.first_input : job.first_input + job.input_count]
        assert records == encode_texts(shard, RULE).astype("<i4").tobytes()


def test_an_alphabet_in_another_order_fails_the_gate(desk: Desk, texts: list[str]) -> None:
    shuffled = "".join(random.Random(1).sample(ALPHABET, len(ALPHABET)))
    desk.write("alphabet.json", RULE.model_copy(update={"alphabet": shuffled}).model_dump_json())
    answer = desk.harness("run", text_suite(desk, policy="[policy]\n" + ACCURATE))
    assert answer.status == 1, answer
    assert "accuracy" in answer.out and "FAIL" in answer.out


def test_keystrokes_are_a_figure_of_their_own(desk: Desk, texts: list[str]) -> None:
    rule = '[[policy.rules]]\nmetric = "p90_keystroke_latency"\nmax_ms = 1000\n'
    workload = WORKLOAD + TEXT + "keystrokes = 30\nkeystroke_pause_ms = 0.01\n"
    answer = desk.harness("run", text_suite(desk, workload=workload, recipes=("float32",), policy=rule))
    assert answer.status == 0, answer
    report = desk.report()
    typed = measured(report, "float32").keystrokes
    assert typed is not None and (typed.texts, typed.pause_ns) == (30, 10_000)
    assert typed.latency.samples == sum(min(len(text), 12) for text in report.workload.typed)
    assert typed.latency.p90 is not None and len(typed.round_p90_ns) == 2
    assert "Key p90" in answer.out and "30 texts typed key by key" in answer.out
    by_round = [job.keystrokes for job, _ in jobs(desk.newest())]
    assert None not in by_round and by_round[0] != by_round[1]
    # Without any, a rule about them is undecided and says what to set.
    answer = desk.harness("run", text_suite(desk, recipes=("float32",), policy=rule))
    assert answer.status == 3 and "workload.text.keystrokes" in answer.out.replace("\n", "")


def test_a_fused_layer_passes_and_one_whose_state_stays_would_fail(desk: Desk, texts: list[str]) -> None:
    model = TINY / "stateful_int32.tflite"
    suite = text_suite(desk, model=model, recipes=("float32",), policy="[policy]\n" + AGREES)
    assert desk.harness("run", suite).status == 0
    report = desk.report()
    found = measured(report, "float32")
    assert found.agreement.top1.value == 1.0 and found.repeat_mismatches == 0
    reference = np.fromfile(desk.newest().blobs.path(desk.newest().reference().outputs), "<f4").reshape(-1, 5)
    tally = OutputTally(
        [one.name for one in report.workload.inputs], [None] * len(reference), OutputKind.PROBABILITIES, None
    )
    stale = without_reset(model, encode_texts([one.name for one in report.workload.inputs], RULE))
    tally.add(ScoreChunk(np.arange(len(reference)), reference, stale))
    broken = found.model_copy(update={"agreement": tally.agreement(0.95)})
    assert broken.agreement.top1.value < 0.8
    assert judge(report.verdict.policy, [broken]).answer is Answer.FAIL


RECURRENT = """
import sys
import keras

keras.utils.set_random_seed(1)
characters = keras.Input((12,), name="characters")
x = keras.layers.Embedding(46, 16)(characters)
x = keras.layers.Bidirectional(keras.layers.LSTM(24))(x)
scores = keras.layers.Dense(5, activation="softmax", kernel_initializer=keras.initializers.RandomNormal(stddev=3.0))(x)
keras.Model(characters, scores).save(sys.argv[1])
"""


@pytest.mark.slow
def test_loops_of_keras_run_and_the_recipe_that_cannot_take_them_is_told(
    desk: Desk, texts: list[str]
) -> None:
    """Bidirectional LSTM, WHILE in LiteRT, on float32 inputs, which is what a Keras input is unless told otherwise."""
    subprocess.run([sys.executable, "-c", RECURRENT, "model.keras"], check=True, cwd=desk.folder)
    workload = WORKLOAD + TEXT + "[workload.calibration]\nhold_out = 10\n"
    suite = text_suite(
        desk,
        model="model.keras",
        workload=workload,
        recipes=("float32", "dynamic-int8", "int8"),
        policy="[policy]\n" + AGREES,
    )
    answer = desk.harness("run", suite)
    report = desk.report()
    assert measured(report, "float32").agreement.top1.value == 1.0
    difference = measured(report, "float32").agreement.largest_absolute_difference
    assert difference is not None and difference < 1e-5
    assert measured(report, "dynamic-int8").agreement.top1.value > 0.8
    refused = not_measured(report, "int8")
    assert refused.outcome == "not-built" and "WHILE" not in refused.next_step
    assert "not built" in answer.out and refused.problem.split(":")[0] in answer.out


def without_reset(model: Path, records: np.ndarray[tuple[int, ...], np.dtype[np.int32]]) -> Scores:
    """What a runner gives that leaves variables as the input before left them."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(model), num_threads=1)
    interpreter.allocate_tensors()
    outputs = []
    for record in records:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], record[np.newaxis])
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0])
    return np.stack(outputs)


def test_what_is_left_out_and_cut_off_is_told(desk: Desk, texts: list[str]) -> None:
    lines = (desk.folder / "texts.jsonl").read_text(encoding="utf-8").splitlines()
    odd = [
        json.dumps({"text": "a text that is longer than twelve", "label": LABELS[0]}),
        json.dumps({"text": "\u202egnirts live", "label": LABELS[1]}),
        json.dumps({"text": "שלום", "label": LABELS[2]}),
        json.dumps({"text": "  \u200b "}),
        json.dumps({"text": "half \ud83d"}),
        json.dumps({"text": "unicorn", "label": "🦄"}),
        json.dumps({"text": "unicorns", "label": "🦄"}),
    ]
    desk.write("texts.jsonl", "\n".join(lines + odd) + "\n")
    answer = desk.harness("run", text_suite(desk, policy=""))
    report = desk.report()
    assert len(report.workload.inputs) == 63
    assert "left out" in answer.out and "4 inputs" in answer.out
    assert "2 have a label that is none of the model's" in answer.out
    kinds = {finding.kind for finding in report.findings}
    assert {FindingKind.TEXTS_CUT_OFF, FindingKind.UNKNOWN_CHARACTERS} <= kinds
    assert "\u202e" not in answer.out
    markdown = desk.harness("report", desk.newest().path, "--format", "markdown").out
    assert "\u202e" not in markdown


def test_one_class_is_told(desk: Desk, texts: list[str]) -> None:
    desk.write("texts.jsonl", "".join(f'{{"text": "{text}", "label": 1}}\n' for text in texts))
    desk.harness("run", text_suite(desk, policy=""))
    assert FindingKind.ONE_CLASS in {finding.kind for finding in desk.report().findings}


def test_calibration_holds_texts_out_and_a_recipe_that_cannot_be_built_is_told(
    desk: Desk, texts: list[str]
) -> None:
    workload = WORKLOAD + TEXT + "[workload.calibration]\nhold_out = 10\n"
    answer = desk.harness("run", text_suite(desk, workload=workload, recipes=("int8", "rounded")))
    report = desk.report()
    assert len(report.workload.inputs) == 50
    assert measured(report, "int8").agreement.top1.value >= 0.9
    failed = not_measured(report, "rounded")
    assert failed.outcome == "not-built" and failed.next_step
    assert failed.problem[:30] in answer.out


class TestLabel:
    """``harness label`` on typed texts."""

    def test_source_and_variant_give_the_same_suggestions(self, desk: Desk, texts: list[str]) -> None:
        desk.harness("run", text_suite(desk))
        run = desk.newest().path
        given = texts[:20]
        from_variant = suggested(desk.harness("label", f"{run}:float16", *given, "--json"))
        lines = (desk.folder / "texts.jsonl").read_text(encoding="utf-8").splitlines()[:20]
        assert from_variant == [json.loads(line)["label"] for line in lines]

    def test_files_beside_the_model_are_found(self, desk: Desk, texts: list[str]) -> None:
        desk.write("model.tflite", (TINY / "tokens_int32.tflite").read_bytes())
        shown = desk.harness("label", desk.folder / "model.tflite", texts[0])
        assert shown.status == 0 and len(shown.out.splitlines()) == 6
        assert all(label in shown.out for label in LABELS)

    def test_standard_input(self, desk: Desk, texts: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
        desk.write("model.tflite", (TINY / "tokens_int32.tflite").read_bytes())
        typed = io.TextIOWrapper(io.BytesIO(b"one\r\n\nlatin \xe9\n" + "zwölf".encode()))
        monkeypatch.setattr(sys, "stdin", typed)
        answer = desk.harness("label", "model.tflite", "--json", "--top", "2")
        assert answer.status == 2
        found = json.loads(answer.out)["texts"]
        assert [(one["text"], len(one["best"])) for one in found] == [("one", 2), ("zwölf", 2)]
        assert "left out:" in answer.err and "surrogate" in answer.err

    def test_what_reaches_the_model_is_told(self, desk: Desk, texts: list[str]) -> None:
        desk.write("model.tflite", (TINY / "tokens_int32.tflite").read_bytes())
        answer = desk.harness("label", "model.tflite", "longer than twelve")
        assert answer.status == 0 and "only the first 12 of 18 characters" in answer.err

    def test_bad_input(self, desk: Desk, texts: list[str]) -> None:
        model = TINY / "tokens_int32.tflite"
        files = ("--alphabet", "alphabet.json", "--labels", "labels.txt")
        assert_explained(desk.harness("label", model, " \u200b", *files), 2, "show nothing")
        assert_explained(desk.harness("label", model, "a", *files, "--top", "0"), 2, "top is 0")
        assert_explained(desk.harness("label", model, "a", "--alphabet", "none.json"), 2, "none.json")
        desk.write("labels.txt", "a\nb\n")
        assert_explained(desk.harness("label", model, "a", *files), 2, "2 labels for 5 outputs")
        desk.write("alphabet.json", RULE.model_copy(update={"length": 13}).model_dump_json())
        assert_explained(desk.harness("label", model, "a", *files), 2, "[1, 13]")
