/* The runner core: runs one job folder of docs/wire-format.md and writes its event log.
 *
 * One opaque handle, used by one thread at a time; only harness_runner_cancel and
 * harness_runner_note_interruption may be called from another thread, the first also from a signal handler. Texts
 * are UTF-8 and zero-terminated.
 */
#ifndef HARNESS_RUNNER_H_
#define HARNESS_RUNNER_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct harness_runner harness_runner;

/* What harness_runner_run did. The first three are the exit statuses of the executable. */
typedef enum harness_runner_status {
  HARNESS_RUNNER_FINISHED = 0, /* the log ends in job_finished */
  HARNESS_RUNNER_UNUSABLE = 2, /* no log could be written, or the call was wrong: see last_error */
  HARNESS_RUNNER_FAILED = 3,   /* the log ends in job_failed */
  HARNESS_RUNNER_CANCELLED = 4 /* stopped on request; the job can be resumed */
} harness_runner_status;

typedef enum harness_runner_thermal_state {
  HARNESS_RUNNER_THERMAL_UNKNOWN = -1,
  HARNESS_RUNNER_THERMAL_NOMINAL = 0,
  HARNESS_RUNNER_THERMAL_FAIR = 1,
  HARNESS_RUNNER_THERMAL_SERIOUS = 2,
  HARNESS_RUNNER_THERMAL_CRITICAL = 3
} harness_runner_thermal_state;

/* Figures the core cannot ask the system for. The core fills in "unknown" before it calls back. */
typedef struct harness_runner_conditions {
  harness_runner_thermal_state thermal_state;
  int32_t low_power_mode; /* 0, 1, or -1: unknown */
  double battery_level;   /* 0 to 1, or -1: unknown */
} harness_runner_conditions;

/* Called between samples, never during one, on the thread of harness_runner_run; at most ten times a second. */
typedef void (*harness_runner_conditions_callback)(void* context, harness_runner_conditions* conditions);

/* What the app noticed while a job runs; each becomes an event of the log. */
typedef enum harness_runner_interruption {
  HARNESS_RUNNER_INACTIVE = 0, /* a call, the notification centre, the app switcher */
  HARNESS_RUNNER_ACTIVE = 1,
  HARNESS_RUNNER_BACKGROUND = 2, /* another app, or the lock screen */
  HARNESS_RUNNER_FOREGROUND = 3,
  HARNESS_RUNNER_MEMORY_WARNING = 4
} harness_runner_interruption;

typedef struct harness_runner_progress {
  const char* stage; /* as in the log; "load" while the model is loaded */
  uint64_t steady_samples;
  uint64_t planned_samples; /* the least number of steady samples */
} harness_runner_progress;

/* Called between stages and between blocks of samples, on the thread of harness_runner_run. */
typedef void (*harness_runner_progress_callback)(void* context, const harness_runner_progress* progress);

/* NULL means: what the core finds out itself. */
typedef struct harness_runner_device {
  const char* target_class; /* "local" (also for NULL), "virtual" or "iphone" */
  const char* model;        /* "iPhone16,2" */
  const char* os;           /* "iOS" */
  const char* os_version;   /* "18.1 (22B83)" */
  const char* cpu;
} harness_runner_device;

/* The version of the runner, and the version of the wire format it writes. */
const char* harness_runner_version(void);
int32_t harness_runner_wire_version(void);
/* "linux-x86_64", "macos-arm64", "ios-arm64", "ios-simulator-arm64". */
const char* harness_runner_platform(void);

/* `runtime_library` is the path of libLiteRt (2.2 or newer), opened when the first job runs.
 * NULL when there is no memory for the handle or `runtime_library` is NULL. */
harness_runner* harness_runner_create(const char* runtime_library);
void harness_runner_destroy(harness_runner* runner);

/* What the log calls the runtime's version: the library cannot tell it. Without it: "unknown". */
void harness_runner_set_runtime_version(harness_runner* runner, const char* version);
void harness_runner_set_device(harness_runner* runner, const harness_runner_device* device);
void harness_runner_set_conditions_callback(harness_runner* runner, harness_runner_conditions_callback callback,
                                            void* context);

void harness_runner_set_progress_callback(harness_runner* runner, harness_runner_progress_callback callback,
                                          void* context);
/* Where the accelerator's library is; without it: beside `runtime_library`. */
void harness_runner_set_accelerator_folder(harness_runner* runner, const char* folder);

/* Safe from any thread, not from a signal handler. */
void harness_runner_note_interruption(harness_runner* runner, harness_runner_interruption kind);

/* Run or resume the job in `job_folder` (<root>/jobs/<job_id>); returns when it is over. */
harness_runner_status harness_runner_run(harness_runner* runner, const char* job_folder);

/* Make a running harness_runner_run stop after the current invocation; asked for before it, that run
 * stops at once. Safe from any thread and from a signal handler. */
void harness_runner_cancel(harness_runner* runner);

/* The model's tensors as one line of JSON, to be freed with harness_runner_free_text; NULL: see last_error. */
char* harness_runner_describe(harness_runner* runner, const char* model_file);
void harness_runner_free_text(char* text);

/* The jobs of a root in the order of their names, as one line of JSON (docs/wire-format.md, "What the runner
 * prints"), to be freed with harness_runner_free_text; NULL: see last_error. */
char* harness_runner_list_jobs(harness_runner* runner, const char* root);
/* Removes a job and the blobs that only it names. 0: see last_error. */
int32_t harness_runner_delete_job(harness_runner* runner, const char* root, const char* job_id);

/* Why the last call did not succeed, or an empty text; valid until the next call on `runner`. */
const char* harness_runner_last_error(const harness_runner* runner);

#ifdef __cplusplus
}
#endif

#endif /* HARNESS_RUNNER_H_ */
