#include "sample_loop.h"

#include <utility>

#include "clock.h"
#include "errors.h"

namespace harness {
namespace {

constexpr size_t kMostSamplesInBlock = 32;
constexpr uint64_t kLongestBlockNs = 250'000'000;

}  // namespace

bool phase_is_over(const StopRule& rule, uint64_t runs, uint64_t elapsed_ns) {
  if (rule.max_duration_ns > 0 && elapsed_ns >= rule.max_duration_ns) return true;
  return runs >= rule.min_runs && elapsed_ns >= rule.min_duration_ns;
}

SampleLoop::SampleLoop(ModelSession& session, InputRecords& inputs, EventLog& log, ConditionsProbe& conditions,
                       const std::atomic<bool>& cancel, std::function<void()> after_block)
    : session_(session),
      inputs_(inputs),
      log_(log),
      conditions_(conditions),
      cancel_(cancel),
      after_block_(std::move(after_block)) {}

uint64_t SampleLoop::measure(uint64_t input) {
  inputs_.load(input, session_);
  return session_.run_ns();
}

void SampleLoop::add(Stage phase, uint64_t input, uint64_t latency_ns, bool mismatch) {
  const uint64_t now = monotonic_ns();
  if (block_.inputs.empty()) block_start_ns_ = now;
  block_.inputs.push_back(input);
  block_.latency_ns.push_back(latency_ns);
  block_.repeat_mismatches += mismatch ? 1 : 0;
  // The next sample is expected to take as long as this one: what would end after the limit starts a new block.
  if (block_.inputs.size() >= kMostSamplesInBlock || now - block_start_ns_ + latency_ns >= kLongestBlockNs) {
    flush(phase);
  }
}

void SampleLoop::flush(Stage phase) {
  if (block_.inputs.empty()) return;
  const uint64_t now = monotonic_ns();
  std::optional<Conditions> conditions;
  if (conditions_.is_due(now)) conditions = conditions_.read(now);
  log_.samples(phase, block_, conditions);
  block_.inputs.clear();
  block_.latency_ns.clear();
  block_.repeat_mismatches = 0;
  after_block_();
}

void SampleLoop::stop_if_cancelled(Stage phase) {
  if (!cancel_.load(std::memory_order_relaxed)) return;
  flush(phase);
  throw Cancelled();
}

void SampleLoop::warm_up(const StopRule& rule, uint64_t input_count) {
  const uint64_t start = monotonic_ns();
  for (uint64_t runs = 0; !phase_is_over(rule, runs, monotonic_ns() - start); ++runs) {
    stop_if_cancelled(Stage::kWarmup);
    const uint64_t input = runs % input_count;
    add(Stage::kWarmup, input, measure(input), false);
  }
  flush(Stage::kWarmup);
}

void SampleLoop::run_steady(const StopRule& rule, OutputRecords& outputs, SteadyProgress& progress) {
  const uint64_t start = monotonic_ns();
  const uint64_t input_count = progress.recorded.size();
  uint64_t unrecorded = 0;
  while (true) {
    while (unrecorded < input_count && progress.recorded[unrecorded]) ++unrecorded;
    const bool all_recorded = unrecorded == input_count;
    const uint64_t elapsed_ns = progress.elapsed_before_ns + (monotonic_ns() - start);
    if (all_recorded && phase_is_over(rule, progress.samples, elapsed_ns)) break;
    stop_if_cancelled(Stage::kSteady);
    const uint64_t input = all_recorded ? progress.samples % input_count : unrecorded;
    const uint64_t latency_ns = measure(input);
    bool mismatch = false;
    if (all_recorded) {
      mismatch = !outputs.matches(input, session_);
    } else {
      outputs.write(input, session_);
      progress.recorded[input] = true;
    }
    progress.repeat_mismatches += mismatch ? 1 : 0;
    ++progress.samples;
    add(Stage::kSteady, input, latency_ns, mismatch);
  }
  flush(Stage::kSteady);
}

}  // namespace harness
