// Resizing as Pillow's Image.resize does it, to the bit: what the harness prepares its inputs with.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace harness {

enum class Interpolation { kBilinear, kBicubic };

// A stretch of source pixels, [start, end).
struct Span {
  int start = 0;
  int end = 0;
};

// One axis: for each target pixel the source pixels it is made of and their weights. The fixed-point weights and
// their rounding are those of src/libImaging/Resample.c of Pillow 13 (8 bits a channel).
class ResizeAxis {
 public:
  // `box` of `source_size` pixels becomes `target_size`.
  ResizeAxis(int source_size, Span box, int target_size, Interpolation interpolation);

  // All source pixels that any target pixel needs; they may lie outside the box.
  Span needed() const;
  bool is_copy() const { return is_copy_; }
  int source_size() const { return source_size_; }
  int target_size() const { return static_cast<int>(spans_.size()); }
  const Span& span(int target) const { return spans_[static_cast<size_t>(target)]; }
  const int32_t* weights(int target) const { return &weights_[static_cast<size_t>(target) * taps_]; }

 private:
  std::vector<Span> spans_;
  std::vector<int32_t> weights_;
  size_t taps_ = 0;
  int source_size_ = 0;
  bool is_copy_ = false;
};

// Resizes red, green and blue, interleaved.
class RgbResizer {
 public:
  // Writes the pixels of row `y` from column `columns.start` on.
  using ReadRow = std::function<void(int y, Span columns, uint8_t* rgb)>;

  RgbResizer(ResizeAxis across, ResizeAxis down);

  // `rgb` receives down.target_size() rows of across.target_size() pixels, `row_bytes` apart.
  void resize(const ReadRow& read_row, uint8_t* rgb, size_t row_bytes);

 private:
  ResizeAxis across_;
  ResizeAxis down_;
  bool across_first_;
  std::vector<uint8_t> source_;   // the pixels needed
  std::vector<uint8_t> between_;  // after the first pass
  std::vector<int32_t> sums_;
};

}  // namespace harness
