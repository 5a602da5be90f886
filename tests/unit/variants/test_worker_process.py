from __future__ import annotations

import os
import signal
import threading
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest

from harness.core.variants import Form, Recipe
from harness.errors import BuildError, WorkloadError
from harness.models.source import SourceFormat
from harness.variants.calibration import CalibrationData
from harness.variants.compress import deflated_bytes
from harness.variants.process import WorkerProcesses
from harness.variants.recipes import SPECS, tools_of
from harness.variants.request import BuildRequest


def request(source: Path, folder: Path, recipe: Recipe = Recipe.FLOAT32) -> BuildRequest:
    return BuildRequest(
        form=Form(recipe=recipe),
        input=str(source),
        input_format=SourceFormat.TFLITE,
        ranges=None,
        output=str(folder / "model.tflite"),
        result=str(folder / "result.json"),
    )


def test_a_good_build_gives_the_file_and_its_compressed_size(float32_tflite: Path, tmp_path: Path) -> None:
    built = WorkerProcesses().run(request(float32_tflite, tmp_path), tmp_path, 60)
    output = tmp_path / "model.tflite"
    assert output.read_bytes() == float32_tflite.read_bytes()
    assert built.compressed_bytes == deflated_bytes(output)


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL])
def test_a_signal_is_named(float32_tflite: Path, tmp_path: Path, number: signal.Signals) -> None:
    pipe = tmp_path / "never-written"
    os.mkfifo(pipe)
    processes = WorkerProcesses()

    def strike() -> None:
        # The worker opens the pipe to read it; this returns only then, so the blow never comes too early.
        with pipe.open("wb"):
            for process in list(processes._running):
                os.kill(process.pid, number)
                process.wait()

    thread = threading.Thread(target=strike)
    thread.start()
    with pytest.raises(BuildError) as caught:
        processes.run(request(pipe, tmp_path, Recipe.ROUNDED), tmp_path, 60)
    thread.join()
    assert number.name in caught.value.problem
    assert ("memory" in caught.value.problem) is (number is signal.SIGKILL)
    assert caught.value.next_step


def test_an_exception_in_the_worker_gives_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"ended with status 1; its last words: .*No such file") as caught:
        WorkerProcesses().run(request(tmp_path / "gone", tmp_path, Recipe.ROUNDED), tmp_path, 60)
    assert caught.value.next_step


def test_nothing_starts_after_kill_all(float32_tflite: Path, tmp_path: Path) -> None:
    processes = WorkerProcesses()
    processes.kill_all()
    with pytest.raises(BuildError, match="interrupted"):
        processes.run(request(float32_tflite, tmp_path), tmp_path, 60)
    assert not (tmp_path / "model.tflite").exists()


def test_kill_all_ends_what_runs(tmp_path: Path) -> None:
    pipe = tmp_path / "never-written"
    os.mkfifo(pipe)
    processes = WorkerProcesses()

    def interrupt() -> None:
        with pipe.open("wb"):
            processes.kill_all()

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(BuildError, match="SIGKILL"):
        processes.run(request(pipe, tmp_path, Recipe.ROUNDED), tmp_path, 60)
    thread.join()


def test_a_module_in_the_working_folder_does_not_stand_in_for_ours(
    float32_tflite: Path, tmp_path: Path
) -> None:
    (tmp_path / "numpy.py").write_text("raise SystemExit('hijacked')")
    assert WorkerProcesses().run(request(float32_tflite, tmp_path), tmp_path, 60).compressed_bytes > 0


def test_the_compressed_size_is_that_of_a_zip_member(float32_tflite: Path, tmp_path: Path) -> None:
    path = tmp_path / "app.ipa"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        archive.write(float32_tflite, "model.tflite")
        expected = archive.getinfo("model.tflite").compress_size
    assert deflated_bytes(float32_tflite) == expected
    assert expected < len(zlib.compress(float32_tflite.read_bytes(), 1))


def test_every_recipe_says_what_it_does_and_names_its_tools() -> None:
    assert set(SPECS) == set(Recipe)
    for recipe in Recipe:
        assert SPECS[recipe].summary
        keras = tools_of(recipe, SourceFormat.KERAS)
        assert {"tensorflow", "keras", "ai-edge-litert"} <= set(keras)
        assert "tensorflow" not in tools_of(recipe, SourceFormat.TFLITE)
        assert all(version[0].isdigit() for version in keras.values())


def test_calibration_is_named_by_type_shape_and_values() -> None:
    samples = np.arange(12, dtype=np.float32).reshape(3, 4)
    variations = [
        samples,
        samples.reshape(4, 3),
        samples.astype(np.int32),
        samples + 1,
        samples.view(np.int32),
    ]
    assert len({CalibrationData.of(each).sha256 for each in variations}) == len(variations)
    assert CalibrationData.of(samples[:, ::2]).sha256 == CalibrationData.of(samples[:, ::2].copy()).sha256
    assert CalibrationData.of(samples).count == 3


@pytest.mark.parametrize(
    ("samples", "problem"),
    [
        (np.array([[1.0, np.nan]]), "NaN"),
        (np.array([["a"]]), "not numbers"),
        (np.array([[object()]]), "not numbers"),
        (np.float32(1).reshape(()), "no axis"),
    ],
)
def test_unfit_calibration_is_refused(samples: np.ndarray, problem: str) -> None:
    with pytest.raises(WorkloadError, match=problem) as caught:
        CalibrationData.of(samples)
    assert caught.value.where == "workload.calibration"
