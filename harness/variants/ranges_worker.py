"""The process that watches activations: ``python -m harness.variants.ranges_worker``, an engine of shards."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from harness.shards.engine_server import Payload, serve
from harness.shards.request import RangesEngine, records_of
from harness.shards.worker import EngineOpening, ShardPart
from harness.variants.activation_ranges import to_bytes
from harness.variants.quantize import kept_in_float, recipe_manager, refused, with_signature


def open_ranges(opening: EngineOpening) -> Callable[[ShardPart, Payload], bytes]:
    """What gives the ranges of a shard's samples, by ``harness.variants.activation_ranges.to_bytes``."""
    from litert_quantizer.calibrator import CalibrationMode, Calibrator
    from litert_quantizer.utils import qsv_utils

    engine = opening.engine
    assert isinstance(engine, RangesEngine)
    base = Path(opening.source)
    kept = kept_in_float(engine.form, base)
    with refused():
        manager = recipe_manager(engine.form, kept)
        model, signature, input_name = with_signature(base.read_bytes())
        calibrator = Calibrator(
            model,
            # Some kernels share a sum between threads: then their number decides the last bits.
            num_threads=1,
            mode=CalibrationMode.CALIBRATION_PRESERVE_ALL_TENSORS,
            # The default, a moving average, clips peaks and depends on the order of the samples: on
            # EfficientNet-Lite0 it cost 2.5 points of agreement (docs/decisions/0001-quantizer.md).
            qsv_update_func=qsv_utils.min_max_update,
        )

    def watch(part: ShardPart, payload: Payload) -> bytes:
        del part
        calibrator.reset_model_qsvs()
        for sample in records_of(engine.sample, payload[0]):
            with refused():
                # One call for each: it resets the model's variables at its end, and what one sample left in them
                # is not the next one's.
                calibrator.calibrate({signature: [{input_name: np.ascontiguousarray(sample)}]}, manager)
        with refused():
            return to_bytes(calibrator.get_model_qsvs())

    return watch


if __name__ == "__main__":
    sys.exit(serve(EngineOpening, ShardPart, open_ranges))
