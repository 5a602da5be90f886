// The camera and text screens' parts: frames, live variants, smoothed labels. That frames become Pillow's pixels,
// and scores the interpreter's, tests/contract/test_live_inference.py holds.
#include <cmath>
#include <string>
#include <vector>

#include "check.h"
#include "image_record.h"
#include "json.h"
#include "label_smoother.h"
#include "live_session.h"
#include "live_variant.h"
#include "output_values.h"

using namespace harness;

namespace {

std::vector<uint8_t> picture(int width, int height) {
  std::vector<uint8_t> bgra(static_cast<size_t>(width) * static_cast<size_t>(height) * 4);
  for (size_t i = 0; i < bgra.size(); ++i) bgra[i] = static_cast<uint8_t>(i * 37 + i / 11);
  return bgra;
}

void a_frame_of_the_models_size_is_copied() {
  ImageRule rule;
  rule.width = 3;
  rule.height = 2;
  const std::vector<uint8_t> bgra = picture(3, 2);
  ImageRecorder recorder(rule);
  const std::vector<uint8_t>& record = recorder.record({bgra.data(), 3, 2, 12});
  CHECK(record.size() == 18);
  for (size_t i = 0; i < 6; ++i) {
    CHECK(record[i * 3] == bgra[i * 4 + 2] && record[i * 3 + 1] == bgra[i * 4 + 1] &&
          record[i * 3 + 2] == bgra[i * 4]);
  }
}

void rows_may_be_padded() {
  ImageRule rule;
  rule.width = rule.height = 4;
  const std::vector<uint8_t> tight = picture(9, 7);
  std::vector<uint8_t> padded(7 * 64, 255);
  for (size_t y = 0; y < 7; ++y) std::copy_n(&tight[y * 36], 36, &padded[y * 64]);
  ImageRecorder one(rule);
  ImageRecorder other(rule);
  CHECK(one.record({tight.data(), 9, 7, 36}) == other.record({padded.data(), 9, 7, 64}));
}

// Under the sanitizers: no size reads or writes where it must not.
void any_size_becomes_a_record() {
  for (const ResizeMode mode : {ResizeMode::kCrop, ResizeMode::kSquash, ResizeMode::kPad}) {
    for (const Channels channels : {Channels::kRgb, Channels::kBgr, Channels::kGray}) {
      ImageRule rule;
      rule.width = 5;
      rule.height = 7;
      rule.resize = mode;
      rule.channels = channels;
      rule.crop_fraction = 0.7;
      rule.interpolation = channels == Channels::kBgr ? Interpolation::kBicubic : Interpolation::kBilinear;
      ImageRecorder recorder(rule);
      for (int width = 1; width < 24; width += 3) {
        for (int height = 1; height < 40; height += 7) {
          const std::vector<uint8_t> bgra = picture(width, height);
          const auto& record = recorder.record({bgra.data(), width, height, static_cast<size_t>(width) * 4});
          CHECK(record.size() == 35U * static_cast<size_t>(rule.channel_count()));
        }
      }
    }
  }
}

void labels_fade_in_and_out() {
  LabelSmoother smoother({0.75, 0.05, 0.01, 2});
  const float first[] = {0.8F, 0.04F, 0.1F, 0.06F};
  auto shown = smoother.add(first, 4);
  CHECK(shown.size() == 2 && shown[0].class_index == 0 && shown[1].class_index == 2);
  CHECK(std::fabs(shown[0].value - 0.2) < 1e-6);
  const float none[] = {0, 0, 0, std::nanf("")};
  shown = smoother.add(none, 4);
  CHECK(std::fabs(shown[0].value - 0.15) < 1e-6);
  for (int i = 0; i < 20; ++i) shown = smoother.add(none, 4);
  CHECK(shown.empty());
  smoother.add(first, 4);
  smoother.reset();
  CHECK(smoother.add(none, 4).empty());
}

void best_classes_are_ordered_and_ties_go_by_number() {
  CHECK(best_classes({0.1F, 0.5F, std::nanf(""), 0.5F}, 3) == std::vector<size_t>({1, 3, 0}));
  CHECK(best_classes({0.1F, std::nanf("")}, 9) == std::vector<size_t>({0, 1}));
  CHECK(best_classes({}, 5).empty());
}

std::string variant_text() {
  return R"({"live_version":1,"name":"int8","created_unix_ns":1,"model":{"sha256":")" + std::string(64, 'a') +
         R"(","bytes":9},"task":"image-classification","labels":null,"tensor":"","encoding":{"kind":"pixels",)"
         R"("shape":[4,6,3],"mean":[0,0,0],"scale":[1,1,1]},"image":{"resize":"pad","crop_fraction":0.5,)"
         R"("interpolation":"bicubic","channels":"bgr"},"output":"o","output_kind":"logits",)"
         R"("background_class":true,"threads":2,"loading":"heap","top":3})";
}

void a_live_variant_is_read_whole() {
  const LiveVariant variant = parse_live_variant(variant_text());
  CHECK(variant.name == "int8" && variant.image && variant.image->width == 6 && variant.image->height == 4);
  CHECK(variant.image->resize == ResizeMode::kPad && variant.image->channels == Channels::kBgr);
  CHECK(variant.image->interpolation == Interpolation::kBicubic && variant.image->crop_fraction == 0.5);
  CHECK(variant.output_kind == LiveVariant::OutputKind::kLogits && variant.background_class);
  CHECK(variant.threads == 2 && variant.loading == Loading::kHeap && variant.top == 3 && !variant.labels);
}

void a_live_variant_survives_damage() {
  survive_damage<FormatError>(variant_text(), [](const std::string& text) { parse_live_variant(text); });
}

}  // namespace

int main() {
  a_frame_of_the_models_size_is_copied();
  rows_may_be_padded();
  any_size_becomes_a_record();
  labels_fade_in_and_out();
  best_classes_are_ordered_and_ties_go_by_number();
  a_live_variant_is_read_whole();
  a_live_variant_survives_damage();
}
