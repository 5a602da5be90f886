// What the app noticed while a job ran, handed over to the thread that writes the log.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "harness_runner.h"

namespace harness {

struct Interruption {
  std::string kind;
  uint64_t unix_ns = 0;  // when it was noticed
};

class Interruptions {
 public:
  void add(harness_runner_interruption kind);
  std::vector<Interruption> take();

 private:
  std::mutex mutex_;
  std::vector<Interruption> waiting_;
};

}  // namespace harness
