// What is typed becomes a model's input by the rule of docs/wire-format.md, "Encodings", `characters`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "job.h"

namespace harness {

class TextEncoder {
 public:
  // `encoding` is of kind kCharacters.
  explicit TextEncoder(const Encoding& encoding);

  // How many numbers a text becomes.
  size_t length() const { return length_; }

  // `numbers` receives length() of them. A byte that is not UTF-8 counts as one unknown character.
  void encode(std::string_view utf8, int32_t* numbers) const;
  std::vector<int32_t> encode(std::string_view utf8) const;

 private:
  std::unordered_map<char32_t, int32_t> number_of_;
  bool lowercase_;
  size_t length_;
};

}  // namespace harness
