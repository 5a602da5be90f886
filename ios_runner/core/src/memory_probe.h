// Memory of this process at one moment. What the platform does not tell is absent.
#pragma once

#include <cstdint>
#include <optional>

namespace harness {

struct Memory {
  std::optional<uint64_t> resident_bytes;
  std::optional<uint64_t> peak_resident_bytes;
  std::optional<uint64_t> anonymous_bytes;
  std::optional<uint64_t> file_backed_bytes;
  std::optional<uint64_t> footprint_bytes;
  std::optional<uint64_t> peak_footprint_bytes;
  std::optional<uint64_t> dirty_bytes;
  std::optional<uint64_t> compressed_bytes;
  std::optional<uint64_t> limit_remaining_bytes;
};

Memory read_memory();

}  // namespace harness
