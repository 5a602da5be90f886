// How important the system takes the thread that measures to be.
#pragma once

#include <optional>
#include <string>

namespace harness {

// Asks for the highest quality of service for this thread and tells what it then has; nothing where the system
// knows no such thing, or refuses. The runtime's own worker threads keep the system's default.
std::optional<std::string> raise_thread_quality();

}  // namespace harness
