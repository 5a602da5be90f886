#include "operation_profile.h"

#include <set>
#include <utility>

namespace harness {
namespace {

constexpr uint64_t kNsPerUs = 1000;
// A line of the log holds less than 1 MiB.
constexpr size_t kMostOperations = 4096;

}  // namespace

void ProfileReader::add_run(uint64_t invocation_ns, const std::vector<litert::ProfiledEvent>& events) {
  std::set<uint64_t> plain;
  uint64_t partitions = 0;
  bool in_delegate = false;
  uint64_t last_index = 0;
  size_t place = 0;
  for (const litert::ProfiledEvent& event : events) {
    const bool inside_delegate = event.type == litert::kEventDelegateOperation;
    if (!inside_delegate && event.type != litert::kEventOperation) continue;
    // A delegate that does not tell its operations shows as one operation more than the graph has.
    const bool whole_partition = !inside_delegate && event.metadata1 >= profile_.operations;
    if (inside_delegate) {
      if (!in_delegate || event.metadata1 <= last_index) ++partitions;
      last_index = event.metadata1;
    } else if (whole_partition) {
      ++partitions;
    } else if (event.metadata2 == 0) {
      // The bodies of loops and branches are graphs of their own, and not in the count of operations.
      plain.insert(event.metadata1);
    }
    in_delegate = inside_delegate;
    if (place == kMostOperations) continue;
    if (place == profile_.times.size()) {
      OperationTime time;
      time.name = event.tag != nullptr ? event.tag : "";
      time.delegated = inside_delegate || whole_partition;
      profile_.times.push_back(std::move(time));
    }
    OperationTime& time = profile_.times[place++];
    ++time.runs;
    time.total_ns += event.elapsed_us * kNsPerUs;
  }
  ++profile_.runs;
  profile_.invocations_ns += invocation_ns;
  profile_.delegated_operations = profile_.operations - plain.size();
  profile_.partitions = partitions;
}

}  // namespace harness
