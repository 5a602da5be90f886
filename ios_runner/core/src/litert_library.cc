#include "litert_library.h"

#include <dlfcn.h>
#include <sys/stat.h>

#include <cstdio>

#include "errors.h"

namespace harness {
namespace {

// An export that came with 2.2.0: the version in which LiteRT's default kernels became today's. The library
// itself has no call and no text that tells its version.
constexpr char kExportSince22[] = "LiteRtGetCompiledModelEnvironment";

void* resolve(void* library, const char* name, const std::string& path) {
  void* symbol = ::dlsym(library, name);
  if (symbol == nullptr) {
    throw JobError(FailureCode::kRuntimeUnsupported, path + " has no " + name + ": it is not LiteRT 2.2 or newer");
  }
  return symbol;
}

}  // namespace

litert::Functions open_litert(const std::string& path) {
  void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* reason = ::dlerror();
    throw JobError(FailureCode::kRuntimeMissing, reason != nullptr ? reason : path + " cannot be opened");
  }
  resolve(library, kExportSince22, path);
  litert::Functions functions;
#define HARNESS_RESOLVE(name, result, arguments) \
  functions.name = reinterpret_cast<decltype(functions.name)>(resolve(library, "LiteRt" #name, path));
  HARNESS_LITERT_FUNCTIONS(HARNESS_RESOLVE)
#undef HARNESS_RESOLVE
  return functions;
}

void check_runtime_version(const std::string& version) {
  int major = 0;
  int minor = 0;
  if (std::sscanf(version.c_str(), "%d.%d", &major, &minor) != 2) return;
  if (major < 2 || (major == 2 && minor < 2)) {
    throw JobError(FailureCode::kRuntimeUnsupported, "LiteRT " + version + " is older than 2.2");
  }
}

std::optional<uint64_t> library_file_bytes(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
  return static_cast<uint64_t>(info.st_size);
}

std::string litert_status_text(litert::Status status) {
  switch (status) {
    case 1: return "invalid argument";
    case 2: return "memory allocation failure";
    case 3: return "runtime failure";
    case 4: return "missing input tensor";
    case 5: return "unsupported";
    case 6: return "not found";
    case 8: return "wrong version";
    case 500: return "file error";
    case 501: return "invalid flatbuffer";
    case 502: return "dynamic loading failed";
    case 504: return "compilation failed";
    case 1001: return "invalid IR type";
    case 1002: return "invalid graph";
    default: return "status " + std::to_string(status);
  }
}

}  // namespace harness
