#include "job_runner.h"

#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <thread>
#include <utility>

#include "blob_store.h"
#include "clock.h"
#include "conditions.h"
#include "errors.h"
#include "event_log.h"
#include "input_records.h"
#include "job.h"
#include "json.h"
#include "keystrokes.h"
#include "log_history.h"
#include "model_session.h"
#include "operation_profile.h"
#include "output_records.h"
#include "process_peak.h"
#include "sample_loop.h"
#include "thread_quality.h"
#include "weight_cache.h"

namespace harness {
namespace {

struct JobPlace {
  std::string folder;
  std::string name;
  std::string root;
};

JobPlace locate(const std::string& job_folder) {
  const std::unique_ptr<char, void (*)(void*)> resolved(::realpath(job_folder.c_str(), nullptr), ::free);
  if (resolved == nullptr) throw LogUnwritable(job_folder + ": there is no such job folder");
  JobPlace place;
  place.folder = resolved.get();
  const size_t name = place.folder.rfind('/');
  const size_t jobs =
      name == 0 || name == std::string::npos ? std::string::npos : place.folder.rfind('/', name - 1);
  if (jobs == std::string::npos || place.folder.substr(jobs, name - jobs) != "/jobs") {
    throw LogUnwritable(place.folder + ": not a job folder, which is <root>/jobs/<job_id>");
  }
  place.name = place.folder.substr(name + 1);
  place.root = place.folder.substr(0, jobs);
  return place;
}

class Attempt {
 public:
  Attempt(const JobPlace& place, const RunnerSettings& settings, EventLog& log, Interruptions& interruptions,
          const std::atomic<bool>& cancel)
      : place_(place), settings_(settings), log_(log), interruptions_(interruptions), cancel_(cancel) {}

  Stage stage() const { return stage_; }

  void run() {
    if (!resume()) return;
    conditions_ = std::make_unique<ConditionsProbe>(settings_.conditions_callback, settings_.conditions_context);
    start();
    load();
    compile();
    first_run();
    warm_up();
    run_steady();
    run_extra_passes();
    finish();
  }

 private:
  // False where there is nothing left to do.
  bool resume() {
    std::optional<JobError> invalid;
    try {
      job_ = read_job(place_.folder, place_.name);
    } catch (const JobError& error) {
      invalid = error;
    }
    try {
      const std::optional<uint64_t> input_count = invalid ? std::nullopt : std::optional(job_.input_count);
      history_ = read_history(log_.file(), log_.size_bytes(), LogHistoryReader(place_.name, input_count));
    } catch (const FormatError& error) {
      throw JobError(FailureCode::kJobInvalid, error.what());
    }
    if (history_.finished) return false;
    if (invalid) throw *invalid;
    return true;
  }

  void start() {
    peak_is_own_ = owns_process_peak(place_.folder);
    const auto quality_of_service = raise_thread_quality();
    RuntimeInfo runtime;
    runtime.version = settings_.runtime_version;
    runtime.library = settings_.runtime_library;
    runtime.library_bytes = library_file_bytes(settings_.runtime_library);
    log_.job_started(job_.job_id, history_.attempts + 1, runtime, settings_.device, job_.threads,
                     quality_of_service);
    const BlobStore blobs(place_.root, cancel_);
    model_file_ = blobs.open_verified(job_.model);
    for (const JobInput& input : job_.inputs) input_blobs_.push_back(blobs.open_verified(input.blob));
    if (job_.keystrokes) typed_texts_ = read_typed_texts(blobs.open_verified(job_.keystrokes->texts));
    check_runtime_version(settings_.runtime_version);
    litert_ = open_litert(settings_.runtime_library);
    session_ = std::make_unique<ModelSession>(litert_, job_.accelerator, settings_.accelerator_folder);
    end_stage(Stage::kLoad, std::nullopt);
  }

  void load() {
    const uint64_t before = monotonic_ns();
    session_->load(model_file_, job_.loading);
    end_stage(Stage::kCompile, monotonic_ns() - before);
  }

