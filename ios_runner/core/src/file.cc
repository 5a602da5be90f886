#include "file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace harness {
namespace {

// Linux and Darwin refuse or shorten single transfers of 2 GiB.
constexpr size_t kLargestTransfer = size_t{1} << 30U;

}  // namespace

File::File(const std::string& path, int flags) : path_(path) {
  do {
    // Without O_NONBLOCK a pipe of that name would hold the open up for ever.
    descriptor_ = ::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);
  } while (descriptor_ < 0 && errno == EINTR);
  if (descriptor_ < 0) fail("open");
  struct stat info{};
  if (::fstat(descriptor_, &info) != 0 || !S_ISREG(info.st_mode)) {
    const int reason = S_ISDIR(info.st_mode) ? EISDIR : EINVAL;
    ::close(std::exchange(descriptor_, -1));
    throw std::system_error(reason, std::generic_category(), path + " is not a regular file");
  }
}

File::~File() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

File::File(File&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), path_(std::move(other.path_)) {}

File& File::operator=(File&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(path_, other.path_);
  return *this;
}

void File::fail(const char* doing) const {
  throw std::system_error(errno, std::generic_category(), "cannot " + std::string(doing) + " " + path_);
}

struct stat File::status() const {
  struct stat info{};
  if (::fstat(descriptor_, &info) != 0) fail("examine");
  return info;
}

uint64_t File::size_bytes() const { return static_cast<uint64_t>(status().st_size); }

size_t File::read_some_at(void* data, size_t size, uint64_t offset) const {
  auto* bytes = static_cast<uint8_t*>(data);
  size_t done = 0;
  while (done < size) {
    const ssize_t got = ::pread(descriptor_, bytes + done, std::min(size - done, kLargestTransfer),
                                static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail("read");
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  return done;
}

void File::read_at(void* data, size_t size, uint64_t offset) const {
  if (read_some_at(data, size, offset) != size) {
    throw std::system_error(EIO, std::generic_category(), path_ + " ends early");
  }
}

void File::write_at(const void* data, size_t size, uint64_t offset) const {
  const auto* bytes = static_cast<const uint8_t*>(data);
  size_t done = 0;
  while (done < size) {
    const ssize_t put = ::pwrite(descriptor_, bytes + done, std::min(size - done, kLargestTransfer),
                                 static_cast<off_t>(offset + done));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) fail("write");
    done += static_cast<size_t>(put);
  }
}

void File::truncate(uint64_t size) const {
  int result = 0;
  do {
    result = ::ftruncate(descriptor_, static_cast<off_t>(size));
  } while (result != 0 && errno == EINTR);
  if (result != 0) fail("shorten");
}

void File::flush_to_disk() const {
  if (::fsync(descriptor_) != 0) fail("flush");
}

}  // namespace harness
