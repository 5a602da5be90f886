"""What to do about an op that a phone's runtime lacks: strip it, replace it, or rewrite the model.

The families follow TensorFlow's own grouping of ops (tensorflow.org/api_docs/python/tf/raw_ops).
"""

from __future__ import annotations

import re
from functools import lru_cache

LEFTOVER_FAMILIES: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "training",
        re.compile(r"(Resource|ResourceSparse|Sparse)?Apply[A-Z]\w*|\w+Grad(V\d+|WithArgmax|Grad\w*)?"),
    ),
    (
        "training",
        re.compile(r"\w+Backprop(Filter|Input|Eps)?\w*(?<!Conv2DBackpropInput)|BroadcastGradientArgs"),
    ),
    ("training", re.compile(r"(Sparse)?SoftmaxCrossEntropyWithLogits|L2Loss|InTopK(V2)?|NcclAllReduce")),
    (
        "training",
        re.compile(r"Assign(Add|Sub)?|Assign(Add|Sub)?VariableOp|(Resource)?Scatter(Add|Sub|Update)"),
    ),
    ("summaries", re.compile(r"\w*Summary(V2)?|MergeSummary|Timestamp")),
    ("checkpoints", re.compile(r"Save(V2|Slices)?|Restore(V2|Slice)?|ShardedFilename|MergeV2Checkpoints")),
    ("checks", re.compile(r"Assert|CheckNumerics(V2)?|Print(V2)?")),
    ("input pipeline", re.compile(r"\w*(Queue|Reader)\w*|\w*Dataset\w*|(OneShot|Make)?Iterator\w*|ReadFile")),
    (
        "input pipeline",
        re.compile(r"Parse(Single)?(Sequence)?Example\w*|DecodeCSV|MatchingFiles|Batch|Barrier\w*"),
    ),
)
"""What a graph carries from training to a phone that has no use for it: family and the ops' names, in full."""

_DECODING = re.compile(r"Decode(Jpeg|Png|Bmp|Gif|Image|AndCropJpeg|Wav|Raw|Base64|Compressed|WebP)|Encode\w+")
_IMAGE = re.compile(
    r"Resize(Bicubic|Area)|CropAndResize\w*|ExtractGlimpse\w*|AdjustContrast(v2)?|AdjustHue|AdjustSaturation|"
    r"RGBToHSV|HSVToRGB|SampleDistortedBoundingBox(V2)?|DrawBoundingBoxes(V2)?|ImageProjectiveTransformV\d|"
    r"NonMaxSuppression(V\d|WithOverlaps)?|ScaleAndTranslate"
)
_TEXT = re.compile(
    r"String\w*|AsString|Substr|Regex\w*|StaticRegex\w*|Unicode\w*|ReduceJoin|UnsortedSegmentJoin"
)
_LOOKUP = re.compile(
    r"\w*HashTable\w*|LookupTable\w*|InitializeTable\w*|MutableDenseHashTable\w*|AnonymousHashTable"
)
_RANDOM = re.compile(
    r"(Stateless|Stateful)?(Random\w*|Truncated\w*|Multinomial|ParameterizedTruncatedNormal)\w*"
)
_LIST = re.compile(r"TensorList\w*|TensorArray\w*|EmptyTensorList|Stack(V2|Push\w*|Pop\w*|Close\w*)?")
_VARIABLE = re.compile(
    r"Variable(V2)?|AutoReloadVariable|VarHandleOp|VarHandlesOp|ReadVariableOp|ResourceGather(Nd)?|"
    r"VarIsInitializedOp|IsVariableInitialized"
)
_CONTROL_FLOW = re.compile(r"(Ref)?(Switch|Merge|Enter|Exit|NextIteration|LoopCond)|ControlTrigger")
_CALL = re.compile(
    r"(Stateless|Stateful)?(PartitionedCall|If|While|Case)|SymbolicGradient|RemoteCall|BatchFunction"
)
_PYTHON = re.compile(r"(Eager)?PyFunc(Stateless)?")
_BATCH_NORM = re.compile(r"FusedBatchNorm(V[23])?|BatchNormWithGlobalNormalization")

