"""An overlay for Model Explorer: each tensor's difference from the reference, coloured on the model's graph.

The format is the "custom node data" of github.com/google-ai-edge/model-explorer (``node_data_builder.py`` of the
package ai-edge-model-explorer 0.1.34): results by the name of a node's output tensor.
"""

from __future__ import annotations

import json

from harness.core.explanation import Explanation
from harness.render.plain_text import one_line

# Colour-blind safe: from hardly any difference to the largest of the model.
_GRADIENT = (
    {"stop": 0, "bgColor": "#fffbe6", "textColor": "#222222"},
    {"stop": 0.3, "bgColor": "#fec44f", "textColor": "#222222"},
    {"stop": 1, "bgColor": "#b30000", "textColor": "#ffffff"},
)


def model_explorer_overlay(found: Explanation) -> str:
    """JSON to load with "Upload custom node data" while the variant's .tflite is shown.

    The value of a tensor is its relative error; one whose error is not known is left out.
    """
    document = {
        "name": one_line(f"{found.variant}: relative error against float32"),
        "results": {
            layer.operation.tensor: {"value": layer.operation.error}
            for layer in found.layers
            if layer.operation.error is not None
        },
        "gradient": list(_GRADIENT),
    }
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
