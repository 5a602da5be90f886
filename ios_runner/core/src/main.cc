// The executable `harness-runner`: arguments in, exit status out.
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <string>
#include <utility>

#include "conditions_file.h"
#include "harness_runner.h"

namespace {

constexpr char kUsage[] =
    "usage: harness-runner run JOB_FOLDER --runtime LIBRARY [--runtime-version V] [--target-class "
    "local|virtual|iphone]\n"
    "                          [--device-model M] [--os NAME] [--os-version V] [--conditions FILE]\n"
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
  const char* conditions = nullptr;
  harness_runner_device device{};
};

// Where the value of an option goes; nullptr for what is no option.
const char** place_of(const char* word, Arguments& arguments) {
  const std::array<std::pair<const char*, const char**>, 7> places{{
      {"--runtime", &arguments.runtime},
      {"--runtime-version", &arguments.runtime_version},
      {"--target-class", &arguments.device.target_class},
      {"--device-model", &arguments.device.model},
      {"--os", &arguments.device.os},
      {"--os-version", &arguments.device.os_version},
      {"--conditions", &arguments.conditions},
  }};
  for (const auto& [option, place] : places) {
    if (std::strcmp(word, option) == 0) return place;
  }
  return nullptr;
}

int wrong_use(const char* problem, const char* word) {
  std::fprintf(stderr, "harness-runner: %s%s\n%s", problem, word, kUsage);
  return HARNESS_RUNNER_UNUSABLE;
}

// False after it said what is wrong.
bool parse(int argc, char** argv, Arguments& arguments) {
  for (int i = 2; i < argc; ++i) {
    const char* word = argv[i];
    const char** place = place_of(word, arguments);
    if (place == nullptr && (word[0] == '-' || arguments.path != nullptr)) {
      wrong_use("unexpected ", word);
      return false;
    }
    if (place == nullptr) {
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

void read_conditions(void* path, harness_runner_conditions* conditions) {
  harness::read_conditions_file(static_cast<const char*>(path), *conditions);
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
  const char* target_class = arguments.device.target_class;
  if (target_class != nullptr && !is_target_class(target_class)) {
    return wrong_use("unknown target class: ", target_class);
  }
  harness_runner* runner = harness_runner_create(arguments.runtime);
  if (runner == nullptr) {
    std::fputs("harness-runner: no memory left\n", stderr);
    return HARNESS_RUNNER_UNUSABLE;
  }
  harness_runner_set_runtime_version(runner, arguments.runtime_version);
  harness_runner_set_device(runner, &arguments.device);
  if (arguments.conditions != nullptr) {
    // The callback's context is not const; the path is only read.
    harness_runner_set_conditions_callback(runner, read_conditions, const_cast<char*>(arguments.conditions));
  }
  // Standard output is for results: what the runtime or its delegates print goes to standard error.
  FILE* out = ::fdopen(::dup(STDOUT_FILENO), "w");
  ::dup2(STDERR_FILENO, STDOUT_FILENO);
  const int status =
      verb == "run" || out == nullptr ? run(runner, arguments.path) : describe(runner, arguments.path, out);
  if (out != nullptr) std::fclose(out);
  harness_runner_destroy(runner);
  return status;
}
