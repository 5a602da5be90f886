// host_statistics(HOST_CPU_LOAD_INFO), in ticks of CLK_TCK; getrusage(2) for this process.
#include <mach/mach.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cpu_usage.h"

namespace harness {

std::optional<CpuUsage> read_cpu_usage() {
  host_cpu_load_info_data_t load{};
  mach_msg_type_number_t count = HOST_CPU_LOAD_INFO_COUNT;
  // Every mach_host_self() adds a reference to the port; one for the process is enough.
  static const mach_port_t host = mach_host_self();
  if (host_statistics(host, HOST_CPU_LOAD_INFO, reinterpret_cast<host_info_t>(&load), &count) != KERN_SUCCESS ||
      count < HOST_CPU_LOAD_INFO_COUNT) {
    return std::nullopt;
  }
  struct rusage own{};
  const long ticks_per_second = ::sysconf(_SC_CLK_TCK);
  if (::getrusage(RUSAGE_SELF, &own) != 0 || ticks_per_second <= 0) return std::nullopt;
  const auto seconds = [](const struct timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  CpuUsage usage;
  usage.busy = static_cast<double>(load.cpu_ticks[CPU_STATE_USER]) +
               static_cast<double>(load.cpu_ticks[CPU_STATE_NICE]) +
               static_cast<double>(load.cpu_ticks[CPU_STATE_SYSTEM]);
  usage.total = usage.busy + static_cast<double>(load.cpu_ticks[CPU_STATE_IDLE]);
  usage.own = (seconds(own.ru_utime) + seconds(own.ru_stime)) * static_cast<double>(ticks_per_second);
  return usage;
}

// Darwin tells the current frequency to nobody.
std::optional<uint64_t> read_cpu_frequency_hz() { return std::nullopt; }

}  // namespace harness
