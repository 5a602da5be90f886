/* The camera and text screens' part of the core: a live variant of docs/wire-format.md, run on one picture or
 * text after another. A handle is used by one thread at a time. Texts are UTF-8 and zero-terminated.
 */
#ifndef HARNESS_LIVE_H_
#define HARNESS_LIVE_H_

#include <stddef.h>
#include <stdint.h>

#include "harness_runner.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct harness_live harness_live;

typedef enum harness_live_task {
  HARNESS_LIVE_IMAGE_CLASSIFICATION = 0,
  HARNESS_LIVE_TEXT_CLASSIFICATION = 1
} harness_live_task;

/* Valid as long as the handle. */
typedef struct harness_live_info {
  const char* name;
  const char* model_sha256;
  harness_live_task task;
  int32_t classes;
  int32_t top; /* labels to show */
  int32_t threads;
  int32_t input_width; /* of the model's picture, in pixels; 0 for text */
  int32_t input_height;
  uint64_t record_bytes; /* of one input */
  uint64_t load_ns;
  uint64_t compile_ns;
} harness_live_info;

/* Upright; four bytes a pixel: blue, green, red, and one that is not looked at (kCVPixelFormatType_32BGRA). */
typedef struct harness_live_frame {
  const uint8_t* bgra;
  int32_t width;
  int32_t height;
  size_t row_bytes;
} harness_live_frame;

typedef struct harness_live_label {
  const char* text; /* valid as long as the handle */
  int32_t class_index;
  float value; /* probability */
} harness_live_label;

/* `runner` gives the runtime; `live_json` is <root>/live/<file>, with blobs below <root>/blobs.
 * NULL: see harness_runner_last_error(runner). */
harness_live* harness_live_open(harness_runner* runner, const char* live_json);
void harness_live_close(harness_live* live);

harness_live_info harness_live_describe(const harness_live* live);

/* Each runs the model once. 0: see harness_live_last_error. */
int32_t harness_live_classify_frame(harness_live* live, const harness_live_frame* frame);
int32_t harness_live_classify_text(harness_live* live, const char* utf8);
/* One record as a job's blob has it. */
int32_t harness_live_classify_record(harness_live* live, const void* record, size_t bytes);

/* What the model would be given, without running it; `record` receives record_bytes. 0: see last_error. */
int32_t harness_live_prepare_frame(harness_live* live, const harness_live_frame* frame, uint8_t* record);
int32_t harness_live_prepare_text(harness_live* live, const char* utf8, uint8_t* record);

/* Of the last invocation alone. */
uint64_t harness_live_latency_ns(const harness_live* live);
/* Of all classes, valid until the next classification. */
const float* harness_live_scores(const harness_live* live);
/* The best of the last scores, best first; returns how many of `capacity` were filled. */
int32_t harness_live_best(const harness_live* live, harness_live_label* labels, int32_t capacity);
/* The last scores join those smoothed over frames (decay 0.75, scores from 0.05, values from 0.01, as
 * CameraExample); the labels to show, best first. Call it once for each frame. */
int32_t harness_live_smooth(harness_live* live, harness_live_label* labels, int32_t capacity);
void harness_live_forget(harness_live* live); /* what was smoothed so far */

const char* harness_live_last_error(const harness_live* live);

#ifdef __cplusplus
}
#endif

#endif /* HARNESS_LIVE_H_ */
