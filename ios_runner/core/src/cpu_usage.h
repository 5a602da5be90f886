// Processor time since boot, of all cores and of this process, in the platform's ticks.
#pragma once

#include <cstdint>
#include <optional>

namespace harness {

struct CpuUsage {
  double total = 0;  // of all cores, idle time included
  double busy = 0;
  double own = 0;
};

std::optional<CpuUsage> read_cpu_usage();

// Current frequency of the core this thread runs on, where the kernel tells it.
std::optional<uint64_t> read_cpu_frequency_hz();

}  // namespace harness