_REPLACEMENTS_TODAY = {
    "Erf": "Use the tanh form of GELU: tf.nn.gelu(x, approximate=True).",
    "Digamma": "Rewrite the layer without it, or compute it in the app.",
    "LinSpace": "Make it a constant.",
    "Cumprod": "Use exp(cumsum(log(x))) where x is positive.",
    "Roll": "Use slices and a concatenation.",
    "MatrixInverse": "Compute the inverse once, and store it as a constant.",
    "Bincount": "Use one-hot and a sum.",
    "Unfold": "Use slices and a concatenation.",
    "TopK": "Use tf.math.top_k, which makes TopKV2.",
}
_REPLACEMENTS_2016 = {
    "AddV2": "Use Add: rename the op where the types are numbers.",
    "BatchMatMulV2": "Use MatMul on two dimensions, in a loop over the batch if need be.",
    "BatchMatMul": "Use MatMul on two dimensions.",
    "DepthwiseConv2dNative": "Register its kernel (depthwise_conv_op.cc), or use Conv2D with a block-diagonal kernel.",
    "GatherV2": "Use Gather along the first axis.",
    "LeakyRelu": "Use Maximum(x, alpha * x).",
    "Selu": "Use Elu with a scale.",
    "SelectV2": "Use Select on equal shapes.",
    "Softplus": "Use Log(Exp(x) + 1).",
    "PadV2": "Use Pad.",
    "SplitV": "Use Slice.",
    "FusedPadConv2D": "Use Pad and Conv2D.",
    "_FusedConv2D": "Export before Grappler's remapper: Conv2D, BiasAdd and Relu apart.",
    "_FusedMatMul": "Export before Grappler's remapper: MatMul, BiasAdd and Relu apart.",
}


@lru_cache(maxsize=4096)
def leftover_family(op: str) -> str | None:
    """The family of ``LEFTOVER_FAMILIES`` that the op belongs to."""
    return next((family for family, names in LEFTOVER_FAMILIES if names.fullmatch(op)), None)


@lru_cache(maxsize=4096)
def is_decoding(op: str) -> bool:
    """Whether the op turns a file's bytes into pixels or samples, or back."""
    return _DECODING.fullmatch(op) is not None


def advice(op: str, *, is_graph_run: bool, better_input: str | None = None) -> str:
    """One or two sentences for an op that lacks.

    ``is_graph_run``: the GraphDef itself is what runs (mobile TensorFlow), nothing is converted. ``better_input``
    names the node behind the part of the graph that the app can do itself.
    """
    cut = f"--input {better_input}" if better_input else "--input with the node after it"
    if _DECODING.fullmatch(op):
        return f"Strip: give {cut}; the app decodes."
    family = leftover_family(op)
    if family is not None:
        return f"Strip: it is left over from {_OF_FAMILY[family]}, so name inputs and outputs that do without it."
    replacement = (_REPLACEMENTS_2016 if is_graph_run else _REPLACEMENTS_TODAY).get(op)
    if replacement is not None:
        return f"Replace: {replacement[0].lower()}{replacement[1:]}"
    for names, text in _ADVICE:
        if names.fullmatch(op):
            return text.format(cut=cut)
    if is_graph_run:
        return "Replace it by listed ops, or build the library with its kernel (selective registration: --header)."
    return "Replace it by ops that have a builtin operator, or rewrite the layer it comes from."


_OF_FAMILY = {
    "training": "training",
    "summaries": "training's summaries",
    "checkpoints": "saving checkpoints",
    "checks": "debugging",
    "input pipeline": "the input pipeline",
}

_ADVICE: tuple[tuple[re.Pattern[str], str], ...] = (
    (_IMAGE, "Strip: give {cut} and let the app prepare the image; or replace it (bilinear, no crop)."),
    (_TEXT, "Strip: give {cut}; the app turns text into numbers."),
    (_LOOKUP, "Strip: give {cut}; the app looks words up, in a file beside the model."),
    (
        _RANDOM,
        "Rewrite: export for inference (no dropout, no augmentation), or feed the numbers as an input.",
    ),
    (_LIST, "Rewrite: fix the batch and the number of steps, or unroll the recurrent layer."),
    (_VARIABLE, "Freeze the graph with its checkpoint: variables become constants."),
    (_CONTROL_FLOW, "Rewrite: fix the condition when exporting (is_training=False), or unroll the loop."),
    (_CALL, "Rewrite: inline the function when freezing, or replace the branch or loop."),
    (_PYTHON, "Rewrite: it calls Python, which is not on the phone."),
    (_BATCH_NORM, "Fold the batch norm into the convolution before it."),
)
