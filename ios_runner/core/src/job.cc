#include "job.h"

#include <system_error>

#include "errors.h"
#include "job_values.h"
#include "json.h"

namespace harness {
namespace {

// The runtime keeps every event of a profile in memory.
constexpr int64_t kMostProfileRuns = 1000;
constexpr int64_t kLongestPauseNs = 10'000'000'000;

size_t code_points(const std::string& text) {
  size_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xC0U) != 0x80U ? 1U : 0U;
  return count;
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

void parse_settings(const Json& json, Job& job) {
  ObjectReader reader(json, "settings");
  job.threads = static_cast<int>(reader.integer("threads", 1, 64));
  if (const Json* loading = reader.optional("loading")) {
    job.loading = parse_loading(*loading, "settings.loading");
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

KeystrokePass parse_keystrokes(const Json& json, const std::vector<JobInput>& inputs) {
  ObjectReader reader(json, "keystrokes");
  KeystrokePass pass;
  pass.texts = parse_blob(reader.required("texts"), "keystrokes.texts");
  if (const Json* pause = reader.optional("pause_ns")) {
    pass.pause_ns = static_cast<uint64_t>(as_integer(*pause, "keystrokes.pause_ns", 0, kLongestPauseNs));
  }
  reader.finish();
  if (inputs.size() != 1 || inputs[0].encoding.kind != Encoding::Kind::kCharacters) {
    throw FormatError("keystrokes: one input of the encoding 'characters' was expected");
  }
  return pass;
}

}  // namespace

bool is_job_id(const std::string& text) {
  static constexpr char kFirst[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  static const std::string all = std::string(kFirst) + "._-";
  return !text.empty() && text.size() <= 100 && std::string(kFirst).find(text[0]) != std::string::npos &&
         text.find_first_not_of(all) == std::string::npos;
}

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
  if (const Json* keystrokes = reader.optional("keystrokes"))
    job.keystrokes = parse_keystrokes(*keystrokes, job.inputs);
  reader.finish();
  return job;
}

Job read_job(const std::string& folder, const std::string& folder_name) {
  try {
    Job job = parse_job(read_document(folder + "/job.json"));
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
