#include "thread_quality.h"

namespace harness {

std::optional<std::string> raise_thread_quality() { return std::nullopt; }

}  // namespace harness
