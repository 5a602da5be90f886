"""The networks as Keras models: int32 ``[n, length]`` of character numbers to probabilities ``[n, labels]``.

``full`` is the network of the keyboard model this follows; ``slim`` to ``naive-bilstm`` are those it was compared
with. The last is what one would build today for the same task: convolutions that halve the text three times, so that
every layer has little left to do and no step waits for the one before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from harness.core.emoji_training import Architecture

if TYPE_CHECKING:
    import keras

EMBEDDING_SIZE: Final = 64
DROPOUT: Final = 0.2
UNREAD: Final = 0.1


def build(
    architecture: Architecture,
    *,
    vocabulary_size: int,
    length: int,
    labels: int,
    batch_size: int | None = None,
    for_inference: bool = False,
    unrolled: bool = False,
) -> keras.Model:
    """The network with fresh weights.

    ``for_inference`` leaves out dropout, whose seeds are variables that no converter needs; weights keep their order,
    so those of a trained network fit. With ``batch_size`` 1 the recurrent layers convert to .tflite.
    """
    import keras

    build_layers = _BUILDERS[architecture]
    characters = keras.Input((length,), batch_size=batch_size, dtype="int32", name="characters")
    layers = _Layers(vocabulary_size, for_inference=for_inference, unrolled=unrolled)
    features = build_layers(layers, characters)
    probabilities = keras.layers.Dense(labels, activation="softmax", name="probabilities")(features)
    return keras.Model(characters, probabilities, name=architecture.value)


class _Layers:
    def __init__(self, vocabulary_size: int, *, for_inference: bool, unrolled: bool) -> None:
        import keras

        self.keras = keras.layers
        self.vocabulary_size = vocabulary_size
        self.dropout_share = 0.0 if for_inference else DROPOUT
        self.unrolled = unrolled

    def embedded(self, characters: Any, size: int = EMBEDDING_SIZE) -> Any:
        return self.keras.Embedding(self.vocabulary_size, size, name="embedding")(characters)

    def one_hot(self, characters: Any) -> Any:
        # A lookup in the identity matrix: OneHot as an operator would come with a Lambda layer.
        return self.keras.Embedding(
            self.vocabulary_size,
            self.vocabulary_size,
            embeddings_initializer="identity",
            trainable=False,
            name="one_hot",
        )(characters)

    def convolution(self, features: Any, filters: int, width: int) -> Any:
        return self.keras.Conv1D(
            filters, width, padding="same", activation="relu", kernel_initializer="glorot_normal"
        )(features)

    def lstm(self, units: int, *, backwards: bool = False) -> Any:
        return self.keras.LSTM(
            units, dropout=self.dropout_share, unroll=self.unrolled, go_backwards=backwards
        )

    def bidirectional(self, features: Any, units: int) -> Any:
        return self.keras.Bidirectional(self.lstm(units))(features)

    def unread(self, features: Any) -> Any:
        """Whole characters are left out at random, as typing errors do: no spelling is learnt by heart."""
        if not self.dropout_share:
            return features
        return self.keras.Dropout(UNREAD, noise_shape=(None, features.shape[1], 1))(features)

    def dropped(self, features: Any) -> Any:
        return self.keras.Dropout(self.dropout_share)(features) if self.dropout_share else features


def _full(layers: _Layers, characters: Any) -> Any:
    return _convolutional_recurrent(layers, layers.embedded(characters), (196, 196, 256), 128)


def _full_one_hot(layers: _Layers, characters: Any) -> Any:
    return _convolutional_recurrent(layers, layers.one_hot(characters), (196, 196, 256), 128)


def _slim(layers: _Layers, characters: Any) -> Any:
    return _convolutional_recurrent(layers, layers.embedded(characters, 32), (98, 98, 128), 64)


def _convolutional_recurrent(
    layers: _Layers, features: Any, filters: tuple[int, int, int], units: int
) -> Any:
    for count, width in zip(filters, (3, 3, 1), strict=True):
        features = layers.convolution(features, count, width)
    features = layers.keras.MaxPooling1D(2)(features)
    features = layers.bidirectional(features, units)
    features = layers.keras.Dense(units, activation="relu")(features)
    return layers.dropped(features)


def _two_dense(layers: _Layers, characters: Any) -> Any:
    features = layers.keras.Flatten()(layers.embedded(characters, 32))
    features = layers.dropped(layers.keras.Dense(256, activation="relu")(features))
    return layers.dropped(layers.keras.Dense(128, activation="relu")(features))


def _naive_lstm(layers: _Layers, characters: Any) -> Any:
    # From the end to the start: the padding behind a short text would make it forget the text.
    return layers.lstm(128, backwards=True)(layers.embedded(characters))


def _naive_bilstm(layers: _Layers, characters: Any) -> Any:
    return layers.bidirectional(layers.embedded(characters), 128)


def _separable(layers: _Layers, characters: Any) -> Any:
    keras = layers.keras
    features = layers.unread(layers.embedded(characters, 48))
    for filters, strides in ((96, 1), (128, 2), (192, 2), (256, 2)):
        features = keras.SeparableConv1D(
            filters, 5, strides=strides, padding="same", use_bias=False, depthwise_initializer="he_normal"
        )(features)
        features = keras.ReLU()(keras.BatchNormalization(momentum=0.9)(features))
    return layers.dropped(keras.GlobalMaxPooling1D()(features))


_BUILDERS: Final = {
    Architecture.FULL: _full,
    Architecture.FULL_ONE_HOT: _full_one_hot,
    Architecture.SLIM: _slim,
    Architecture.TWO_DENSE: _two_dense,
    Architecture.NAIVE_LSTM: _naive_lstm,
    Architecture.NAIVE_BILSTM: _naive_bilstm,
    Architecture.SEPARABLE: _separable,
}


def multiply_adds(model: keras.Model) -> int:
    """Of one text, in the layers that multiply matrices: products of inputs and weights, biases not counted."""
    import keras

    total = 0
    for layer in model.layers:
        shapes = [weight.shape for weight in layer.weights if len(weight.shape) > 1]
        weights = sum(int(_product(shape)) for shape in shapes)
        if isinstance(layer, keras.layers.LSTM | keras.layers.Bidirectional):
            total += int(layer.input.shape[1]) * weights
        elif isinstance(layer, keras.layers.Conv1D | keras.layers.SeparableConv1D):
            total += int(layer.output.shape[1]) * weights
        elif isinstance(layer, keras.layers.Dense):
            total += weights
    return total


def _product(shape: tuple[int, ...]) -> int:
    product = 1
    for extent in shape:
        product *= int(extent)
    return product
