// Whose the process's memory peaks are: the system keeps one high-water mark for the whole life of a process.
#pragma once

#include <string>

namespace harness {

// True for the first owner that asks, and for it again as long as no other has asked: another model's peak would
// be told as its own. Safe from any thread.
bool owns_process_peak(const std::string& owner);

}  // namespace harness
