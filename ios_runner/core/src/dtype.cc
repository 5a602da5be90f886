#include "dtype.h"

#include <array>

namespace harness {
namespace {

struct Row {
  DType dtype;
  const char* name;
  size_t itemsize_bytes;
};

constexpr std::array<Row, 7> kRows = {{{DType::kFloat32, "float32", 4},
                                       {DType::kInt8, "int8", 1},
                                       {DType::kUInt8, "uint8", 1},
                                       {DType::kInt16, "int16", 2},
                                       {DType::kInt32, "int32", 4},
                                       {DType::kInt64, "int64", 8},
                                       {DType::kBool, "bool", 1}}};

const Row& row(DType dtype) { return kRows[static_cast<size_t>(dtype)]; }

}  // namespace

const char* dtype_name(DType dtype) { return row(dtype).name; }

size_t itemsize_bytes(DType dtype) { return row(dtype).itemsize_bytes; }

std::optional<DType> dtype_named(std::string_view name) {
  for (const Row& candidate : kRows) {
    if (name == candidate.name) return candidate.dtype;
  }
  return std::nullopt;
}

std::optional<uint64_t> element_count(const std::vector<int32_t>& shape) {
  uint64_t count = 1;
  for (const int32_t dimension : shape) {
    if (dimension < 1) return std::nullopt;
    count *= static_cast<uint64_t>(dimension);
    if (count > uint64_t{1} << 40U) return std::nullopt;
  }
  return count;
}

}  // namespace harness
