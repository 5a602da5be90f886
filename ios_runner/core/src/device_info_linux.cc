#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>

#include "device_info.h"
#include "proc_text.h"

namespace harness {
namespace {

std::optional<std::string> trimmed_text(const char* path) {
  auto text = read_small_text(path);
  if (!text) return std::nullopt;
  text->erase(std::min(text->find_last_not_of(std::string("\n\0 ", 3)) + 1, text->size()));
  if (text->empty()) return std::nullopt;
  return text;
}

}  // namespace

DeviceInfo read_device_info() {
  DeviceInfo device;
  struct utsname name{};
  if (::uname(&name) == 0) {
    device.os = name.sysname;
    device.os_version = name.release;
    device.model = name.machine;
    device.cpu = name.machine;
  }
  // DMI on PCs, the device tree on boards.
  if (const auto model = trimmed_text("/sys/class/dmi/id/product_name")) {
    device.model = *model;
  } else if (const auto board = trimmed_text("/proc/device-tree/model")) {
    device.model = *board;
  }
  if (const auto cpu = read_small_text("/proc/cpuinfo")) {
    if (const auto model = colon_value(*cpu, "model name")) device.cpu = *model;
  }
  const long cores = ::sysconf(_SC_NPROCESSORS_ONLN);
  if (cores > 0) device.logical_cores = static_cast<uint64_t>(cores);
  if (const auto memory = read_small_text("/proc/meminfo"))
    device.memory_bytes = kilobytes_value(*memory, "MemTotal");
  return device;
}

const char* platform_name() {
#if defined(__x86_64__)
  return "linux-x86_64";
#elif defined(__aarch64__)
  return "linux-aarch64";
#else
  return "linux";
#endif
}

}  // namespace harness
