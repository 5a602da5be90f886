// What the core writes of an iPhone's job is the golden log, byte for byte but for the moments and this build's
// names.
#include "event_log.h"

#include <unistd.h>

#include <fstream>
#include <iterator>
#include <regex>
#include <string>
#include <vector>

#include "check.h"

using namespace harness;

namespace {

std::vector<std::string> lines_of(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// Without what differs from run to run and from build to build.
std::string comparable(const std::string& line) {
  static const std::regex moments("\"(t_ns|unix_ns)\":[0-9]+");
  static const std::regex runner("\"runner\":\\{[^}]*\\}");
  return std::regex_replace(std::regex_replace(line, moments, "\"$1\":0"), runner, "\"runner\":{}");
}

Memory memory() {
  Memory told;
  told.resident_bytes = 90'000'000;
  told.peak_resident_bytes = 91'000'000;
  told.file_backed_bytes = 20'000'000;
  told.footprint_bytes = 31'000'000;
  told.peak_footprint_bytes = 35'000'000;
  told.dirty_bytes = 30'000'000;
  told.compressed_bytes = 0;
  told.limit_remaining_bytes = 3'000'000'000;
  return told;
}

Conditions conditions(uint64_t suspended_ns = 0) {
  Conditions told;
  told.thermal_state = "fair";
  told.low_power_mode = false;
  told.battery_level = 0.75;
  told.load_average_1m = 1.5;
  told.suspended_ns = suspended_ns;
  return told;
}

DeviceInfo phone() {
  DeviceInfo device;
  device.target_class = "iphone";
  device.model = "iPhone16,2";
  device.os = "iOS";
  device.os_version = "18.5 (22F76)";
  device.cpu = "Apple A17 Pro";
  device.logical_cores = 6;
  device.performance_cores = 2;
  device.memory_bytes = 8'031'010'816;
  return device;
}

TensorInfo tensor(const char* name, std::vector<int32_t> shape, float scale, int64_t zero_point) {
  TensorInfo info;
  info.name = name;
  info.dtype = DType::kInt8;
  info.shape = std::move(shape);
  info.quantization = Quantization{scale, zero_point};
  return info;
}

SampleBlock block(std::vector<uint64_t> inputs, std::vector<uint64_t> latency_ns) {
  SampleBlock samples;
  samples.inputs = std::move(inputs);
  samples.latency_ns = std::move(latency_ns);
  return samples;
}

OperationProfile profile() {
  OperationProfile told;
  told.runs = 20;
  told.invocations_ns = 60'000;
  told.operations = 4;
  told.delegated_operations = 3;
  told.partitions = 1;
  told.times = {{"Convolution (NHWC, QC8) IGEMM", true, 20, 30'000},
                {"Fully Connected (NC, QS8, QC8W) GEMM", true, 20, 20'000},
                {"SOFTMAX", false, 20, 5'000}};
  return told;
}

void write_log(const std::string& path) {
  EventLog log(path, 0);
  RuntimeInfo runtime;
  runtime.version = "2.3.0";
  runtime.library = "LiteRt.framework/LiteRt";
  log.job_started("r00-int8", 1, runtime, phone(), 2, "user-interactive");
  log.stage_finished(Stage::kStart, std::nullopt, memory(), conditions());
  log.stage_finished(Stage::kLoad, 900, memory(), conditions());
  log.stage_finished(Stage::kCompile, 46'000, memory(), conditions(), "built");
  log.model_described({tensor("image", {1, 4, 4, 3}, 0.0078125F, -1)},
                      {tensor("scores", {1, 10}, 0.00390625F, -128)}, 10);
  log.stage_finished(Stage::kFirstRun, 8'000, memory(), conditions());
  log.samples(Stage::kWarmup, block({0, 1, 0}, {3000, 2900, 2800}), std::nullopt);
  log.stage_finished(Stage::kWarmup, 9'500, memory(), conditions());
  log.samples(Stage::kSteady, block({0, 1}, {2500, 2600}), conditions());
  log.interrupted({"background", 1});
  log.interrupted({"foreground", 2});
  log.samples(Stage::kSteady, block({0}, {2400}), conditions(3'900'000'000));
  log.stage_finished(Stage::kSteady, 9'000, memory(), conditions());
  Delegation delegation;
  delegation.requested = Accelerator::kMetal;
  delegation.reason = "the accelerator took none of the model's operations";
  delegation.operations = 4;
  log.delegation(delegation);
  log.profile(profile());
  FinishedCounts counts;
  counts.steady_samples = 3;
  counts.output_records = 2;
  counts.outputs_bytes = 20;
  counts.outputs_sha256 = std::string(64, 'f');
  log.job_finished(counts);
}

}  // namespace

int main() {
  std::string path = "/tmp/harness-event-log-XXXXXX";
  const int descriptor = ::mkstemp(path.data());
  CHECK(descriptor >= 0);
  ::close(descriptor);
  write_log(path);
  const auto written = lines_of(path);
  const auto golden = lines_of(std::string(HARNESS_GOLDEN_FOLDER) + "/valid/log-iphone.jsonl");
  ::unlink(path.c_str());
  CHECK(written.size() == golden.size());
  for (size_t i = 0; i < golden.size(); ++i) {
    const std::string ours = comparable(written[i]);
    const std::string theirs = comparable(golden[i]);
    if (ours != theirs) std::fprintf(stderr, "written: %s\ngolden:  %s\n", ours.c_str(), theirs.c_str());
    CHECK(ours == theirs);
  }
}
