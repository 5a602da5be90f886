/* The header is C, and the calls hold what they promise without a runtime. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness_runner.h"

static void check(int holds, const char* text) {
  if (holds) return;
  fprintf(stderr, "%s\n", text);
  exit(1);
}

int main(void) {
  harness_runner* runner;
  harness_runner_device device;
  check(harness_runner_create(NULL) == NULL, "a runner without a library");
  check(harness_runner_wire_version() == 1, "the wire version");
  check(strlen(harness_runner_version()) > 0 && strchr(harness_runner_platform(), '-') != NULL, "names");
  runner = harness_runner_create("/nowhere/libLiteRt.so");
  check(runner != NULL, "a runner");
  memset(&device, 0, sizeof device);
  device.target_class = "iphone";
  harness_runner_set_device(runner, &device);
  harness_runner_set_runtime_version(runner, "2.3.0");
  check(strcmp(harness_runner_last_error(runner), "") == 0, "no error yet");
  check(harness_runner_run(runner, "/nowhere/jobs/job") == HARNESS_RUNNER_UNUSABLE, "a job that is not there");
  check(strstr(harness_runner_last_error(runner), "/nowhere/jobs/job") != NULL, "the error names the folder");
  check(harness_runner_run(runner, NULL) == HARNESS_RUNNER_UNUSABLE, "no job");
  check(harness_runner_describe(runner, "/nowhere/model") == NULL, "a model that is not there");
  check(strlen(harness_runner_last_error(runner)) > 0, "and why");
  harness_runner_destroy(runner);
  harness_runner_destroy(NULL);
  return 0;
}
