#include "text_encoding.h"

#include <algorithm>

#include "lower_case.h"
#include "utf8.h"

namespace harness {

TextEncoder::TextEncoder(const Encoding& encoding)
    : lowercase_(encoding.lowercase), length_(static_cast<size_t>(encoding.shape.back())) {
  int32_t number = kFirstCharacter;
  for (size_t at = 0; at < encoding.alphabet.size();)
    number_of_.emplace(next_code_point(encoding.alphabet, at), number++);
}

void TextEncoder::encode(std::string_view utf8, int32_t* numbers) const {
  size_t count = 0;
  for (size_t at = 0; at < utf8.size() && count < length_; ++count) {
    const char32_t character = next_code_point(utf8, at);
    const auto found = number_of_.find(lowercase_ ? lower_case(character) : character);
    numbers[count] = found == number_of_.end() ? kUnknownCharacter : found->second;
  }
  std::fill(numbers + count, numbers + length_, kPadding);
}

std::vector<int32_t> TextEncoder::encode(std::string_view utf8) const {
  std::vector<int32_t> numbers(length_);
  encode(utf8, numbers.data());
  return numbers;
}

}  // namespace harness
