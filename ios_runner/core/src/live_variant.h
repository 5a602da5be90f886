// A variant for the camera and text screens, read from Documents/inbox/live/*.json (docs/wire-format.md).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "image_record.h"
#include "job.h"

namespace harness {

constexpr int64_t kLiveVersion = 1;

struct LiveVariant {
  enum class Task { kImageClassification, kTextClassification };
  enum class OutputKind { kProbabilities, kLogits };

  std::string name;
  uint64_t created_unix_ns = 0;
  Blob model;
  Task task = Task::kImageClassification;
  std::optional<Blob> labels;  // UTF-8, one a line
  std::string tensor;          // empty: the first input
  Encoding encoding;
  std::optional<ImageRule> image;  // of an image task
  std::string output;              // empty: the first
  OutputKind output_kind = OutputKind::kProbabilities;
  bool background_class = false;  // the model has one class more than the labels, in front
  int threads = 1;
  Loading loading = Loading::kMapped;
  int top = 5;
};

// Throws FormatError.
LiveVariant parse_live_variant(std::string_view json);

}  // namespace harness
