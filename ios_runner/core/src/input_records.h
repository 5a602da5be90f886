// The records of all inputs of a job, read from their blobs one at a time.
#pragma once

#include <cstdint>
#include <vector>

#include "file.h"
#include "job.h"
#include "model_session.h"

namespace harness {

// For each input of the job the index of the model's input. Throws JobError(input_mismatch).
std::vector<size_t> bind_inputs(const std::vector<JobInput>& inputs, const std::vector<TensorInfo>& tensors);

// For each input of the model the shape its records have, where the model leaves dimensions free; else empty.
// Throws JobError(input_mismatch).
std::vector<std::vector<int32_t>> record_shapes(const std::vector<JobInput>& inputs,
                                                const std::vector<size_t>& binding,
                                                const std::vector<TensorInfo>& tensors);

class InputRecords {
 public:
  // `blobs` are the verified blobs of `inputs`. Throws JobError(input_mismatch).
  InputRecords(const std::vector<JobInput>& inputs, std::vector<File> blobs, const std::vector<size_t>& binding,
               const std::vector<TensorInfo>& tensors);

  // Puts record `index` into the session's input buffers. Throws std::system_error.
  void load(uint64_t index, ModelSession& session);

 private:
  struct Source {
    Encoding encoding;
    File blob;
    size_t tensor = 0;
  };

  std::vector<Source> sources_;
  std::vector<float> staging_;  // float, so that a float32 record is aligned
};

}  // namespace harness
