#include "json.h"

#include <cmath>
#include <locale>
#include <sstream>
#include <utility>

#include "utf8.h"

namespace harness {
namespace {

// Deeper than any document of the wire format, shallow enough for a small thread stack.
constexpr int kMaxDepth = 32;

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Json document() {
    Json value = this->value(0);
    skip_space();
    if (position_ != text_.size()) fail("text after the document");
    return value;
  }

 private:
  [[noreturn]] void fail(const std::string& problem) const {
    throw FormatError("not JSON at byte " + std::to_string(position_) + ": " + problem);
  }

  char peek() const { return position_ < text_.size() ? text_[position_] : '\0'; }

  void skip_space() {
    while (position_ < text_.size()) {
      const char c = text_[position_];
      if (c != ' ' && c != '\t' && c != '\n' && c != '\r') return;
      ++position_;
    }
  }

  bool take(char c) {
    if (peek() != c || position_ >= text_.size()) return false;
    ++position_;
    return true;
  }

  void expect(std::string_view word) {
    if (text_.substr(position_, word.size()) != word) fail("an unknown word");
    position_ += word.size();
  }

  Json value(int depth) {
    if (depth > kMaxDepth) fail("nested too deeply");
    skip_space();
    if (position_ >= text_.size()) fail("it ends early");
    Json result;
    switch (peek()) {
      case '{': object(result, depth); break;
      case '[': array(result, depth); break;
      case '"':
        result.kind = Json::Kind::kString;
        result.text = string();
        break;
      case 't':
        expect("true");
        result.kind = Json::Kind::kBoolean;
        result.boolean = true;
        break;
      case 'f':
        expect("false");
        result.kind = Json::Kind::kBoolean;
        break;
      case 'n': expect("null"); break;
      default: number(result);
    }
    return result;
  }

  void object(Json& result, int depth) {
    result.kind = Json::Kind::kObject;
    ++position_;
    skip_space();
    if (take('}')) return;
    do {
      skip_space();
      if (peek() != '"') fail("a key was expected");
      std::string key = string();
      skip_space();
      if (!take(':')) fail("':' was expected");
      const auto [place, fresh] = result.members.try_emplace(std::move(key));
      if (!fresh) fail("key '" + place->first + "' appears twice in one object");
      place->second = value(depth + 1);
      skip_space();
    } while (take(','));
    if (!take('}')) fail("',' or '}' was expected");
  }

  void array(Json& result, int depth) {
    result.kind = Json::Kind::kArray;
    ++position_;
    skip_space();
    if (take(']')) return;
    do {
      result.items.push_back(value(depth + 1));
      skip_space();
    } while (take(','));
    if (!take(']')) fail("',' or ']' was expected");
  }

  unsigned hex4() {
    unsigned code = 0;
    for (int i = 0; i < 4; ++i) {
      const char c = peek();
      unsigned digit = 0;
      if (c >= '0' && c <= '9') {
        digit = static_cast<unsigned>(c - '0');
      } else if (c >= 'a' && c <= 'f') {
        digit = static_cast<unsigned>(c - 'a') + 10U;
      } else if (c >= 'A' && c <= 'F') {
        digit = static_cast<unsigned>(c - 'A') + 10U;
      } else {
        fail("four hexadecimal digits were expected");
      }
      code = code * 16U + digit;
      ++position_;
    }
    return code;
  }

  void escape(std::string& out) {
    ++position_;
    const char c = peek();
    ++position_;
    switch (c) {
      case '"':
      case '\\':
      case '/': out.push_back(c); return;
      case 'b': out.push_back('\b'); return;
      case 'f': out.push_back('\f'); return;
      case 'n': out.push_back('\n'); return;
      case 'r': out.push_back('\r'); return;
      case 't': out.push_back('\t'); return;
      case 'u': break;
      default: fail("an unknown escape");
    }
    unsigned code = hex4();
    if (code >= 0xDC00U && code <= 0xDFFFU) fail("half a surrogate pair");
    if (code >= 0xD800U && code <= 0xDBFFU) {
      if (!take('\\') || !take('u')) fail("half a surrogate pair");
      const unsigned low = hex4();
      if (low < 0xDC00U || low > 0xDFFFU) fail("half a surrogate pair");
      code = 0x10000U + ((code - 0xD800U) << 10U) + (low - 0xDC00U);
    }
    append_utf8(out, code);
  }

