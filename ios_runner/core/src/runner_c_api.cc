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
#include "job_runner.h"
#include "json_writer.h"
#include "model_session.h"

#ifndef HARNESS_VERSION
#error "HARNESS_VERSION comes from the build"
#endif

struct harness_runner {
  harness::RunnerSettings settings;
  harness::Interruptions interruptions;
  std::atomic<bool> cancel{false};
  std::string last_error;
};

static_assert(std::atomic<bool>::is_always_lock_free, "harness_runner_cancel runs in signal handlers");

namespace {

using namespace harness;

constexpr char kNoMemory[] = "no memory left";

void remember(harness_runner* runner, const char* message) {
  try {
    runner->last_error = message;
  } catch (const std::bad_alloc&) {
    runner->last_error.clear();
  }
}

void replace(std::string& text, const char* value) {
  if (value != nullptr) text = value;
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
    if (failure) remember(runner, failure->c_str());
  } catch (const Cancelled& cancelled) {
    status = HARNESS_RUNNER_CANCELLED;
    remember(runner, cancelled.what());
  } catch (const std::bad_alloc&) {
    remember(runner, kNoMemory);
  } catch (const std::exception& error) {
    remember(runner, error.what());
  }
  runner->cancel.store(false);
  return status;
}

void harness_runner_cancel(harness_runner* runner) { runner->cancel.store(true); }

char* harness_runner_describe(harness_runner* runner, const char* model_file) {
  runner->last_error.clear();
  try {
    if (model_file == nullptr) throw LogUnwritable("no model file was given");
    return ::strdup(describe(*runner, model_file).c_str());
  } catch (const std::bad_alloc&) {
    remember(runner, kNoMemory);
  } catch (const std::exception& error) {
    remember(runner, error.what());
  }
  return nullptr;
}

void harness_runner_free_text(char* text) { ::free(text); }

const char* harness_runner_last_error(const harness_runner* runner) { return runner->last_error.c_str(); }
