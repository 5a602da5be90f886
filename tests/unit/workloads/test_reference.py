from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.jobs import DType, PixelEncoding, TensorEncoding
from harness.core.model_io import ModelIO
from harness.core.workload import Reference, Task, TensorRecords, Workload, WorkloadInput
from harness.errors import HarnessError, ModelError, WireError, WorkloadError
from harness.shards.pool import OneProcess
from harness.wire.blobs import BlobStore
from harness.workloads import reference as reference_module
from harness.workloads.reference import compute_reference

TINY = Path(__file__).parents[3] / "fixtures" / "tiny"
PIXELS = PixelEncoding(shape=(8, 8, 3), mean=(127.5,) * 3, scale=(127.5,) * 3)


def workload(
    store: BlobStore, records: np.ndarray, encoding: PixelEncoding | TensorEncoding, **fields: Any
) -> Workload:
    return Workload(
        task=Task.TENSORS,
        inputs=tuple(WorkloadInput(name=f"input {i}", group=str(i)) for i in range(len(records))),
        records=store.put_bytes(records.tobytes()),
        encoding=encoding,
        **fields,
    )


def photos(count: int = 3) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (count, 8, 8, 3), np.uint8)


def image_workload(store: BlobStore, count: int = 3) -> Workload:
    return workload(store, photos(count), PIXELS)


def outputs(store: BlobStore, reference: Reference) -> np.ndarray:
    return np.fromfile(store.path(reference.outputs), "<f4").reshape(-1, reference.classes)


def interpret(model: Path, inputs: list[list[np.ndarray]]) -> list[list[np.ndarray]]:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(model), num_threads=1)
    interpreter.allocate_tensors()
    results = []
    for arrays in inputs:
        for detail, array in zip(interpreter.get_input_details(), arrays, strict=True):
            interpreter.set_tensor(detail["index"], array)
        interpreter.invoke()
        results.append([interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()])
    return results


class WorkerStarted(Exception):  # noqa: N818
    pass


def forbid_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise WorkerStarted

    monkeypatch.setattr(subprocess, "Popen", fail)


def test_a_float_model_gets_normalized_pixels(store: BlobStore, tmp_path: Path) -> None:
    progress: list[tuple[int, int]] = []
    reference = compute_reference(
        TINY / "image_float32.tflite",
        "tflite",
        image_workload(store),
        store,
        tmp_path,
        lambda done, total: progress.append((done, total)),
    )
    real = (photos().astype(np.float32) - np.float32(127.5)) / np.float32(127.5)
    expected = interpret(TINY / "image_float32.tflite", [[photo[np.newaxis]] for photo in real])
    np.testing.assert_array_equal(outputs(store, reference), np.concatenate([one[0] for one in expected]))
    assert reference.classes == 10
    assert reference.engine.startswith("LiteRT 2.")
    assert progress == [(3, 3)]


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_a_quantized_model_gets_quantized_pixels(store: BlobStore, tmp_path: Path, dtype: str) -> None:
    from ai_edge_litert.interpreter import Interpreter

    model = TINY / f"image_{dtype}.tflite"
    interpreter = Interpreter(model_path=str(model))
    scale, zero_point = interpreter.get_input_details()[0]["quantization"]
    real = (photos().astype(np.float32) - np.float32(127.5)) / np.float32(127.5)
    ratio = (real / np.float32(scale)).astype(np.float64)
    rounded = np.where(ratio < 0, np.ceil(ratio - 0.5), np.floor(ratio + 0.5)) + zero_point
    bounds = np.iinfo(dtype)
    elements = np.clip(rounded, bounds.min, bounds.max).astype(dtype)
    out_scale, out_zero_point = interpreter.get_output_details()[0]["quantization"]
    expected = [
        (one[0].astype(np.float64) - out_zero_point) * out_scale
        for one in interpret(model, [[photo[np.newaxis]] for photo in elements])
    ]
    reference = compute_reference(model, "tflite", image_workload(store), store, tmp_path)
    np.testing.assert_array_equal(outputs(store, reference), np.concatenate(expected).astype(np.float32))


