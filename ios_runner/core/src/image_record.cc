#include "image_record.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace harness {
namespace {

constexpr size_t kRgb = 3;
constexpr size_t kBgra = 4;

// Width and height that ResizeMode::kPad gives the whole picture, rounded half up.
std::pair<int, int> fitted_size(int64_t width, int64_t height, const ImageRule& rule) {
  const int64_t target_width = rule.width;
  const int64_t target_height = rule.height;
  if (width * target_height > height * target_width) {
    return {rule.width, static_cast<int>(std::max<int64_t>(1, (2 * height * target_width + width) / (2 * width)))};
  }
  return {static_cast<int>(std::max<int64_t>(1, (2 * width * target_height + height) / (2 * height))),
          rule.height};
}

// ITU-R BT.601 luma in Pillow's fixed point (src/libImaging/Convert.c).
uint8_t luma(const uint8_t* rgb) {
  constexpr uint32_t kRed = 19595;
  constexpr uint32_t kGreen = 38470;
  constexpr uint32_t kBlue = 7471;
  return static_cast<uint8_t>((rgb[0] * kRed + rgb[1] * kGreen + rgb[2] * kBlue + 0x8000U) >> 16U);
}

}  // namespace

Box centre_crop(int width, int height, const ImageRule& rule) {
  double full_width = width;
  double full_height = height;
  // Cross-multiplied: the comparison of two aspects is exact in integers.
  if (int64_t{width} * rule.height > int64_t{height} * rule.width) {
    full_width = static_cast<double>(int64_t{height} * rule.width) / rule.height;
  } else {
    full_height = static_cast<double>(int64_t{width} * rule.height) / rule.width;
  }
  const int crop_width = std::max(1, static_cast<int>(full_width * rule.crop_fraction));
  const int crop_height = std::max(1, static_cast<int>(full_height * rule.crop_fraction));
  const int left = (width - crop_width + 1) / 2;
  const int top = (height - crop_height + 1) / 2;
  return {{left, left + crop_width}, {top, top + crop_height}};
}

void ImageRecorder::prepare(int width, int height) {
  Box box{{0, width}, {0, height}};
  int target_width = rule_.width;
  int target_height = rule_.height;
  offset_ = 0;
  if (rule_.resize == ResizeMode::kCrop) {
    box = centre_crop(width, height, rule_);
  } else if (rule_.resize == ResizeMode::kPad) {
    std::tie(target_width, target_height) = fitted_size(width, height, rule_);
    const int left = (rule_.width - target_width + 1) / 2;
    const int top = (rule_.height - target_height + 1) / 2;
    offset_ = (static_cast<size_t>(top) * static_cast<size_t>(rule_.width) + static_cast<size_t>(left)) * kRgb;
  }
  resizer_.emplace(ResizeAxis(width, box.across, target_width, rule_.interpolation),
                   ResizeAxis(height, box.down, target_height, rule_.interpolation));
  rgb_.assign(static_cast<size_t>(rule_.width) * static_cast<size_t>(rule_.height) * kRgb, 0);
  frame_width_ = width;
  frame_height_ = height;
}

const std::vector<uint8_t>& ImageRecorder::record(const Frame& frame) {
  if (frame.width != frame_width_ || frame.height != frame_height_) prepare(frame.width, frame.height);
  const auto read_row = [&frame](int y, Span columns, uint8_t* rgb) {
    const uint8_t* in = frame.bgra + static_cast<size_t>(y) * frame.row_bytes;
    in += static_cast<size_t>(columns.start) * kBgra;
    for (int x = columns.start; x < columns.end; ++x, in += kBgra, rgb += kRgb) {
      rgb[0] = in[2];
      rgb[1] = in[1];
      rgb[2] = in[0];
    }
  };
  resizer_->resize(read_row, rgb_.data() + offset_, static_cast<size_t>(rule_.width) * kRgb);
  if (rule_.channels == Channels::kGray) {
    channels_.resize(rgb_.size() / kRgb);
    for (size_t i = 0; i < channels_.size(); ++i) channels_[i] = luma(&rgb_[i * kRgb]);
    return channels_;
  }
  if (rule_.channels == Channels::kBgr) {
    channels_.resize(rgb_.size());
    for (size_t i = 0; i < rgb_.size(); i += kRgb) {
      channels_[i] = rgb_[i + 2];
      channels_[i + 1] = rgb_[i + 1];
      channels_[i + 2] = rgb_[i];
    }
    return channels_;
  }
  return rgb_;
}

}  // namespace harness
