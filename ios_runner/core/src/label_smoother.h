// Labels that do not flicker: scores smoothed over frames, as TensorFlow's CameraExample for iOS did.
#pragma once

#include <cstddef>
#include <map>
#include <vector>

namespace harness {

struct SmoothingRule {
  double decay = 0.75;        // of a label's value with each frame; a new score counts with the rest
  double least_score = 0.05;  // of a frame, to be looked at
  double least_value = 0.01;  // smoothed, to be kept
  size_t most = 5;            // labels shown
};

struct SmoothedLabel {
  size_t class_index = 0;
  double value = 0;
};

class LabelSmoother {
 public:
  explicit LabelSmoother(const SmoothingRule& rule) : rule_(rule) {}

  // value = decay * value + (1 - decay) * score. The labels to show, best first, ties by their number.
  std::vector<SmoothedLabel> add(const float* scores, size_t count);
  void reset() { values_.clear(); }

 private:
  SmoothingRule rule_;
  std::map<size_t, double> values_;
};

}  // namespace harness