def test_whole_numbers_are_copied(store: BlobStore, tmp_path: Path) -> None:
    tokens = np.arange(24, dtype=np.int32).reshape(2, 1, 12)
    given = workload(store, tokens, TensorEncoding(dtype=DType.INT32, shape=(1, 12)))
    reference = compute_reference(TINY / "tokens_int32.tflite", "tflite", given, store, tmp_path)
    expected = interpret(TINY / "tokens_int32.tflite", [[one] for one in tokens])
    np.testing.assert_array_equal(outputs(store, reference), np.concatenate([one[0] for one in expected]))


@pytest.mark.parametrize("output", ["", "yankee", "bravo"])
def test_several_inputs_by_name_and_an_output_by_name(store: BlobStore, tmp_path: Path, output: str) -> None:
    random = np.random.default_rng(2)
    zulu = random.normal(size=(3, 1, 4)).astype(np.float32)
    alpha = random.normal(size=(3, 1, 6)).astype(np.float32)
    # alpha is the model's second input.
    given = workload(
        store,
        alpha,
        TensorEncoding(dtype=DType.FLOAT32, shape=(1, 6)),
        tensor="alpha",
        further_tensors=(
            TensorRecords(
                tensor="zulu",
                records=store.put_bytes(zulu.tobytes()),
                encoding=TensorEncoding(dtype=DType.FLOAT32, shape=(1, 4)),
            ),
        ),
    )
    reference = compute_reference(
        TINY / "two_in_two_out.tflite", "tflite", given, store, tmp_path, io=ModelIO(output=output)
    )
    pairs = [list(pair) for pair in zip(zulu, alpha, strict=True)]
    # interpret() gives the outputs in the model's order: yankee, bravo.
    index = 1 if output == "bravo" else 0
    wanted = [one[index] for one in interpret(TINY / "two_in_two_out.tflite", pairs)]
    assert wanted[0].shape == ((1, 1) if output == "bravo" else (1, 3))
    np.testing.assert_array_equal(outputs(store, reference), np.concatenate(wanted))


