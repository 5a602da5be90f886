// From a camera's frame to the record of a model's input, by the rules of harness/workloads/preprocess.py.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "image_resize.h"

namespace harness {

enum class ResizeMode { kCrop, kSquash, kPad };
enum class Channels { kRgb, kBgr, kGray };

constexpr int kLargestSide = 16384;

struct ImageRule {
  int width = 0;  // of the model's input
  int height = 0;
  ResizeMode resize = ResizeMode::kCrop;
  double crop_fraction = 1.0;  // crop only
  Interpolation interpolation = Interpolation::kBilinear;
  Channels channels = Channels::kRgb;

  int channel_count() const { return channels == Channels::kGray ? 1 : 3; }
};

// Upright; blue, green, red and one byte that is not looked at.
struct Frame {
  const uint8_t* bgra = nullptr;
  int width = 0;
  int height = 0;
  size_t row_bytes = 0;
};

struct Box {
  Span across;
  Span down;
};

// The centred box that ResizeMode::kCrop takes.
Box centre_crop(int width, int height, const ImageRule& rule);

class ImageRecorder {
 public:
  explicit ImageRecorder(const ImageRule& rule) : rule_(rule) {}

  // The frame as height x width x channels uint8; valid until the next call.
  const std::vector<uint8_t>& record(const Frame& frame);

 private:
  void prepare(int width, int height);

  ImageRule rule_;
  int frame_width_ = 0;  // that the resizer was made for
  int frame_height_ = 0;
  std::optional<RgbResizer> resizer_;
  size_t offset_ = 0;  // of the resized picture in a padded one, in bytes
  std::vector<uint8_t> rgb_;
  std::vector<uint8_t> channels_;  // in another order, or one alone
};

}  // namespace harness
