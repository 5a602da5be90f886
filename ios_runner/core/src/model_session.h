// One model in the runtime: loaded, compiled, run. Uses the model's first signature.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "file.h"
#include "job.h"
#include "litert_library.h"
#include "model_bytes.h"
#include "model_states.h"
#include "tensor_info.h"

namespace harness {

struct CompileOptions {
  int threads = 1;
  // XNNPACK's packed weights are mapped from this file, which is written where it is missing; empty: they are
  // packed into memory.
  std::string weight_cache_file;
  bool profiling = false;  // run_profiled may be called
  // The CPU's own kernels instead of XNNPACK's: then every operation that an accelerator left shows in a profile.
  bool plain_kernels = false;
};

class ModelSession {
 public:
  // Starts the runtime's environment; `accelerator_folder` holds the accelerator's library.
  // Throws JobError(runtime_unsupported).
  explicit ModelSession(const litert::Functions& functions, Accelerator accelerator = Accelerator::kNone,
                        std::string accelerator_folder = "");
  ~ModelSession();
  ModelSession(const ModelSession&) = delete;
  ModelSession& operator=(const ModelSession&) = delete;

  // Afterwards inputs() and outputs() tell what the file declares. Throws JobError(model_invalid,
  // input_mismatch, output_unsupported) or std::system_error.
  void load(const File& model, Loading loading);

  // Whether the runtime found the accelerator's library and took it; what it then runs, operation_profile.h tells.
  bool has_accelerator() const { return has_accelerator_; }

  // `shapes` holds one shape for each input, or an empty one to keep what the file declares; free dimensions
  // that nobody names become what the runtime makes of them. Afterwards every shape is final.
  // Throws JobError(compile_failed, input_mismatch, output_unsupported).
  void compile(const CompileOptions& options, const std::vector<std::vector<int32_t>>& shapes);

  const std::vector<TensorInfo>& inputs() const { return inputs_; }
  const std::vector<TensorInfo>& outputs() const { return outputs_; }

  // `use` gets the tensor's bytes, which are the runtime's own buffer. Throws JobError(invoke_failed).
  void write_input(size_t index, const std::function<void(void*)>& use);
  void read_output(size_t index, const std::function<void(const void*)>& use);

  // Operations of the graph, as the file has them.
  uint64_t operation_count() const;

  // One invocation with the profiler on, after compile with `profiling`: its events in the order they happened;
  // their texts live until the next one. Throws as run_ns.
  struct ProfiledRun {
    uint64_t duration_ns = 0;
    std::vector<litert::ProfiledEvent> events;
  };
  ProfiledRun run_profiled();

  // One invocation from cleared states; the time it took, at least 1 ns. Throws JobError(invoke_failed,
  // output_unsupported, out_of_memory).
  uint64_t run_ns();

 private:
  void describe_signature();
  void expose_states();
  void clear_states();
  void look_for_accelerator();
  void create_compiled_model(const CompileOptions& options);
  bool resize_inputs(const std::vector<std::vector<int32_t>>& shapes);
  void settle_output_shapes(bool resized);
  void create_buffers();
  litert::TensorBuffer create_buffer(const TensorInfo& tensor);
  void with_buffer(litert::TensorBuffer buffer, int mode, const std::function<void(void*)>& use);

  const litert::Functions& functions_;
  std::string accelerator_folder_;  // the environment keeps a pointer to it
  bool has_accelerator_ = false;
  litert::Environment environment_ = nullptr;
  std::unique_ptr<ModelBytes> bytes_;
  litert::Model model_ = nullptr;
  litert::Signature signature_ = nullptr;
  litert::CompiledModel compiled_ = nullptr;
  std::unique_ptr<ModelStates> states_;
  std::vector<TensorInfo> inputs_;
  std::vector<TensorInfo> state_tensors_;  // the runtime's inputs behind inputs_
  std::vector<TensorInfo> outputs_;
  bool outputs_are_free_ = false;  // the file leaves a dimension of one open
  std::vector<litert::TensorBuffer> input_buffers_;
  std::vector<litert::TensorBuffer> output_buffers_;
};

}  // namespace harness
