#include "output_values.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace harness {
namespace {

template <typename Integer>
void dequantize(const TensorInfo& tensor, const void* elements, uint64_t count, float* values) {
  const auto* in = static_cast<const Integer*>(elements);
  const auto zero_point = static_cast<float>(tensor.quantization->zero_point);
  for (uint64_t i = 0; i < count; ++i) {
    values[i] = tensor.quantization->scale * (static_cast<float>(in[i]) - zero_point);
  }
}

}  // namespace

bool has_real_values(const TensorInfo& tensor) { return tensor.dtype == DType::kFloat32 || tensor.is_quantized(); }

void read_real_values(const TensorInfo& tensor, const void* elements, float* values) {
  const uint64_t count = element_count(tensor.shape).value_or(0);
  switch (tensor.dtype) {
    case DType::kInt8: dequantize<int8_t>(tensor, elements, count, values); return;
    case DType::kUInt8: dequantize<uint8_t>(tensor, elements, count, values); return;
    case DType::kInt16: dequantize<int16_t>(tensor, elements, count, values); return;
    default: std::copy_n(static_cast<const float*>(elements), count, values); return;
  }
}

std::vector<size_t> best_classes(const std::vector<float>& scores, size_t most) {
  std::vector<size_t> classes(scores.size());
  std::iota(classes.begin(), classes.end(), size_t{0});
  const auto rank = [&scores](size_t index) {
    return std::isnan(scores[index]) ? -std::numeric_limits<float>::infinity() : scores[index];
  };
  const size_t count = std::min(most, classes.size());
  std::partial_sort(classes.begin(), classes.begin() + static_cast<std::ptrdiff_t>(count), classes.end(),
                    [&rank](size_t a, size_t b) { return rank(a) != rank(b) ? rank(a) > rank(b) : a < b; });
  classes.resize(count);
  return classes;
}

}  // namespace harness
