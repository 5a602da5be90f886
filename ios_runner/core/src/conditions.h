// What surrounds the samples: heat, power, other load.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cpu_usage.h"
#include "harness_runner.h"

namespace harness {

struct Conditions {
  std::optional<std::string> thermal_state;
  std::optional<bool> low_power_mode;
  std::optional<double> battery_level;
  std::optional<double> load_average_1m;
  std::optional<double> other_cpu_fraction;
  std::optional<uint64_t> cpu_frequency_hz;
  std::optional<uint64_t> suspended_ns;  // that the machine slept since the probe was made

  bool empty() const;
};

// What the continuous clock is ahead of the monotonic one: the time slept since boot.
uint64_t time_slept_ns();

// Share of all cores' time between two moments that other processes used. Nothing where the time between them
// is too short for the kernel's counters, which tick 100 times a second.
std::optional<double> other_cpu_fraction(const CpuUsage& before, const CpuUsage& after);

class ConditionsProbe {
 public:
  ConditionsProbe(harness_runner_conditions_callback callback, void* context);

  // Whether the last reading is old enough for another one: reading costs up to 0.1 ms, and a fast model
  // ends a block every few milliseconds.
  bool is_due(uint64_t now_ns) const;
  Conditions read(uint64_t now_ns);

 private:
  harness_runner_conditions_callback callback_;
  void* context_;
  uint64_t read_at_ns_ = 0;
  std::optional<CpuUsage> usage_;
  uint64_t sleep_before_ns_;
};

}  // namespace harness
