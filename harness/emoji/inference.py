"""A trained network in the form that is exported: batch of one, no dropout, the recurrence as a converter can take it.

Keras 3 leaves dropout's seeds in a model as variables, and an LSTM with an open batch becomes operators that no
phone has. So the network is built anew with the weights copied. Only workers call this, for it
imports TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from harness.core.emoji_export import Form
from harness.core.emoji_training import Architecture
from harness.emoji.architectures import build
from harness.errors import ModelError

if TYPE_CHECKING:
    import keras


def inference_model(
    trained: Path,
    architecture: Architecture,
    *,
    vocabulary_size: int,
    length: int,
    labels: int,
    unrolled: bool,
) -> keras.Model:
    """The network with the weights of ``trained`` (a ``model.keras``), int32 ``[1, length]`` to ``[1, labels]``.

    Raises:
        ModelError: the file cannot be loaded, or its weights are not this architecture's.
    """
    import keras

    try:
        source = keras.saving.load_model(trained, compile=False, safe_mode=True)
        model = build(
            architecture,
            vocabulary_size=vocabulary_size,
            length=length,
            labels=labels,
            batch_size=1,
            for_inference=True,
            unrolled=unrolled,
        )
        model.set_weights(source.get_weights())
    # Keras raises whatever its layers raise: KeyError, TypeError, ValueError, h5py's OSError and others.
    except Exception as error:
        raise ModelError(
            f"does not hold the weights of the architecture {architecture.value}: "
            f"{' '.join(str(error).split())[:300]}",
            where=str(trained),
            next_step="Train it again: harness emoji train --restart.",
        ) from error
    return model


def forward(model: keras.Model, form: Form) -> Callable[[Any], Any]:
    """What the model computes, as TensorFlow traces it; the layers stand one behind the other.

    ``Form.FUSED`` and ``Form.GRAPH`` compute an LSTM by ``lstm``, the others as Keras does.
    """
    import keras
    import tensorflow as tf

    if form in (Form.WHILE, Form.UNROLLED):
        return lambda characters: model(characters, training=False)
    # Constants: the fused operator's weights cannot be variables.
    weights = {id(layer): [weight.numpy() for weight in layer.weights] for layer in _recurrent(model)}
    fused = form is Form.FUSED

    def recur(layer: Any, features: Any, *, backwards: bool = False) -> Any:
        features = tf.reverse(features, [1]) if backwards else features
        held = layer.weights if form is Form.GRAPH else map(tf.constant, weights[id(layer)])
        return lstm(features, *held, fused=fused)

    def run(characters: Any) -> Any:
        features = characters
        for layer in model.layers[1:]:
            if isinstance(layer, keras.layers.Bidirectional):
                ahead, back = layer.forward_layer, layer.backward_layer
                features = tf.concat([recur(ahead, features), recur(back, features, backwards=True)], 1)
            elif isinstance(layer, keras.layers.LSTM):
                features = recur(layer, features, backwards=layer.go_backwards)
            else:
                features = layer(features, training=False)
        return features

    return run


def lstm(features: Any, kernel: Any, recurrent_kernel: Any, bias: Any, *, fused: bool) -> Any:
    """The last output of an LSTM with Keras's gates (input, forget, cell, output): ``[1, steps, n]`` to ``[1, units]``.

    ``fused`` marks it as what TensorFlow's converter turns into UNIDIRECTIONAL_SEQUENCE_LSTM: a function with these
    arguments and results whose name of the interface starts with ``lstm_``, as Keras 2 wrote it (tensorflow/compiler/
    mlir/lite/utils/lstm_utils.cc, ConvertKerasLSTMLayer).
    """
    import tensorflow as tf

    def steps(features: Any, hidden: Any, cell: Any, kernel: Any, recurrent_kernel: Any, bias: Any) -> Any:
        count = features.shape[1]

        def step(number: Any, hidden: Any, cell: Any, outputs: Any) -> Any:
            gates = tf.matmul(features[:, number], kernel) + tf.matmul(hidden, recurrent_kernel) + bias
            ask, keep, new, show = tf.split(gates, 4, axis=1)
            cell = tf.sigmoid(keep) * cell + tf.sigmoid(ask) * tf.tanh(new)
            hidden = tf.sigmoid(show) * tf.tanh(cell)
            return number + 1, hidden, cell, outputs.write(number, hidden)

        outputs = tf.TensorArray(tf.float32, count, element_shape=hidden.shape)
        _, hidden, cell, outputs = tf.while_loop(
            lambda number, *_: number < count, step, [0, hidden, cell, outputs]
        )
        return hidden, tf.transpose(outputs.stack(), [1, 0, 2]), hidden, cell, tf.constant(0.0)

    interface = {"api_implements": f"lstm_{uuid4()}", "time_major": False, "go_backwards": False}
    called = tf.function(steps, experimental_attributes=interface, autograph=False) if fused else steps
    start = tf.zeros((1, recurrent_kernel.shape[0]))
    # Read once, before the loop: a variable inside it cannot be frozen.
    read = [tf.convert_to_tensor(weights) for weights in (kernel, recurrent_kernel, bias)]
    return called(features, start, start, *read)[0]


def _recurrent(model: keras.Model) -> list[Any]:
    import keras

    found = []
    for layer in model.layers:
        if isinstance(layer, keras.layers.Bidirectional):
            found += [layer.forward_layer, layer.backward_layer]
        elif isinstance(layer, keras.layers.LSTM):
            found.append(layer)
    return found
