// What stands behind the C handle of harness_runner.h.
#pragma once

#include <atomic>
#include <new>
#include <string>

#include "interruptions.h"
#include "job_runner.h"

struct harness_runner {
  harness::RunnerSettings settings;
  harness::Interruptions interruptions;
  std::atomic<bool> cancel{false};
  std::string last_error;
};

namespace harness {

// Keeps a message where there is memory for it.
inline void remember(std::string& last_error, const char* message) noexcept {
  try {
    last_error = message;
  } catch (const std::bad_alloc&) {
    last_error.clear();
  }
}

}  // namespace harness
