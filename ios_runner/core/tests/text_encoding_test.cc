// The golden texts, which the Python side reads too, and what is no text at all.
#include "text_encoding.h"

#include <filesystem>
#include <fstream>
#include <iterator>

#include "check.h"
#include "json.h"
#include "lower_case.h"

using namespace harness;

namespace {

Encoding characters(const std::string& alphabet, bool lowercase, int32_t length) {
  Encoding encoding;
  encoding.kind = Encoding::Kind::kCharacters;
  encoding.dtype = DType::kInt32;
  encoding.shape = {1, length};
  encoding.alphabet = alphabet;
  encoding.lowercase = lowercase;
  return encoding;
}

void encodes_the_golden_texts() {
  std::ifstream stream(std::filesystem::path(HARNESS_GOLDEN_FOLDER) / "valid" / "characters.json");
  const std::string content{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  const Json document = parse_json(content);
  size_t seen = 0;
  for (const Json& rule : document.members.at("rules").items) {
    const TextEncoder encoder(characters(document.members.at("alphabet").text,
                                         rule.members.at("lowercase").boolean,
                                         static_cast<int32_t>(rule.members.at("length").integer)));
    for (const Json& golden : rule.members.at("texts").items) {
      std::vector<int32_t> numbers;
      for (const Json& number : golden.members.at("numbers").items) {
        numbers.push_back(static_cast<int32_t>(number.integer));
      }
      CHECK(encoder.encode(golden.members.at("text").text) == numbers);
      ++seen;
    }
  }
  CHECK(seen > 40);
}

void takes_what_is_not_utf8_for_unknown_characters() {
  const TextEncoder encoder(characters("ab", false, 6));
  // A stray continuation, a cut-off sequence, an overlong one, half of a surrogate pair.
  CHECK(encoder.encode("a\x80"
                       "b") == std::vector<int32_t>({2, 1, 3, 0, 0, 0}));
  CHECK(encoder.encode("b\xF0\x9F") == std::vector<int32_t>({3, 1, 1, 0, 0, 0}));
  CHECK(encoder.encode("\xC0\xAF"
                       "a") == std::vector<int32_t>({1, 1, 2, 0, 0, 0}));
  CHECK(encoder.encode("\xED\xA0\x80") == std::vector<int32_t>({1, 1, 1, 0, 0, 0}));
}

void knows_lower_case() {
  CHECK(lower_case('A') == 'a' && lower_case('z') == 'z' && lower_case('[') == '[');
  CHECK(lower_case(0x130) == 0x130 && lower_case(0x178) == 0xFF && lower_case(0x3A3) == 0x3C3);
  CHECK(lower_case(0x10400) == 0x10428 && lower_case(0x10FFFF) == 0x10FFFF && lower_case(0) == 0);
}

}  // namespace

int main() {
  encodes_the_golden_texts();
  takes_what_is_not_utf8_for_unknown_characters();
  knows_lower_case();
}
