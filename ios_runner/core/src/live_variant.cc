#include "live_variant.h"

#include "job_values.h"
#include "json.h"

namespace harness {
namespace {

template <typename Value>
struct Choice {
  const char* name;
  Value value;
};

template <typename Value, size_t count>
Value choose(const std::string& name, const std::string& place, const Choice<Value> (&choices)[count]) {
  std::string names;
  for (const Choice<Value>& choice : choices) {
    if (name == choice.name) return choice.value;
    names += std::string(names.empty() ? "'" : ", '") + choice.name + "'";
  }
  throw FormatError(place + ": one of " + names + " was expected");
}

const Json* given(ObjectReader& reader, std::string_view key) {
  const Json* value = reader.optional(key);
  return value != nullptr && value->kind != Json::Kind::kNull ? value : nullptr;
}

std::string text_or(ObjectReader& reader, std::string_view key, const char* otherwise) {
  const Json* value = reader.optional(key);
  return value != nullptr ? as_text(*value, reader.place_of(key)) : otherwise;
}

ImageRule parse_image(const Json& json, const std::string& place, const Encoding& encoding) {
  ObjectReader reader(json, place);
  ImageRule rule;
  rule.height = encoding.shape[0];
  rule.width = encoding.shape[1];
  rule.resize = choose<ResizeMode>(
      text_or(reader, "resize", "crop"), place + ".resize",
      {{"crop", ResizeMode::kCrop}, {"squash", ResizeMode::kSquash}, {"pad", ResizeMode::kPad}});
  if (const Json* fraction = reader.optional("crop_fraction")) {
    rule.crop_fraction = as_real(*fraction, reader.place_of("crop_fraction"));
    if (!(rule.crop_fraction > 0 && rule.crop_fraction <= 1)) {
      throw FormatError(place + ".crop_fraction: above 0 and up to 1 was expected");
    }
  }
  rule.interpolation =
      choose<Interpolation>(text_or(reader, "interpolation", "bilinear"), place + ".interpolation",
                            {{"bilinear", Interpolation::kBilinear}, {"bicubic", Interpolation::kBicubic}});
  rule.channels = choose<Channels>(text_or(reader, "channels", "rgb"), place + ".channels",
                                   {{"rgb", Channels::kRgb}, {"bgr", Channels::kBgr}, {"gray", Channels::kGray}});
  reader.finish();
  if (encoding.shape[2] != rule.channel_count()) {
    throw FormatError(place + ".channels: the encoding has " + std::to_string(encoding.shape[2]) + " channels");
  }
  if (rule.width > kLargestSide || rule.height > kLargestSide) {
    throw FormatError("encoding.shape: more than " + std::to_string(kLargestSide) + " pixels a side");
  }
  return rule;
}

void check_encoding(const LiveVariant& variant) {
  const bool image = variant.task == LiveVariant::Task::kImageClassification;
  const auto expected = image ? Encoding::Kind::kPixels : Encoding::Kind::kCharacters;
  if (variant.encoding.kind != expected) {
    throw FormatError(std::string("encoding.kind: '") + (image ? "pixels" : "characters") +
                      "' was expected for this task");
  }
}

}  // namespace

LiveVariant parse_live_variant(std::string_view json) {
  const Json document = parse_json(json);
  ObjectReader reader(document, "");
  const int64_t version = reader.integer("live_version", 1);
  if (version > kLiveVersion) {
    throw FormatError("live_version: " + std::to_string(version) + " is newer than this app's " +
                      std::to_string(kLiveVersion) + "; update the app");
  }
  LiveVariant variant;
  variant.name = reader.text("name");
  if (variant.name.empty() || variant.name.size() > 400)
    throw FormatError("name: 1 to 100 characters were expected");
  variant.created_unix_ns = static_cast<uint64_t>(reader.integer("created_unix_ns", 0));
  variant.model = parse_blob(reader.required("model"), "model");
  variant.task = choose<LiveVariant::Task>(reader.text("task"), "task",
                                           {{"image-classification", LiveVariant::Task::kImageClassification},
                                            {"text-classification", LiveVariant::Task::kTextClassification}});
  if (const Json* labels = given(reader, "labels")) variant.labels = parse_blob(*labels, "labels");
  variant.tensor = text_or(reader, "tensor", "");
  variant.encoding = parse_encoding(reader.required("encoding"), "encoding");
  check_encoding(variant);
  const Json* image = given(reader, "image");
  if (variant.task == LiveVariant::Task::kImageClassification) {
    if (image == nullptr) throw FormatError("image: is missing for this task");
    variant.image = parse_image(*image, "image", variant.encoding);
  } else if (image != nullptr) {
    throw FormatError("image: only an image task has it");
  }
  variant.output = text_or(reader, "output", "");
  variant.output_kind = choose<LiveVariant::OutputKind>(
      text_or(reader, "output_kind", "probabilities"), "output_kind",
      {{"probabilities", LiveVariant::OutputKind::kProbabilities}, {"logits", LiveVariant::OutputKind::kLogits}});
  if (const Json* background = reader.optional("background_class")) {
    variant.background_class = as_boolean(*background, "background_class");
  }
  variant.threads = static_cast<int>(reader.integer("threads", 1, 64));
  if (const Json* loading = reader.optional("loading")) variant.loading = parse_loading(*loading, "loading");
  if (const Json* top = reader.optional("top")) variant.top = static_cast<int>(as_integer(*top, "top", 1, 100));
  reader.finish();
  return variant;
}

}  // namespace harness
