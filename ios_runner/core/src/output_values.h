// The real values of an output tensor.
#pragma once

#include "tensor_info.h"

namespace harness {

// Whether the tensor is float32, or quantized with a scale.
bool has_real_values(const TensorInfo& tensor);

// real = scale * (q - zero_point) in float32; `values` receives one for each element.
void read_real_values(const TensorInfo& tensor, const void* elements, float* values);

}  // namespace harness
