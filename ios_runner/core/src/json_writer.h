// Writes one JSON value as one line, without holding a tree.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace harness {

class JsonWriter {
 public:
  JsonWriter& begin_object();
  JsonWriter& end_object();
  JsonWriter& begin_array();
  JsonWriter& end_array();
  JsonWriter& key(std::string_view name);

  // Bytes that are not UTF-8 become U+FFFD: a tensor's name may hold anything, the log may not.
  JsonWriter& text(std::string_view value);
  JsonWriter& integer(int64_t value);
  JsonWriter& unsigned_integer(uint64_t value);
  // Finite values only. A float is written with as many digits as tell it from its neighbours.
  JsonWriter& real(double value);
  JsonWriter& real32(float value);
  JsonWriter& boolean(bool value);

  JsonWriter& member(std::string_view name, std::string_view value) { return key(name).text(value); }
  JsonWriter& member(std::string_view name, const char* value) { return key(name).text(value); }
  JsonWriter& member(std::string_view name, uint64_t value) { return key(name).unsigned_integer(value); }
  JsonWriter& member(std::string_view name, const std::optional<uint64_t>& value);
  JsonWriter& member(std::string_view name, const std::optional<double>& value);
  JsonWriter& member(std::string_view name, const std::optional<bool>& value);

  const std::string& str() const { return out_; }

 private:
  void separate();
  JsonWriter& number(double value, int digits);

  std::string out_;
  bool first_ = true;
};

}  // namespace harness
