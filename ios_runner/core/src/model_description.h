// What a model file declares about a tensor, read through the runtime.
#pragma once

#include <string>

#include "errors.h"
#include "litert_library.h"
#include "tensor_info.h"

namespace harness {

// Throws JobError(`unsupported`) for a tensor that the wire format has no words for.
TensorInfo describe_tensor(const litert::Functions& functions, litert::Tensor tensor, const char* name,
                           FailureCode unsupported);

// The runtime's form of a settled tensor; at most litert::kMaxRank dimensions.
litert::RankedTensorType ranked_type(const TensorInfo& tensor);

std::string shape_text(const std::vector<int32_t>& shape);

}  // namespace harness
