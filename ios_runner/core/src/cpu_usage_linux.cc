// proc(5), /proc/stat and /proc/self/stat, both in units of USER_HZ; cpufreq of the kernel's admin guide.
#include <sched.h>

#include <cstdlib>
#include <sstream>
#include <string>

#include "cpu_usage.h"
#include "proc_text.h"

namespace harness {
namespace {

std::optional<double> own_ticks() {
  const auto stat = read_small_text("/proc/self/stat");
  if (!stat) return std::nullopt;
  // The command's name, in parentheses, may hold anything: count the fields from its end (field 2).
  const size_t end = stat->rfind(')');
  if (end == std::string::npos) return std::nullopt;
  std::istringstream fields(stat->substr(end + 1));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  double user = 0;
  double system = 0;
  if (!(fields >> user >> system)) return std::nullopt;
  return user + system;
}

}  // namespace

std::optional<CpuUsage> read_cpu_usage() {
  const auto stat = read_small_text("/proc/stat");
  const auto own = own_ticks();
  if (!stat || !own || stat->compare(0, 4, "cpu ") != 0) return std::nullopt;
  std::istringstream fields(stat->substr(4, stat->find('\n')));
  double user = 0;
  double nice = 0;
  double system = 0;
  double idle = 0;
  double iowait = 0;
  double irq = 0;
  double softirq = 0;
  double steal = 0;
  // Guest time stands in user time already.
  if (!(fields >> user >> nice >> system >> idle >> iowait >> irq >> softirq >> steal)) return std::nullopt;
  CpuUsage usage;
  usage.busy = user + nice + system + irq + softirq + steal;
  usage.total = usage.busy + idle + iowait;
  usage.own = *own;
  return usage;
}

std::optional<uint64_t> read_cpu_frequency_hz() {
  const int cpu = ::sched_getcpu();
  if (cpu < 0) return std::nullopt;
  const std::string path = "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/cpufreq/scaling_cur_freq";
  const auto text = read_small_text(path.c_str());
  if (!text) return std::nullopt;
  const unsigned long long kilohertz = std::strtoull(text->c_str(), nullptr, 10);
  if (kilohertz == 0) return std::nullopt;
  return static_cast<uint64_t>(kilohertz) * 1000U;
}

}  // namespace harness
