#include "inbox.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <set>
#include <system_error>

#include "errors.h"
#include "file.h"
#include "job.h"
#include "job_values.h"
#include "live_variant.h"
#include "log_history.h"

namespace harness {
namespace {

namespace fs = std::filesystem;

uint64_t median(std::vector<uint64_t> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>((values.size() - 1) / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

uint64_t folder_bytes(const fs::path& folder) {
  uint64_t total = 0;
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
    std::error_code failed;
    const uint64_t size = entry.file_size(failed);
    if (!failed) total += size;
  }
  return total;
}

void read_log(const fs::path& folder, const std::optional<Job>& job, JobState& state) {
  const fs::path path = folder / "events.jsonl";
  if (!fs::exists(path)) return;
  const File file(path.string(), O_RDONLY);
  const auto count = job ? std::optional(job->input_count) : std::nullopt;
  const LogHistory history = read_history(file, file.size_bytes(), LogHistoryReader(state.job_id, count));
  state.steady_samples = history.steady_samples;
  state.peak_footprint_bytes = history.peak_footprint_bytes;
  if (!history.steady_latency_ns.empty()) state.median_latency_ns = median(history.steady_latency_ns);
  if (history.finished) {
    state.kind = JobState::Kind::kFinished;
  } else if (history.failure) {
    state.kind = JobState::Kind::kFailed;
    state.problem = *history.failure;
  } else if (history.attempts > 0) {
    state.kind = JobState::Kind::kStarted;
  }
}

JobState state_of(const fs::path& folder) {
  JobState state;
  state.job_id = folder.filename().string();
  state.folder_bytes = folder_bytes(folder);
  try {
    const Job job = read_job(folder.string(), state.job_id);
    state.variant = job.variant;
    state.model_sha256 = job.model.sha256;
    state.input_count = job.input_count;
    state.planned_samples = std::max(job.steady.min_runs, job.input_count);
    read_log(folder, job, state);
  } catch (const std::exception& error) {
    state.kind = JobState::Kind::kUnreadable;
    state.problem = error.what();
  }
  return state;
}

std::vector<fs::path> sorted_entries(const fs::path& folder) {
  std::vector<fs::path> entries;
  std::error_code failed;
  fs::directory_iterator iterator(folder, failed);
  if (failed == std::errc::no_such_file_or_directory) return entries;
  if (failed) throw std::system_error(failed, folder.string());
  for (const fs::directory_entry& entry : iterator) entries.push_back(entry.path());
  std::sort(entries.begin(), entries.end());
  return entries;
}

// The hashes of all blobs that a job or a live variant of the root names. Throws FormatError for one that cannot
// be read: what it needs is not known.
std::set<std::string> blobs_in_use(const fs::path& root) {
  std::set<std::string> used;
  for (const fs::path& folder : sorted_entries(root / "jobs")) {
    if (!fs::exists(folder / "job.json")) throw FormatError(folder.string() + ": is not whole yet");
    const Job job = parse_job(read_document((folder / "job.json").string()));
    used.insert(job.model.sha256);
    for (const JobInput& input : job.inputs) used.insert(input.blob.sha256);
  }
  for (const fs::path& file : sorted_entries(root / "live")) {
    if (file.extension() != ".json") continue;
    const LiveVariant variant = parse_live_variant(read_document(file.string()));
    used.insert(variant.model.sha256);
    if (variant.labels) used.insert(variant.labels->sha256);
  }
  return used;
}

}  // namespace

std::vector<JobState> list_jobs(const std::string& root) {
  std::vector<JobState> jobs;
  for (const fs::path& folder : sorted_entries(fs::path(root) / "jobs")) {
    std::error_code failed;
    if (fs::is_directory(fs::symlink_status(folder, failed)) && fs::exists(folder / "job.json", failed)) {
      jobs.push_back(state_of(folder));
    }
  }
  return jobs;
}

bool is_waiting(const JobState& job) {
  return job.kind == JobState::Kind::kNew || job.kind == JobState::Kind::kStarted;
}

void delete_job(const std::string& root, const std::string& job_id) {
  if (!is_job_id(job_id)) throw FormatError("'" + job_id + "' is no job's id");
  const fs::path folder = fs::path(root) / "jobs" / job_id;
  if (!fs::is_directory(fs::symlink_status(folder))) {
    throw std::system_error(ENOENT, std::generic_category(), folder.string());
  }
  std::set<std::string> named;
  try {
    const Job job = parse_job(read_document((folder / "job.json").string()));
    named.insert(job.model.sha256);
    for (const JobInput& input : job.inputs) named.insert(input.blob.sha256);
  } catch (const std::exception&) {
    // What it named is not known; the blobs stay.
  }
  // The file that makes it a job goes first: what is left of a deletion that was cut off is then no job.
  fs::remove(folder / "job.json");
  fs::remove_all(folder);
  std::set<std::string> used;
  try {
    used = blobs_in_use(root);
  } catch (const FormatError&) {
    return;
  }
  for (const std::string& sha256 : named) {
    if (used.count(sha256) != 0) continue;
    fs::remove(fs::path(root) / "blobs" / sha256);
    fs::remove(fs::path(root) / "blobs" / (sha256 + ".verified"));
    fs::remove(fs::path(root) / "weight-caches" / (sha256 + ".xnnpack"));
  }
}

const char* job_state_name(JobState::Kind kind) {
  switch (kind) {
    case JobState::Kind::kNew: return "new";
    case JobState::Kind::kStarted: return "started";
    case JobState::Kind::kFinished: return "finished";
    case JobState::Kind::kFailed: return "failed";
    case JobState::Kind::kUnreadable: return "unreadable";
  }
  return "";
}

}  // namespace harness
