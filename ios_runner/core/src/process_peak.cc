#include "process_peak.h"

#include <mutex>
#include <optional>

namespace harness {

bool owns_process_peak(const std::string& owner) {
  static std::mutex mutex;
  static std::optional<std::string> first;
  static bool is_shared = false;
  const std::lock_guard<std::mutex> lock(mutex);
  if (!first) first = owner;
  if (*first != owner) is_shared = true;
  return !is_shared;
}

}  // namespace harness
