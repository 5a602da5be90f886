#include "event_log.h"

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <array>

#include "clock.h"
#include "harness_runner.h"
#include "job.h"
#include "json_writer.h"

#ifndef HARNESS_BUILD
#define HARNESS_BUILD "unknown build"
#endif

namespace harness {
namespace {

// Size up to and with the last line end.
uint64_t complete_bytes(const File& file) {
  std::array<char, 4096> chunk{};
  uint64_t end = file.size_bytes();
  while (end > 0) {
    const uint64_t start = end > chunk.size() ? end - chunk.size() : 0;
    const auto size = static_cast<size_t>(end - start);
    file.read_at(chunk.data(), size, start);
    for (size_t i = size; i > 0; --i) {
      if (chunk[i - 1] == '\n') return start + i;
    }
    end = start;
  }
  return 0;
}

void write_memory(JsonWriter& writer, const Memory& memory) {
  writer.key("memory").begin_object();
  writer.member("resident_bytes", memory.resident_bytes);
  writer.member("peak_resident_bytes", memory.peak_resident_bytes);
  writer.member("anonymous_bytes", memory.anonymous_bytes);
  writer.member("file_backed_bytes", memory.file_backed_bytes);
  writer.member("footprint_bytes", memory.footprint_bytes);
  writer.member("peak_footprint_bytes", memory.peak_footprint_bytes);
  writer.member("dirty_bytes", memory.dirty_bytes);
  writer.member("compressed_bytes", memory.compressed_bytes);
  writer.member("limit_remaining_bytes", memory.limit_remaining_bytes);
  writer.end_object();
}

void write_conditions(JsonWriter& writer, const Conditions& conditions) {
  if (conditions.empty()) return;
  writer.key("conditions").begin_object();
  if (conditions.thermal_state) writer.member("thermal_state", *conditions.thermal_state);
  writer.member("low_power_mode", conditions.low_power_mode);
  writer.member("battery_level", conditions.battery_level);
  writer.member("load_average_1m", conditions.load_average_1m);
  writer.member("other_cpu_fraction", conditions.other_cpu_fraction);
  writer.member("cpu_frequency_hz", conditions.cpu_frequency_hz);
  writer.member("suspended_ns", conditions.suspended_ns);
  writer.end_object();
}

void write_tensor_list(JsonWriter& writer, const char* key, const std::vector<TensorInfo>& tensors) {
  writer.key(key).begin_array();
  for (const TensorInfo& tensor : tensors) {
    writer.begin_object().member("name", tensor.name).member("dtype", dtype_name(tensor.dtype));
    writer.key("shape").begin_array();
    for (const int32_t dimension : tensor.shape) writer.integer(dimension);
    writer.end_array();
    if (tensor.quantization) {
      writer.key("quantization").begin_object();
      writer.key("scale").real32(tensor.quantization->scale);
      writer.key("zero_point").integer(tensor.quantization->zero_point);
      writer.end_object();
    }
    writer.end_object();
  }
  writer.end_array();
}

void write_integers(JsonWriter& writer, const char* key, const std::vector<uint64_t>& values) {
  writer.key(key).begin_array();
  for (const uint64_t value : values) writer.unsigned_integer(value);
  writer.end_array();
}

}  // namespace

void write_tensors(JsonWriter& writer, const std::vector<TensorInfo>& inputs,
                   const std::vector<TensorInfo>& outputs) {
  write_tensor_list(writer, "inputs", inputs);
  write_tensor_list(writer, "outputs", outputs);
}

EventLog::EventLog(const std::string& path, uint64_t start_ns) : start_ns_(start_ns) {
  try {
    file_ = File(path, O_RDWR | O_CREAT);
    if (::flock(file_.descriptor(), LOCK_EX | LOCK_NB) != 0) {
      throw LogUnwritable(path + ": another runner is at work on this job");
    }
    size_bytes_ = complete_bytes(file_);
    if (file_.size_bytes() != size_bytes_) file_.truncate(size_bytes_);
  } catch (const std::system_error& error) {
    throw LogUnwritable(error.what());
  }
}

JsonWriter EventLog::begin(const char* event) const {
  JsonWriter record;
  record.begin_object().member("event", event).member("t_ns", monotonic_ns() - start_ns_);
  return record;
}

void EventLog::append(JsonWriter& record) {
  record.end_object();
  const std::string line = record.str() + "\n";
  try {
    file_.write_at(line.data(), line.size(), size_bytes_);
  } catch (const std::system_error& error) {
    try {
      file_.truncate(size_bytes_);
    } catch (const std::system_error&) {
      // The next attempt removes the cut-off line.
    }
    throw LogUnwritable(error.what());
  }
  size_bytes_ += line.size();
}

void EventLog::job_started(const std::string& job_id, uint64_t attempt, const RuntimeInfo& runtime,
                           const DeviceInfo& device, int threads,
                           const std::optional<std::string>& quality_of_service) {
  JsonWriter record = begin("job_started");
  record.key("wire_version").integer(kWireVersion);
  record.member("job_id", job_id).member("attempt", attempt).member("unix_ns", unix_ns());
  record.key("runner").begin_object();
  record.member("version", harness_runner_version())
      .member("platform", platform_name())
      .member("build", HARNESS_BUILD);
  record.end_object();
  record.key("runtime").begin_object();
  record.member("name", "LiteRT").member("version", runtime.version).member("library", runtime.library);
  record.member("library_bytes", runtime.library_bytes).end_object();
  record.key("device").begin_object();
  record.member("target_class", device.target_class).member("model", device.model).member("os", device.os);
  record.member("os_version", device.os_version).member("cpu", device.cpu);
  record.member("logical_cores", device.logical_cores).member("performance_cores", device.performance_cores);
  record.member("memory_bytes", device.memory_bytes).end_object();
  record.member("threads", static_cast<uint64_t>(threads));
  if (quality_of_service) record.member("quality_of_service", *quality_of_service);
  append(record);
}

void EventLog::model_described(const std::vector<TensorInfo>& inputs, const std::vector<TensorInfo>& outputs,
                               uint64_t output_record_bytes) {
  JsonWriter record = begin("model_described");
  write_tensors(record, inputs, outputs);
  record.member("output_record_bytes", output_record_bytes);
  append(record);
}

void EventLog::stage_finished(Stage stage, std::optional<uint64_t> duration_ns, const Memory& memory,
                              const Conditions& conditions, const char* weight_cache) {
  JsonWriter record = begin("stage_finished");
  record.member("stage", stage_name(stage)).member("duration_ns", duration_ns);
  if (weight_cache != nullptr) record.member("weight_cache", weight_cache);
  write_memory(record, memory);
  write_conditions(record, conditions);
  append(record);
}

void EventLog::samples(Stage phase, const SampleBlock& block, const std::optional<Conditions>& conditions) {
  JsonWriter record = begin("samples");
  record.member("phase", stage_name(phase));
  write_integers(record, "inputs", block.inputs);
  write_integers(record, "latency_ns", block.latency_ns);
  if (phase == Stage::kSteady) record.member("repeat_mismatches", block.repeat_mismatches);
  if (conditions) write_conditions(record, *conditions);
  append(record);
}

void EventLog::interrupted(const Interruption& interruption) {
  JsonWriter record = begin("interrupted");
  record.member("kind", interruption.kind).member("unix_ns", interruption.unix_ns);
  append(record);
}

void EventLog::delegation(const Delegation& delegation) {
  JsonWriter record = begin("delegation");
  record.member("requested", accelerator_name(delegation.requested));
  record.key("obtained").boolean(delegation.obtained);
  if (!delegation.obtained) record.member("reason", delegation.reason);
  record.member("operations", delegation.operations);
  record.member("delegated_operations", delegation.delegated_operations);
  record.member("partitions", delegation.partitions);
  append(record);
}

void EventLog::profile(const OperationProfile& profile) {
  JsonWriter record = begin("profile");
  record.member("runs", profile.runs).member("invocations_ns", profile.invocations_ns);
  record.member("operations", profile.operations).member("delegated_operations", profile.delegated_operations);
  record.member("partitions", profile.partitions);
  record.key("times").begin_array();
  for (const OperationTime& time : profile.times) {
    record.begin_object().member("name", time.name);
    record.key("delegated").boolean(time.delegated);
    record.member("runs", time.runs).member("total_ns", time.total_ns).end_object();
  }
  record.end_array();
  append(record);
}

void EventLog::keystrokes(uint64_t texts, const std::vector<uint64_t>& latency_ns) {
  JsonWriter record = begin("keystrokes");
  record.member("texts", texts);
  write_integers(record, "latency_ns", latency_ns);
  append(record);
}

void EventLog::job_failed(Stage stage, FailureCode code, const std::string& message) {
  JsonWriter record = begin("job_failed");
  record.member("stage", stage_name(stage)).member("code", code_name(code)).member("message", message);
  append(record);
  flush_to_disk();
}

void EventLog::job_finished(const FinishedCounts& counts) {
  JsonWriter record = begin("job_finished");
  record.member("steady_samples", counts.steady_samples).member("output_records", counts.output_records);
  record.member("outputs_bytes", counts.outputs_bytes).member("outputs_sha256", counts.outputs_sha256);
  record.member("repeat_mismatches", counts.repeat_mismatches);
  append(record);
  flush_to_disk();
}

void EventLog::flush_to_disk() {
  try {
    file_.flush_to_disk();
  } catch (const std::system_error& error) {
    throw LogUnwritable(error.what());
  }
}

}  // namespace harness
