#include "job_values.h"

#include <fcntl.h>

#include <cmath>
#include <limits>
#include <set>
#include <utility>

#include "file.h"
#include "json.h"
#include "utf8.h"

namespace harness {
namespace {

// A job of 64 inputs is a few ten kilobytes; the limit keeps a hostile file from filling the memory.
constexpr uint64_t kLargestDocumentBytes = 1U << 20U;
constexpr size_t kMostDimensions = 32;
constexpr size_t kLargestAlphabet = 65536;
constexpr int32_t kLongestText = 4096;

bool is_sha256(const std::string& text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

std::vector<int32_t> parse_shape(const Json& json, const std::string& place) {
  std::vector<int32_t> shape;
  for (const Json& item : as_array(json, place)) {
    shape.push_back(static_cast<int32_t>(
        as_integer(item, item_place(place, shape.size()), 1, std::numeric_limits<int32_t>::max())));
    if (shape.size() > kMostDimensions) throw FormatError(place + ": too many dimensions");
  }
  return shape;
}

std::vector<float> parse_channel_figures(const Json& json, const std::string& place, size_t channels,
                                         bool positive) {
  std::vector<float> figures;
  for (const Json& item : as_array(json, place)) {
    const std::string where = item_place(place, figures.size());
    const auto figure = static_cast<float>(as_real(item, where));
    if (!std::isfinite(figure) || (positive && !(figure > 0.0F))) throw FormatError(where + ": outside its range");
    figures.push_back(figure);
  }
  if (figures.size() != channels) {
    throw FormatError(place + ": one number for each of the " + std::to_string(channels) +
                      " channels was expected");
  }
  return figures;
}

std::string parse_alphabet(const Json& json, const std::string& place) {
  const std::string& alphabet = as_text(json, place);
  std::set<char32_t> seen;
  for (size_t at = 0; at < alphabet.size();) {
    if (!seen.insert(next_code_point(alphabet, at)).second) throw FormatError(place + ": holds a character twice");
  }
  if (seen.empty() || seen.size() > kLargestAlphabet) {
    throw FormatError(place + ": 1 to " + std::to_string(kLargestAlphabet) + " characters were expected");
  }
  return alphabet;
}

void parse_characters(ObjectReader& reader, Encoding& encoding) {
  encoding.kind = Encoding::Kind::kCharacters;
  encoding.dtype = DType::kInt32;
  if (const Json* dtype = reader.optional("dtype")) {
    if (as_text(*dtype, reader.place_of("dtype")) != "int32") {
      throw FormatError(reader.place_of("dtype") + ": 'int32' was expected");
    }
  }
  if (encoding.shape.size() != 2 || encoding.shape[0] != 1 || encoding.shape[1] > kLongestText) {
    throw FormatError(reader.place_of("shape") + ": 1 and a length up to " + std::to_string(kLongestText) +
                      " were expected");
  }
  encoding.alphabet = parse_alphabet(reader.required("alphabet"), reader.place_of("alphabet"));
  encoding.lowercase = as_boolean(reader.required("lowercase"), reader.place_of("lowercase"));
  for (const auto& [key, number] : {std::pair("unknown", kUnknownCharacter), std::pair("padding", kPadding)}) {
    if (const Json* given = reader.optional(key)) as_integer(*given, reader.place_of(key), number, number);
  }
}

}  // namespace

std::string item_place(const std::string& place, size_t index) {
  return place + "[" + std::to_string(index) + "]";
}

Blob parse_blob(const Json& json, const std::string& place) {
  ObjectReader reader(json, place);
  Blob blob;
  blob.sha256 = reader.text("sha256");
  if (!is_sha256(blob.sha256))
    throw FormatError(place + ".sha256: 64 lower-case hexadecimal digits were expected");
  blob.bytes = static_cast<uint64_t>(reader.integer("bytes", 0));
  reader.finish();
  return blob;
}

Encoding parse_encoding(const Json& json, const std::string& place) {
  ObjectReader reader(json, place);
  Encoding encoding;
  const std::string& kind = reader.text("kind");
  if (kind != "pixels" && kind != "tensor" && kind != "characters") {
    throw FormatError(place + ".kind: 'pixels', 'tensor' or 'characters' was expected");
  }
  encoding.shape = parse_shape(reader.required("shape"), reader.place_of("shape"));
  if (kind == "pixels") {
    encoding.kind = Encoding::Kind::kPixels;
    if (encoding.shape.size() != 3) throw FormatError(place + ".shape: height, width, channels were expected");
    const auto channels = static_cast<size_t>(encoding.shape[2]);
    encoding.mean = parse_channel_figures(reader.required("mean"), reader.place_of("mean"), channels, false);
    encoding.scale = parse_channel_figures(reader.required("scale"), reader.place_of("scale"), channels, true);
  } else if (kind == "characters") {
    parse_characters(reader, encoding);
  } else {
    const std::string& name = reader.text("dtype");
    const auto dtype = dtype_named(name);
    if (!dtype) throw FormatError(place + ".dtype: '" + name + "' is no element type of the wire format");
    encoding.dtype = *dtype;
  }
  reader.finish();
  if (!element_count(encoding.shape)) throw FormatError(place + ".shape: too many elements");
  return encoding;
}

std::string read_document(const std::string& path) {
  const File file(path, O_RDONLY);
  const uint64_t size = file.size_bytes();
  if (size > kLargestDocumentBytes) {
    throw FormatError("larger than " + std::to_string(kLargestDocumentBytes) + " bytes");
  }
  std::string text(static_cast<size_t>(size), '\0');
  file.read_at(text.data(), text.size(), 0);
  return text;
}

Loading parse_loading(const Json& json, const std::string& place) {
  const std::string& name = as_text(json, place);
  if (name == "mapped") return Loading::kMapped;
  if (name == "heap") return Loading::kHeap;
  if (name == "weight-cache") return Loading::kWeightCache;
  throw FormatError(place + ": 'mapped', 'heap' or 'weight-cache' was expected");
}

}  // namespace harness
