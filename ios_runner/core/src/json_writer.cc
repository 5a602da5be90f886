#include "json_writer.h"

#include <locale>
#include <sstream>

#include "utf8.h"

namespace harness {

void JsonWriter::separate() {
  if (!first_) out_.push_back(',');
  first_ = false;
}

JsonWriter& JsonWriter::begin_object() {
  separate();
  out_.push_back('{');
  first_ = true;
  return *this;
}

JsonWriter& JsonWriter::end_object() {
  out_.push_back('}');
  first_ = false;
  return *this;
}

JsonWriter& JsonWriter::begin_array() {
  separate();
  out_.push_back('[');
  first_ = true;
  return *this;
}

JsonWriter& JsonWriter::end_array() {
  out_.push_back(']');
  first_ = false;
  return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  text(name);
  out_.push_back(':');
  first_ = true;
  return *this;
}

JsonWriter& JsonWriter::text(std::string_view value) {
  static constexpr char kHex[] = "0123456789abcdef";
  separate();
  out_.push_back('"');
  for (size_t i = 0; i < value.size();) {
    const auto c = static_cast<unsigned char>(value[i]);
    const size_t length = utf8_sequence_length(value, i);
    if (length == 0) {
      append_utf8(out_, 0xFFFDU);
      ++i;
      continue;
    }
    if (c == '"' || c == '\\') {
      out_.push_back('\\');
      out_.push_back(value[i]);
    } else if (c < 0x20U) {
      out_.append("\\u00");
      out_.push_back(kHex[c >> 4U]);
      out_.push_back(kHex[c & 15U]);
    } else {
      out_.append(value.substr(i, length));
    }
    i += length;
  }
  out_.push_back('"');
  return *this;
}

JsonWriter& JsonWriter::integer(int64_t value) {
  separate();
  out_.append(std::to_string(value));
  return *this;
}

JsonWriter& JsonWriter::unsigned_integer(uint64_t value) {
  separate();
  out_.append(std::to_string(value));
  return *this;
}

JsonWriter& JsonWriter::number(double value, int digits) {
  std::ostringstream stream;
  stream.imbue(std::locale::classic());
  stream.precision(digits);
  stream << value;
  separate();
  out_.append(stream.str());
  return *this;
}

JsonWriter& JsonWriter::real(double value) { return number(value, 17); }

JsonWriter& JsonWriter::real32(float value) { return number(static_cast<double>(value), 9); }

JsonWriter& JsonWriter::boolean(bool value) {
  separate();
  out_.append(value ? "true" : "false");
  return *this;
}

JsonWriter& JsonWriter::member(std::string_view name, const std::optional<uint64_t>& value) {
  if (value) key(name).unsigned_integer(*value);
  return *this;
}

JsonWriter& JsonWriter::member(std::string_view name, const std::optional<double>& value) {
  if (value) key(name).real(*value);
  return *this;
}

JsonWriter& JsonWriter::member(std::string_view name, const std::optional<bool>& value) {
  if (value) key(name).boolean(*value);
  return *this;
}

}  // namespace harness
