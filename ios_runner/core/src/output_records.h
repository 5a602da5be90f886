// outputs.bin: record i holds the output tensors of input i, one after another.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "file.h"
#include "model_session.h"

namespace harness {

class OutputRecords {
 public:
  // Opens or creates the file; what lies beyond the last record is cut off. Throws std::system_error.
  OutputRecords(const std::string& path, uint64_t record_bytes, uint64_t input_count);

  // Whether the file is long enough to hold record `index`.
  bool reaches(uint64_t index) const;

  void write(uint64_t index, ModelSession& session);
  // Whether the session's outputs are, byte for byte, what record `index` holds.
  bool matches(uint64_t index, ModelSession& session);

  const File& file() const { return file_; }

 private:
  File file_;
  uint64_t record_bytes_;
  std::vector<uint8_t> chunk_;
};

}  // namespace harness
