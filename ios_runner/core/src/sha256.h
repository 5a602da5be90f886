// SHA-256 (FIPS 180-4) of a stream.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#ifdef __APPLE__
#include <CommonCrypto/CommonDigest.h>
#endif

namespace harness {

class Sha256 {
 public:
  Sha256();
  void update(const void* data, size_t size);
  // Lower-case hexadecimal; the object is used up.
  std::string hex();

 private:
#ifdef __APPLE__
  CC_SHA256_CTX context_;
#else
  void block(const uint8_t* bytes);

  std::array<uint32_t, 8> state_;
  std::array<uint8_t, 64> pending_;
  size_t pending_size_ = 0;
  uint64_t total_bytes_ = 0;
#endif
};

}  // namespace harness
