// The jobs of a root: what is there, how far each is, and taking one away.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace harness {

struct JobState {
  enum class Kind { kNew, kStarted, kFinished, kFailed, kUnreadable };

  std::string job_id;
  Kind kind = Kind::kNew;
  std::string variant;  // empty where job.json cannot be read
  std::string model_sha256;
  std::string problem;  // of a failed or unreadable job
  uint64_t input_count = 0;
  uint64_t steady_samples = 0;
  uint64_t planned_samples = 0;
  std::optional<uint64_t> median_latency_ns;  // of the steady samples so far
  std::optional<uint64_t> peak_footprint_bytes;
  uint64_t folder_bytes = 0;
};

// All jobs of <root>/jobs that are complete (they have a job.json), in the order of their folders' names.
// Throws std::system_error where the folder is there and cannot be read.
std::vector<JobState> list_jobs(const std::string& root);

// Whether a tap on the app runs it: it has not ended in one way or the other.
bool is_waiting(const JobState& job);

// Removes the job's folder, and the blobs that no other job and no live variant names. Throws FormatError for an
// id that is none, or std::system_error.
void delete_job(const std::string& root, const std::string& job_id);

const char* job_state_name(JobState::Kind kind);

}  // namespace harness
