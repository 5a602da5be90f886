#include "job.h"

#include <fcntl.h>

#include <cmath>
#include <limits>
#include <set>
#include <utility>

#include "errors.h"
#include "file.h"
#include "json.h"
#include "utf8.h"

namespace harness {
namespace {

// A job of 64 inputs is a few ten kilobytes; the limit keeps a hostile file from filling the memory.
constexpr uint64_t kLargestJobBytes = 1U << 20U;
constexpr size_t kMostDimensions = 32;
constexpr size_t kLargestAlphabet = 65536;
constexpr int32_t kLongestText = 4096;
// The runtime keeps every event of a profile in memory.
constexpr int64_t kMostProfileRuns = 1000;

std::string item_place(const std::string& place, size_t index) {
  return place + "[" + std::to_string(index) + "]";
}

bool is_sha256(const std::string& text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

bool is_job_id(const std::string& text) {
  static constexpr char kFirst[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  static const std::string all = std::string(kFirst) + "._-";
  return !text.empty() && text.size() <= 100 && std::string(kFirst).find(text[0]) != std::string::npos &&
         text.find_first_not_of(all) == std::string::npos;
}

size_t code_points(const std::string& text) {
  size_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xC0U) != 0x80U ? 1U : 0U;
  return count;
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

StopRule parse_stop_rule(const Json& json, const std::string& place) {
  ObjectReader reader(json, place);
  StopRule rule;
  rule.min_runs = static_cast<uint64_t>(reader.integer("min_runs", 0));
  rule.min_duration_ns = static_cast<uint64_t>(reader.integer("min_duration_ns", 0));
  if (const Json* most = reader.optional("max_duration_ns")) {
    rule.max_duration_ns = static_cast<uint64_t>(as_integer(*most, reader.place_of("max_duration_ns"), 0));
  }
  reader.finish();
  return rule;
}

Loading parse_loading(const std::string& name) {
  if (name == "mapped") return Loading::kMapped;
  if (name == "heap") return Loading::kHeap;
  if (name == "weight-cache") return Loading::kWeightCache;
  throw FormatError("settings.loading: 'mapped', 'heap' or 'weight-cache' was expected");
}

void parse_settings(const Json& json, Job& job) {
  ObjectReader reader(json, "settings");
  job.threads = static_cast<int>(reader.integer("threads", 1, 64));
  if (const Json* loading = reader.optional("loading")) {
    job.loading = parse_loading(as_text(*loading, "settings.loading"));
  }
  if (const Json* accelerator = reader.optional("accelerator")) {
    const std::string& name = as_text(*accelerator, "settings.accelerator");
    if (name != "none" && name != "metal") {
      throw FormatError("settings.accelerator: 'none' or 'metal' was expected");
    }
    job.accelerator = name == "metal" ? Accelerator::kMetal : Accelerator::kNone;
  }
  if (const Json* runs = reader.optional("profile")) {
    job.profile_runs = static_cast<uint64_t>(as_integer(*runs, "settings.profile", 0, kMostProfileRuns));
  }
  job.warmup = parse_stop_rule(reader.required("warmup"), "settings.warmup");
  job.steady = parse_stop_rule(reader.required("steady"), "settings.steady");
  reader.finish();
}

JobInput parse_input(const Json& json, const std::string& place, uint64_t input_count) {
  ObjectReader reader(json, place);
  JobInput input;
  if (const Json* tensor = reader.optional("tensor")) input.tensor = as_text(*tensor, reader.place_of("tensor"));
  input.blob = parse_blob(reader.required("blob"), reader.place_of("blob"));
  input.encoding = parse_encoding(reader.required("encoding"), reader.place_of("encoding"));
  reader.finish();
  const uint64_t record_bytes = input.encoding.record_bytes();
  if (input.blob.bytes % record_bytes != 0 || input.blob.bytes / record_bytes != input_count) {
    throw FormatError(place + ".blob.bytes: " + std::to_string(input.blob.bytes) + " is not " +
                      std::to_string(input_count) + " records of " + std::to_string(record_bytes) + " bytes");
  }
  return input;
}

}  // namespace

const char* accelerator_name(Accelerator accelerator) {
  return accelerator == Accelerator::kMetal ? "metal" : "none";
}

uint64_t Encoding::record_bytes() const { return element_count(shape).value_or(0) * itemsize_bytes(dtype); }

Job parse_job(std::string_view json) {
  const Json document = parse_json(json);
  ObjectReader reader(document, "");
  const int64_t version = reader.integer("wire_version", 1);
  // Before all else: what a newer version added must not be called unknown.
  if (version > kWireVersion) {
    throw FormatError("wire_version: " + std::to_string(version) + " is newer than this runner's " +
                      std::to_string(kWireVersion) + "; update the runner");
  }
  Job job;
  job.job_id = reader.text("job_id");
  if (!is_job_id(job.job_id)) throw FormatError("job_id: 1 to 100 letters, digits, '.', '_' or '-' were expected");
  job.variant = reader.text("variant");
  if (code_points(job.variant) < 1 || code_points(job.variant) > 100) {
    throw FormatError("variant: 1 to 100 characters were expected");
  }
  job.model = parse_blob(reader.required("model"), "model");
  job.first_input = static_cast<uint64_t>(reader.integer("first_input", 0));
  job.input_count = static_cast<uint64_t>(reader.integer("input_count", 1));
  const std::vector<Json>& inputs = as_array(reader.required("inputs"), "inputs");
  if (inputs.empty()) throw FormatError("inputs: at least one was expected");
  for (size_t i = 0; i < inputs.size(); ++i) {
    job.inputs.push_back(parse_input(inputs[i], item_place("inputs", i), job.input_count));
  }
  parse_settings(reader.required("settings"), job);
  reader.finish();
  return job;
}

Job read_job(const std::string& folder, const std::string& folder_name) {
  try {
    const File file(folder + "/job.json", O_RDONLY);
    const uint64_t size = file.size_bytes();
    if (size > kLargestJobBytes) throw FormatError("larger than " + std::to_string(kLargestJobBytes) + " bytes");
    std::string text(size, '\0');
    file.read_at(text.data(), text.size(), 0);
    Job job = parse_job(text);
    if (job.job_id != folder_name) {
      throw FormatError("job_id: '" + job.job_id + "' is not the folder's name '" + folder_name + "'");
    }
    return job;
  } catch (const FormatError& error) {
    throw JobError(FailureCode::kJobInvalid, std::string("job.json: ") + error.what());
  } catch (const std::system_error& error) {
    throw JobError(FailureCode::kJobInvalid, error.what());
  }
}

}  // namespace harness
