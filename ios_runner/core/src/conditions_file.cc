#include "conditions_file.h"

#include <fcntl.h>

#include <array>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "file.h"
#include "json.h"

namespace harness {
namespace {

constexpr uint64_t kLargestBytes = 4096;
constexpr std::array<std::pair<std::string_view, harness_runner_thermal_state>, 4> kThermalStates{{
    {"nominal", HARNESS_RUNNER_THERMAL_NOMINAL},
    {"fair", HARNESS_RUNNER_THERMAL_FAIR},
    {"serious", HARNESS_RUNNER_THERMAL_SERIOUS},
    {"critical", HARNESS_RUNNER_THERMAL_CRITICAL},
}};

std::string read_text(const char* path) {
  const File file(path, O_RDONLY);
  std::string text(kLargestBytes, '\0');
  text.resize(file.read_some_at(text.data(), text.size(), 0));
  return text;
}

}  // namespace

void read_conditions_file(const char* path, harness_runner_conditions& conditions) {
  try {
    harness_runner_conditions found = conditions;
    const Json document = parse_json(read_text(path));
    ObjectReader reader(document, "");
    if (const Json* state = reader.optional("thermal_state")) {
      for (const auto& [name, value] : kThermalStates) {
        if (as_text(*state, "thermal_state") == name) found.thermal_state = value;
      }
    }
    if (const Json* mode = reader.optional("low_power_mode")) {
      found.low_power_mode = as_boolean(*mode, "low_power_mode") ? 1 : 0;
    }
    if (const Json* level = reader.optional("battery_level"))
      found.battery_level = as_real(*level, "battery_level");
    conditions = found;
  } catch (const FormatError&) {
  } catch (const std::system_error&) {
  }
}

}  // namespace harness