  void compile() {
    const std::vector<size_t> binding = bind_inputs(job_.inputs, session_->inputs());
    shapes_ = record_shapes(job_.inputs, binding, session_->inputs());
    CompileOptions options;
    options.threads = job_.threads;
    std::optional<WeightCache> cache;
    if (job_.loading == Loading::kWeightCache) {
      cache.emplace(place_.root, job_.model.sha256);
      options.weight_cache_file = cache->file();
    }
    const uint64_t before = monotonic_ns();
    session_->compile(options, shapes_);
    const uint64_t duration_ns = monotonic_ns() - before;
    inputs_ = std::make_unique<InputRecords>(job_.inputs, std::move(input_blobs_), binding, session_->inputs());
    for (const TensorInfo& tensor : session_->outputs()) output_record_bytes_ += tensor.size_bytes();
    if (output_record_bytes_ > (uint64_t{1} << 60U) / job_.input_count) {
      throw JobError(FailureCode::kOutputUnsupported, "the outputs of all inputs pass 2^60 bytes");
    }
    const bool recorded_before = history_.steady_samples > 0;
    if (recorded_before && history_.output_record_bytes != output_record_bytes_) {
      throw JobError(FailureCode::kOutputUnsupported,
                     "an earlier attempt wrote output records of another size; remove the log to start over");
    }
    end_stage(Stage::kFirstRun, duration_ns, cache ? cache->settle() : nullptr);
    log_.model_described(session_->inputs(), session_->outputs(), output_record_bytes_);
  }

  void first_run() {
    stop_if_cancelled();
    inputs_->load(0, *session_);
    end_stage(Stage::kWarmup, session_->run_ns());
  }

  void warm_up() {
    loop_ = std::make_unique<SampleLoop>(*session_, *inputs_, log_, *conditions_, cancel_,
                                         [this] { tell_progress(); });
    const uint64_t before = monotonic_ns();
    loop_->warm_up(job_.warmup, job_.input_count);
    end_stage(Stage::kSteady, monotonic_ns() - before);
  }

  void run_steady() {
    outputs_ =
        std::make_unique<OutputRecords>(place_.folder + "/outputs.bin", output_record_bytes_, job_.input_count);
    progress_.samples = history_.steady_samples;
    progress_.repeat_mismatches = history_.repeat_mismatches;
    progress_.elapsed_before_ns = history_.steady_elapsed_ns;
    progress_.recorded = std::move(history_.recorded);
    // A log that reached the disk before the outputs did, when the power went: those inputs run again.
    for (size_t i = 0; i < progress_.recorded.size(); ++i) {
      if (progress_.recorded[i] && !outputs_->reaches(i)) progress_.recorded[i] = false;
    }
    const uint64_t before = monotonic_ns();
    loop_->run_steady(job_.steady, *outputs_, progress_);
    end_stage(Stage::kSteady, monotonic_ns() - before);
  }

  // After the timed pass, so that they change no figure of it; those that measure something else than its session
  // have one of their own.
  void run_extra_passes() {
    if (job_.keystrokes && !history_.typed) type_texts();
    const bool ask = job_.accelerator != Accelerator::kNone && !history_.delegated;
    const bool profile = job_.profile_runs > 0 && !history_.profiled;
    if (!ask && !profile) return;
    const bool has_accelerator = session_->has_accelerator();
    loop_.reset();
    session_.reset();
    if (ask) log_.delegation(delegation(has_accelerator));
    if (profile) log_.profile(profiled_pass(job_.profile_runs, false));
  }

  void type_texts() {
    Typist typist(job_.inputs[0].encoding, *session_);
    std::vector<uint64_t> latency_ns;
    for (const std::string& text : typed_texts_) {
      for (const std::string_view typed : typed_prefixes(text, typist.length())) {
        stop_if_cancelled();
        // Nobody types as fast as a model suggests: meanwhile caches and clocks of the processor cool down.
        std::this_thread::sleep_for(std::chrono::nanoseconds(job_.keystrokes->pause_ns));
        latency_ns.push_back(typist.suggest_ns(typed));
      }
    }
    log_.keystrokes(typed_texts_.size(), latency_ns);
  }

  Delegation delegation(bool has_accelerator) {
    Delegation told;
    told.requested = job_.accelerator;
    const OperationProfile profile = profiled_pass(1, true);
    told.operations = profile.operations;
    told.delegated_operations = profile.delegated_operations;
    told.partitions = profile.partitions;
    told.obtained = has_accelerator && profile.delegated_operations > 0;
    if (!has_accelerator) {
      told.reason = "the runtime found no such accelerator in " + settings_.accelerator_folder;
    } else if (!told.obtained) {
      told.reason = "the accelerator took none of the model's operations";
    }
    return told;
  }

