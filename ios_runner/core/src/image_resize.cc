#include "image_resize.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace harness {
namespace {

constexpr int kPrecisionBits = 32 - 8 - 2;
constexpr int32_t kHalf = 1 << (kPrecisionBits - 1);
constexpr size_t kChannels = 3;

double bilinear(double x) {
  x = std::fabs(x);
  return x < 1.0 ? 1.0 - x : 0.0;
}

// Keys 1981 with a = -0.5.
double bicubic(double x) {
  constexpr double kA = -0.5;
  x = std::fabs(x);
  if (x < 1.0) return ((kA + 2.0) * x - (kA + 3.0)) * x * x + 1;
  if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * kA;
  return 0.0;
}

uint8_t clipped(int32_t sum) { return static_cast<uint8_t>(std::clamp(sum >> kPrecisionBits, 0, 255)); }

}  // namespace

ResizeAxis::ResizeAxis(int source_size, Span box, int target_size, Interpolation interpolation) {
  is_copy_ = target_size == source_size && box.start == 0 && box.end == source_size;
  const bool cubic = interpolation == Interpolation::kBicubic;
  const double scale = static_cast<double>(box.end - box.start) / target_size;
  const double filter_scale = std::max(scale, 1.0);
  const double support = (cubic ? 2.0 : 1.0) * filter_scale;
  taps_ = static_cast<size_t>(std::ceil(support)) * 2 + 1;
  spans_.resize(static_cast<size_t>(target_size));
  weights_.resize(spans_.size() * taps_);
  std::vector<double> exact(taps_);
  for (int target = 0; target < target_size; ++target) {
    const double centre = box.start + (target + 0.5) * scale;
    Span& span = spans_[static_cast<size_t>(target)];
    span.start = std::max(0, static_cast<int>(centre - support + 0.5));
    span.end = std::min(source_size, static_cast<int>(centre + support + 0.5));
    const int count = span.end - span.start;
    double sum = 0;
    for (int i = 0; i < count; ++i) {
      const double x = (i + span.start - centre + 0.5) * (1.0 / filter_scale);
      exact[static_cast<size_t>(i)] = cubic ? bicubic(x) : bilinear(x);
      sum += exact[static_cast<size_t>(i)];
    }
    int32_t* fixed = &weights_[static_cast<size_t>(target) * taps_];
    for (int i = 0; i < count; ++i) {
      double weight = exact[static_cast<size_t>(i)];
      if (sum != 0.0) weight /= sum;
      fixed[i] = static_cast<int32_t>((weight < 0 ? -0.5 : 0.5) + weight * (1 << kPrecisionBits));
    }
  }
}

Span ResizeAxis::needed() const { return {spans_.front().start, spans_.back().end}; }

RgbResizer::RgbResizer(ResizeAxis across, ResizeAxis down) : across_(std::move(across)), down_(std::move(down)) {
  const Span columns = across_.needed();
  const Span rows = down_.needed();
  source_row_.resize(static_cast<size_t>(columns.end - columns.start) * kChannels);
  rows_.resize(static_cast<size_t>(rows.end - rows.start) * static_cast<size_t>(across_.target_size()) *
               kChannels);
}

void RgbResizer::resize(const ReadRow& read_row, uint8_t* rgb, size_t row_bytes) {
  resize_across(read_row);
  resize_down(rgb, row_bytes);
}

void RgbResizer::resize_across(const ReadRow& read_row) {
  const Span columns = across_.needed();
  const Span rows = down_.needed();
  uint8_t* out = rows_.data();
  for (int y = rows.start; y < rows.end; ++y) {
    if (across_.is_copy()) {
      read_row(y, columns, out);
      out += source_row_.size();
      continue;
    }
    read_row(y, columns, source_row_.data());
    for (int x = 0; x < across_.target_size(); ++x, out += kChannels) {
      const Span& span = across_.span(x);
      const int32_t* weights = across_.weights(x);
      const uint8_t* in = &source_row_[static_cast<size_t>(span.start - columns.start) * kChannels];
      int32_t red = kHalf;
      int32_t green = kHalf;
      int32_t blue = kHalf;
      for (int i = 0; i < span.end - span.start; ++i, in += kChannels) {
        red += in[0] * weights[i];
        green += in[1] * weights[i];
        blue += in[2] * weights[i];
      }
      out[0] = clipped(red);
      out[1] = clipped(green);
      out[2] = clipped(blue);
    }
  }
}

void RgbResizer::resize_down(uint8_t* rgb, size_t row_bytes) const {
  const size_t width_bytes = static_cast<size_t>(across_.target_size()) * kChannels;
  const int first = down_.needed().start;
  std::vector<int32_t> sums(width_bytes);
  for (int y = 0; y < down_.target_size(); ++y, rgb += row_bytes) {
    const Span& span = down_.span(y);
    const uint8_t* in = &rows_[static_cast<size_t>(span.start - first) * width_bytes];
    if (down_.is_copy()) {
      std::copy_n(&rows_[static_cast<size_t>(y) * width_bytes], width_bytes, rgb);
      continue;
    }
    const int32_t* weights = down_.weights(y);
    std::fill(sums.begin(), sums.end(), kHalf);
    for (int i = 0; i < span.end - span.start; ++i, in += width_bytes) {
      for (size_t k = 0; k < width_bytes; ++k) sums[k] += in[k] * weights[i];
    }
    for (size_t k = 0; k < width_bytes; ++k) rgb[k] = clipped(sums[k]);
  }
}

}  // namespace harness
