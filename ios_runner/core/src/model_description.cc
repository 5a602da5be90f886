#include "model_description.h"

#include <array>
#include <cmath>
#include <utility>

namespace harness {
namespace {

constexpr std::array<std::pair<int, DType>, 7> kElements = {{{litert::kElementFloat32, DType::kFloat32},
                                                             {litert::kElementInt8, DType::kInt8},
                                                             {litert::kElementUInt8, DType::kUInt8},
                                                             {litert::kElementInt16, DType::kInt16},
                                                             {litert::kElementInt32, DType::kInt32},
                                                             {litert::kElementInt64, DType::kInt64},
                                                             {litert::kElementBool, DType::kBool}}};

std::optional<Quantization> read_quantization(const litert::Functions& functions, litert::Tensor tensor) {
  int kind = 0;
  if (functions.GetQuantizationTypeId(tensor, &kind) != litert::kOk || kind != litert::kQuantizationPerTensor) {
    return std::nullopt;
  }
  litert::QuantizationPerTensor figures{};
  if (functions.GetPerTensorQuantization(tensor, &figures) != litert::kOk) return std::nullopt;
  if (!std::isfinite(figures.scale) || !(figures.scale > 0)) return std::nullopt;
  return Quantization{figures.scale, figures.zero_point};
}

}  // namespace

std::string shape_text(const std::vector<int32_t>& shape) {
  std::string text = "[";
  for (const int32_t dimension : shape) {
    if (text.size() > 1) text += ", ";
    text += std::to_string(dimension);
  }
  return text + "]";
}

TensorInfo describe_tensor(const litert::Functions& functions, litert::Tensor tensor, const char* name,
                           FailureCode unsupported) {
  TensorInfo info;
  info.name = name != nullptr ? name : "";
  litert::RankedTensorType type{};
  const litert::Status status = functions.GetRankedTensorType(tensor, &type);
  if (status != litert::kOk || type.layout.rank > litert::kMaxRank) {
    throw JobError(unsupported, "tensor '" + info.name + "' has no rank of at most 8");
  }
  const auto* found = kElements.begin();
  while (found != kElements.end() && found->first != type.element_type) ++found;
  if (found == kElements.end()) {
    throw JobError(unsupported, "tensor '" + info.name +
                                    "' has an element type that the wire format does not carry (" +
                                    std::to_string(type.element_type) + " in LiteRtElementType)");
  }
  info.dtype = found->second;
  info.shape.assign(type.layout.dimensions, type.layout.dimensions + type.layout.rank);
  info.quantization = read_quantization(functions, tensor);
  return info;
}

litert::RankedTensorType ranked_type(const TensorInfo& tensor) {
  litert::RankedTensorType type{};
  for (const auto& [element, dtype] : kElements) {
    if (dtype == tensor.dtype) type.element_type = element;
  }
  type.layout.rank = static_cast<unsigned int>(tensor.shape.size()) & 0x7FU;
  for (size_t i = 0; i < tensor.shape.size(); ++i) type.layout.dimensions[i] = tensor.shape[i];
  return type;
}

}  // namespace harness
