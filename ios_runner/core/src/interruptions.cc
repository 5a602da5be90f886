#include "interruptions.h"

#include <utility>

#include "clock.h"

namespace harness {
namespace {

// An app that is asked for memory over and over must not fill what is left of it.
constexpr size_t kMostWaiting = 1000;

const char* kind_name(harness_runner_interruption kind) {
  switch (kind) {
    case HARNESS_RUNNER_INACTIVE: return "inactive";
    case HARNESS_RUNNER_ACTIVE: return "active";
    case HARNESS_RUNNER_BACKGROUND: return "background";
    case HARNESS_RUNNER_FOREGROUND: return "foreground";
    case HARNESS_RUNNER_MEMORY_WARNING: return "memory_warning";
  }
  return nullptr;
}

}  // namespace

void Interruptions::add(harness_runner_interruption kind) {
  const char* name = kind_name(kind);
  if (name == nullptr) return;
  const std::lock_guard<std::mutex> lock(mutex_);
  if (waiting_.size() < kMostWaiting) waiting_.push_back({name, unix_ns()});
}

std::vector<Interruption> Interruptions::take() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return std::exchange(waiting_, {});
}

}  // namespace harness
