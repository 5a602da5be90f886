#include "input_encoding.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "model_description.h"

namespace harness {
namespace {

// `real_of(i)` is the real value of element i.
template <typename Integer, typename RealOf>
void quantize_all(const TensorInfo& tensor, uint64_t count, RealOf real_of, void* elements) {
  auto* out = static_cast<Integer*>(elements);
  for (uint64_t i = 0; i < count; ++i) {
    out[i] = static_cast<Integer>(quantize(real_of(i), *tensor.quantization, std::numeric_limits<Integer>::min(),
                                           std::numeric_limits<Integer>::max()));
  }
}

template <typename RealOf>
void store_all(const TensorInfo& tensor, uint64_t count, RealOf real_of, void* elements) {
  switch (tensor.dtype) {
    case DType::kInt8: quantize_all<int8_t>(tensor, count, real_of, elements); return;
    case DType::kUInt8: quantize_all<uint8_t>(tensor, count, real_of, elements); return;
    case DType::kInt16: quantize_all<int16_t>(tensor, count, real_of, elements); return;
    default: break;
  }
  auto* out = static_cast<float*>(elements);
  for (uint64_t i = 0; i < count; ++i) out[i] = real_of(i);
}

// A pixel of a channel has 256 values: each becomes an element once, by the rule, and is then looked up. Divisions
// and rounding for every pixel would take as long as a tenth of a small model's inference.
template <typename Element>
void look_up_all(const Encoding& encoding, const TensorInfo& tensor, const uint8_t* pixels, uint64_t count,
                 void* elements) {
  constexpr size_t kValues = 256;
  auto* out = static_cast<Element*>(elements);
  const size_t channels = encoding.mean.size();
  std::array<Element, kValues> element_of;
  for (size_t channel = 0; channel < channels; ++channel) {
    const float mean = encoding.mean[channel];
    const float scale = encoding.scale[channel];
    store_all(
        tensor, kValues, [=](uint64_t value) { return (static_cast<float>(value) - mean) / scale; },
        element_of.data());
    for (uint64_t i = channel; i < count; i += channels) out[i] = element_of[pixels[i]];
  }
}

}  // namespace

int32_t quantize(float real, const Quantization& quantization, int32_t least, int32_t most) {
  const double value =
      static_cast<double>(std::round(real / quantization.scale)) + static_cast<double>(quantization.zero_point);
  if (!(value > least)) return least;
  if (value > most) return most;
  return static_cast<int32_t>(value);
}

bool is_plain_copy(const Encoding& encoding, const TensorInfo& tensor) {
  return encoding.kind != Encoding::Kind::kPixels && encoding.dtype == tensor.dtype;
}

std::string encoding_problem(const Encoding& encoding, const TensorInfo& tensor) {
  const std::string input =
      "input '" + tensor.name + "' (" + dtype_name(tensor.dtype) + " " + shape_text(tensor.shape) + ")";
  if (encoding.kind == Encoding::Kind::kPixels) {
    if (element_count(encoding.shape) != element_count(tensor.shape)) {
      return input + " does not have as many elements as pixels of shape " + shape_text(encoding.shape);
    }
    if (tensor.dtype != DType::kFloat32 && !tensor.is_quantized()) {
      return input + " cannot take pixels: it is neither float32 nor int8, uint8 or int16 with a scale";
    }
    return "";
  }
  if (encoding.shape != tensor.shape)
    return input + " does not take records of shape " + shape_text(encoding.shape);
  const bool converted_here = encoding.kind == Encoding::Kind::kCharacters &&
                              (tensor.dtype == DType::kInt64 || tensor.dtype == DType::kFloat32);
  const bool quantized_here = encoding.dtype == DType::kFloat32 && tensor.is_quantized();
  if (encoding.dtype != tensor.dtype && !quantized_here && !converted_here) {
    return input + " does not take records of " + dtype_name(encoding.dtype);
  }
  return "";
}

void convert_record(const Encoding& encoding, const TensorInfo& tensor, const void* record, void* elements) {
  const uint64_t count = element_count(encoding.shape).value_or(0);
  if (encoding.kind == Encoding::Kind::kCharacters) {
    const auto* numbers = static_cast<const int32_t*>(record);
    if (tensor.dtype == DType::kInt64) {
      std::copy(numbers, numbers + count, static_cast<int64_t*>(elements));
    } else {
      std::transform(numbers, numbers + count, static_cast<float*>(elements),
                     [](int32_t number) { return static_cast<float>(number); });
    }
    return;
  }
  if (encoding.kind == Encoding::Kind::kTensor) {
    const auto* reals = static_cast<const float*>(record);
    store_all(tensor, count, [reals](uint64_t i) { return reals[i]; }, elements);
    return;
  }
  const auto* pixels = static_cast<const uint8_t*>(record);
  switch (tensor.dtype) {
    case DType::kInt8: look_up_all<int8_t>(encoding, tensor, pixels, count, elements); return;
    case DType::kUInt8: look_up_all<uint8_t>(encoding, tensor, pixels, count, elements); return;
    case DType::kInt16: look_up_all<int16_t>(encoding, tensor, pixels, count, elements); return;
    default: look_up_all<float>(encoding, tensor, pixels, count, elements); return;
  }
}

}  // namespace harness
