#include "model_session.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>

#include "clock.h"
#include "errors.h"
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

std::vector<int32_t> dimensions(const litert::Layout& layout) {
  const auto rank = std::min<size_t>(layout.rank, litert::kMaxRank);
  return {layout.dimensions, layout.dimensions + rank};
}

}  // namespace

ModelSession::ModelSession(const litert::Functions& functions) : functions_(functions) {
  // Only the CPU: looking for a GPU or NPU accelerator would map libraries that this job does not use.
  std::array<litert::EnvOption, 2> options{};
  options[0].tag = litert::kEnvAutoRegisterAccelerators;
  options[0].value.type = litert::kAnyInt;
  options[0].value.int_value = litert::kAcceleratorCpu;
  options[1].tag = litert::kEnvMinLoggerSeverity;
  options[1].value.type = litert::kAnyInt;
  options[1].value.int_value = litert::kLogWarning;
  check(functions_.CreateEnvironment(static_cast<int>(options.size()), options.data(), &environment_),
        FailureCode::kRuntimeUnsupported, "the runtime's environment cannot be made");
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
  check(functions_.CreateModelFromBuffer(environment_, bytes_->data(), bytes_->size(), &model_),
        FailureCode::kModelInvalid, "the model cannot be loaded");
  describe_signature();
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
  need(functions_.GetNumSignatureOutputs(signature_, &count));
  for (size_t i = 0; i < count; ++i) {
    need(functions_.GetSignatureOutputName(signature_, i, &name));
    need(functions_.GetSignatureOutputTensorByIndex(signature_, i, &tensor));
    outputs_.push_back(describe_tensor(functions_, tensor, name, FailureCode::kOutputUnsupported));
  }
  if (outputs_.empty()) throw JobError(FailureCode::kOutputUnsupported, "the model has no outputs");
}

void ModelSession::compile(int threads, const std::vector<std::vector<int32_t>>& shapes) {
  create_compiled_model(threads);
  settle_output_shapes(resize_inputs(shapes));
  create_buffers();
}

void ModelSession::create_compiled_model(int threads) {
  litert::Options options = nullptr;
  check(functions_.CreateOptions(&options), FailureCode::kCompileFailed, "options");
  const std::unique_ptr<litert::OptionsT, void (*)(litert::Options)> owner(options, functions_.DestroyOptions);
  check(functions_.SetOptionsHardwareAccelerators(options, litert::kAcceleratorCpu), FailureCode::kCompileFailed,
        "the CPU accelerator");
  // The builders of LiteRtCpuOptions are not exported; this TOML text is what they make.
  char* payload = ::strdup(("num_threads = " + std::to_string(threads) + "\n").c_str());
  if (payload == nullptr) throw std::bad_alloc();
  litert::OpaqueOptions cpu_options = nullptr;
  const litert::Status made = functions_.CreateOpaqueOptions("xnnpack", payload, std::free, &cpu_options);
  if (made != litert::kOk) std::free(payload);
  check(made, FailureCode::kCompileFailed, "CPU options");
  const litert::Status added = functions_.AddOpaqueOptions(options, cpu_options);
  if (added != litert::kOk) functions_.DestroyOpaqueOptions(cpu_options);
  check(added, FailureCode::kCompileFailed, "CPU options");
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

uint64_t ModelSession::run_ns() {
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
