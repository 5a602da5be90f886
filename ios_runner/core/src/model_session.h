// One model in the runtime: loaded, compiled for the CPU, run. Uses the model's first signature.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "file.h"
#include "job.h"
#include "litert_library.h"
#include "model_bytes.h"
#include "tensor_info.h"

namespace harness {

class ModelSession {
 public:
  // Starts the runtime's environment. Throws JobError(runtime_unsupported).
  explicit ModelSession(const litert::Functions& functions);
  ~ModelSession();
  ModelSession(const ModelSession&) = delete;
  ModelSession& operator=(const ModelSession&) = delete;

  // Afterwards inputs() and outputs() tell what the file declares. Throws JobError(model_invalid,
  // input_mismatch, output_unsupported) or std::system_error.
  void load(const File& model, Loading loading);

  // `shapes` holds one shape for each input, or an empty one to keep what the file declares; free dimensions
  // that nobody names become what the runtime makes of them. Afterwards every shape is final.
  // Throws JobError(compile_failed, input_mismatch, output_unsupported).
  void compile(int threads, const std::vector<std::vector<int32_t>>& shapes);

  const std::vector<TensorInfo>& inputs() const { return inputs_; }
  const std::vector<TensorInfo>& outputs() const { return outputs_; }

  // `use` gets the tensor's bytes, which are the runtime's own buffer. Throws JobError(invoke_failed).
  void write_input(size_t index, const std::function<void(void*)>& use);
  void read_output(size_t index, const std::function<void(const void*)>& use);

  // One invocation; the time it took, at least 1 ns. Throws JobError(invoke_failed, output_unsupported,
  // out_of_memory).
  uint64_t run_ns();

 private:
  void describe_signature();
  void create_compiled_model(int threads);
  bool resize_inputs(const std::vector<std::vector<int32_t>>& shapes);
  void settle_output_shapes(bool resized);
  void create_buffers();
  litert::TensorBuffer create_buffer(const TensorInfo& tensor);
  void with_buffer(litert::TensorBuffer buffer, int mode, const std::function<void(void*)>& use);

  const litert::Functions& functions_;
  litert::Environment environment_ = nullptr;
  std::unique_ptr<ModelBytes> bytes_;
  litert::Model model_ = nullptr;
  litert::Signature signature_ = nullptr;
  litert::CompiledModel compiled_ = nullptr;
  std::vector<TensorInfo> inputs_;
  std::vector<TensorInfo> outputs_;
  bool outputs_are_free_ = false;  // the file leaves a dimension of one open
  std::vector<litert::TensorBuffer> input_buffers_;
  std::vector<litert::TensorBuffer> output_buffers_;
};

}  // namespace harness
