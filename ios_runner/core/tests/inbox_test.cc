// The jobs of a root, made of the golden files.
#include "inbox.h"

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <system_error>

#include "check.h"
#include "json.h"

using namespace harness;
namespace fs = std::filesystem;

namespace {

const fs::path kGolden = HARNESS_GOLDEN_FOLDER;

struct Root {
  Root() {
    std::string made = "/tmp/harness-inbox-XXXXXX";
    CHECK(::mkdtemp(made.data()) != nullptr);
    path = made;
  }
  ~Root() { fs::remove_all(path); }

  fs::path add(const std::string& job_id, const std::string& job, const std::string& log) const {
    const fs::path folder = path / "jobs" / job_id;
    fs::create_directories(folder);
    fs::copy_file(kGolden / "valid" / job, folder / "job.json");
    if (!log.empty()) fs::copy_file(kGolden / "valid" / log, folder / "events.jsonl");
    return folder;
  }

  fs::path path;
};

void states_are_told_by_the_log() {
  const Root root;
  CHECK(list_jobs(root.path.string()).empty());
  root.add("r01-tensors", "job-tensors.json", "");
  root.add("r00-int8", "job-pixels.json", "log-iphone.jsonl");
  fs::create_directories(root.path / "jobs" / "no-job");
  const auto jobs = list_jobs(root.path.string());
  CHECK(jobs.size() == 2 && jobs[0].job_id == "r00-int8" && jobs[1].job_id == "r01-tensors");
  CHECK(jobs[0].kind == JobState::Kind::kFinished && !is_waiting(jobs[0]));
  CHECK(jobs[0].steady_samples == 3 && jobs[0].median_latency_ns == 2500U);
  CHECK(jobs[0].peak_footprint_bytes == 35'000'000U && jobs[0].folder_bytes > 1000);
  CHECK(jobs[1].kind == JobState::Kind::kNew && is_waiting(jobs[1]) && !jobs[1].median_latency_ns);
}

void a_failed_job_says_why() {
  const Root root;
  root.add("r00-int8", "job-pixels.json", "log-failed.jsonl");
  const auto jobs = list_jobs(root.path.string());
  CHECK(jobs[0].kind == JobState::Kind::kFailed && contains(jobs[0].problem, "TFL3"));
}

void a_job_under_another_name_is_unreadable() {
  const Root root;
  root.add("r09-other", "job-pixels.json", "");
  const auto jobs = list_jobs(root.path.string());
  CHECK(jobs[0].kind == JobState::Kind::kUnreadable && contains(jobs[0].problem, "not the folder's name"));
}

void deleting_takes_only_a_jobs_folder() {
  const Root root;
  const fs::path folder = root.add("r00-int8", "job-pixels.json", "log-iphone.jsonl");
  const fs::path outside = root.path / "outside";
  fs::create_directories(outside);
  fs::create_directory_symlink(outside, root.path / "jobs" / "link");
  message_of<FormatError>([&] { delete_job(root.path.string(), "../outside"); });
  message_of<std::system_error>([&] { delete_job(root.path.string(), "link"); });
  message_of<std::system_error>([&] { delete_job(root.path.string(), "none"); });
  delete_job(root.path.string(), "r00-int8");
  CHECK(!fs::exists(folder) && fs::exists(outside));
}

}  // namespace

int main() {
  states_are_told_by_the_log();
  a_failed_job_says_why();
  a_job_under_another_name_is_unreadable();
  deleting_takes_only_a_jobs_folder();
}
