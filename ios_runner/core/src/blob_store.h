// Blobs of a job root, opened only after their bytes were found to match their name.
#pragma once

#include <atomic>
#include <string>

#include "file.h"
#include "job.h"

namespace harness {

class BlobStore {
 public:
  // Looks at `cancel` while it reads.
  BlobStore(std::string root, const std::atomic<bool>& cancel) : root_(std::move(root)), cancel_(cancel) {}

  // Throws JobError(blob_missing, blob_corrupt, io_failed) or Cancelled.
  File open_verified(const Blob& blob) const;

 private:
  bool marker_is_valid(const File& blob) const;
  void write_marker(const File& blob) const;

  std::string root_;
  const std::atomic<bool>& cancel_;
};

// SHA-256 of the first `size` bytes. Throws std::system_error or Cancelled.
std::string hash_file(const File& file, uint64_t size, const std::atomic<bool>& cancel);

}  // namespace harness
