// The C interface: no exception leaves it.
#include <stdlib.h>

#include <atomic>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <string>

#include "errors.h"
#include "event_log.h"
#include "harness_runner.h"
#include "inbox.h"
#include "job_runner.h"
#include "json_writer.h"
#include "model_session.h"
#include "runner_handle.h"

#ifndef HARNESS_VERSION
#error "HARNESS_VERSION comes from the build"
#endif

static_assert(std::atomic<bool>::is_always_lock_free, "harness_runner_cancel runs in signal handlers");

namespace {

using namespace harness;

constexpr char kNoMemory[] = "no memory left";

void replace(std::string& text, const char* value) {
  if (value != nullptr) text = value;
}

std::string jobs_text(const std::string& root) {
  JsonWriter writer;
  writer.begin_object().key("jobs").begin_array();
  for (const JobState& job : list_jobs(root)) {
    writer.begin_object().member("job_id", job.job_id).member("state", job_state_name(job.kind));
    writer.key("waiting").boolean(is_waiting(job));
    writer.member("variant", job.variant).member("model_sha256", job.model_sha256);
    if (!job.problem.empty()) writer.member("problem", job.problem);
    writer.member("input_count", job.input_count).member("steady_samples", job.steady_samples);
    writer.member("planned_samples", job.planned_samples);
    writer.member("median_latency_ns", job.median_latency_ns);
    writer.member("peak_footprint_bytes", job.peak_footprint_bytes);
    writer.member("folder_bytes", job.folder_bytes).end_object();
  }
  writer.end_array().end_object();
  return writer.str();
}

template <typename MakeText>
char* text_or_error(harness_runner* runner, MakeText make_text) {
  runner->last_error.clear();
  try {
    return ::strdup(make_text().c_str());
  } catch (const std::bad_alloc&) {
    remember(runner->last_error, kNoMemory);
  } catch (const std::exception& error) {
    remember(runner->last_error, error.what());
  }
  return nullptr;
}

std::string folder_of(const std::string& file) {
  const size_t slash = file.rfind('/');
  return slash == std::string::npos ? "." : file.substr(0, slash);
}

std::string describe(const harness_runner& runner, const char* model_file) {
  const std::unique_ptr<char, void (*)(void*)> resolved(::realpath(model_file, nullptr), ::free);
  if (resolved == nullptr) throw std::system_error(errno, std::generic_category(), model_file);
  const File model(resolved.get(), 0);
  check_runtime_version(runner.settings.runtime_version);
  const litert::Functions functions = open_litert(runner.settings.runtime_library);
  ModelSession session(functions);
  session.load(model, Loading::kMapped);
  session.compile({}, {});
  JsonWriter writer;
  writer.begin_object();
  write_tensors(writer, session.inputs(), session.outputs());
  writer.end_object();
  return writer.str();
}

}  // namespace

const char* harness_runner_version(void) { return HARNESS_VERSION; }

int32_t harness_runner_wire_version(void) { return static_cast<int32_t>(kWireVersion); }

const char* harness_runner_platform(void) { return platform_name(); }

harness_runner* harness_runner_create(const char* runtime_library) {
  if (runtime_library == nullptr) return nullptr;
  try {
    auto runner = std::make_unique<harness_runner>();
    runner->settings.runtime_library = runtime_library;
    runner->settings.accelerator_folder = folder_of(runtime_library);
    runner->settings.device = read_device_info();
    return runner.release();
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

void harness_runner_destroy(harness_runner* runner) { delete runner; }

void harness_runner_set_runtime_version(harness_runner* runner, const char* version) {
  replace(runner->settings.runtime_version, version);
}

void harness_runner_set_device(harness_runner* runner, const harness_runner_device* device) {
  DeviceInfo& info = runner->settings.device;
  replace(info.target_class, device->target_class);
  replace(info.model, device->model);
  replace(info.os, device->os);
  replace(info.os_version, device->os_version);
  replace(info.cpu, device->cpu);
}

void harness_runner_set_conditions_callback(harness_runner* runner, harness_runner_conditions_callback callback,
                                            void* context) {
  runner->settings.conditions_callback = callback;
  runner->settings.conditions_context = context;
}

void harness_runner_set_progress_callback(harness_runner* runner, harness_runner_progress_callback callback,
                                          void* context) {
  runner->settings.progress_callback = callback;
  runner->settings.progress_context = context;
}

void harness_runner_set_accelerator_folder(harness_runner* runner, const char* folder) {
  replace(runner->settings.accelerator_folder, folder);
}

void harness_runner_note_interruption(harness_runner* runner, harness_runner_interruption kind) {
  try {
    runner->interruptions.add(kind);
  } catch (const std::bad_alloc&) {
    // The log then lacks a note; the job goes on.
  }
}

harness_runner_status harness_runner_run(harness_runner* runner, const char* job_folder) {
  harness_runner_status status = HARNESS_RUNNER_UNUSABLE;
  runner->last_error.clear();
  try {
    if (job_folder == nullptr) throw LogUnwritable("no job folder was given");
    const auto failure = run_job(job_folder, runner->settings, runner->interruptions, runner->cancel);
    status = failure ? HARNESS_RUNNER_FAILED : HARNESS_RUNNER_FINISHED;
    if (failure) remember(runner->last_error, failure->c_str());
  } catch (const Cancelled& cancelled) {
    status = HARNESS_RUNNER_CANCELLED;
    remember(runner->last_error, cancelled.what());
  } catch (const std::bad_alloc&) {
    remember(runner->last_error, kNoMemory);
  } catch (const std::exception& error) {
    remember(runner->last_error, error.what());
  }
  runner->cancel.store(false);
  return status;
}

void harness_runner_cancel(harness_runner* runner) { runner->cancel.store(true); }

char* harness_runner_describe(harness_runner* runner, const char* model_file) {
  return text_or_error(runner, [=] {
    if (model_file == nullptr) throw LogUnwritable("no model file was given");
    return describe(*runner, model_file);
  });
}

char* harness_runner_list_jobs(harness_runner* runner, const char* root) {
  return text_or_error(runner, [=] {
    if (root == nullptr) throw LogUnwritable("no folder was given");
    return jobs_text(root);
  });
}

int32_t harness_runner_delete_job(harness_runner* runner, const char* root, const char* job_id) {
  runner->last_error.clear();
  try {
    if (root == nullptr || job_id == nullptr) throw LogUnwritable("no job was given");
    delete_job(root, job_id);
    return 1;
  } catch (const std::exception& error) {
    remember(runner->last_error, error.what());
  }
  return 0;
}

void harness_runner_free_text(char* text) { ::free(text); }

const char* harness_runner_last_error(const harness_runner* runner) { return runner->last_error.c_str(); }
