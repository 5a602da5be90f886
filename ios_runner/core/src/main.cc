// The executable `harness-runner`: arguments in, exit status out.
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <string>

#include "harness_runner.h"

namespace {

constexpr char kUsage[] =
    "usage: harness-runner run JOB_FOLDER --runtime LIBRARY [--runtime-version V] [--target-class "
    "local|virtual|iphone]\n"
    "       harness-runner describe MODEL --runtime LIBRARY [--runtime-version V]\n"
    "       harness-runner version\n"
    "exit status: 0 finished, 2 wrong use or nothing could be written down, 3 the job failed (see its "
    "events.jsonl)\n";

harness_runner* volatile g_runner = nullptr;
volatile sig_atomic_t g_signal = 0;

extern "C" void on_signal(int number) {
  g_signal = number;
  harness_runner* runner = g_runner;
  if (runner != nullptr) harness_runner_cancel(runner);
}

struct Arguments {
  const char* path = nullptr;
  const char* runtime = nullptr;
  const char* runtime_version = nullptr;
  const char* target_class = nullptr;
};

int wrong_use(const char* problem, const char* word) {
  std::fprintf(stderr, "harness-runner: %s%s\n%s", problem, word, kUsage);
  return HARNESS_RUNNER_UNUSABLE;
}

// False after it said what is wrong.
bool parse(int argc, char** argv, Arguments& arguments) {
  for (int i = 2; i < argc; ++i) {
    const char* word = argv[i];
    const char** place = nullptr;
    if (std::strcmp(word, "--runtime") == 0) {
      place = &arguments.runtime;
    } else if (std::strcmp(word, "--runtime-version") == 0) {
      place = &arguments.runtime_version;
    } else if (std::strcmp(word, "--target-class") == 0) {
      place = &arguments.target_class;
    } else if (word[0] == '-' || arguments.path != nullptr) {
      wrong_use("unexpected ", word);
      return false;
    } else {
      arguments.path = word;
      continue;
    }
    if (++i == argc) {
      wrong_use("a value is missing after ", word);
      return false;
    }
    *place = argv[i];
  }
  if (arguments.path == nullptr) wrong_use("a path is missing", "");
  if (arguments.path != nullptr && arguments.runtime == nullptr) wrong_use("--runtime is missing", "");
  return arguments.path != nullptr && arguments.runtime != nullptr;
}

bool is_target_class(const char* name) {
  return std::strcmp(name, "local") == 0 || std::strcmp(name, "virtual") == 0 || std::strcmp(name, "iphone") == 0;
}

void handle_signals() {
  struct sigaction action{};
  action.sa_handler = on_signal;
  // The second signal of a kind ends the process at once.
  action.sa_flags = SA_RESETHAND | SA_RESTART;
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction before{};
    // A process started with a signal ignored (nohup) keeps ignoring it.
    if (::sigaction(number, nullptr, &before) == 0 && before.sa_handler == SIG_IGN) continue;
    ::sigaction(number, &action, nullptr);
  }
}

int run(harness_runner* runner, const char* job_folder) {
  g_runner = runner;
  handle_signals();
  const harness_runner_status status = harness_runner_run(runner, job_folder);
  if (status == HARNESS_RUNNER_UNUSABLE)
    std::fprintf(stderr, "harness-runner: %s\n", harness_runner_last_error(runner));
  g_runner = nullptr;
  if (status == HARNESS_RUNNER_CANCELLED) {
    const int number = g_signal;
    ::signal(number, SIG_DFL);
    ::raise(number);
  }
  return status;
}

int describe(harness_runner* runner, const char* model, FILE* out) {
  char* text = harness_runner_describe(runner, model);
  if (text == nullptr) {
    std::fprintf(stderr, "harness-runner: %s: %s\n", model, harness_runner_last_error(runner));
    return HARNESS_RUNNER_UNUSABLE;
  }
  std::fprintf(out, "%s\n", text);
  harness_runner_free_text(text);
  return std::fflush(out) == 0 ? HARNESS_RUNNER_FINISHED : HARNESS_RUNNER_UNUSABLE;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string verb = argc > 1 ? argv[1] : "";
  if (verb == "--help" || verb == "-h") {
    std::fputs(kUsage, stdout);
    return HARNESS_RUNNER_FINISHED;
  }
  if (verb == "version") {
    std::printf("{\"version\":\"%s\",\"wire_version\":%d,\"platform\":\"%s\"}\n", harness_runner_version(),
                static_cast<int>(harness_runner_wire_version()), harness_runner_platform());
    return HARNESS_RUNNER_FINISHED;
  }
  if (verb != "run" && verb != "describe") return wrong_use("unknown command: ", verb.c_str());
  Arguments arguments;
  if (!parse(argc, argv, arguments)) return HARNESS_RUNNER_UNUSABLE;
  if (arguments.target_class != nullptr && !is_target_class(arguments.target_class)) {
    return wrong_use("unknown target class: ", arguments.target_class);
  }
  harness_runner* runner = harness_runner_create(arguments.runtime);
  if (runner == nullptr) {
    std::fputs("harness-runner: no memory left\n", stderr);
    return HARNESS_RUNNER_UNUSABLE;
  }
  harness_runner_set_runtime_version(runner, arguments.runtime_version);
  harness_runner_device device{};
  device.target_class = arguments.target_class;
  harness_runner_set_device(runner, &device);
  // Standard output is for results: what the runtime or its delegates print goes to standard error.
  FILE* out = ::fdopen(::dup(STDOUT_FILENO), "w");
  ::dup2(STDERR_FILENO, STDOUT_FILENO);
  const int status =
      verb == "run" || out == nullptr ? run(runner, arguments.path) : describe(runner, arguments.path, out);
  if (out != nullptr) std::fclose(out);
  harness_runner_destroy(runner);
  return status;
}
