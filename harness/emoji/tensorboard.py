"""Event files for TensorBoard, so that trainings stand side by side: curves, and a table of hyperparameters.

They are written anew whenever a training starts, from the figures of the epochs done, so that a training that was cut
off shows each epoch once. Only worker processes call this: it imports TensorFlow.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from harness.core.emoji_training import Epoch, TrainingSettings

_CURVES: Final = ("loss", "top_1", "top_5")
_SCALAR: Final = 1  # DATA_CLASS_SCALAR of tensorflow/core/framework/summary.proto
_EVENT_FILES: Final = "events.out.tfevents.*"


class Curves:
    """``train`` and ``validation`` of one training; a curve's name is the same in both."""

    def __init__(self, folder: Path, settings: TrainingSettings, epochs: Sequence[Epoch]) -> None:
        import tensorflow as tf

        for place in (folder, folder / "train", folder / "validation"):
            for old in place.glob(_EVENT_FILES):
                old.unlink()
        with tf.summary.create_file_writer(str(folder)).as_default():
            _write_hyperparameters(settings)
        self._train = tf.summary.create_file_writer(str(folder / "train"))
        self._validation = tf.summary.create_file_writer(str(folder / "validation"))
        for number, epoch in enumerate(epochs, start=1):
            self.add(number, epoch)

    def add(self, number: int, epoch: Epoch) -> None:
        import tensorflow as tf

        for writer, prefix in ((self._train, ""), (self._validation, "validation_")):
            with writer.as_default():
                for name in _CURVES:
                    value = tf.constant(getattr(epoch, prefix + name), tf.float32)
                    tf.summary.write(f"epoch_{name}", value, number, _plugin("scalars", b"", _SCALAR))
            writer.flush()


def _write_hyperparameters(settings: TrainingSettings) -> None:
    """One session of the hparams plugin (tensorboard/plugins/hparams/plugin_data.proto), without its package."""
    import tensorflow as tf
    from google.protobuf.struct_pb2 import Value as ProtobufValue

    entries = b""
    for name, value in settings.model_dump(mode="json").items():
        held = (
            ProtobufValue(string_value=value) if isinstance(value, str) else ProtobufValue(number_value=value)
        )
        entry = _field(1, name.encode()) + _field(2, held.SerializeToString())
        entries += _field(1, entry)  # SessionStartInfo.hparams
    started = _field(4, settings.architecture.value.encode())  # SessionStartInfo.group_name
    for tag, content in (
        ("_hparams_/session_start_info", _field(3, entries + started)),
        ("_hparams_/session_end_info", _field(4, b"\x08\x01")),  # SessionEndInfo.status = STATUS_SUCCESS
    ):
        tf.summary.write(tag, tf.constant([], tf.float32), 0, _plugin("hparams", content))


def _plugin(name: str, content: bytes, data_class: int = 0) -> Any:
    """Which plugin shows a summary. ``tf.summary.scalar`` says the same, but is a part of TensorBoard's package."""
    import tensorflow as tf

    metadata = tf.compat.v1.SummaryMetadata(data_class=data_class)
    metadata.plugin_data.plugin_name = name
    metadata.plugin_data.content = content
    return metadata


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited field of a protocol buffer."""
    length, size = len(content), bytearray()
    while length > 0x7F:
        size.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes([number << 3 | 2, *size, length]) + content
