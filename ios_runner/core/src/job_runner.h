// One attempt at a job: from the job folder to the end of its event log.
#pragma once

#include <atomic>
#include <optional>
#include <string>

#include "device_info.h"
#include "harness_runner.h"
#include "interruptions.h"
#include "litert_library.h"

namespace harness {

struct RunnerSettings {
  std::string runtime_library;
  std::string runtime_version = "unknown";
  DeviceInfo device;
  harness_runner_conditions_callback conditions_callback = nullptr;
  void* conditions_context = nullptr;
  harness_runner_progress_callback progress_callback = nullptr;
  void* progress_context = nullptr;
  std::string accelerator_folder;
};

// Why the log now ends in job_failed; nothing where it ends in job_finished.
// Throws LogUnwritable or Cancelled.
std::optional<std::string> run_job(const std::string& job_folder, const RunnerSettings& settings,
                                   Interruptions& interruptions, const std::atomic<bool>& cancel);

}  // namespace harness
