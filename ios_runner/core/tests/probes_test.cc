// The machine's own figures, and the arithmetic on them.
#include <cmath>
#include <cstring>
#include <vector>

#include "check.h"
#include "clock.h"
#include "conditions.h"
#include "device_info.h"
#include "memory_probe.h"
#include "sample_loop.h"

using namespace harness;

namespace {

void memory_follows_an_allocation() {
  const Memory before = read_memory();
  std::vector<char> block(64U << 20U);
  std::memset(block.data(), 1, block.size());
  const Memory after = read_memory();
  CHECK(before.resident_bytes && after.resident_bytes && after.peak_resident_bytes);
  CHECK(*after.resident_bytes > *before.resident_bytes + (60U << 20U));
  CHECK(*after.peak_resident_bytes >= *before.resident_bytes + (60U << 20U));
  CHECK(block[12345] == 1);
}

void other_processes_share_is_what_this_one_did_not_use() {
  CHECK(other_cpu_fraction({100, 50, 20}, {200, 130, 60}) == 0.4);
  CHECK(other_cpu_fraction({100, 50, 20}, {200, 60, 40}) == 0.0);
  CHECK(!other_cpu_fraction({100, 50, 20}, {105, 55, 20}));
}

void callback_figures_are_kept_and_unknown_ones_left_out() {
  ConditionsProbe silent([](void*, harness_runner_conditions*) {}, nullptr);
  CHECK(silent.is_due(monotonic_ns()));
  const uint64_t now = monotonic_ns();
  const Conditions none = silent.read(now);
  CHECK(!none.thermal_state && !none.low_power_mode && !none.battery_level);
  CHECK(!silent.is_due(now + 99'000'000) && silent.is_due(now + 100'000'000));
  int calls = 0;
  ConditionsProbe hot(
      [](void* context, harness_runner_conditions* figures) {
        ++*static_cast<int*>(context);
        *figures = {HARNESS_RUNNER_THERMAL_SERIOUS, 1, 0.5};
      },
      &calls);
  const Conditions all = hot.read(now);
  CHECK(calls == 1 && all.thermal_state == "serious" && all.low_power_mode == true && all.battery_level == 0.5);
}

void device_has_a_name() {
  const DeviceInfo device = read_device_info();
  CHECK(!device.model.empty() && !device.os.empty() && !device.os_version.empty() && !device.cpu.empty());
  CHECK(device.logical_cores >= 1 && device.memory_bytes && *device.memory_bytes > (256U << 20U));
}

void phases_end_by_minima_or_by_the_longest_duration() {
  const StopRule rule{10, 1000, 5000};
  CHECK(!phase_is_over(rule, 9, 2000) && !phase_is_over(rule, 20, 999) && phase_is_over(rule, 10, 1000));
  CHECK(phase_is_over(rule, 0, 5000));
  CHECK(!phase_is_over({10, 0, 0}, 9, UINT64_MAX) && phase_is_over({0, 0, 0}, 0, 0));
}

}  // namespace

int main() {
  memory_follows_an_allocation();
  other_processes_share_is_what_this_one_did_not_use();
  callback_figures_are_kept_and_unknown_ones_left_out();
  device_has_a_name();
  phases_end_by_minima_or_by_the_longest_duration();
}
