// The golden logs of fixtures/wire, and counting over attempts.
#include "log_history.h"

#include <fcntl.h>

#include <filesystem>

#include "check.h"
#include "json.h"

using namespace harness;

namespace {

const std::filesystem::path kGolden = HARNESS_GOLDEN_FOLDER;

LogHistory read(const std::filesystem::path& path, const std::string& job_id, uint64_t input_count) {
  const File file(path.string(), O_RDONLY);
  return read_history(file, file.size_bytes(), LogHistoryReader(job_id, input_count));
}

void reads_the_valid_logs() {
  const LogHistory finished = read(kGolden / "valid" / "log-finished.jsonl", "r00-int8", 3);
  CHECK(finished.finished && finished.attempts == 1 && finished.steady_samples == 3);
  const LogHistory failed = read(kGolden / "valid" / "log-failed.jsonl", "r00-int8", 3);
  CHECK(!failed.finished && failed.steady_samples == 0);
  const LogHistory iphone = read(kGolden / "valid" / "log-iphone.jsonl", "r00-int8", 3);
  CHECK(iphone.finished && iphone.profiled && iphone.delegated && iphone.steady_samples == 3);
  CHECK(read(kGolden / "valid" / "log-keystrokes.jsonl", "r00-int8", 3).typed && !finished.typed);
  CHECK(read(kGolden / "valid" / "log-resumed.jsonl", "r00-int8", 3).attempts == 2);
}

void refuses_the_invalid_logs() {
  size_t seen = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kGolden / "invalid")) {
    if (entry.path().filename().string().rfind("log-", 0) != 0) continue;
    CHECK(contains(message_of<FormatError>([&] { read(entry.path(), "r00-int8", 3); }), "line 2"));
    ++seen;
  }
  CHECK(seen > 5);
}

void counts_over_attempts() {
  const std::string started =
      R"({"event":"job_started","t_ns":0,"wire_version":1,"job_id":"j","attempt":%,"unix_ns":1,"runner":{},)"
      R"("runtime":{},"device":{},"threads":1})";
  const auto attempt = [&](const char* number) {
    std::string line = started;
    return line.replace(line.find('%'), 1, number);
  };
  LogHistoryReader reader("j", 4);
  reader.take(attempt("1"));
  reader.take(R"({"event":"stage_finished","t_ns":100,"stage":"warmup","duration_ns":5,"memory":{}})");
  reader.take(R"({"event":"samples","t_ns":150,"phase":"warmup","inputs":[3],"latency_ns":[9]})");
  reader.take(R"({"event":"samples","t_ns":170,"phase":"steady","inputs":[0,1],"latency_ns":[9,9],)"
              R"("repeat_mismatches":1})");
  reader.take(attempt("2"));
  reader.take(R"({"event":"stage_finished","t_ns":1000,"stage":"warmup","duration_ns":5,"memory":{}})");
  reader.take(
      R"({"event":"samples","t_ns":1005,"phase":"steady","inputs":[2],"latency_ns":[9],"repeat_mismatches":2})");
  const LogHistory history = std::move(reader).finish();
  CHECK(history.attempts == 2 && history.steady_samples == 3 && history.repeat_mismatches == 3);
  CHECK(history.steady_elapsed_ns == 75);
  CHECK(history.recorded == std::vector<bool>({true, true, true, false}));
}

void refuses_what_does_not_belong() {
  LogHistoryReader reader("j", 2);
  message_of<FormatError>(
      [&] { reader.take(R"({"event":"samples","t_ns":1,"phase":"steady","inputs":[2],"latency_ns":[1]})"); });
  message_of<FormatError>(
      [&] { reader.take(R"({"event":"samples","t_ns":1,"phase":"steady","inputs":[1],"latency_ns":[1.5]})"); });
  message_of<FormatError>(
      [&] { reader.take(R"({"event":"job_failed","t_ns":-1,"stage":"","code":"","message":""})"); });
}

}  // namespace

int main() {
  reads_the_valid_logs();
  refuses_the_invalid_logs();
  counts_over_attempts();
  refuses_what_does_not_belong();
}
