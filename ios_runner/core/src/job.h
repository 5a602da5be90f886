// job.json as a value.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dtype.h"

namespace harness {

constexpr int64_t kWireVersion = 1;

struct Blob {
  std::string sha256;
  uint64_t bytes = 0;
};

// The numbers of docs/wire-format.md, "Encodings", `characters`.
constexpr int32_t kPadding = 0;
constexpr int32_t kUnknownCharacter = 1;
constexpr int32_t kFirstCharacter = 2;

struct Encoding {
  enum class Kind { kPixels, kTensor, kCharacters };

  Kind kind = Kind::kTensor;
  DType dtype = DType::kUInt8;  // of the record; pixels are uint8, characters int32
  std::vector<int32_t> shape;   // pixels: height, width, channels; else with the batch axis
  std::vector<float> mean;      // pixels: one for each channel
  std::vector<float> scale;
  std::string alphabet;  // characters: UTF-8, each code point once
  bool lowercase = false;

  uint64_t record_bytes() const;
};

struct JobInput {
  std::string tensor;  // empty: by position
  Blob blob;
  Encoding encoding;
};

struct StopRule {
  uint64_t min_runs = 0;
  uint64_t min_duration_ns = 0;
  uint64_t max_duration_ns = 0;  // 0: none
};

enum class Loading { kMapped, kHeap, kWeightCache };

enum class Accelerator { kNone, kMetal };

const char* accelerator_name(Accelerator accelerator);

// An extra pass that types texts key by key.
struct KeystrokePass {
  Blob texts;  // a JSON array of strings
  uint64_t pause_ns = 0;
};

struct Job {
  std::string job_id;
  std::string variant;
  Blob model;
  std::vector<JobInput> inputs;
  uint64_t first_input = 0;
  uint64_t input_count = 0;
  int threads = 1;
  Loading loading = Loading::kMapped;
  Accelerator accelerator = Accelerator::kNone;
  uint64_t profile_runs = 0;  // of the extra pass with the per-operation profile; 0: none
  StopRule warmup;
  StopRule steady;
  std::optional<KeystrokePass> keystrokes;
};

// 1 to 100 letters, digits, '.', '_' or '-', the first a letter or a digit: safe as a folder's name.
bool is_job_id(const std::string& text);

// Throws FormatError.
Job parse_job(std::string_view json);

// Reads and parses <folder>/job.json; `folder_name` must be the job's id.
// Throws JobError(job_invalid).
Job read_job(const std::string& folder, const std::string& folder_name);

}  // namespace harness
