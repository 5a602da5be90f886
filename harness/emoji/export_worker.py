"""``python -m harness.emoji.export_worker``: one form of a trained network; the request is on standard input."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from harness.core.emoji_export import Form
from harness.emoji.export_requests import INPUT, OUTPUT, ExportRequest
from harness.emoji.inference import forward, inference_model
from harness.errors import HarnessError


def main() -> int:
    request = ExportRequest.model_validate_json(sys.stdin.buffer.read())
    try:
        model = inference_model(
            Path(request.trained),
            request.architecture,
            vocabulary_size=request.vocabulary_size,
            length=request.length,
            labels=request.labels,
            unrolled=request.form is Form.UNROLLED,
        )
        if request.form is Form.GRAPH:
            _write_checkpoint(model, request)
        else:
            _write_tflite(model, request)
    except HarnessError as error:
        print(json.dumps({"problem": str(error), "next_step": error.next_step}))
    return 0


def _write_tflite(model: Any, request: ExportRequest) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = request.saved_model or f"{scratch}/saved_model"
        archive = keras.export.ExportArchive()
        archive.track(model)
        signature = tf.TensorSpec((1, request.length), tf.int32, name=INPUT)
        run = forward(model, request.form)
        archive.add_endpoint(
            "serve", lambda characters: {OUTPUT: run(characters)}, input_signature=[signature]
        )
        archive.write_out(folder, verbose=False)
        # Builtin operators only, which is the converter's default: no Flex, which no phone's runtime has.
        converted = tf.lite.TFLiteConverter.from_saved_model(folder).convert()
    if request.form is Form.FUSED:
        converted = _without_cell_clip(converted)
    Path(request.output).write_bytes(converted)


def _without_cell_clip(model: bytes) -> bytes:
    """The converter writes a limit of 10 for the cells, which Keras does not have; 0 is none."""
    from ai_edge_litert.tools import flatbuffer_utils

    tables = flatbuffer_utils.read_model_from_bytearray(bytearray(model))
    for graph in tables.subgraphs:
        for operator in graph.operators:
            if hasattr(operator.builtinOptions, "cellClip"):
                operator.builtinOptions.cellClip = 0.0
    return bytes(flatbuffer_utils.convert_object_to_bytearray(tables))


def _write_checkpoint(model: Any, request: ExportRequest) -> None:
    """``graph.pb`` and the checkpoint ``model.ckpt`` as TensorFlow 1 wrote them, with resource variables."""
    v1 = tf.compat.v1
    folder = Path(request.output)
    signature = tf.TensorSpec((1, request.length), tf.int32, name=INPUT)
    traced = tf.function(
        forward(model, Form.GRAPH), input_signature=[signature], autograph=False
    ).get_concrete_function()
    values = {id(weight.value.handle): (weight.path, weight.numpy()) for weight in model.weights}
    with tf.Graph().as_default() as graph, v1.Session() as session:
        characters = v1.placeholder(tf.int32, (1, request.length), name=INPUT)
        replaced = {traced.inputs[0].name: characters}
        variables = []
        for held, inside in traced.graph.captures:
            path, value = values[id(held)]
            variable = v1.get_variable(
                path, initializer=tf.constant(value), use_resource=True, trainable=False
            )
            variables.append(variable)
            replaced[inside.name] = variable.handle
        (answer,) = tf.graph_util.import_graph_def(
            traced.graph.as_graph_def(),
            input_map=replaced,
            return_elements=[traced.outputs[0].name],
            name="network",
        )
        tf.identity(answer, name=OUTPUT)
        session.run(v1.variables_initializer(variables))
        v1.train.Saver(variables).save(session, str(folder / "model.ckpt"), write_meta_graph=False)
        (folder / "graph.pb").write_bytes(graph.as_graph_def().SerializeToString())


if __name__ == "__main__":
    sys.exit(main())
