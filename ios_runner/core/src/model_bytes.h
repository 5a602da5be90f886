// The bytes of a model file, mapped or in the heap.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

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

  // Other bytes in place of the file's, which are let go.
  void replace(const std::vector<uint8_t>& bytes);

  const void* data() const { return data_; }
  uint8_t* heap_data() { return static_cast<uint8_t*>(data_); }  // after replace
  size_t size() const { return size_; }

 private:
  void release();

  void* data_ = nullptr;
  size_t size_ = 0;
  Loading loading_;
};

}  // namespace harness
