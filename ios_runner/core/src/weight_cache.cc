#include "weight_cache.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

namespace harness {
namespace {

// Empty where there is no such file.
std::string state_of(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return "";
#ifdef __APPLE__
  const struct timespec& changed = info.st_mtimespec;
#else
  const struct timespec& changed = info.st_mtim;
#endif
  return std::to_string(info.st_size) + " " + std::to_string(changed.tv_sec) + "." +
         std::to_string(changed.tv_nsec);
}

[[noreturn]] void fail(const std::string& what) { throw std::system_error(errno, std::generic_category(), what); }

}  // namespace

WeightCache::WeightCache(const std::string& root, const std::string& model_sha256) {
  const std::string folder = root + "/weight-caches";
  if (::mkdir(folder.c_str(), 0777) != 0 && errno != EEXIST) fail("cannot make " + folder);
  kept_ = folder + "/" + model_sha256 + ".xnnpack";
  before_ = state_of(kept_);
  // A process that dies while it writes must not leave half a cache under the name of a whole one.
  writing_ = before_.empty() ? kept_ + ".part-" + std::to_string(::getpid()) : kept_;
}

const char* WeightCache::settle() const {
  if (writing_ != kept_) {
    if (std::rename(writing_.c_str(), kept_.c_str()) != 0) fail("the runtime wrote no weight cache: " + writing_);
    return "built";
  }
  return state_of(kept_) == before_ ? "used" : "built";
}

}  // namespace harness
