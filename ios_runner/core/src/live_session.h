// A live variant, loaded: one picture, text or record in, the scores of all classes out.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "image_record.h"
#include "job_runner.h"
#include "live_variant.h"
#include "model_session.h"
#include "text_encoding.h"

namespace harness {

class LiveSession {
 public:
  // `live_json` is <root>/live/<file>; its blobs are below <root>/blobs.
  // Throws FormatError, JobError or std::system_error.
  LiveSession(const std::string& live_json, const RunnerSettings& settings);

  const LiveVariant& variant() const { return variant_; }
  const std::vector<float>& scores() const { return scores_; }
  const std::vector<std::string>& labels() const { return labels_; }  // as many as scores
  uint64_t latency_ns() const { return latency_ns_; }                 // of the last invocation alone
  uint64_t load_ns() const { return load_ns_; }
  uint64_t compile_ns() const { return compile_ns_; }

  // Each runs the model once; afterwards scores() are probabilities. Throws JobError.
  void classify_frame(const Frame& frame);
  void classify_text(std::string_view utf8);
  // `bytes` is one record as a job has it.
  void classify_record(const void* record, size_t bytes);

  // The record that a frame or a text becomes.
  std::vector<uint8_t> frame_record(const Frame& frame);
  std::vector<uint8_t> text_record(std::string_view utf8) const;

 private:
  void find_output();
  void read_labels(const File& file);
  void read_scores();

  LiveVariant variant_;
  litert::Functions functions_;
  std::unique_ptr<ModelSession> session_;
  std::optional<ImageRecorder> recorder_;
  std::optional<TextEncoder> encoder_;
  size_t output_ = 0;
  std::vector<float> staging_;  // float, so that a record is aligned
  std::vector<float> scores_;
  std::vector<std::string> labels_;
  uint64_t latency_ns_ = 0;
  uint64_t load_ns_ = 0;
  uint64_t compile_ns_ = 0;
};

}  // namespace harness
