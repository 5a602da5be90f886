"""A trained emoji model to everything a phone's model is built from, and every variant of it checked."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np

from harness.core.emoji_data import Part
from harness.core.emoji_export import Agreement, Export, ExportedVariant, Form
from harness.core.emoji_training import Architecture, Training
from harness.core.model_io import ModelIO
from harness.core.text_encoding import encode_texts
from harness.core.variants import FailedBuild, Recipe, Variant, VariantSpec
from harness.emoji.dataset import ALPHABET, LABELS, Dataset
from harness.emoji.export_requests import INPUT, OUTPUT, CheckRequest, ExportRequest, ReferenceRequest
from harness.emoji.training import MODEL, data_digest, read_training
from harness.emoji.worker_process import messages
from harness.errors import BuildError, HarnessError, InputError
from harness.models.source import open_source
from harness.pipeline.transform import carry_out
from harness.transforms.requests import Freeze
from harness.variants.builder import build_variants
from harness.variants.cache import VariantCache
from harness.variants.calibration import CalibrationData

EXPORT: Final = "export.json"
CALIBRATION_TEXTS: Final = 200
_RECURRENT: Final = frozenset(set(Architecture) - {Architecture.TWO_DENSE, Architecture.SEPARABLE})

OnStage = Callable[[str], None]


@dataclass(frozen=True)
class _Session:
    dataset: Dataset
    trained: Path
    training: Training
    output: Path
    scratch: Path
    cache: VariantCache
    calibration: CalibrationData
    on_stage: OnStage

    def request(self, form: Form, output: Path) -> ExportRequest:
        return ExportRequest(
            trained=str(self.trained),
            architecture=self.training.settings.architecture,
            vocabulary_size=self.dataset.encoding.vocabulary_size,
            length=self.dataset.encoding.length,
            labels=len(self.dataset.labels),
            form=form,
            output=str(output),
            saved_model=str(self.output / "saved_model") if form is Form.WHILE else None,
        )


def forms_of(architecture: Architecture) -> tuple[Form, ...]:
    """The forms that make a difference for it, the default first."""
    return tuple(Form) if architecture in _RECURRENT else (Form.WHILE, Form.GRAPH)


def export(
    run: Path,
    dataset: Dataset,
    output: Path,
    cache: Path,
    *,
    forms: Sequence[Form] = (),
    recipes: Sequence[Recipe] = (),
    most_texts: int = 500,
    on_stage: OnStage = lambda stage: None,
    on_variant: Callable[[ExportedVariant], None] = lambda variant: None,
) -> Export:
    """Write the forms of the training in ``run`` into ``output``, build ``recipes`` of each, and compare them all.

    They are compared on ``most_texts`` of the texts to test on. Without ``forms`` and ``recipes``, all that apply. A
    form or variant that fails is told in the result and ends nothing else.

    Raises:
        InputError: the training is not finished or of other data, or ``output`` holds something else.
        BuildError: the trained network itself cannot be run.
    """
    training = read_training(run)
    if data_digest(dataset) != training.data_sha256:
        raise InputError(
            "are not the texts that this was trained on, so it cannot be checked on them",
            where=str(dataset.folder),
            next_step="Name the folder that `harness emoji train` was given.",
        )
    _clear(output)
    with tempfile.TemporaryDirectory(prefix="harness-emoji-") as scratch:
        session = _Session(
            dataset=dataset,
            trained=(run / MODEL).resolve(),
            training=training,
            output=output.resolve(),
            scratch=Path(scratch),
            cache=VariantCache(cache),
            calibration=CalibrationData.of(_encoded(dataset, Part.TRAIN, CALIBRATION_TEXTS)[0]),
            on_stage=on_stage,
        )
        check = _checker(session, most_texts)
        variants = []
        for form in forms or forms_of(training.settings.architecture):
            for variant in _form(session, form, recipes or tuple(Recipe)):
                checked = _checked(session, variant, check)
                on_variant(checked)
                variants.append(checked)
    for name in (MODEL, LABELS, ALPHABET):
        shutil.copyfile(run / name, output / name)
    result = Export(
        architecture=training.settings.architecture,
        parameters=training.parameters,
        right=training.test_top_1,
        files={name: name for name in _SOURCES if (output / name).exists()},
        variants=tuple(variants),
    )
    (output / EXPORT).write_text(result.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return result


_SOURCES: Final = (MODEL, "saved_model", "checkpoint", "frozen.pb")


def _clear(output: Path) -> None:
    if output.exists() and any(output.iterdir()):
        if not (output / EXPORT).is_file():
            raise InputError(
                "is there and holds no finished export, so it is not replaced",
                where=str(output),
                next_step="Remove it, or name another folder with --output.",
            )
        shutil.rmtree(output)
    (output / "variants").mkdir(parents=True)


def _encoded(dataset: Dataset, part: Part, most: int) -> tuple[np.ndarray, np.ndarray]:
    """``[n, length]`` int32 and ``[n]`` int32: the first texts of ``part``, which lie in the order of their hashes."""
    examples = list(islice(dataset.examples(part), most))
    texts = encode_texts([example.text for example in examples], dataset.encoding)
    return texts, np.array([example.label for example in examples], np.int32)


def _form(session: _Session, form: Form, recipes: Sequence[Recipe]) -> Iterator[ExportedVariant]:
    wanted = [recipe for recipe in recipes if recipe.needs_graph == (form is Form.GRAPH)]
    if not wanted:
        return
    session.on_stage(f"Exporting the form {form.value}")
    try:
        source = _graph(session) if form is Form.GRAPH else _tflite(session, form)
        model = open_source(source)
    except HarnessError as error:
        yield ExportedVariant(form=form, recipe=wanted[0], problem=error.problem)
        return
    session.on_stage(f"Building variants of {form.value}")
    built = build_variants(
        model,
        [VariantSpec(f"{form.value}-{recipe.value}", recipe) for recipe in wanted],
        session.calibration,
        session.cache,
        io=ModelIO(input=INPUT, output=OUTPUT) if form is Form.GRAPH else None,
        input_shape=(1, session.dataset.encoding.length),
    )
    for variant in built:
        yield _exported(session, form, variant)


def _tflite(session: _Session, form: Form) -> Path:
    path = session.scratch / f"{form.value}.tflite"
    for _ in messages("export_worker", session.request(form, path)):
        pass
    return path


def _graph(session: _Session) -> Path:
    checkpoint = session.output / "checkpoint"
    checkpoint.mkdir()
    for _ in messages("export_worker", session.request(Form.GRAPH, checkpoint)):
        pass
    frozen = session.output / "frozen.pb"
    carry_out(
        Freeze(
            graph=str(checkpoint / "graph.pb"),
            checkpoint=str(checkpoint / "model.ckpt"),
            result=str(frozen),
            outputs=(OUTPUT,),
        )
    )
    return frozen


def _exported(session: _Session, form: Form, built: Variant | FailedBuild) -> ExportedVariant:
    if isinstance(built, FailedBuild):
        return ExportedVariant(form=form, recipe=built.recipe, problem=built.problem)
    file = f"variants/{built.name}.tflite"
    shutil.copyfile(session.cache.blobs.path(built.model), session.output / file)
    return ExportedVariant(
        form=form,
        recipe=built.recipe,
        file=file,
        file_bytes=built.file_bytes,
        compressed_bytes=built.compressed_bytes,
    )


def _checker(session: _Session, most_texts: int) -> CheckRequest:
    session.on_stage("Asking the trained network")
    texts, labels = _encoded(session.dataset, Part.TEST, most_texts)
    inputs, reference, truth = (session.scratch / f"{name}.npy" for name in ("inputs", "reference", "truth"))
    np.save(inputs, texts, allow_pickle=False)
    np.save(truth, labels, allow_pickle=False)
    asked = ReferenceRequest(trained=str(session.trained), inputs=str(inputs), output=str(reference))
    for _ in messages("reference_worker", asked):
        pass
    return CheckRequest(model="", inputs=str(inputs), reference=str(reference), truth=str(truth))


def _checked(session: _Session, variant: ExportedVariant, check: CheckRequest) -> ExportedVariant:
    if variant.file is None:
        return variant
    session.on_stage(f"Checking {variant.form.value} {variant.recipe.value}")
    request = check.model_copy(update={"model": str(session.output / variant.file)})
    try:
        (message,) = messages("check_worker", request)
    except (InputError, BuildError) as error:
        return variant.model_copy(update={"problem": error.problem})
    return variant.model_copy(update={"agreement": Agreement.model_validate(message["agreement"])})
