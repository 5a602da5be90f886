// `harness-runner classify` and `prepare`: the camera and text screens without a screen.
#pragma once

#include <cstdio>

#include "harness_runner.h"

namespace harness {

// Reads standard input to its end, as `form` says: "record" (records as a job's blob has them), "text" (a text a
// line) or "WIDTHxHEIGHT" (frames of that size, blue, green, red and one more byte for each pixel). For each of
// them writes a line of JSON with the scores, or, with `prepare`, the record that the model would get. Returns an
// exit status; messages go to standard error.
int run_live_command(harness_runner* runner, const char* live_json, const char* form, bool prepare, FILE* out);

}  // namespace harness
