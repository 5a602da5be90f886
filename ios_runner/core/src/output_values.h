// The real values of an output tensor, and the best of them.
#pragma once

#include <cstddef>
#include <vector>

#include "tensor_info.h"

namespace harness {

// Whether the tensor is float32, or quantized with a scale.
bool has_real_values(const TensorInfo& tensor);

// real = scale * (q - zero_point) in float32; `values` receives one for each element.
void read_real_values(const TensorInfo& tensor, const void* elements, float* values);

// The classes of the highest scores, best first, ties by their number; scores that are not numbers come last.
std::vector<size_t> best_classes(const std::vector<float>& scores, size_t most);

}  // namespace harness
