#include "clock.h"

#include <time.h>

namespace harness {
namespace {

#ifndef __APPLE__
uint64_t read_ns(clockid_t clock) {
  struct timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<uint64_t>(now.tv_nsec);
}
#endif

}  // namespace

#ifdef __APPLE__
// CLOCK_MONOTONIC has microseconds only on Darwin.
uint64_t monotonic_ns() { return ::clock_gettime_nsec_np(CLOCK_UPTIME_RAW); }
// mach_continuous_time in nanoseconds.
uint64_t continuous_ns() { return ::clock_gettime_nsec_np(CLOCK_MONOTONIC_RAW); }
uint64_t unix_ns() { return ::clock_gettime_nsec_np(CLOCK_REALTIME); }
#else
uint64_t monotonic_ns() { return read_ns(CLOCK_MONOTONIC); }
uint64_t continuous_ns() { return read_ns(CLOCK_BOOTTIME); }
uint64_t unix_ns() { return read_ns(CLOCK_REALTIME); }
#endif

}  // namespace harness
