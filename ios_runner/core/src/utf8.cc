#include "utf8.h"

namespace harness {

size_t utf8_sequence_length(std::string_view text, size_t position) {
  const auto byte = [&](size_t offset) -> unsigned {
    return position + offset < text.size() ? static_cast<unsigned char>(text[position + offset]) : 0U;
  };
  const auto continues = [&](size_t offset) { return (byte(offset) & 0xC0U) == 0x80U; };
  const unsigned first = byte(0);
  if (position >= text.size()) return 0;
  if (first < 0x80U) return 1;
  if (first >= 0xC2U && first <= 0xDFU) return continues(1) ? 2 : 0;
  if (first >= 0xE0U && first <= 0xEFU) {
    if (!continues(1) || !continues(2)) return 0;
    const bool overlong = first == 0xE0U && byte(1) < 0xA0U;
    const bool surrogate = first == 0xEDU && byte(1) >= 0xA0U;
    return overlong || surrogate ? 0 : 3;
  }
  if (first >= 0xF0U && first <= 0xF4U) {
    if (!continues(1) || !continues(2) || !continues(3)) return 0;
    const bool overlong = first == 0xF0U && byte(1) < 0x90U;
    const bool beyond = first == 0xF4U && byte(1) >= 0x90U;
    return overlong || beyond ? 0 : 4;
  }
  return 0;
}

char32_t next_code_point(std::string_view text, size_t& position) {
  const size_t length = utf8_sequence_length(text, position);
  const auto first = static_cast<unsigned char>(text[position]);
  if (length <= 1) {
    ++position;
    return length == 1 ? first : kMalformed;
  }
  // The first byte of a sequence of n has n + 1 bits of length before its own.
  char32_t code_point = first & (0x7FU >> length);
  for (size_t offset = 1; offset < length; ++offset) {
    code_point = (code_point << 6U) | (static_cast<unsigned char>(text[position + offset]) & 0x3FU);
  }
  position += length;
  return code_point;
}

void append_utf8(std::string& out, unsigned code_point) {
  const auto append = [&](unsigned byte) { out.push_back(static_cast<char>(byte)); };
  if (code_point < 0x80U) {
    append(code_point);
  } else if (code_point < 0x800U) {
    append(0xC0U | (code_point >> 6U));
    append(0x80U | (code_point & 0x3FU));
  } else if (code_point < 0x10000U) {
    append(0xE0U | (code_point >> 12U));
    append(0x80U | ((code_point >> 6U) & 0x3FU));
    append(0x80U | (code_point & 0x3FU));
  } else {
    append(0xF0U | (code_point >> 18U));
    append(0x80U | ((code_point >> 12U) & 0x3FU));
    append(0x80U | ((code_point >> 6U) & 0x3FU));
    append(0x80U | (code_point & 0x3FU));
  }
}

}  // namespace harness
