// The file that keeps XNNPACK's packed weights between processes, below the job root.
#pragma once

#include <string>

namespace harness {

class WeightCache {
 public:
  // <root>/weight-caches/<model_sha256>.xnnpack; makes the folder. Throws std::system_error.
  WeightCache(const std::string& root, const std::string& model_sha256);

  // What the runtime is to be given: the cache, or where there is none the file to write it to.
  const std::string& file() const { return writing_; }

  // After compilation: "used" where the cache was there and good, "built" where the runtime wrote it; then it is
  // put into its place, whole. Throws std::system_error.
  const char* settle() const;

 private:
  std::string kept_;
  std::string writing_;
  std::string before_;  // the cache's state, to see whether the runtime replaced it
};

}  // namespace harness
