#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace harness {

// Length in bytes of the well-formed UTF-8 sequence (RFC 3629) at `position`, or 0.
size_t utf8_sequence_length(std::string_view text, size_t position);

// No code point of any well-formed text.
constexpr char32_t kMalformed = 0xFFFFFFFF;

// The code point at `position`, which moves past it; past one byte and kMalformed where that is not UTF-8.
char32_t next_code_point(std::string_view text, size_t& position);

void append_utf8(std::string& out, unsigned code_point);

}  // namespace harness
