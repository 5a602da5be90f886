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

// Rows of pixels, `row_bytes` apart.
struct Rows {
  uint8_t* bytes;
  size_t row_bytes;
};

uint8_t clipped(int32_t sum) { return static_cast<uint8_t>(std::clamp(sum >> kPrecisionBits, 0, 255)); }

void resize_across(const ResizeAxis& axis, Rows from, Rows to, int row_count) {
  const int first = axis.needed().start;
  for (int y = 0; y < row_count; ++y, from.bytes += from.row_bytes, to.bytes += to.row_bytes) {
    if (axis.is_copy()) {
      std::copy_n(from.bytes, from.row_bytes, to.bytes);
      continue;
    }
    uint8_t* out = to.bytes;
    for (int x = 0; x < axis.target_size(); ++x, out += kChannels) {
      const Span& span = axis.span(x);
      const int32_t* weights = axis.weights(x);
      const uint8_t* in = from.bytes + static_cast<size_t>(span.start - first) * kChannels;
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

// `sums` has one place for each byte of a row of `from`.
void resize_down(const ResizeAxis& axis, Rows from, Rows to, std::vector<int32_t>& sums) {
  const int first = axis.needed().start;
  for (int y = 0; y < axis.target_size(); ++y, to.bytes += to.row_bytes) {
    const Span& span = axis.span(y);
    if (axis.is_copy()) {
      std::copy_n(from.bytes + static_cast<size_t>(y) * from.row_bytes, sums.size(), to.bytes);
      continue;
    }
    const uint8_t* in = from.bytes + static_cast<size_t>(span.start - first) * from.row_bytes;
    const int32_t* weights = axis.weights(y);
    std::fill(sums.begin(), sums.end(), kHalf);
    for (int i = 0; i < span.end - span.start; ++i, in += from.row_bytes) {
      for (size_t k = 0; k < sums.size(); ++k) sums[k] += in[k] * weights[i];
    }
    for (size_t k = 0; k < sums.size(); ++k) to.bytes[k] = clipped(sums[k]);
  }
}

}  // namespace

ResizeAxis::ResizeAxis(int source_size, Span box, int target_size, Interpolation interpolation)
    : source_size_(source_size) {
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

RgbResizer::RgbResizer(ResizeAxis across, ResizeAxis down)
    : across_(std::move(across)),
      down_(std::move(down)),
      // Which pass comes first changes the rounding; this is Pillow's rule, by the whole picture's size.
      across_first_(
          !(down_.source_size() > down_.target_size() &&
            down_.source_size() - down_.target_size() > (across_.source_size() - across_.target_size()) * 2)) {
  const auto columns = static_cast<size_t>(across_.needed().end - across_.needed().start);
  const auto rows = static_cast<size_t>(down_.needed().end - down_.needed().start);
  const auto width = static_cast<size_t>(across_.target_size());
  const auto height = static_cast<size_t>(down_.target_size());
  source_.resize(rows * columns * kChannels);
  between_.resize((across_first_ ? rows * width : height * columns) * kChannels);
  sums_.resize((across_first_ ? width : columns) * kChannels);
}

void RgbResizer::resize(const ReadRow& read_row, uint8_t* rgb, size_t row_bytes) {
  const Span columns = across_.needed();
  const Span rows = down_.needed();
  const size_t source_row = static_cast<size_t>(columns.end - columns.start) * kChannels;
  const size_t width = static_cast<size_t>(across_.target_size()) * kChannels;
  for (int y = rows.start; y < rows.end; ++y) {
    read_row(y, columns, &source_[static_cast<size_t>(y - rows.start) * source_row]);
  }
  if (across_first_) {
    resize_across(across_, {source_.data(), source_row}, {between_.data(), width}, rows.end - rows.start);
    resize_down(down_, {between_.data(), width}, {rgb, row_bytes}, sums_);
  } else {
    resize_down(down_, {source_.data(), source_row}, {between_.data(), source_row}, sums_);
    resize_across(across_, {between_.data(), source_row}, {rgb, row_bytes}, down_.target_size());
  }
}

}  // namespace harness
