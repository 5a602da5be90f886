#include <TargetConditionals.h>
#include <sys/sysctl.h>

#include "device_info.h"

namespace harness {
namespace {

std::optional<std::string> text_value(const char* name) {
  size_t size = 0;
  if (::sysctlbyname(name, nullptr, &size, nullptr, 0) != 0 || size == 0) return std::nullopt;
  std::string text(size, '\0');
  if (::sysctlbyname(name, text.data(), &size, nullptr, 0) != 0) return std::nullopt;
  text.resize(size);
  while (!text.empty() && text.back() == '\0') text.pop_back();
  if (text.empty()) return std::nullopt;
  return text;
}

std::optional<uint64_t> count_value(const char* name) {
  // The kernel answers with 4 or 8 bytes; little-endian, so both fit the same place.
  uint64_t value = 0;
  size_t size = sizeof value;
  if (::sysctlbyname(name, &value, &size, nullptr, 0) != 0 || value == 0) return std::nullopt;
  return value;
}

}  // namespace

DeviceInfo read_device_info() {
  DeviceInfo device;
  const std::string machine = text_value("hw.machine").value_or("unknown");
#if TARGET_OS_IPHONE
  device.os = "iOS";
  device.model = machine;
#else
  device.os = "macOS";
  device.model = text_value("hw.model").value_or(machine);
#endif
  device.os_version = text_value("kern.osproductversion").value_or("unknown");
  if (const auto build = text_value("kern.osversion")) device.os_version += " (" + *build + ")";
  device.cpu = text_value("machdep.cpu.brand_string").value_or(machine);
  device.logical_cores = count_value("hw.logicalcpu").value_or(1);
  device.performance_cores = count_value("hw.perflevel0.physicalcpu");
  device.memory_bytes = count_value("hw.memsize");
  return device;
}

const char* platform_name() {
#if TARGET_OS_SIMULATOR
#define HARNESS_SYSTEM "ios-simulator"
#elif TARGET_OS_IPHONE
#define HARNESS_SYSTEM "ios"
#else
#define HARNESS_SYSTEM "macos"
#endif
#if defined(__arm64__)
  return HARNESS_SYSTEM "-arm64";
#else
  return HARNESS_SYSTEM "-x86_64";
#endif
}

}  // namespace harness
