// Small texts of /proc and /sys.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace harness {

// The first 64 KiB of a file, or nothing where it cannot be read.
std::optional<std::string> read_small_text(const char* path);

// The value of the first line "key: value", trimmed.
std::optional<std::string> colon_value(std::string_view text, std::string_view key);

// The same where the value is "123 kB", in bytes.
std::optional<uint64_t> kilobytes_value(std::string_view text, std::string_view key);

}  // namespace harness