def test_what_another_kind_of_machine_computed_is_no_substitute(
    store: BlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Elsewhere(OneProcess):
        fingerprint = "another"

    monkeypatch.setattr("harness.shards.pool.WORTH_A_POOL_INPUTS", 1)
    model, given = TINY / "image_float32.tflite", image_workload(store)
    for pool in (OneProcess(), Elsewhere(), Elsewhere(), OneProcess()):
        compute_reference(model, "tflite", given, store, tmp_path, pool=pool)
    assert len(list((tmp_path / "references").iterdir())) == 2


def test_the_second_time_only_what_changed_is_run(
    store: BlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = image_workload(store)
    model = tmp_path / "model.tflite"
    model.write_bytes((TINY / "image_float32.tflite").read_bytes())

    def compute(changed: Workload = given, output: str = "") -> Reference:
        return compute_reference(model, "tflite", changed, store, tmp_path, io=ModelIO(output=output))

    first = compute()
    forbid_worker(monkeypatch)
    assert compute() == first
    assert compute(given.model_copy(update={"labels": ("other",)})) == first

    other = PixelEncoding(shape=(8, 8, 3), mean=(0.0,) * 3, scale=(255.0,) * 3)
    for changed in (image_workload(store, 4), given.model_copy(update={"encoding": other})):
        with pytest.raises(WorkerStarted):
            compute(changed)
    with pytest.raises(WorkerStarted):
        compute(output="probabilities")
    with monkeypatch.context() as patch:
        patch.setattr(reference_module, "engine_name", lambda source_format: "LiteRT 99")
        with pytest.raises(WorkerStarted):
            compute()
    assert compute() == first
    kept = store.path(first.outputs).read_bytes()
    store.path(first.outputs).unlink()
    with pytest.raises(WorkerStarted):
        compute()
    store.put_bytes(kept)
    assert compute() == first
    model.write_bytes((TINY / "image_int8.tflite").read_bytes())
    with pytest.raises(WorkerStarted):
        compute()


def refused(
    kind: type[HarnessError], model: Path, given: Workload, store: BlobStore, **options: Any
) -> HarnessError:
    source_format = options.pop("source_format", "tflite")
    with pytest.raises(kind) as caught:
        compute_reference(model, source_format, given, store, store.root, **options)
    assert caught.value.next_step
    assert not (store.root / "references").exists()
    return caught.value


def test_a_photo_of_another_size(store: BlobStore) -> None:
    encoding = PixelEncoding(shape=(4, 16, 3), mean=(0.0,) * 3, scale=(1.0,) * 3)
    given = workload(store, np.zeros((1, 4, 16, 3), np.uint8), encoding)
    error = refused(WorkloadError, TINY / "image_float32.tflite", given, store)
    assert error.problem == "the model takes [1, 8, 8, 3], the workload gives [4, 16, 3]"
    assert error.where == str(TINY / "image_float32.tflite")
    assert "size = [8, 8]" in error.next_step


def test_records_of_another_type(store: BlobStore) -> None:
    given = workload(store, np.zeros((1, 12), np.int64), TensorEncoding(dtype=DType.INT64, shape=(1, 12)))
    error = refused(WireError, TINY / "tokens_int32.tflite", given, store)
    assert "takes int32 elements, the workload gives int64" in error.problem


def test_a_name_the_model_does_not_have(store: BlobStore) -> None:
    given = image_workload(store).model_copy(update={"tensor": "picture"})
    error = refused(WorkloadError, TINY / "image_float32.tflite", given, store)
    assert "no input tensor 'picture', it has image" in error.problem
    given = image_workload(store)
    error = refused(ModelError, TINY / "image_float32.tflite", given, store, io=ModelIO(output="logits"))
    assert "no output 'logits', it has probabilities" in error.problem


def test_a_file_that_is_no_model(store: BlobStore, tmp_path: Path) -> None:
    text = tmp_path / "model.tflite"
    text.write_text("this is text")
    assert "cannot open the model" in refused(ModelError, text, image_workload(store), store).problem
    missing = refused(ModelError, tmp_path / "nowhere.tflite", image_workload(store), store)
    assert "No such file" in missing.problem


def test_an_input_that_the_model_fails_on(store: BlobStore) -> None:
    tokens = np.array([[[0] * 12], [[10**6] * 12]], np.int32)
    given = workload(store, tokens, TensorEncoding(dtype=DType.INT32, shape=(1, 12)))
    error = refused(ModelError, TINY / "tokens_int32.tflite", given, store)
    assert "cannot run input 1" in error.problem


def test_nan_is_not_a_reference(store: BlobStore) -> None:
    zulu, alpha = np.zeros((2, 1, 4), np.float32), np.zeros((2, 1, 6), np.float32)
    # Weights of both signs: the sum has both infinities in it.
    zulu[1] = np.inf
    given = workload(
        store,
        zulu,
        TensorEncoding(dtype=DType.FLOAT32, shape=(1, 4)),
        tensor="zulu",
        further_tensors=(
            TensorRecords(
                tensor="alpha",
                records=store.put_bytes(alpha.tobytes()),
                encoding=TensorEncoding(dtype=DType.FLOAT32, shape=(1, 6)),
            ),
        ),
    )
    error = refused(ModelError, TINY / "two_in_two_out.tflite", given, store)
    assert "NaN for 1 of 2 inputs, first for input 1" in error.problem


def test_changed_records_are_not_used(store: BlobStore) -> None:
    given = image_workload(store)
    path = store.path(given.records)
    path.chmod(0o644)
    path.write_bytes(bytes(given.records.bytes))
    refused(WireError, TINY / "image_float32.tflite", given, store)


@pytest.mark.parametrize(
    ("ending", "problem"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "crashed LiteRT .* (SIGSEGV)"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL, perhaps for lack of memory"),
        ("sys.stderr.write('first\\nlast words\\n'); sys.exit(7)", "ended with status 7: last words"),
        ("print('{\"classes\":'); sys.exit(0)", "ended with status 0"),
    ],
)
def test_a_crash_of_the_engine_is_an_error_here(
    store: BlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str, problem: str
) -> None:
    # A real process that ends as a crashing engine does; no model is known that crashes every LiteRT.
    script = tmp_path / "crash.py"
    script.write_text(textwrap.dedent("import os, signal, sys\n") + ending + "\n")
    start = subprocess.Popen

    def start_script(command: list[str], **options: Any) -> Any:
        return start([sys.executable, str(script)], **options)

    monkeypatch.setattr(subprocess, "Popen", start_script)
    error = refused(ModelError, TINY / "image_float32.tflite", image_workload(store), store)
    assert all(part in error.problem for part in problem.split(".*"))


def test_an_interrupt_ends_the_worker(
    store: BlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[subprocess.Popen[bytes]] = []
    start = subprocess.Popen

    def remember(command: list[str], **options: Any) -> Any:
        started.append(start(command, **options))
        return started[-1]

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "Popen", remember)
    with pytest.raises(KeyboardInterrupt):
        compute_reference(
            TINY / "image_float32.tflite", "tflite", image_workload(store, 500), store, tmp_path, interrupt
        )
    assert started[0].returncode == -signal.SIGKILL
    assert not (tmp_path / "references").exists()


def test_modules_in_the_current_folder_are_not_imported(
    store: BlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "numpy.py").write_text("raise RuntimeError('taken over')\n")
    monkeypatch.chdir(tmp_path)
    model = os.path.relpath(TINY / "image_float32.tflite", tmp_path)
    reference = compute_reference(Path(model), "tflite", image_workload(store), store, tmp_path)
    assert reference.classes == 10


MAKE_KERAS_MODELS = """
import sys
import keras
import numpy as np

keras.utils.set_random_seed(7)
folder = sys.argv[1]
image = keras.Input((8, 8, 3), name="image")
features = keras.layers.Conv2D(4, 3, activation="relu")(image)
scores = keras.layers.Dense(5)(keras.layers.GlobalAveragePooling2D()(features))
image_model = keras.Model(image, scores)
image_model.save(folder + "/image.keras")
pixels = np.load(folder + "/pixels.npy")
real = (pixels.astype(np.float32) - np.float32(127.5)) / np.float32(127.5)
np.save(folder + "/image_outputs.npy", image_model.predict(real, batch_size=32, verbose=0))

zulu, alpha = keras.Input((4,), name="zulu"), keras.Input((2,), name="alpha", dtype="int32")
both = keras.layers.Concatenate()([zulu, keras.layers.Flatten()(keras.layers.Embedding(9, 3)(alpha))])
model = keras.Model(
    {"z": zulu, "a": alpha},
    {
        "small": keras.layers.Dense(3)(both),
        "boxes": keras.layers.Reshape((2, 2))(keras.layers.Dense(4)(both)),
    },
)
model.save(folder + "/two.keras")
rows = np.arange(12, dtype=np.float32).reshape(3, 4)
ids = np.arange(6, dtype=np.int32).reshape(3, 2)
np.save(folder + "/two_outputs.npy", model.predict({"z": rows, "a": ids}, verbose=0)["small"])

sequential = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
sequential.save(folder + "/sequential.keras")
np.save(folder + "/sequential_outputs.npy", sequential.predict(rows, verbose=0))

keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda x: x * 2)]).save(folder + "/lambda.keras")
"""


@pytest.fixture(scope="session")
def keras_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keras")
    np.save(folder / "pixels.npy", photos(70))
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run([sys.executable, "-c", MAKE_KERAS_MODELS, str(folder)], check=True, env=environment)
    return folder


@pytest.mark.slow
def test_keras_in_batches(store: BlobStore, tmp_path: Path, keras_models: Path) -> None:
    progress: list[tuple[int, int]] = []
    reference = compute_reference(
        keras_models / "image.keras",
        "keras",
        image_workload(store, 70),
        store,
        tmp_path,
        lambda done, total: progress.append((done, total)),
    )
    expected = np.load(keras_models / "image_outputs.npy")
    np.testing.assert_allclose(outputs(store, reference), expected, rtol=0, atol=1e-6)
    assert progress == [(32, 70), (64, 70), (70, 70)]
    assert reference.engine.startswith("keras 3.")
    assert " / tensorflow 2." in reference.engine


@pytest.mark.slow
def test_keras_with_named_inputs_and_outputs(store: BlobStore, tmp_path: Path, keras_models: Path) -> None:
    given = workload(
        store,
        np.arange(12, dtype=np.float32).reshape(3, 4),
        TensorEncoding(dtype=DType.FLOAT32, shape=(1, 4)),
        tensor="zulu",
        further_tensors=(
            TensorRecords(
                tensor="alpha",
                records=store.put_bytes(np.arange(6, dtype=np.int32).tobytes()),
                encoding=TensorEncoding(dtype=DType.INT32, shape=(1, 2)),
            ),
        ),
    )
    model = keras_models / "two.keras"
    reference = compute_reference(model, "keras", given, store, tmp_path, io=ModelIO(output="small"))
    np.testing.assert_allclose(
        outputs(store, reference), np.load(keras_models / "two_outputs.npy"), rtol=0, atol=1e-6
    )
    error = refused(ModelError, model, given, store, source_format="keras")
    assert "the output boxes is [3, 2, 2], not one vector of scores" in error.problem


@pytest.mark.slow
def test_a_sequential_keras_model(store: BlobStore, tmp_path: Path, keras_models: Path) -> None:
    """Unlike a functional one it has no ``output`` before it is called."""
    rows = np.arange(12, dtype=np.float32).reshape(3, 4)
    given = workload(store, rows, TensorEncoding(dtype=DType.FLOAT32, shape=(1, 4)))
    reference = compute_reference(keras_models / "sequential.keras", "keras", given, store, tmp_path)
    np.testing.assert_allclose(
        outputs(store, reference), np.load(keras_models / "sequential_outputs.npy"), rtol=0, atol=1e-6
    )


@pytest.mark.slow
def test_keras_does_not_run_code_from_the_file(store: BlobStore, keras_models: Path) -> None:
    given = workload(store, np.zeros((1, 4), np.float32), TensorEncoding(dtype=DType.FLOAT32, shape=(1, 4)))
    error = refused(ModelError, keras_models / "lambda.keras", given, store, source_format="keras")
    assert "Lambda" in error.problem


@pytest.mark.slow
def test_keras_and_a_photo_of_another_size(store: BlobStore, keras_models: Path) -> None:
    encoding = PixelEncoding(shape=(9, 9, 3), mean=(0.0,) * 3, scale=(1.0,) * 3)
    given = workload(store, np.zeros((1, 9, 9, 3), np.uint8), encoding)
    error = refused(WorkloadError, keras_models / "image.keras", given, store, source_format="keras")
    assert error.problem == "the model takes [any, 8, 8, 3], the workload gives [9, 9, 3]"


def test_the_request_is_refused_when_a_format_is_unknown(store: BlobStore) -> None:
    with pytest.raises(ValueError, match="onnx"):
        compute_reference(TINY / "image_float32.tflite", "onnx", image_workload(store), store, store.root)
