// Element types that cross the wire, little-endian.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace harness {

enum class DType { kFloat32, kInt8, kUInt8, kInt16, kInt32, kInt64, kBool };

const char* dtype_name(DType dtype);
std::optional<DType> dtype_named(std::string_view name);
size_t itemsize_bytes(DType dtype);

// Product of the dimensions; nothing where one is below 1 or the product passes 2^40.
std::optional<uint64_t> element_count(const std::vector<int32_t>& shape);

}  // namespace harness