  std::string string() {
    std::string out;
    ++position_;
    while (true) {
      if (position_ >= text_.size()) fail("a string does not end");
      const auto c = static_cast<unsigned char>(text_[position_]);
      if (c == '"') {
        ++position_;
        return out;
      }
      if (c == '\\') {
        escape(out);
        continue;
      }
      if (c < 0x20U) fail("a control character in a string");
      const size_t length = utf8_sequence_length(text_, position_);
      if (length == 0) fail("not UTF-8");
      out.append(text_.substr(position_, length));
      position_ += length;
    }
  }

  bool digits() {
    const size_t start = position_;
    while (peek() >= '0' && peek() <= '9') ++position_;
    return position_ > start;
  }

  void number(Json& result) {
    const size_t start = position_;
    bool whole = true;
    take('-');
    if (!take('0') && !digits()) fail("a value was expected");
    if (take('.')) {
      whole = false;
      if (!digits()) fail("a digit was expected");
    }
    if (peek() == 'e' || peek() == 'E') {
      whole = false;
      ++position_;
      if (!take('+')) take('-');
      if (!digits()) fail("a digit was expected");
    }
    const std::string literal(text_.substr(start, position_ - start));
    // A stream with the classic locale: strtod would follow the process's own.
    std::istringstream stream(literal);
    stream.imbue(std::locale::classic());
    if (whole && stream >> result.integer) {
      result.kind = Json::Kind::kInteger;
      result.real = static_cast<double>(result.integer);
      return;
    }
    stream.clear();
    stream.str(literal);
    if (!(stream >> result.real) || !std::isfinite(result.real)) fail("a number outside its range");
    result.kind = Json::Kind::kReal;
  }

  std::string_view text_;
  size_t position_ = 0;
};

std::string prefix(const std::string& place) { return place.empty() ? std::string() : place + ": "; }

}  // namespace

Json parse_json(std::string_view text) { return Parser(text).document(); }

ObjectReader::ObjectReader(const Json& object, std::string place) : object_(object), place_(std::move(place)) {
  if (object.kind != Json::Kind::kObject) throw FormatError(prefix(place_) + "an object was expected");
}

const Json* ObjectReader::optional(std::string_view key) {
  const auto found = object_.members.find(key);
  if (found == object_.members.end()) return nullptr;
  taken_.emplace(key, true);
  return &found->second;
}

const Json& ObjectReader::required(std::string_view key) {
  const Json* value = optional(key);
  if (value == nullptr) throw FormatError(prefix(place_) + "key '" + std::string(key) + "' is missing");
  return *value;
}

void ObjectReader::finish() const {
  for (const auto& [key, value] : object_.members) {
    if (taken_.find(key) == taken_.end()) throw FormatError(prefix(place_) + "unknown key '" + key + "'");
  }
}

int64_t ObjectReader::integer(std::string_view key, int64_t least, int64_t most) {
  return as_integer(required(key), place_of(key), least, most);
}

const std::string& ObjectReader::text(std::string_view key) { return as_text(required(key), place_of(key)); }

std::string ObjectReader::place_of(std::string_view key) const {
  return place_.empty() ? std::string(key) : place_ + "." + std::string(key);
}

bool as_boolean(const Json& value, const std::string& place) {
  if (value.kind != Json::Kind::kBoolean) throw FormatError(prefix(place) + "true or false was expected");
  return value.boolean;
}

int64_t as_integer(const Json& value, const std::string& place, int64_t least, int64_t most) {
  if (value.kind != Json::Kind::kInteger) throw FormatError(prefix(place) + "an integer was expected");
  if (value.integer < least || value.integer > most) {
    throw FormatError(prefix(place) + std::to_string(value.integer) + " is outside " + std::to_string(least) +
                      " to " + std::to_string(most));
  }
  return value.integer;
}

double as_real(const Json& value, const std::string& place) {
  if (value.kind != Json::Kind::kInteger && value.kind != Json::Kind::kReal) {
    throw FormatError(prefix(place) + "a number was expected");
  }
  return value.real;
}

const std::string& as_text(const Json& value, const std::string& place) {
  if (value.kind != Json::Kind::kString) throw FormatError(prefix(place) + "a string was expected");
  return value.text;
}

const std::vector<Json>& as_array(const Json& value, const std::string& place) {
  if (value.kind != Json::Kind::kArray) throw FormatError(prefix(place) + "an array was expected");
  return value.items;
}

}  // namespace harness
