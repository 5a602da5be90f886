#include "label_smoother.h"

#include <algorithm>

namespace harness {

std::vector<SmoothedLabel> LabelSmoother::add(const float* scores, size_t count) {
  for (auto& [index, value] : values_) value *= rule_.decay;
  for (size_t i = 0; i < count; ++i) {
    // A score that is not a number is none.
    if (scores[i] > rule_.least_score) values_[i] += (1 - rule_.decay) * static_cast<double>(scores[i]);
  }
  std::vector<SmoothedLabel> labels;
  for (auto entry = values_.begin(); entry != values_.end();) {
    if (entry->second < rule_.least_value) {
      entry = values_.erase(entry);
      continue;
    }
    labels.push_back({entry->first, entry->second});
    ++entry;
  }
  std::stable_sort(labels.begin(), labels.end(),
                   [](const SmoothedLabel& a, const SmoothedLabel& b) { return a.value > b.value; });
  if (labels.size() > rule_.most) labels.resize(rule_.most);
  return labels;
}

}  // namespace harness
