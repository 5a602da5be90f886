#include "blob_store.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "errors.h"
#include "sha256.h"

namespace harness {
namespace {

constexpr size_t kHashChunkBytes = 128 * 1024;

struct timespec modified(const struct stat& info) {
#ifdef __APPLE__
  return info.st_mtimespec;
#else
  return info.st_mtim;
#endif
}

bool older(const struct timespec& a, const struct timespec& b) {
  return a.tv_sec != b.tv_sec ? a.tv_sec < b.tv_sec : a.tv_nsec < b.tv_nsec;
}

}  // namespace

std::string hash_file(const File& file, uint64_t size, const std::atomic<bool>& cancel) {
  Sha256 hash;
  std::vector<uint8_t> chunk(kHashChunkBytes);
  for (uint64_t done = 0; done < size;) {
    if (cancel.load(std::memory_order_relaxed)) throw Cancelled();
    const auto part = static_cast<size_t>(std::min<uint64_t>(chunk.size(), size - done));
    file.read_at(chunk.data(), part, done);
    hash.update(chunk.data(), part);
    done += part;
  }
  return hash.hex();
}

bool BlobStore::marker_is_valid(const File& blob) const {
  try {
    const File marker(blob.path() + ".verified", O_RDONLY);
    return !older(modified(marker.status()), modified(blob.status()));
  } catch (const std::system_error&) {
    return false;
  }
}

void BlobStore::write_marker(const File& blob) const {
  try {
    const File marker(blob.path() + ".verified", O_WRONLY | O_CREAT | O_TRUNC);
    // An old marker keeps its time where there is nothing to truncate.
    ::futimens(marker.descriptor(), nullptr);
  } catch (const std::system_error&) {
    // A read-only store costs the next job a second look at the bytes, no more.
  }
}

File BlobStore::open_verified(const Blob& blob) const {
  const std::string path = root_ + "/blobs/" + blob.sha256;
  try {
    File file(path, O_RDONLY);
    if (file.size_bytes() != blob.bytes) {
      throw JobError(FailureCode::kBlobCorrupt, path + " has " + std::to_string(file.size_bytes()) +
                                                    " bytes instead of " + std::to_string(blob.bytes));
    }
    if (marker_is_valid(file)) return file;
    if (hash_file(file, blob.bytes, cancel_) != blob.sha256) {
      throw JobError(FailureCode::kBlobCorrupt, "the bytes of " + path + " do not match its name");
    }
    write_marker(file);
    return file;
  } catch (const std::system_error& error) {
    const bool missing = error.code().value() == ENOENT || error.code().value() == ENOTDIR;
    throw JobError(missing ? FailureCode::kBlobMissing : FailureCode::kIoFailed, error.what());
  }
}

}  // namespace harness
