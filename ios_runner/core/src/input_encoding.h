// From a record of the job to the elements of an input tensor, as docs/wire-format.md, "Encodings", defines it.
#pragma once

#include <string>

#include "job.h"
#include "tensor_info.h"

namespace harness {

// Why records of this encoding cannot become this tensor, or an empty text.
std::string encoding_problem(const Encoding& encoding, const TensorInfo& tensor);

// Whether a record's bytes are the tensor's bytes.
bool is_plain_copy(const Encoding& encoding, const TensorInfo& tensor);

// Converts one record that is_plain_copy denies. `record` holds encoding.record_bytes() bytes, aligned for its
// type; `elements` receives tensor.size_bytes().
void convert_record(const Encoding& encoding, const TensorInfo& tensor, const void* record, void* elements);

// round-half-away-from-zero(real / scale) + zero_point, clamped; NaN becomes the least value.
int32_t quantize(float real, const Quantization& quantization, int32_t least, int32_t most);

}  // namespace harness
