// What a keyboard's user waits for: the suggestions after each character that is typed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "file.h"
#include "job.h"
#include "model_session.h"
#include "text_encoding.h"

namespace harness {

// The texts of the blob that a job's `keystrokes` names: a JSON array of strings.
// Throws JobError(job_invalid) or std::system_error.
std::vector<std::string> read_typed_texts(const File& blob);

// `text` as it is after each of its first `most` characters.
std::vector<std::string_view> typed_prefixes(std::string_view text, size_t most);

// Types into a compiled session of one input, whose first output holds the classes' scores.
class Typist {
 public:
  // Throws JobError(input_mismatch, output_unsupported).
  Typist(const Encoding& encoding, ModelSession& session);

  // How many characters of a text reach the model.
  size_t length() const { return encoder_.length(); }

  // From the text to the numbers of its five best classes; the time it took, at least 1 ns. Throws JobError.
  uint64_t suggest_ns(std::string_view typed);
  const std::vector<size_t>& suggestions() const { return suggestions_; }

 private:
  const Encoding& encoding_;
  ModelSession& session_;
  TextEncoder encoder_;
  std::vector<int32_t> numbers_;
  std::vector<float> scores_;
  std::vector<size_t> suggestions_;
};

}  // namespace harness
