// Warm-up and steady state: one invocation after another, each timed alone, written down in blocks.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <vector>

#include "conditions.h"
#include "event_log.h"
#include "input_records.h"
#include "job.h"
#include "model_session.h"
#include "output_records.h"

namespace harness {

// A phase is over when both minima are met, or its longest duration has passed.
bool phase_is_over(const StopRule& rule, uint64_t runs, uint64_t elapsed_ns);

struct SteadyProgress {
  uint64_t samples = 0;
  uint64_t repeat_mismatches = 0;
  uint64_t elapsed_before_ns = 0;  // in earlier attempts
  std::vector<bool> recorded;      // by input: its output record is valid
};

class SampleLoop {
 public:
  SampleLoop(ModelSession& session, InputRecords& inputs, EventLog& log, ConditionsProbe& conditions,
             const std::atomic<bool>& cancel, std::function<void()> after_block);

  // Both throw JobError, std::system_error, LogUnwritable, and Cancelled after the last block is written.
  void warm_up(const StopRule& rule, uint64_t input_count);
  void run_steady(const StopRule& rule, OutputRecords& outputs, SteadyProgress& progress);

 private:
  uint64_t measure(uint64_t input);
  void add(Stage phase, uint64_t input, uint64_t latency_ns, bool mismatch);
  void flush(Stage phase);
  void stop_if_cancelled(Stage phase);

  ModelSession& session_;
  InputRecords& inputs_;
  EventLog& log_;
  ConditionsProbe& conditions_;
  const std::atomic<bool>& cancel_;
  std::function<void()> after_block_;
  SampleBlock block_;
  uint64_t block_start_ns_ = 0;
};

}  // namespace harness
