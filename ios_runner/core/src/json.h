// Strict JSON (RFC 8259): UTF-8 without a byte-order mark, no duplicate keys, no NaN, bounded depth.
#pragma once

#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace harness {

// A document that is not JSON, or not the document that was expected. what() starts with the place.
class FormatError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Json {
  enum class Kind { kNull, kBoolean, kInteger, kReal, kString, kArray, kObject };

  Kind kind = Kind::kNull;
  bool boolean = false;
  int64_t integer = 0;  // only a literal without fraction and exponent that fits
  double real = 0;
  std::string text;
  std::vector<Json> items;
  std::map<std::string, Json, std::less<>> members;
};

// Throws FormatError.
Json parse_json(std::string_view text);

// Takes the members of an object one by one, so that what is left over is unknown and refused.
class ObjectReader {
 public:
  // `place` names the object in messages; empty for the document itself.
  ObjectReader(const Json& object, std::string place);

  const Json& required(std::string_view key);
  const Json* optional(std::string_view key);
  // Throws FormatError for a member that nobody asked for.
  void finish() const;

  int64_t integer(std::string_view key, int64_t least, int64_t most = INT64_MAX);
  const std::string& text(std::string_view key);
  std::string place_of(std::string_view key) const;

 private:
  const Json& object_;
  std::string place_;
  std::map<std::string, bool, std::less<>> taken_;
};

bool as_boolean(const Json& value, const std::string& place);
int64_t as_integer(const Json& value, const std::string& place, int64_t least, int64_t most = INT64_MAX);
double as_real(const Json& value, const std::string& place);
const std::string& as_text(const Json& value, const std::string& place);
const std::vector<Json>& as_array(const Json& value, const std::string& place);

}  // namespace harness
