#include "keystrokes.h"

#include <algorithm>
#include <cstring>

#include "clock.h"
#include "errors.h"
#include "input_encoding.h"
#include "json.h"
#include "output_values.h"
#include "utf8.h"

namespace harness {
namespace {

constexpr size_t kSuggestions = 5;
constexpr uint64_t kLargestTextsBytes = 1U << 20U;
// All of them are one line of the log.
constexpr size_t kMostKeystrokes = 10'000;

}  // namespace

std::vector<std::string> read_typed_texts(const File& blob) {
  const auto refuse = [](const std::string& problem) {
    throw JobError(FailureCode::kJobInvalid, "keystrokes.texts: " + problem);
  };
  std::vector<std::string> texts;
  size_t keystrokes = 0;
  try {
    if (blob.size_bytes() > kLargestTextsBytes)
      refuse("larger than " + std::to_string(kLargestTextsBytes) + " bytes");
    std::string json(static_cast<size_t>(blob.size_bytes()), '\0');
    blob.read_at(json.data(), json.size(), 0);
    const Json document = parse_json(json);
    for (const Json& text : as_array(document, "texts")) {
      texts.push_back(as_text(text, "texts"));
      keystrokes += typed_prefixes(texts.back(), texts.back().size()).size();
    }
  } catch (const FormatError& error) {
    refuse(error.what());
  }
  if (keystrokes == 0 || keystrokes > kMostKeystrokes) {
    refuse("1 to " + std::to_string(kMostKeystrokes) + " characters in all were expected");
  }
  return texts;
}

std::vector<std::string_view> typed_prefixes(std::string_view text, size_t most) {
  std::vector<std::string_view> prefixes;
  for (size_t at = 0; at < text.size() && prefixes.size() < most;) {
    next_code_point(text, at);
    prefixes.push_back(text.substr(0, at));
  }
  return prefixes;
}

Typist::Typist(const Encoding& encoding, ModelSession& session)
    : encoding_(encoding), session_(session), encoder_(encoding), numbers_(encoder_.length()) {
  const std::string problem = encoding_problem(encoding, session.inputs().front());
  if (!problem.empty()) throw JobError(FailureCode::kInputMismatch, problem);
  const TensorInfo& output = session.outputs().front();
  if (!has_real_values(output)) {
    throw JobError(FailureCode::kOutputUnsupported,
                   "output '" + output.name + "' of " + dtype_name(output.dtype) + " has no scores to choose by");
  }
  scores_.resize(static_cast<size_t>(element_count(output.shape).value_or(0)));
}

uint64_t Typist::suggest_ns(std::string_view typed) {
  const TensorInfo& input = session_.inputs().front();
  const uint64_t before = monotonic_ns();
  encoder_.encode(typed, numbers_.data());
  session_.write_input(0, [&](void* elements) {
    if (is_plain_copy(encoding_, input)) {
      std::memcpy(elements, numbers_.data(), numbers_.size() * sizeof(int32_t));
    } else {
      convert_record(encoding_, input, numbers_.data(), elements);
    }
  });
  session_.run_ns();
  session_.read_output(
      0, [&](const void* elements) { read_real_values(session_.outputs().front(), elements, scores_.data()); });
  suggestions_ = best_classes(scores_, kSuggestions);
  return std::max<uint64_t>(monotonic_ns() - before, 1);
}

}  // namespace harness
