#include "model_session.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>

#include "clock.h"
#include "errors.h"
#include "json.h"
#include "model_description.h"

namespace harness {
namespace {

constexpr size_t kSignatureIndex = 0;

void check(litert::Status status, FailureCode code, const std::string& doing) {
  if (status == litert::kOk) return;
  const FailureCode actual = status == litert::kMemoryAllocationFailure ? FailureCode::kOutOfMemory : code;
  throw JobError(actual, doing + ": LiteRT says: " + litert_status_text(status));
}

bool is_settled(const std::vector<int32_t>& shape) {
  return std::all_of(shape.begin(), shape.end(), [](int32_t dimension) { return dimension >= 0; });
}

// Asked for a GPU, the runtime would take whichever it finds; only Metal's answers for Metal.
bool has_metal_library(const std::string& folder) {
  return ::access((folder + "/libLiteRtMetalAccelerator.dylib").c_str(), R_OK) == 0;
}

// The builders of LiteRtCpuOptions and LiteRtRuntimeOptions are not exported; TOML texts are what they make.
void add_text_options(const litert::Functions& functions, litert::Options options, const char* identifier,
                      const std::string& text) {
  char* payload = ::strdup(text.c_str());
  if (payload == nullptr) throw std::bad_alloc();
  litert::OpaqueOptions opaque = nullptr;
  const litert::Status made = functions.CreateOpaqueOptions(identifier, payload, std::free, &opaque);
  if (made != litert::kOk) std::free(payload);
  check(made, FailureCode::kCompileFailed, identifier);
  const litert::Status added = functions.AddOpaqueOptions(options, opaque);
  if (added != litert::kOk) functions.DestroyOpaqueOptions(opaque);
  check(added, FailureCode::kCompileFailed, identifier);
}

std::string cpu_options_text(const CompileOptions& options) {
  std::string text = "num_threads = " + std::to_string(options.threads) + "\n";
  if (options.plain_kernels) text += "kernel_mode = \"builtin\"\n";
  if (!options.weight_cache_file.empty()) {
    // The runtime takes what stands between the first and the last quote of the line as it is.
    if (options.weight_cache_file.find('\n') != std::string::npos) {
      throw JobError(FailureCode::kIoFailed,
                     "a weight cache cannot stand in a folder with a line break in its name");
    }
    text += "weight_cache_file_path = \"" + options.weight_cache_file + "\"\n";
  }
  return text;
}

std::vector<int32_t> dimensions(const litert::Layout& layout) {
  const auto rank = std::min<size_t>(layout.rank, litert::kMaxRank);
  return {layout.dimensions, layout.dimensions + rank};
}

}  // namespace

ModelSession::ModelSession(const litert::Functions& functions, Accelerator accelerator,
                           std::string accelerator_folder)
    : functions_(functions), accelerator_folder_(std::move(accelerator_folder)) {
  const bool accelerated = accelerator == Accelerator::kMetal && has_metal_library(accelerator_folder_);
  // Only what was asked for: looking for another accelerator would map libraries that this job does not use.
  std::array<litert::EnvOption, 3> options{};
  options[0].tag = litert::kEnvAutoRegisterAccelerators;
  options[0].value.type = litert::kAnyInt;
  options[0].value.int_value = litert::kAcceleratorCpu | (accelerated ? litert::kAcceleratorGpu : 0);
  options[1].tag = litert::kEnvMinLoggerSeverity;
  options[1].value.type = litert::kAnyInt;
  options[1].value.int_value = litert::kLogWarning;
  options[2].tag = litert::kEnvRuntimeLibraryDir;
  options[2].value.type = litert::kAnyString;
  options[2].value.str_value = accelerator_folder_.c_str();
  check(functions_.CreateEnvironment(accelerated ? 3 : 2, options.data(), &environment_),
        FailureCode::kRuntimeUnsupported, "the runtime's environment cannot be made");
  if (accelerated) look_for_accelerator();
}

void ModelSession::look_for_accelerator() {
  size_t count = 0;
  if (functions_.GetNumAccelerators(environment_, &count) != litert::kOk) return;
  for (size_t i = 0; i < count; ++i) {
    litert::Accelerator accelerator = nullptr;
    int hardware = 0;
    if (functions_.GetAccelerator(environment_, i, &accelerator) == litert::kOk &&
        functions_.GetAcceleratorHardwareSupport(accelerator, &hardware) == litert::kOk &&
        (hardware & litert::kAcceleratorGpu) != 0) {
      has_accelerator_ = true;
    }
  }
}

ModelSession::~ModelSession() {
  for (litert::TensorBuffer buffer : input_buffers_) functions_.DestroyTensorBuffer(buffer);
  for (litert::TensorBuffer buffer : output_buffers_) functions_.DestroyTensorBuffer(buffer);
  if (compiled_ != nullptr) functions_.DestroyCompiledModel(compiled_);
  if (model_ != nullptr) functions_.DestroyModel(model_);
  if (environment_ != nullptr) functions_.DestroyEnvironment(environment_);
}

void ModelSession::load(const File& model, Loading loading) {
  if (model.size_bytes() == 0) throw JobError(FailureCode::kModelInvalid, "the model's file is empty");
  bytes_ = std::make_unique<ModelBytes>(model, loading);
  expose_states();
  check(functions_.CreateModelFromBuffer(environment_, bytes_->data(), bytes_->size(), &model_),
        FailureCode::kModelInvalid, "the model cannot be loaded");
  describe_signature();
  if (states_ != nullptr) states_->restore_flags(bytes_->heap_data());
}

void ModelSession::expose_states() {
  auto states = std::make_unique<ModelStates>(bytes_->data(), bytes_->size());
  if (states->empty()) return;
  if (states->has_hidden()) {
    throw JobError(FailureCode::kRuntimeUnsupported,
                   "the model keeps variables in a graph that it only calls, such as a loop's body");
  }
  try {
    bytes_->replace(states->with_inputs(bytes_->data(), bytes_->size()));
  } catch (const FormatError& error) {
    throw JobError(FailureCode::kModelInvalid, error.what());
  }
  states_ = std::move(states);
}

void ModelSession::describe_signature() {
  const auto need = [](litert::Status status) {
    check(status, FailureCode::kModelInvalid, "the model's signature");
  };
  size_t count = 0;
  need(functions_.GetNumModelSignatures(model_, &count));
  if (count == 0) throw JobError(FailureCode::kModelInvalid, "the model has no signature");
  need(functions_.GetModelSignature(model_, kSignatureIndex, &signature_));
  const char* name = nullptr;
  litert::Tensor tensor = nullptr;
  need(functions_.GetNumSignatureInputs(signature_, &count));
  for (size_t i = 0; i < count; ++i) {
    need(functions_.GetSignatureInputName(signature_, i, &name));
    need(functions_.GetSignatureInputTensorByIndex(signature_, i, &tensor));
    inputs_.push_back(describe_tensor(functions_, tensor, name, FailureCode::kInputMismatch));
  }
  if (states_ != nullptr) {
    if (inputs_.size() < states_->count()) throw JobError(FailureCode::kModelInvalid, "the model's states");
    const auto first_state = inputs_.end() - static_cast<std::ptrdiff_t>(states_->count());
    state_tensors_.assign(first_state, inputs_.end());
    inputs_.erase(first_state, inputs_.end());
  }
  need(functions_.GetNumSignatureOutputs(signature_, &count));
  for (size_t i = 0; i < count; ++i) {
    need(functions_.GetSignatureOutputName(signature_, i, &name));
    need(functions_.GetSignatureOutputTensorByIndex(signature_, i, &tensor));
    outputs_.push_back(describe_tensor(functions_, tensor, name, FailureCode::kOutputUnsupported));
  }
  if (outputs_.empty()) throw JobError(FailureCode::kOutputUnsupported, "the model has no outputs");
}

void ModelSession::compile(const CompileOptions& options, const std::vector<std::vector<int32_t>>& shapes) {
  create_compiled_model(options);
  settle_output_shapes(resize_inputs(shapes));
  create_buffers();
}

void ModelSession::create_compiled_model(const CompileOptions& compile_options) {
  litert::Options options = nullptr;
  check(functions_.CreateOptions(&options), FailureCode::kCompileFailed, "options");
  const std::unique_ptr<litert::OptionsT, void (*)(litert::Options)> owner(options, functions_.DestroyOptions);
  const int hardware = litert::kAcceleratorCpu | (has_accelerator_ ? litert::kAcceleratorGpu : 0);
  check(functions_.SetOptionsHardwareAccelerators(options, hardware), FailureCode::kCompileFailed,
        "the accelerators");
  add_text_options(functions_, options, "xnnpack", cpu_options_text(compile_options));
  if (compile_options.profiling) {
    add_text_options(functions_, options, "runtime_options_string", "enable_profiling = true\n");
  }
  check(functions_.CreateCompiledModel(environment_, model_, options, &compiled_), FailureCode::kCompileFailed,
        "the model cannot be compiled");
}

bool ModelSession::resize_inputs(const std::vector<std::vector<int32_t>>& shapes) {
  bool resized = false;
  for (size_t i = 0; i < inputs_.size(); ++i) {
    if (is_settled(inputs_[i].shape)) continue;
    if (i < shapes.size() && !shapes[i].empty()) {
      check(functions_.CompiledModelResizeInputTensor(compiled_, kSignatureIndex, i, shapes[i].data(),
                                                      shapes[i].size()),
            FailureCode::kInputMismatch,
            "input '" + inputs_[i].name + "' cannot take the shape " + shape_text(shapes[i]));
      inputs_[i].shape = shapes[i];
      resized = true;
    } else {
      litert::Layout layout{};
      check(functions_.GetCompiledModelInputTensorLayout(compiled_, kSignatureIndex, i, &layout),
            FailureCode::kCompileFailed, "the shape of input '" + inputs_[i].name + "'");
      inputs_[i].shape = dimensions(layout);
    }
  }
  return resized;
}

void ModelSession::settle_output_shapes(bool resized) {
  const bool settled =
      std::all_of(outputs_.begin(), outputs_.end(), [](const TensorInfo& t) { return is_settled(t.shape); });
  outputs_are_free_ = !settled;
  if (!resized && settled) return;
  std::vector<litert::Layout> layouts(outputs_.size());
  check(functions_.GetCompiledModelOutputTensorLayouts(compiled_, kSignatureIndex, layouts.size(), layouts.data(),
                                                       resized),
        FailureCode::kCompileFailed, "the shapes of the outputs");
  for (size_t i = 0; i < outputs_.size(); ++i) outputs_[i].shape = dimensions(layouts[i]);
}

litert::TensorBuffer ModelSession::create_buffer(const TensorInfo& tensor) {
  const litert::RankedTensorType type = ranked_type(tensor);
  litert::TensorBuffer buffer = nullptr;
  check(functions_.CreateManagedTensorBuffer(environment_, litert::kBufferHostMemory, &type,
                                             static_cast<size_t>(tensor.size_bytes()), &buffer),
        FailureCode::kOutOfMemory, "the buffer of tensor '" + tensor.name + "'");
  return buffer;
}

void ModelSession::create_buffers() {
  for (const TensorInfo& tensor : inputs_) {
    if (!element_count(tensor.shape)) {
      throw JobError(FailureCode::kInputMismatch,
                     "input '" + tensor.name + "' has the unusable shape " + shape_text(tensor.shape));
    }
    input_buffers_.push_back(create_buffer(tensor));
  }
  for (const TensorInfo& tensor : state_tensors_) {
    if (!element_count(tensor.shape)) {
      throw JobError(FailureCode::kModelInvalid, "a variable has the unusable shape " + shape_text(tensor.shape));
    }
    input_buffers_.push_back(create_buffer(tensor));
  }
  for (const TensorInfo& tensor : outputs_) {
    if (!element_count(tensor.shape)) {
      throw JobError(FailureCode::kOutputUnsupported, "output '" + tensor.name + "' has the shape " +
                                                          shape_text(tensor.shape) +
                                                          ": its size must be known before the model runs");
    }
    output_buffers_.push_back(create_buffer(tensor));
  }
}

void ModelSession::with_buffer(litert::TensorBuffer buffer, int mode, const std::function<void(void*)>& use) {
  void* bytes = nullptr;
  check(functions_.LockTensorBuffer(buffer, &bytes, mode), FailureCode::kInvokeFailed, "a tensor's buffer");
  auto unlock = [this](litert::TensorBuffer locked) { functions_.UnlockTensorBuffer(locked); };
  const std::unique_ptr<litert::TensorBufferT, decltype(unlock)> lock(buffer, unlock);
  use(bytes);
}

void ModelSession::write_input(size_t index, const std::function<void(void*)>& use) {
  with_buffer(input_buffers_[index], litert::kLockWrite, use);
}

void ModelSession::read_output(size_t index, const std::function<void(const void*)>& use) {
  with_buffer(output_buffers_[index], litert::kLockRead, [&use](void* bytes) { use(bytes); });
}

uint64_t ModelSession::operation_count() const {
  litert::Subgraph subgraph = nullptr;
  size_t count = 0;
  check(functions_.GetSignatureSubgraph(signature_, &subgraph), FailureCode::kModelInvalid, "the model's graph");
  check(functions_.GetNumSubgraphOps(subgraph, &count), FailureCode::kModelInvalid, "the model's graph");
  return count;
}

ModelSession::ProfiledRun ModelSession::run_profiled() {
  const auto need = [](litert::Status status) { check(status, FailureCode::kInvokeFailed, "the profiler"); };
  litert::Profiler profiler = nullptr;
  need(functions_.CompiledModelGetProfiler(compiled_, &profiler));
  if (profiler == nullptr) throw JobError(FailureCode::kRuntimeUnsupported, "the runtime has no profiler");
  need(functions_.ResetProfiler(profiler));
  need(functions_.StartProfiler(profiler));
  ProfiledRun run;
  run.duration_ns = run_ns();
  need(functions_.StopProfiler(profiler));
  int count = 0;
  need(functions_.GetNumProfilerEvents(profiler, &count));
  run.events.resize(static_cast<size_t>(std::max(count, 0)));
  if (!run.events.empty()) need(functions_.GetProfilerEvents(profiler, count, run.events.data()));
  return run;
}

void ModelSession::clear_states() {
  for (size_t i = 0; i < state_tensors_.size(); ++i) {
    const TensorInfo& tensor = state_tensors_[i];
    // As TensorFlow Lite clears them: an int8 zero is its zero point.
    const bool shifted = tensor.dtype == DType::kInt8 && tensor.quantization;
    const int zero = shifted ? static_cast<int>(tensor.quantization->zero_point) : 0;
    with_buffer(input_buffers_[inputs_.size() + i], litert::kLockWrite,
                [&](void* bytes) { std::memset(bytes, zero, static_cast<size_t>(tensor.size_bytes())); });
  }
}

uint64_t ModelSession::run_ns() {
  clear_states();
  const uint64_t before = monotonic_ns();
  const litert::Status status =
      functions_.RunCompiledModel(compiled_, kSignatureIndex, input_buffers_.size(), input_buffers_.data(),
                                  output_buffers_.size(), output_buffers_.data());
  const uint64_t after = monotonic_ns();
  if (status != litert::kOk && outputs_are_free_) {
    throw JobError(
        FailureCode::kOutputUnsupported,
        "the invocation failed, and the model leaves dimensions of an output free: a size that is known "
        "only while the model runs is not supported");
  }
  check(status, FailureCode::kInvokeFailed, "the invocation failed");
  return std::max<uint64_t>(after - before, 1);
}

}  // namespace harness
