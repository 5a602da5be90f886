#include "model_bytes.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>

namespace harness {
namespace {

// Weights inside the file are aligned relative to its start; XNNPACK wants 64 bytes at most.
constexpr size_t kAlignment = 64;

}  // namespace

ModelBytes::ModelBytes(const File& file, Loading loading)
    : size_(static_cast<size_t>(file.size_bytes())), loading_(loading) {
  if (loading != Loading::kHeap) {
    data_ = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.descriptor(), 0);
    if (data_ == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "cannot map " + file.path());
    return;
  }
  if (::posix_memalign(&data_, kAlignment, size_) != 0) throw std::bad_alloc();
  try {
    file.read_at(data_, size_, 0);
  } catch (...) {
    std::free(data_);
    throw;
  }
}

ModelBytes::~ModelBytes() { release(); }

void ModelBytes::replace(const std::vector<uint8_t>& bytes) {
  void* copy = nullptr;
  if (::posix_memalign(&copy, kAlignment, bytes.size()) != 0) throw std::bad_alloc();
  std::memcpy(copy, bytes.data(), bytes.size());
  release();
  data_ = copy;
  size_ = bytes.size();
  loading_ = Loading::kHeap;
}

void ModelBytes::release() {
  if (loading_ != Loading::kHeap) {
    ::munmap(data_, size_);
  } else {
    std::free(data_);
  }
}

}  // namespace harness
