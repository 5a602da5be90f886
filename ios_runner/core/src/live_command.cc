#include "live_command.h"

#include <array>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "harness_live.h"
#include "json_writer.h"

namespace harness {
namespace {

constexpr size_t kLongestLine = 1U << 20U;
constexpr int32_t kMostLabels = 100;

int fail(const char* what, const char* problem) {
  std::fprintf(stderr, "harness-runner: %s: %s\n", what, problem);
  return HARNESS_RUNNER_UNUSABLE;
}

void write_labels(JsonWriter& writer, const char* key, const harness_live_label* labels, int32_t count) {
  writer.key(key).begin_array();
  for (int32_t i = 0; i < count; ++i) {
    writer.begin_object().key("class").integer(labels[i].class_index).member("label", labels[i].text);
    writer.key("value").real32(labels[i].value).end_object();
  }
  writer.end_array();
}

std::string result_line(harness_live* live) {
  const harness_live_info info = harness_live_describe(live);
  std::array<harness_live_label, kMostLabels> labels{};
  JsonWriter writer;
  writer.begin_object().member("latency_ns", harness_live_latency_ns(live));
  write_labels(writer, "best", labels.data(), harness_live_best(live, labels.data(), info.top));
  write_labels(writer, "smoothed", labels.data(), harness_live_smooth(live, labels.data(), kMostLabels));
  writer.key("scores").begin_array();
  for (int32_t i = 0; i < info.classes; ++i) writer.real32(harness_live_scores(live)[i]);
  writer.end_array().end_object();
  return writer.str() + "\n";
}

class LiveCommand {
 public:
  LiveCommand(harness_live* live, bool prepare, FILE* out)
      : live_(live), prepare_(prepare), out_(out), record_(harness_live_describe(live).record_bytes) {}

  int records() {
    while (fill(record_)) {
      if (!give(harness_live_classify_record(live_, record_.data(), record_.size()))) return trouble();
    }
    return end();
  }

  int frames(int32_t width, int32_t height) {
    constexpr size_t kPixelBytes = 4;
    std::vector<uint8_t> pixels(static_cast<size_t>(width) * static_cast<size_t>(height) * kPixelBytes);
    const harness_live_frame frame{pixels.data(), width, height, static_cast<size_t>(width) * kPixelBytes};
    while (fill(pixels)) {
      const int32_t done = prepare_ ? harness_live_prepare_frame(live_, &frame, record_.data())
                                    : harness_live_classify_frame(live_, &frame);
      if (!give(done)) return trouble();
    }
    return end();
  }

  int texts() {
    std::string line;
    for (int c = std::getchar();; c = std::getchar()) {
      if (c != EOF && c != '\n') {
        if (line.size() == kLongestLine) return fail("standard input", "a line is longer than 1 MiB");
        line += static_cast<char>(c);
        continue;
      }
      if (c == EOF && line.empty()) return end();
      const int32_t done = prepare_ ? harness_live_prepare_text(live_, line.c_str(), record_.data())
                                    : harness_live_classify_text(live_, line.c_str());
      if (!give(done)) return trouble();
      line.clear();
    }
  }

 private:
  bool fill(std::vector<uint8_t>& bytes) {
    const size_t count = std::fread(bytes.data(), 1, bytes.size(), stdin);
    rest_ = count == bytes.size() ? 0 : count;
    return count == bytes.size();
  }

  bool give(int32_t done) {
    if (done == 0) return false;
    if (prepare_) return std::fwrite(record_.data(), 1, record_.size(), out_) == record_.size();
    const std::string line = result_line(live_);
    return std::fputs(line.c_str(), out_) >= 0;
  }

  int trouble() const { return fail("classify", harness_live_last_error(live_)); }

  int end() {
    if (rest_ > 0) return fail("standard input", "ends within an input");
    return std::fflush(out_) == 0 ? HARNESS_RUNNER_FINISHED : fail("standard output", "cannot be written");
  }

  harness_live* live_;
  bool prepare_;
  FILE* out_;
  std::vector<uint8_t> record_;
  size_t rest_ = 0;
};

}  // namespace

int run_live_command(harness_runner* runner, const char* live_json, const char* form, bool prepare, FILE* out) {
  const std::unique_ptr<harness_live, void (*)(harness_live*)> live(harness_live_open(runner, live_json),
                                                                    harness_live_close);
  if (live == nullptr) return fail(live_json, harness_runner_last_error(runner));
  LiveCommand command(live.get(), prepare, out);
  const std::string name = form != nullptr ? form : "record";
  if (name == "record") return prepare ? fail("prepare", "a record is prepared already") : command.records();
  if (name == "text") return command.texts();
  int width = 0;
  int height = 0;
  char rest = 0;
  if (std::sscanf(name.c_str(), "%5dx%5d%c", &width, &height, &rest) != 2 || width < 1 || height < 1) {
    return fail(form, "'record', 'text' or WIDTHxHEIGHT was expected");
  }
  return command.frames(width, height);
}

}  // namespace harness
