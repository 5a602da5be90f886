// Files by descriptor: owned, regular only, no short reads or writes.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <system_error>

namespace harness {

class File {
 public:
  File() = default;
  // Opens with O_CLOEXEC | O_NOFOLLOW and `flags`; refuses what is not a regular file.
  // Throws std::system_error.
  File(const std::string& path, int flags);
  ~File();
  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  int descriptor() const { return descriptor_; }
  bool is_open() const { return descriptor_ >= 0; }
  struct stat status() const;
  uint64_t size_bytes() const;
  const std::string& path() const { return path_; }

  // Exactly `size` bytes or std::system_error.
  void read_at(void* data, size_t size, uint64_t offset) const;
  void write_at(const void* data, size_t size, uint64_t offset) const;
  // Up to `size` bytes; fewer only at the end of the file.
  size_t read_some_at(void* data, size_t size, uint64_t offset) const;
  void truncate(uint64_t size) const;
  void flush_to_disk() const;

 private:
  [[noreturn]] void fail(const char* doing) const;

  int descriptor_ = -1;
  std::string path_;
};

}  // namespace harness
