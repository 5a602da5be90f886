"""A trained recurrent network in every form: what agrees, what forgets to forget, and what fails by itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from prepared_texts import EMOJI, WORDS, prepared, some_texts

from harness.core.emoji_data import PreparationSettings
from harness.core.emoji_export import Export, ExportedVariant, Form
from harness.core.emoji_training import Architecture, TrainingSettings
from harness.core.variants import Recipe
from harness.emoji.dataset import read_dataset
from harness.emoji.training import train
from harness.errors import InputError
from harness.models.source import SourceFormat, open_source
from harness.pipeline.emoji_export import export

# Untrained weights answer alike to every text, which hides what a form does wrong: it has to be trained first.
SETTINGS = TrainingSettings(
    architecture=Architecture.NAIVE_LSTM,
    most_epochs=12,
    patience=12,
    batch_size=8,
    learning_rate=0.01,
    seed=1,
)
RECIPES = (Recipe.FLOAT32, Recipe.DYNAMIC_INT8, Recipe.STRIPPED)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``data`` of texts of up to 20 characters, and ``run``, a network that has to remember the word read first."""
    folder = tmp_path_factory.mktemp("recurrent")
    lines = [f"{number} says {WORDS[number % 6]} {EMOJI[number % 6]}" for number in range(240)]
    prepared(folder, lines, PreparationSettings(length=20))
    train(read_dataset(folder / "data"), folder / "run", SETTINGS)
    return folder


@pytest.fixture(scope="module")
def exported(trained: Path) -> Export:
    return export(
        trained / "run",
        read_dataset(trained / "data"),
        trained / "out",
        trained / "cache",
        forms=(Form.WHILE, Form.FUSED, Form.GRAPH),
        recipes=RECIPES,
    )


def _variant(exported: Export, form: Form, recipe: Recipe) -> ExportedVariant:
    (found,) = [variant for variant in exported.variants if variant.form is form and variant.recipe is recipe]
    return found


@pytest.mark.parametrize(
    ("form", "recipe"),
    [
        (Form.WHILE, Recipe.FLOAT32),
        (Form.FUSED, Recipe.FLOAT32),
        (Form.GRAPH, Recipe.STRIPPED),
    ],
)
def test_each_form_answers_as_the_trained_network(exported: Export, form: Form, recipe: Recipe) -> None:
    agreement = _variant(exported, form, recipe).agreement
    assert exported.right >= 0.9
    assert agreement is not None
    assert (agreement.top_1, agreement.right) == (1.0, pytest.approx(exported.right))
    assert agreement.largest_difference < 1e-5


def test_only_the_fused_form_remembers_the_text_before(exported: Export) -> None:
    fused = _variant(exported, Form.FUSED, Recipe.FLOAT32).agreement
    assert fused is not None and fused.without_reset is not None
    assert fused.without_reset < 0.95
    loop = _variant(exported, Form.WHILE, Recipe.FLOAT32).agreement
    assert loop is not None and loop.without_reset is None


def test_dynamic_int8_of_the_loop_is_smaller_and_agrees(exported: Export) -> None:
    float32, dynamic = (
        _variant(exported, Form.WHILE, recipe) for recipe in (Recipe.FLOAT32, Recipe.DYNAMIC_INT8)
    )
    assert float32.file_bytes and dynamic.file_bytes and dynamic.file_bytes < 0.4 * float32.file_bytes
    assert dynamic.agreement is not None and dynamic.agreement.top_1 >= 0.95


def test_the_files_are_sources_of_their_formats(exported: Export, trained: Path) -> None:
    out = trained / "out"
    formats = {
        "model.keras": SourceFormat.KERAS,
        "saved_model": SourceFormat.SAVED_MODEL,
        "checkpoint": SourceFormat.CHECKPOINT,
        "frozen.pb": SourceFormat.GRAPHDEF,
    }
    assert exported.files.keys() == formats.keys()
    for name, source_format in formats.items():
        path = out / name / "model.ckpt" if name == "checkpoint" else out / name
        assert open_source(path).format is source_format
    assert (out / "labels.txt").read_text("utf-8").splitlines() == list(read_dataset(trained / "data").labels)
    assert set(read_dataset(trained / "data").labels) == set(EMOJI)


def test_there_is_no_limit_on_the_cells(exported: Export, trained: Path) -> None:
    from ai_edge_litert.tools import flatbuffer_utils

    file = _variant(exported, Form.FUSED, Recipe.FLOAT32).file
    assert file is not None
    tables = flatbuffer_utils.read_model(str(trained / "out" / file))
    clips = [
        operator.builtinOptions.cellClip
        for graph in tables.subgraphs
        for operator in graph.operators
        if hasattr(operator.builtinOptions, "cellClip")
    ]
    assert clips == [0.0]


def test_a_network_that_cannot_be_exported_fails_alone(trained: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    for path in (trained / "run").iterdir():
        if path.is_file():
            (run / path.name).write_bytes(path.read_bytes())
    record = (run / "training.json").read_text()
    (run / "training.json").write_text(record.replace('"naive-lstm"', '"separable"'))
    result = export(
        run,
        read_dataset(trained / "data"),
        tmp_path / "out",
        tmp_path / "cache",
        forms=[Form.WHILE],
        recipes=[Recipe.FLOAT32],
    )
    (variant,) = result.variants
    assert variant.agreement is None and variant.problem is not None
    assert "does not hold the weights of the architecture separable" in variant.problem


def test_other_texts_and_other_folders_are_refused(trained: Path, tmp_path: Path) -> None:
    prepared(tmp_path, some_texts(60))
    with pytest.raises(InputError, match="not the texts that this was trained on"):
        export(trained / "run", read_dataset(tmp_path / "data"), tmp_path / "out", tmp_path / "cache")
    with pytest.raises(InputError, match="is not replaced"):
        export(trained / "run", read_dataset(trained / "data"), tmp_path / "data", tmp_path / "cache")
    assert {path.name for path in tmp_path.iterdir()} == {"texts.txt", "data"}
