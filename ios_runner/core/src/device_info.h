// The machine this process runs on, as the system describes it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace harness {

struct DeviceInfo {
  std::string target_class = "local";
  std::string model;
  std::string os;
  std::string os_version;
  std::string cpu;
  uint64_t logical_cores = 1;
  std::optional<uint64_t> performance_cores;
  std::optional<uint64_t> memory_bytes;
};

DeviceInfo read_device_info();

// "linux-x86_64", "macos-arm64", "ios-arm64", "ios-simulator-arm64".
const char* platform_name();

}  // namespace harness
