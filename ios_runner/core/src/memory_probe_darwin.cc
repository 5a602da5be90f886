// task_info(TASK_VM_INFO). The structure grew over the releases of the kernel, and the returned count tells how
// much of it was filled in: each field is read only where its revision is there.
#include <TargetConditionals.h>
#include <mach/mach.h>
#include <mach/task_info.h>

#include "memory_probe.h"

namespace harness {

Memory read_memory() {
  Memory memory;
  task_vm_info_data_t info{};
  mach_msg_type_number_t count = TASK_VM_INFO_COUNT;
  if (task_info(mach_task_self(), TASK_VM_INFO, reinterpret_cast<task_info_t>(&info), &count) != KERN_SUCCESS) {
    return memory;
  }
  if (count >= TASK_VM_INFO_REV0_COUNT) {
    memory.resident_bytes = info.resident_size;
    memory.peak_resident_bytes = info.resident_size_peak;
    memory.file_backed_bytes = info.external;
    memory.dirty_bytes = info.internal;
    memory.compressed_bytes = info.compressed;
  }
  if (count >= TASK_VM_INFO_REV1_COUNT) memory.footprint_bytes = info.phys_footprint;
  if (count >= TASK_VM_INFO_REV3_COUNT && info.ledger_phys_footprint_peak > 0) {
    memory.peak_footprint_bytes = static_cast<uint64_t>(info.ledger_phys_footprint_peak);
  }
#if TARGET_OS_IPHONE && !TARGET_OS_SIMULATOR
  // Only iOS kills on a limit; elsewhere the field does not say anything.
  if (count >= TASK_VM_INFO_REV4_COUNT) memory.limit_remaining_bytes = info.limit_bytes_remaining;
#endif
  return memory;
}

}  // namespace harness
