"""The engines that compute shards: the module that each one's process runs, and what it is called in results."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Final

from harness.errors import ModelError
from harness.models.source import SourceFormat

MODULES: Final = {
    "reference": "harness.workloads.reference_worker",
    "ranges": "harness.variants.ranges_worker",
}
"""By the kind of the engine."""


def engine_name(source_format: SourceFormat) -> str:
    """What runs a model of this format, with version: ``keras 3.15.1 / tensorflow 2.21.0`` or ``LiteRT 2.3.0``.

    Raises:
        ModelError: TensorFlow is needed and not installed.
    """
    if source_format is SourceFormat.TFLITE:
        return f"LiteRT {version('ai-edge-litert')}"
    if source_format.is_graph:
        return f"tensorflow {_tensorflow_version()}"
    return f"keras {version('keras')} / tensorflow {_tensorflow_version()}"


def _tensorflow_version() -> str:
    for distribution in ("tensorflow", "tensorflow-cpu"):
        try:
            return version(distribution)
        except PackageNotFoundError:
            continue
    raise ModelError(
        "TensorFlow is not installed",
        where="tensorflow",
        next_step="Install the harness with its dependencies (make setup).",
    )
