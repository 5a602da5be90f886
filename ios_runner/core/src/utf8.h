#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace harness {

// Length in bytes of the well-formed UTF-8 sequence (RFC 3629) at `position`, or 0.
size_t utf8_sequence_length(std::string_view text, size_t position);

void append_utf8(std::string& out, unsigned code_point);

}  // namespace harness
