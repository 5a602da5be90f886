// events.jsonl: append only, one record a line.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "conditions.h"
#include "device_info.h"
#include "errors.h"
#include "file.h"
#include "interruptions.h"
#include "job.h"
#include "memory_probe.h"
#include "operation_profile.h"
#include "tensor_info.h"

namespace harness {

class JsonWriter;

struct RuntimeInfo {
  std::string version;
  std::string library;
  std::optional<uint64_t> library_bytes;
};

// What became of a job's request for an accelerator.
struct Delegation {
  Accelerator requested = Accelerator::kNone;
  bool obtained = false;
  std::string reason;  // why it was not obtained
  uint64_t operations = 0;
  uint64_t delegated_operations = 0;
  uint64_t partitions = 0;
};

struct SampleBlock {
  std::vector<uint64_t> inputs;  // indices in the shard
  std::vector<uint64_t> latency_ns;
  uint64_t repeat_mismatches = 0;
};

struct FinishedCounts {
  uint64_t steady_samples = 0;
  uint64_t output_records = 0;
  uint64_t outputs_bytes = 0;
  std::string outputs_sha256;
  uint64_t repeat_mismatches = 0;
};

// Every method that writes throws LogUnwritable, and leaves no part of a record behind where it can.
class EventLog {
 public:
  // Opens or creates the log, takes it for this process alone, and removes a last line that was cut off.
  // `t_ns` of all records counts from `start_ns`.
  EventLog(const std::string& path, uint64_t start_ns);

  const File& file() const { return file_; }
  uint64_t size_bytes() const { return size_bytes_; }

  void job_started(const std::string& job_id, uint64_t attempt, const RuntimeInfo& runtime,
                   const DeviceInfo& device, int threads, const std::optional<std::string>& quality_of_service);
  void model_described(const std::vector<TensorInfo>& inputs, const std::vector<TensorInfo>& outputs,
                       uint64_t output_record_bytes);
  // `weight_cache`: of the stage compile, "built" or "used"; null without a cache.
  void stage_finished(Stage stage, std::optional<uint64_t> duration_ns, const Memory& memory,
                      const Conditions& conditions, const char* weight_cache = nullptr);
  void samples(Stage phase, const SampleBlock& block, const std::optional<Conditions>& conditions);
  void interrupted(const Interruption& interruption);
  void delegation(const Delegation& delegation);
  void profile(const OperationProfile& profile);
  void keystrokes(uint64_t texts, const std::vector<uint64_t>& latency_ns);
  void job_failed(Stage stage, FailureCode code, const std::string& message);
  void job_finished(const FinishedCounts& counts);
  void flush_to_disk();

 private:
  JsonWriter begin(const char* event) const;
  void append(JsonWriter& record);

  File file_;
  uint64_t size_bytes_ = 0;
  uint64_t start_ns_;
};

// The members `inputs` and `outputs` of an open object.
void write_tensors(JsonWriter& writer, const std::vector<TensorInfo>& inputs,
                   const std::vector<TensorInfo>& outputs);

}  // namespace harness
