#include "conditions.h"

#include <stdlib.h>

#include <algorithm>
#include <array>

#include "clock.h"

namespace harness {
namespace {

constexpr uint64_t kReadingIntervalNs = 100'000'000;
constexpr double kLeastTicks = 10;
// Below it the difference of the clocks is that of the moments they were read.
constexpr uint64_t kLeastSuspensionNs = 10'000'000;

std::optional<std::string> thermal_state_name(harness_runner_thermal_state state) {
  switch (state) {
    case HARNESS_RUNNER_THERMAL_NOMINAL: return "nominal";
    case HARNESS_RUNNER_THERMAL_FAIR: return "fair";
    case HARNESS_RUNNER_THERMAL_SERIOUS: return "serious";
    case HARNESS_RUNNER_THERMAL_CRITICAL: return "critical";
    case HARNESS_RUNNER_THERMAL_UNKNOWN: break;
  }
  return std::nullopt;
}

}  // namespace

bool Conditions::empty() const {
  return !thermal_state && !low_power_mode && !battery_level && !load_average_1m && !other_cpu_fraction &&
         !cpu_frequency_hz && !suspended_ns;
}

uint64_t time_slept_ns() {
  // The two clocks are read one after the other: the least difference of a few is the nearest to the truth.
  uint64_t least = UINT64_MAX;
  for (int i = 0; i < 3; ++i) {
    const uint64_t monotonic = monotonic_ns();
    const uint64_t continuous = continuous_ns();
    least = std::min(least, continuous > monotonic ? continuous - monotonic : 0);
  }
  return least;
}

std::optional<double> other_cpu_fraction(const CpuUsage& before, const CpuUsage& after) {
  const double total = after.total - before.total;
  if (!(total >= kLeastTicks)) return std::nullopt;
  const double other = (after.busy - before.busy) - (after.own - before.own);
  return std::clamp(other / total, 0.0, 1.0);
}

ConditionsProbe::ConditionsProbe(harness_runner_conditions_callback callback, void* context)
    : callback_(callback), context_(context), usage_(read_cpu_usage()), sleep_before_ns_(time_slept_ns()) {}

bool ConditionsProbe::is_due(uint64_t now_ns) const { return now_ns - read_at_ns_ >= kReadingIntervalNs; }

Conditions ConditionsProbe::read(uint64_t now_ns) {
  Conditions conditions;
  std::array<double, 1> load{};
  if (::getloadavg(load.data(), 1) == 1 && load[0] >= 0) conditions.load_average_1m = load[0];
  const auto usage = read_cpu_usage();
  if (usage && usage_) conditions.other_cpu_fraction = other_cpu_fraction(*usage_, *usage);
  // Too short a time since the last figure is kept for the next one to add to.
  if (!usage_ || conditions.other_cpu_fraction) usage_ = usage;
  conditions.cpu_frequency_hz = read_cpu_frequency_hz();
  if (callback_ != nullptr) {
    harness_runner_conditions figures{HARNESS_RUNNER_THERMAL_UNKNOWN, -1, -1.0};
    callback_(context_, &figures);
    conditions.thermal_state = thermal_state_name(figures.thermal_state);
    if (figures.low_power_mode >= 0) conditions.low_power_mode = figures.low_power_mode != 0;
    if (figures.battery_level >= 0 && figures.battery_level <= 1) conditions.battery_level = figures.battery_level;
  }
  const uint64_t slept = time_slept_ns();
  const uint64_t suspended = slept > sleep_before_ns_ ? slept - sleep_before_ns_ : 0;
  conditions.suspended_ns = suspended < kLeastSuspensionNs ? 0 : suspended;
  read_at_ns_ = now_ns;
  return conditions;
}

}  // namespace harness
