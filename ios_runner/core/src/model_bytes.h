// The bytes of a model file, mapped or in the heap.
#pragma once

#include <cstddef>

#include "file.h"
#include "job.h"

namespace harness {

class ModelBytes {
 public:
  // Of a file that is not empty. Throws std::system_error or std::bad_alloc.
  ModelBytes(const File& file, Loading loading);
  ~ModelBytes();
  ModelBytes(const ModelBytes&) = delete;
  ModelBytes& operator=(const ModelBytes&) = delete;

  const void* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  void* data_ = nullptr;
  size_t size_ = 0;
  Loading loading_;
};

}  // namespace harness
