#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dtype.h"

namespace harness {

// Per-tensor affine: real = scale * (q - zero_point).
struct Quantization {
  float scale = 1;
  int64_t zero_point = 0;
};

struct TensorInfo {
  std::string name;
  DType dtype = DType::kFloat32;
  std::vector<int32_t> shape;  // before compilation a free dimension is -1
  std::optional<Quantization> quantization;

  // Integers that stand for real values.
  bool is_quantized() const {
    const bool integer = dtype == DType::kInt8 || dtype == DType::kUInt8 || dtype == DType::kInt16;
    return integer && quantization.has_value();
  }

  uint64_t size_bytes() const { return element_count(shape).value_or(0) * itemsize_bytes(dtype); }
};

}  // namespace harness
