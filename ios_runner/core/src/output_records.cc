#include "output_records.h"

#include <fcntl.h>

#include <algorithm>
#include <cstring>

namespace harness {
namespace {

constexpr size_t kComparedChunkBytes = 64 * 1024;

}  // namespace

OutputRecords::OutputRecords(const std::string& path, uint64_t record_bytes, uint64_t input_count)
    : file_(path, O_RDWR | O_CREAT),
      record_bytes_(record_bytes),
      chunk_(static_cast<size_t>(std::min<uint64_t>(kComparedChunkBytes, record_bytes))) {
  if (file_.size_bytes() > record_bytes * input_count) file_.truncate(record_bytes * input_count);
}

bool OutputRecords::reaches(uint64_t index) const { return file_.size_bytes() >= (index + 1) * record_bytes_; }

void OutputRecords::write(uint64_t index, ModelSession& session) {
  uint64_t offset = index * record_bytes_;
  for (size_t i = 0; i < session.outputs().size(); ++i) {
    const auto size = static_cast<size_t>(session.outputs()[i].size_bytes());
    session.read_output(i, [&](const void* bytes) { file_.write_at(bytes, size, offset); });
    offset += size;
  }
}

bool OutputRecords::matches(uint64_t index, ModelSession& session) {
  uint64_t offset = index * record_bytes_;
  bool same = true;
  for (size_t i = 0; i < session.outputs().size(); ++i) {
    const auto size = static_cast<size_t>(session.outputs()[i].size_bytes());
    session.read_output(i, [&](const void* bytes) {
      for (size_t done = 0; same && done < size;) {
        const size_t part = std::min(chunk_.size(), size - done);
        file_.read_at(chunk_.data(), part, offset + done);
        same = std::memcmp(chunk_.data(), static_cast<const uint8_t*>(bytes) + done, part) == 0;
        done += part;
      }
    });
    offset += size;
  }
  return same;
}

}  // namespace harness
