#include "log_history.h"

#include <algorithm>
#include <utility>

#include "job.h"
#include "json.h"

namespace harness {
namespace {

constexpr size_t kLargestLineBytes = 1U << 20U;
constexpr size_t kLogChunkBytes = 64 * 1024;

void skip(ObjectReader& reader, std::initializer_list<const char*> required,
          std::initializer_list<const char*> optional = {}) {
  for (const char* key : required) reader.required(key);
  for (const char* key : optional) reader.optional(key);
}

uint64_t count(ObjectReader& reader, const char* key, int64_t least = 0) {
  return static_cast<uint64_t>(reader.integer(key, least));
}

}  // namespace

LogHistoryReader::LogHistoryReader(std::string job_id, std::optional<uint64_t> input_count)
    : job_id_(std::move(job_id)), input_count_(input_count) {
  history_.recorded.resize(input_count.value_or(0));
}

void LogHistoryReader::take(std::string_view line) {
  const Json record = parse_json(line);
  ObjectReader reader(record, "");
  const std::string event = reader.text("event");
  const uint64_t t_ns = count(reader, "t_ns");
  history_.finished = event == "job_finished";
  history_.failure.reset();
  if (event == "job_started") {
    const int64_t version = reader.integer("wire_version", 1);
    if (version > kWireVersion) throw FormatError("wire_version: written by a newer runner; update the runner");
    if (reader.text("job_id") != job_id_) throw FormatError("job_id: the log of another job");
    history_.attempts = std::max(history_.attempts, count(reader, "attempt", 1));
    history_.steady_elapsed_ns += steady_end_ns_ - warmup_end_ns_;
    warmup_end_ns_ = steady_end_ns_ = 0;
    skip(reader, {"unix_ns", "runner", "runtime", "device", "threads"}, {"quality_of_service"});
  } else if (event == "model_described") {
    history_.output_record_bytes = count(reader, "output_record_bytes", 1);
    skip(reader, {"inputs", "outputs"});
  } else if (event == "stage_finished") {
    if (reader.text("stage") == "warmup") warmup_end_ns_ = steady_end_ns_ = t_ns;
    const Json& memory = reader.required("memory");
    const auto peak = memory.members.find("peak_footprint_bytes");
    if (peak != memory.members.end()) {
      const auto bytes = static_cast<uint64_t>(as_integer(peak->second, "memory.peak_footprint_bytes", 0));
      history_.peak_footprint_bytes = std::max(history_.peak_footprint_bytes.value_or(0), bytes);
    }
    skip(reader, {}, {"duration_ns", "conditions", "weight_cache"});
  } else if (event == "samples") {
    const std::string& phase = reader.text("phase");
    if (phase != "warmup" && phase != "steady") throw FormatError("phase: 'warmup' or 'steady' was expected");
    const auto& inputs = as_array(reader.required("inputs"), "inputs");
    const auto& latencies = as_array(reader.required("latency_ns"), "latency_ns");
    if (inputs.empty() || inputs.size() != latencies.size()) {
      throw FormatError("inputs and latency_ns must be equally long and not empty");
    }
    const int64_t most = input_count_ ? static_cast<int64_t>(*input_count_) - 1 : INT64_MAX;
    for (const Json& latency : latencies) {
      const int64_t ns = as_integer(latency, "latency_ns", 1);
      if (phase == "steady") history_.steady_latency_ns.push_back(static_cast<uint64_t>(ns));
    }
    for (const Json& input : inputs) {
      const auto index = static_cast<size_t>(as_integer(input, "inputs", 0, most));
      if (phase == "steady" && input_count_) history_.recorded[index] = true;
    }
    if (phase == "steady") {
      history_.steady_samples += inputs.size();
      steady_end_ns_ = std::max(steady_end_ns_, t_ns);
      if (reader.optional("repeat_mismatches") != nullptr) {
        history_.repeat_mismatches += count(reader, "repeat_mismatches");
      }
    }
    skip(reader, {}, {"conditions"});
  } else if (event == "interrupted") {
    skip(reader, {"kind", "unix_ns"});
  } else if (event == "delegation") {
    history_.delegated = true;
    skip(reader, {"requested", "obtained", "operations", "delegated_operations", "partitions"}, {"reason"});
  } else if (event == "profile") {
    history_.profiled = true;
    skip(reader, {"runs", "invocations_ns", "operations", "delegated_operations", "partitions", "times"});
  } else if (event == "keystrokes") {
    history_.typed = true;
    for (const Json& latency : as_array(reader.required("latency_ns"), "latency_ns")) {
      as_integer(latency, "latency_ns", 1);
    }
    skip(reader, {"texts"});
  } else if (event == "job_failed") {
    history_.failure = reader.text("message");
    skip(reader, {"stage", "code"});
  } else if (event == "job_finished") {
    skip(reader, {"steady_samples", "output_records", "outputs_bytes", "outputs_sha256", "repeat_mismatches"});
  } else {
    throw FormatError("event: unknown event '" + event + "'");
  }
  reader.finish();
}

LogHistory LogHistoryReader::finish() && {
  history_.steady_elapsed_ns += steady_end_ns_ - warmup_end_ns_;
  return std::move(history_);
}

LogHistory read_history(const File& log, uint64_t size, LogHistoryReader reader) {
  std::string pending;
  std::string chunk(kLogChunkBytes, '\0');
  uint64_t line_number = 0;
  const auto fail = [&](const std::string& problem) {
    throw FormatError("events.jsonl, line " + std::to_string(line_number + 1) + ": " + problem +
                      "; remove the log to start over");
  };
  for (uint64_t done = 0; done < size;) {
    const auto part = static_cast<size_t>(std::min<uint64_t>(chunk.size(), size - done));
    log.read_at(chunk.data(), part, done);
    done += part;
    for (size_t start = 0; start < part;) {
      const size_t end = std::min(chunk.find('\n', start), part);
      pending.append(chunk, start, end - start);
      if (pending.size() > kLargestLineBytes) fail("longer than " + std::to_string(kLargestLineBytes) + " bytes");
      if (end == part) break;
      try {
        reader.take(pending);
      } catch (const FormatError& error) {
        fail(error.what());
      }
      pending.clear();
      ++line_number;
      start = end + 1;
    }
  }
  return std::move(reader).finish();
}

}  // namespace harness
