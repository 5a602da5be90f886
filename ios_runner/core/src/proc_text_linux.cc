#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>

#include "proc_text.h"

namespace harness {

std::optional<std::string> read_small_text(const char* path) {
  const int descriptor = ::open(path, O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return std::nullopt;
  std::string text(65536, '\0');
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t got = ::read(descriptor, text.data() + done, text.size() - done);
    if (got <= 0) break;
    done += static_cast<size_t>(got);
  }
  ::close(descriptor);
  text.resize(done);
  return text;
}

std::optional<std::string> colon_value(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const size_t key_end = line.substr(0, colon).find_last_not_of(" \t");
    if (key_end == std::string_view::npos || line.substr(0, key_end + 1) != key) continue;
    const size_t start = line.find_first_not_of(" \t", colon + 1);
    return start == std::string_view::npos ? std::string() : std::string(line.substr(start));
  }
  return std::nullopt;
}

std::optional<uint64_t> kilobytes_value(std::string_view text, std::string_view key) {
  const auto value = colon_value(text, key);
  if (!value) return std::nullopt;
  char* end = nullptr;
  const unsigned long long kilobytes = std::strtoull(value->c_str(), &end, 10);
  if (end == value->c_str() || std::string_view(end).substr(0, 3) != " kB") return std::nullopt;
  return static_cast<uint64_t>(kilobytes) * 1024U;
}

}  // namespace harness
