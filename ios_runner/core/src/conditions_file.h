// Heat and power from a file, for a process that stands for an app on a phone that is not there.
#pragma once

#include "harness_runner.h"

namespace harness {

// Reads {"thermal_state": "fair", "low_power_mode": false, "battery_level": 0.8}, each key optional, into
// `conditions`. What cannot be read stays as it was: unknown.
void read_conditions_file(const char* path, harness_runner_conditions& conditions);

}  // namespace harness
