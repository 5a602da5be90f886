// What a profile tells of one model's operations: who ran them, and for how long.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "litert_api.h"

namespace harness {

// One operation as it ran: of the graph, or of a delegate, which may have fused several into it.
struct OperationTime {
  std::string name;
  bool delegated = false;
  uint64_t runs = 0;
  uint64_t total_ns = 0;  // the runtime counts whole microseconds
};

struct OperationProfile {
  uint64_t runs = 0;
  uint64_t invocations_ns = 0;        // of all runs, the profiler's own time included
  uint64_t operations = 0;            // of the graph
  uint64_t delegated_operations = 0;  // of them, those that a delegate took
  uint64_t partitions = 0;            // parts of the graph that delegates took
  std::vector<OperationTime> times;   // in the order they run
};

// Adds up the events of one run after another. All runs of a model have the same events.
class ProfileReader {
 public:
  explicit ProfileReader(uint64_t operations) { profile_.operations = operations; }

  void add_run(uint64_t invocation_ns, const std::vector<litert::ProfiledEvent>& events);

  const OperationProfile& profile() const { return profile_; }

 private:
  OperationProfile profile_;
};

}  // namespace harness
