// proc(5), /proc/self/status.
#include "memory_probe.h"
#include "proc_text.h"

namespace harness {

Memory read_memory() {
  Memory memory;
  const auto status = read_small_text("/proc/self/status");
  if (!status) return memory;
  memory.resident_bytes = kilobytes_value(*status, "VmRSS");
  memory.peak_resident_bytes = kilobytes_value(*status, "VmHWM");
  memory.anonymous_bytes = kilobytes_value(*status, "RssAnon");
  const auto file = kilobytes_value(*status, "RssFile");
  const auto shared = kilobytes_value(*status, "RssShmem");
  if (file && shared) memory.file_backed_bytes = *file + *shared;
  return memory;
}

}  // namespace harness
