// What stands around a job: profiles added up, peaks, notes of interruptions, the state of a weight cache.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "check.h"
#include "clock.h"
#include "conditions.h"
#include "interruptions.h"
#include "operation_profile.h"
#include "process_peak.h"
#include "weight_cache.h"

using namespace harness;

namespace {

litert::ProfiledEvent event(const char* tag, int type, uint64_t index, uint64_t elapsed_us, uint64_t graph = 0) {
  litert::ProfiledEvent made{};
  made.tag = tag;
  made.type = type;
  made.metadata1 = index;
  made.metadata2 = graph;
  made.elapsed_us = elapsed_us;
  return made;
}

void profiles_add_up_by_place() {
  constexpr int kInvoke = 1;
  ProfileReader reader(7);
  for (const uint64_t us : {10U, 30U}) {
    reader.add_run(
        1000,
        {event("Invoke", kInvoke, 0, 999), event("Conv", litert::kEventDelegateOperation, 0, us),
         event("Conv", litert::kEventDelegateOperation, 1, us), event("CUSTOM", litert::kEventOperation, 3, 5),
         event("Gemm", litert::kEventDelegateOperation, 0, 1),
         event("LITERT_METAL", litert::kEventOperation, 8, 7), event("WHILE", litert::kEventOperation, 6, 9),
         event("ADD", litert::kEventOperation, 0, 2, 1), event("ADD", litert::kEventOperation, 0, 2, 1)});
  }
  const OperationProfile& profile = reader.profile();
  CHECK(profile.runs == 2 && profile.invocations_ns == 2000 && profile.operations == 7);
  // CUSTOM and WHILE were left to the runtime; the two ADD are of the loop's body.
  CHECK(profile.delegated_operations == 5 && profile.partitions == 3);
  CHECK(profile.times.size() == 8);
  CHECK(profile.times[0].name == "Conv" && profile.times[0].delegated && profile.times[0].total_ns == 40'000);
  CHECK(profile.times[2].name == "CUSTOM" && !profile.times[2].delegated && profile.times[2].runs == 2);
  CHECK(profile.times[4].name == "LITERT_METAL" && profile.times[4].delegated);
}

void two_partitions_in_a_row_are_two() {
  ProfileReader reader(3);
  reader.add_run(
      1, {event("A", litert::kEventDelegateOperation, 0, 1), event("B", litert::kEventDelegateOperation, 1, 1),
          event("A", litert::kEventDelegateOperation, 0, 1)});
  CHECK(reader.profile().partitions == 2 && reader.profile().delegated_operations == 3);
}

void a_peak_is_the_first_owners_alone() {
  CHECK(owns_process_peak("one") && owns_process_peak("one"));
  CHECK(!owns_process_peak("two"));
  CHECK(!owns_process_peak("one"));
}

void interruptions_are_taken_once_in_order() {
  Interruptions interruptions;
  interruptions.add(HARNESS_RUNNER_BACKGROUND);
  interruptions.add(HARNESS_RUNNER_FOREGROUND);
  interruptions.add(static_cast<harness_runner_interruption>(99));
  const auto taken = interruptions.take();
  CHECK(taken.size() == 2 && taken[0].kind == "background" && taken[1].kind == "foreground");
  CHECK(taken[0].unix_ns > 1'600'000'000'000'000'000U && taken[1].unix_ns >= taken[0].unix_ns);
  CHECK(interruptions.take().empty());
  for (int i = 0; i < 2000; ++i) interruptions.add(HARNESS_RUNNER_MEMORY_WARNING);
  CHECK(interruptions.take().size() == 1000);
}

void write(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

void a_weight_cache_is_built_replaced_or_used() {
  std::string root = "/tmp/harness-weight-cache-XXXXXX";
  CHECK(::mkdtemp(root.data()) != nullptr);
  const std::string kept = root + "/weight-caches/abc.xnnpack";
  const WeightCache missing(root, "abc");
  CHECK(missing.file() != kept);
  message_of<std::system_error>([&] { missing.settle(); });
  write(missing.file(), "packed");
  CHECK(std::string(missing.settle()) == "built" && ::access(kept.c_str(), R_OK) == 0);
  const WeightCache there(root, "abc");
  CHECK(there.file() == kept && std::string(there.settle()) == "used");
  write(kept, "packed anew");
  CHECK(std::string(there.settle()) == "built");
  std::remove(kept.c_str());
  ::rmdir((root + "/weight-caches").c_str());
  ::rmdir(root.c_str());
}

void sleep_is_what_one_clock_gains_on_the_other() {
  const uint64_t before = time_slept_ns();
  CHECK(time_slept_ns() - before < 10'000'000 || before - time_slept_ns() < 10'000'000);
  ConditionsProbe probe(nullptr, nullptr);
  CHECK(probe.read(monotonic_ns()).suspended_ns == 0U);
}

}  // namespace

int main() {
  profiles_add_up_by_place();
  two_partitions_in_a_row_are_two();
  a_peak_is_the_first_owners_alone();
  interruptions_are_taken_once_in_order();
  a_weight_cache_is_built_replaced_or_used();
  sleep_is_what_one_clock_gains_on_the_other();
}
