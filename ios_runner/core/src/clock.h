#pragma once

#include <cstdint>

namespace harness {

// Nanoseconds on a clock that never steps and stands still while the machine sleeps.
uint64_t monotonic_ns();

// Nanoseconds on the clock that goes on while the machine sleeps: its lead over monotonic_ns grows by the time
// slept.
uint64_t continuous_ns();

// Nanoseconds since 1970 by the wall clock.
uint64_t unix_ns();

}  // namespace harness
