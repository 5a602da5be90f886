// The executable `harness-runner`: arguments in, exit status out.
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>
#include <utility>
#include <vector>

#include "conditions_file.h"
#include "harness_runner.h"
#include "inbox.h"
#include "live_command.h"

namespace {

constexpr char kUsage[] =
    "usage: harness-runner run JOB_FOLDER --runtime LIBRARY [--runtime-version V] [--target-class "
    "local|virtual|iphone]\n"
    "                          [--device-model M] [--os NAME] [--os-version V] [--conditions FILE]\n"
    "       harness-runner describe MODEL --runtime LIBRARY [--runtime-version V]\n"
    "       harness-runner run-inbox ROOT --runtime LIBRARY [...]\n"
    "                          every job of ROOT that has not ended, one after another in one process\n"
    "       harness-runner jobs ROOT\n"
    "       harness-runner delete ROOT --job JOB_ID\n"
    "       harness-runner classify LIVE_JSON --runtime LIBRARY [--as record|text|WIDTHxHEIGHT] < INPUTS\n"
    "       harness-runner prepare LIVE_JSON --runtime LIBRARY --as text|WIDTHxHEIGHT < INPUTS > RECORDS\n"
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
  const char* job = nullptr;
  const char* form = nullptr;
  harness_runner_device device{};
};

// Where the value of an option goes; nullptr for what is no option.
const char** place_of(const char* word, Arguments& arguments) {
  const std::array<std::pair<const char*, const char**>, 9> places{{
      {"--runtime", &arguments.runtime},
      {"--runtime-version", &arguments.runtime_version},
      {"--target-class", &arguments.device.target_class},
      {"--device-model", &arguments.device.model},
      {"--os", &arguments.device.os},
      {"--os-version", &arguments.device.os_version},
      {"--conditions", &arguments.conditions},
      {"--job", &arguments.job},
      {"--as", &arguments.form},
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
bool parse(int argc, char** argv, bool needs_runtime, Arguments& arguments) {
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
  const bool has_runtime = arguments.runtime != nullptr || !needs_runtime;
  if (arguments.path != nullptr && !has_runtime) wrong_use("--runtime is missing", "");
  return arguments.path != nullptr && has_runtime;
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

int fail(harness_runner* runner, const char* what) {
  std::fprintf(stderr, "harness-runner: %s: %s\n", what, harness_runner_last_error(runner));
  return HARNESS_RUNNER_UNUSABLE;
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

// What a tap on the app does. The exit status is the worst of the jobs'.
int run_inbox(harness_runner* runner, const std::string& root) {
  std::vector<harness::JobState> jobs;
  try {
    jobs = harness::list_jobs(root);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "harness-runner: %s\n", error.what());
    return HARNESS_RUNNER_UNUSABLE;
  }
  int worst = HARNESS_RUNNER_FINISHED;
  for (const harness::JobState& job : jobs) {
    if (!harness::is_waiting(job)) continue;
    const int status = run(runner, (root + "/jobs/" + job.job_id).c_str());
    if (status != HARNESS_RUNNER_FINISHED && worst != HARNESS_RUNNER_UNUSABLE) worst = status;
  }
  return worst;
}

int print(harness_runner* runner, const char* what, char* text, FILE* out) {
  if (text == nullptr) return fail(runner, what);
  std::fprintf(out, "%s\n", text);
  harness_runner_free_text(text);
  return std::fflush(out) == 0 ? HARNESS_RUNNER_FINISHED : HARNESS_RUNNER_UNUSABLE;
}

int delete_job(harness_runner* runner, const Arguments& arguments) {
  if (arguments.job == nullptr) return wrong_use("--job is missing", "");
  if (harness_runner_delete_job(runner, arguments.path, arguments.job) == 0) return fail(runner, arguments.path);
  return HARNESS_RUNNER_FINISHED;
}

struct Verb {
  const char* name;
  bool needs_runtime;
  int (*act)(harness_runner* runner, const Arguments& arguments, FILE* out);
};

constexpr std::array<Verb, 7> kVerbs{{
    {"run", true,
     [](harness_runner* runner, const Arguments& arguments, FILE*) { return run(runner, arguments.path); }},
    {"run-inbox", true,
     [](harness_runner* runner, const Arguments& arguments, FILE*) { return run_inbox(runner, arguments.path); }},
    {"describe", true,
     [](harness_runner* runner, const Arguments& arguments, FILE* out) {
       return print(runner, arguments.path, harness_runner_describe(runner, arguments.path), out);
     }},
    {"jobs", false,
     [](harness_runner* runner, const Arguments& arguments, FILE* out) {
       return print(runner, arguments.path, harness_runner_list_jobs(runner, arguments.path), out);
     }},
    {"delete", false,
     [](harness_runner* runner, const Arguments& arguments, FILE*) { return delete_job(runner, arguments); }},
    {"classify", true,
     [](harness_runner* runner, const Arguments& arguments, FILE* out) {
       return harness::run_live_command(runner, arguments.path, arguments.form, false, out);
     }},
    {"prepare", true,
     [](harness_runner* runner, const Arguments& arguments, FILE* out) {
       return harness::run_live_command(runner, arguments.path, arguments.form, true, out);
     }},
}};

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
  const auto* const command =
      std::find_if(kVerbs.begin(), kVerbs.end(), [&verb](const Verb& known) { return verb == known.name; });
  if (command == kVerbs.end()) return wrong_use("unknown command: ", verb.c_str());
  Arguments arguments;
  if (!parse(argc, argv, command->needs_runtime, arguments)) return HARNESS_RUNNER_UNUSABLE;
  const char* target_class = arguments.device.target_class;
  if (target_class != nullptr && !is_target_class(target_class)) {
    return wrong_use("unknown target class: ", target_class);
  }
  harness_runner* runner = harness_runner_create(arguments.runtime != nullptr ? arguments.runtime : "");
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
  const int status = command->act(runner, arguments, out != nullptr ? out : stderr);
  if (out != nullptr) std::fclose(out);
  harness_runner_destroy(runner);
  return status;
}
