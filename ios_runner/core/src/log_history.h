// What the attempts before this one left in the event log.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "file.h"

namespace harness {

struct LogHistory {
  uint64_t attempts = 0;
  bool finished = false;   // the last record is job_finished
  bool delegated = false;  // the event `delegation` is there
  bool profiled = false;
  bool typed = false;                  // the event `keystrokes` is there
  std::optional<std::string> failure;  // the message of the last record, where that is job_failed
  std::optional<uint64_t> output_record_bytes;
  std::optional<uint64_t> peak_footprint_bytes;  // the highest of all attempts

  uint64_t steady_samples = 0;
  uint64_t repeat_mismatches = 0;
  // From the end of the warm-up to the last block, over all attempts.
  uint64_t steady_elapsed_ns = 0;
  std::vector<uint64_t> steady_latency_ns;
  std::vector<bool> recorded;  // by input of the shard: a steady sample names it
};

class LogHistoryReader {
 public:
  // `input_count`: nothing where the job itself cannot be read; then indices are not looked at.
  LogHistoryReader(std::string job_id, std::optional<uint64_t> input_count);

  // One line without its end. Throws FormatError for a line that is no record of this wire version.
  void take(std::string_view line);

  LogHistory finish() &&;

 private:
  std::string job_id_;
  std::optional<uint64_t> input_count_;
  LogHistory history_;
  uint64_t warmup_end_ns_ = 0;
  uint64_t steady_end_ns_ = 0;
};

// Reads the first `size` bytes, line by line. Throws FormatError with the line's number, or std::system_error.
LogHistory read_history(const File& log, uint64_t size, LogHistoryReader reader);

}  // namespace harness
