// libLiteRt, opened at run time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "litert_api.h"

namespace harness {

namespace litert {

struct Functions {
#define HARNESS_DECLARE(name, result, arguments) result(*name) arguments = nullptr;
  HARNESS_LITERT_FUNCTIONS(HARNESS_DECLARE)
#undef HARNESS_DECLARE
};

}  // namespace litert

// Throws JobError(runtime_missing, runtime_unsupported). The library is never closed again: the runtime's threads
// and its registrations at exit do not survive that.
litert::Functions open_litert(const std::string& path);

// Refuses a stated version below 2.2; "unknown" passes. Throws JobError(runtime_unsupported).
void check_runtime_version(const std::string& version);

// Size of the library's file, where it is one.
std::optional<uint64_t> library_file_bytes(const std::string& path);

// What a status of LiteRtStatus means, or its number.
std::string litert_status_text(litert::Status status);

}  // namespace harness
