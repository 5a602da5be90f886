#include "input_records.h"

#include <algorithm>

#include "errors.h"
#include "input_encoding.h"
#include "model_description.h"

namespace harness {
namespace {

[[noreturn]] void mismatch(const std::string& message) { throw JobError(FailureCode::kInputMismatch, message); }

size_t tensor_named(const std::string& name, const std::vector<TensorInfo>& tensors) {
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (tensors[i].name == name) return i;
  }
  std::string known;
  for (const TensorInfo& tensor : tensors) known += (known.empty() ? "'" : ", '") + tensor.name + "'";
  mismatch("the model has no input '" + name + "', only " + known);
}

}  // namespace

std::vector<size_t> bind_inputs(const std::vector<JobInput>& inputs, const std::vector<TensorInfo>& tensors) {
  if (inputs.size() != tensors.size()) {
    mismatch("the job has " + std::to_string(inputs.size()) + " inputs, the model " +
             std::to_string(tensors.size()));
  }
  std::vector<size_t> binding;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const size_t tensor = inputs[i].tensor.empty() ? i : tensor_named(inputs[i].tensor, tensors);
    if (std::find(binding.begin(), binding.end(), tensor) != binding.end()) {
      mismatch("two inputs of the job are for the model's input '" + tensors[tensor].name + "'");
    }
    binding.push_back(tensor);
  }
  return binding;
}

std::vector<std::vector<int32_t>> record_shapes(const std::vector<JobInput>& inputs,
                                                const std::vector<size_t>& binding,
                                                const std::vector<TensorInfo>& tensors) {
  std::vector<std::vector<int32_t>> shapes(tensors.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    const TensorInfo& tensor = tensors[binding[i]];
    if (std::find(tensor.shape.begin(), tensor.shape.end(), -1) == tensor.shape.end()) continue;
    std::vector<int32_t> shape = inputs[i].encoding.shape;
    if (inputs[i].encoding.kind == Encoding::Kind::kPixels) shape.insert(shape.begin(), 1);
    bool fits = shape.size() == tensor.shape.size();
    for (size_t d = 0; fits && d < shape.size(); ++d) fits = tensor.shape[d] == -1 || tensor.shape[d] == shape[d];
    if (!fits) {
      mismatch("input '" + tensor.name + "' of shape " + shape_text(tensor.shape) +
               " does not take records of shape " + shape_text(shape));
    }
    shapes[binding[i]] = std::move(shape);
  }
  return shapes;
}

InputRecords::InputRecords(const std::vector<JobInput>& inputs, std::vector<File> blobs,
                           const std::vector<size_t>& binding, const std::vector<TensorInfo>& tensors) {
  size_t staging_bytes = 0;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const TensorInfo& tensor = tensors[binding[i]];
    const std::string problem = encoding_problem(inputs[i].encoding, tensor);
    if (!problem.empty()) mismatch(problem);
    if (!is_plain_copy(inputs[i].encoding, tensor)) {
      staging_bytes = std::max(staging_bytes, static_cast<size_t>(inputs[i].encoding.record_bytes()));
    }
    sources_.push_back({inputs[i].encoding, std::move(blobs[i]), binding[i]});
  }
  staging_.resize((staging_bytes + sizeof(float) - 1) / sizeof(float));
}

void InputRecords::load(uint64_t index, ModelSession& session) {
  for (const Source& source : sources_) {
    const TensorInfo& tensor = session.inputs()[source.tensor];
    const auto record_bytes = static_cast<size_t>(source.encoding.record_bytes());
    const uint64_t offset = index * record_bytes;
    if (is_plain_copy(source.encoding, tensor)) {
      session.write_input(source.tensor,
                          [&](void* elements) { source.blob.read_at(elements, record_bytes, offset); });
      continue;
    }
    source.blob.read_at(staging_.data(), record_bytes, offset);
    session.write_input(source.tensor, [&](void* elements) {
      convert_record(source.encoding, tensor, staging_.data(), elements);
    });
  }
}

}  // namespace harness
