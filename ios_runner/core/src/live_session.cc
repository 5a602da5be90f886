#include "live_session.h"

#include <fcntl.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "blob_store.h"
#include "clock.h"
#include "errors.h"
#include "input_encoding.h"
#include "input_records.h"
#include "job_values.h"
#include "output_values.h"
#include "process_peak.h"
#include "weight_cache.h"

namespace harness {
namespace {

constexpr uint64_t kLargestLabelsBytes = 16U << 20U;
constexpr char kBackgroundLabel[] = "background";

// The job root that <root>/live/<file> lies in.
std::string root_of(const std::string& live_json) {
  const size_t file = live_json.rfind('/');
  const std::string folder = file == std::string::npos ? "." : live_json.substr(0, file);
  const std::string tail = "/live";
  if (folder.size() > tail.size() && folder.compare(folder.size() - tail.size(), tail.size(), tail) == 0) {
    return folder.substr(0, folder.size() - tail.size());
  }
  return folder == "live" ? "." : folder + "/..";
}

}  // namespace

LiveSession::LiveSession(const std::string& live_json, const RunnerSettings& settings)
    : variant_(parse_live_variant(read_document(live_json))) {
  owns_process_peak(live_json);
  const std::string root = root_of(live_json);
  const std::atomic<bool> never{false};
  const BlobStore blobs(root, never);
  const File model = blobs.open_verified(variant_.model);
  std::optional<File> labels;
  if (variant_.labels) labels = blobs.open_verified(*variant_.labels);
  check_runtime_version(settings.runtime_version);
  functions_ = open_litert(settings.runtime_library);
  session_ = std::make_unique<ModelSession>(functions_);
  uint64_t before = monotonic_ns();
  session_->load(model, variant_.loading);
  load_ns_ = monotonic_ns() - before;

  std::vector<JobInput> inputs(1);
  inputs[0].tensor = variant_.tensor;
  inputs[0].encoding = variant_.encoding;
  const auto binding = bind_inputs(inputs, session_->inputs());
  CompileOptions options;
  options.threads = variant_.threads;
  std::optional<WeightCache> cache;
  if (variant_.loading == Loading::kWeightCache) {
    cache.emplace(root, variant_.model.sha256);
    options.weight_cache_file = cache->file();
  }
  before = monotonic_ns();
  session_->compile(options, record_shapes(inputs, binding, session_->inputs()));
  compile_ns_ = monotonic_ns() - before;
  if (cache) cache->settle();
  const std::string problem = encoding_problem(variant_.encoding, session_->inputs()[0]);
  if (!problem.empty()) throw JobError(FailureCode::kInputMismatch, problem);
  staging_.resize((static_cast<size_t>(variant_.encoding.record_bytes()) + sizeof(float) - 1) / sizeof(float));
  if (variant_.image) recorder_.emplace(*variant_.image);
  if (variant_.encoding.kind == Encoding::Kind::kCharacters) encoder_.emplace(variant_.encoding);
  find_output();
  if (labels) {
    read_labels(*labels);
  } else {
    for (size_t i = 0; i < scores_.size(); ++i) labels_.push_back(std::to_string(i));
  }
}

void LiveSession::find_output() {
  const std::vector<TensorInfo>& outputs = session_->outputs();
  if (!variant_.output.empty()) {
    while (output_ < outputs.size() && outputs[output_].name != variant_.output) ++output_;
    if (output_ == outputs.size()) {
      throw JobError(FailureCode::kOutputUnsupported, "the model has no output '" + variant_.output + "'");
    }
  }
  const TensorInfo& output = outputs[output_];
  if (!has_real_values(output)) {
    throw JobError(FailureCode::kOutputUnsupported, "output '" + output.name + "' of " + dtype_name(output.dtype) +
                                                        " has no scores: float32, or quantized, was expected");
  }
  scores_.resize(static_cast<size_t>(element_count(output.shape).value_or(0)));
}

void LiveSession::read_labels(const File& file) {
  if (file.size_bytes() > kLargestLabelsBytes) throw FormatError("labels: more than 16 MiB");
  std::string text(static_cast<size_t>(file.size_bytes()), '\0');
  file.read_at(text.data(), text.size(), 0);
  if (variant_.background_class) labels_.emplace_back(kBackgroundLabel);
  for (size_t start = 0; start < text.size();) {
    const size_t end = std::min(text.find('\n', start), text.size());
    std::string line = text.substr(start, end - start);
    if (!line.empty() && line.back() == '\r') line.pop_back();
    labels_.push_back(std::move(line));
    start = end + 1;
  }
  if (labels_.size() != scores_.size()) {
    throw JobError(FailureCode::kOutputUnsupported, "the model has " + std::to_string(scores_.size()) +
                                                        " classes, the labels are for " +
                                                        std::to_string(labels_.size()));
  }
}

std::vector<uint8_t> LiveSession::frame_record(const Frame& frame) {
  if (!recorder_) throw JobError(FailureCode::kInputMismatch, "this variant takes no pictures");
  if (frame.bgra == nullptr || frame.width < 1 || frame.height < 1 || frame.width > kLargestSide ||
      frame.height > kLargestSide || frame.row_bytes / 4 < static_cast<size_t>(frame.width)) {
    throw JobError(FailureCode::kInputMismatch, "the frame is no picture");
  }
  return recorder_->record(frame);
}

std::vector<uint8_t> LiveSession::text_record(std::string_view utf8) const {
  if (!encoder_) throw JobError(FailureCode::kInputMismatch, "this variant takes no text");
  const std::vector<int32_t> numbers = encoder_->encode(utf8);
  std::vector<uint8_t> record(numbers.size() * sizeof(int32_t));
  std::memcpy(record.data(), numbers.data(), record.size());
  return record;
}

void LiveSession::classify_frame(const Frame& frame) {
  const std::vector<uint8_t> record = frame_record(frame);
  classify_record(record.data(), record.size());
}

void LiveSession::classify_text(std::string_view utf8) {
  const std::vector<uint8_t> record = text_record(utf8);
  classify_record(record.data(), record.size());
}

void LiveSession::classify_record(const void* record, size_t bytes) {
  if (bytes != variant_.encoding.record_bytes()) {
    throw JobError(FailureCode::kInputMismatch, "a record has " +
                                                    std::to_string(variant_.encoding.record_bytes()) +
                                                    " bytes, not " + std::to_string(bytes));
  }
  const TensorInfo& tensor = session_->inputs()[0];
  if (is_plain_copy(variant_.encoding, tensor)) {
    session_->write_input(0, [&](void* elements) { std::memcpy(elements, record, bytes); });
  } else {
    std::memcpy(staging_.data(), record, bytes);
    session_->write_input(
        0, [&](void* elements) { convert_record(variant_.encoding, tensor, staging_.data(), elements); });
  }
  latency_ns_ = session_->run_ns();
  read_scores();
}

void LiveSession::read_scores() {
  session_->read_output(output_, [this](const void* elements) {
    read_real_values(session_->outputs()[output_], elements, scores_.data());
  });
  if (variant_.output_kind != LiveVariant::OutputKind::kLogits) return;
  const float highest = *std::max_element(scores_.begin(), scores_.end());
  double sum = 0;
  for (float& score : scores_) {
    score = std::exp(score - highest);
    sum += static_cast<double>(score);
  }
  for (float& score : scores_) score = static_cast<float>(static_cast<double>(score) / sum);
}

}  // namespace harness
