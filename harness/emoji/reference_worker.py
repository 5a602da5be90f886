"""``python -m harness.emoji.reference_worker``: what the trained network answers; the request is on standard input."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import keras
import numpy as np

from harness.emoji.export_requests import ReferenceRequest

_AT_ONCE = 256


def main() -> int:
    request = ReferenceRequest.model_validate_json(sys.stdin.buffer.read())
    try:
        model = keras.saving.load_model(Path(request.trained), compile=False, safe_mode=True)
    # Keras raises whatever its layers raise: KeyError, TypeError, ValueError, h5py's OSError and others.
    except Exception as error:
        problem = f"{request.trained} cannot be loaded: {' '.join(str(error).split())[:300]}"
        print(json.dumps({"problem": problem, "next_step": "Train it again: harness emoji train --restart."}))
        return 0
    inputs = np.load(request.inputs, allow_pickle=False)
    np.save(request.output, model.predict(inputs, batch_size=_AT_ONCE, verbose=0), allow_pickle=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
