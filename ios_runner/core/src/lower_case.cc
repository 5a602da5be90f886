#include "lower_case.h"

#include <algorithm>
#include <cstdint>
#include <iterator>

namespace harness {
namespace {

// Every `stride`-th code point from `first` to `last` has its lower case `distance` further on.
struct CaseRange {
  char32_t first;
  char32_t last;
  uint32_t stride;
  int32_t distance;
};

constexpr CaseRange kRanges[] = {
#include "lower_case_table.inc"
};

}  // namespace

char32_t lower_case(char32_t character) {
  const CaseRange* after =
      std::upper_bound(std::begin(kRanges), std::end(kRanges), character,
                       [](char32_t wanted, const CaseRange& range) { return wanted < range.first; });
  if (after == std::begin(kRanges)) return character;
  const CaseRange& range = *std::prev(after);
  if (character > range.last || (character - range.first) % range.stride != 0) return character;
  return static_cast<char32_t>(static_cast<int32_t>(character) + range.distance);
}

}  // namespace harness