  OperationProfile profiled_pass(uint64_t runs, bool plain_kernels) {
    stop_if_cancelled();
    CompileOptions options;
    options.threads = job_.threads;
    options.profiling = true;
    options.plain_kernels = plain_kernels;
    ModelSession session(litert_, job_.accelerator, settings_.accelerator_folder);
    session.load(model_file_, job_.loading);
    session.compile(options, shapes_);
    inputs_->load(0, session);
    session.run_ns();
    ProfileReader reader(session.operation_count());
    for (uint64_t run = 0; run < runs; ++run) {
      stop_if_cancelled();
      inputs_->load(run % job_.input_count, session);
      const ModelSession::ProfiledRun profiled = session.run_profiled();
      reader.add_run(profiled.duration_ns, profiled.events);
    }
    return reader.profile();
  }

  // Between two blocks of samples.
  void tell_progress() {
    for (const Interruption& interruption : interruptions_.take()) log_.interrupted(interruption);
    if (settings_.progress_callback == nullptr) return;
    harness_runner_progress progress{};
    progress.stage = stage_name(stage_);
    progress.steady_samples = progress_.samples;
    progress.planned_samples = std::max(job_.steady.min_runs, job_.input_count);
    settings_.progress_callback(settings_.progress_context, &progress);
  }

  void finish() {
    FinishedCounts counts;
    counts.steady_samples = progress_.samples;
    counts.output_records = job_.input_count;
    counts.outputs_bytes = output_record_bytes_ * job_.input_count;
    outputs_->file().flush_to_disk();
    counts.outputs_sha256 = hash_file(outputs_->file(), counts.outputs_bytes, cancel_);
    counts.repeat_mismatches = progress_.repeat_mismatches;
    log_.job_finished(counts);
  }

  // Writes down the stage that ended; a failure from here on belongs to `next`.
  void end_stage(Stage next, std::optional<uint64_t> duration_ns, const char* weight_cache = nullptr) {
    Memory memory = read_memory();
    if (!peak_is_own_) memory.peak_resident_bytes = memory.peak_footprint_bytes = std::nullopt;
    log_.stage_finished(stage_, duration_ns, memory, conditions_->read(monotonic_ns()), weight_cache);
    stage_ = next;
    tell_progress();
    stop_if_cancelled();
  }

  void stop_if_cancelled() const {
    if (cancel_.load(std::memory_order_relaxed)) throw Cancelled();
  }

  const JobPlace& place_;
  const RunnerSettings& settings_;
  EventLog& log_;
  Interruptions& interruptions_;
  const std::atomic<bool>& cancel_;
  Stage stage_ = Stage::kStart;

  bool peak_is_own_ = false;
  Job job_;
  LogHistory history_;
  File model_file_;
  std::vector<File> input_blobs_;
  litert::Functions litert_;
  std::unique_ptr<ConditionsProbe> conditions_;
  std::unique_ptr<ModelSession> session_;
  std::unique_ptr<InputRecords> inputs_;
  std::unique_ptr<OutputRecords> outputs_;
  std::unique_ptr<SampleLoop> loop_;
  std::vector<std::vector<int32_t>> shapes_;
  std::vector<std::string> typed_texts_;
  SteadyProgress progress_;
  uint64_t output_record_bytes_ = 0;
};

}  // namespace

std::optional<std::string> run_job(const std::string& job_folder, const RunnerSettings& settings,
                                   Interruptions& interruptions, const std::atomic<bool>& cancel) {
  const JobPlace place = locate(job_folder);
  EventLog log(place.folder + "/events.jsonl", monotonic_ns());
  Attempt attempt(place, settings, log, interruptions, cancel);
  const auto fail = [&](FailureCode code, const std::string& message) {
    log.job_failed(attempt.stage(), code, message);
    return std::optional(message);
  };
  try {
    attempt.run();
    return std::nullopt;
  } catch (const JobError& error) {
    return fail(error.code(), error.what());
  } catch (const std::bad_alloc&) {
    return fail(FailureCode::kOutOfMemory, "no memory left");
  } catch (const std::system_error& error) {
    return fail(FailureCode::kIoFailed, error.what());
  } catch (const std::length_error& error) {
    // A container asked for more than any memory holds.
    return fail(FailureCode::kOutOfMemory, error.what());
  }
}

}  // namespace harness
