// The golden jobs of fixtures/wire, and what they leave open.
#include "job.h"

#include <filesystem>
#include <fstream>
#include <iterator>

#include "check.h"
#include "json.h"

using namespace harness;

namespace {

const std::filesystem::path kGolden = HARNESS_GOLDEN_FOLDER;

std::string content(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

void reads_the_valid_jobs() {
  const Job job = parse_job(content(kGolden / "valid" / "job-pixels.json"));
  CHECK(job.model.bytes == 5270000 && job.first_input == 100 && job.input_count == 2 && job.threads == 2);
  CHECK(job.inputs[0].encoding.kind == Encoding::Kind::kPixels);
  CHECK(job.inputs[0].encoding.scale == std::vector<float>({128, 128, 128}));
  CHECK(job.steady.max_duration_ns == 5'000'000'000);
  const Job tensors = parse_job(content(kGolden / "valid" / "job-tensors.json"));
  CHECK(tensors.inputs.size() == 2 && tensors.inputs[1].tensor == "mask" && tensors.loading == Loading::kHeap);
  CHECK(tensors.inputs[0].encoding.record_bytes() == 48);
  const Job text = parse_job(content(kGolden / "valid" / "job-characters.json"));
  CHECK(text.inputs[0].encoding.kind == Encoding::Kind::kCharacters && text.inputs[0].encoding.lowercase);
  CHECK(text.inputs[0].encoding.record_bytes() == 480 && contains(text.inputs[0].encoding.alphabet, "\xC3\x9F"));
  const Job accelerated = parse_job(content(kGolden / "valid" / "job-accelerated.json"));
  CHECK(accelerated.loading == Loading::kWeightCache && accelerated.accelerator == Accelerator::kMetal);
  CHECK(accelerated.profile_runs == 20);
  const Job typed = parse_job(content(kGolden / "valid" / "job-keystrokes.json"));
  CHECK(!text.keystrokes && typed.keystrokes && typed.keystrokes->texts.bytes == 40);
  CHECK(typed.keystrokes->pause_ns == 20'000'000);
  const Job sparse = parse_job(content(kGolden / "valid" / "job-defaults-left-out.json"));
  CHECK(sparse.loading == Loading::kMapped && sparse.inputs[0].tensor.empty() &&
        sparse.warmup.max_duration_ns == 0 && sparse.accelerator == Accelerator::kNone &&
        sparse.profile_runs == 0);
}

void refuses_the_invalid_jobs() {
  size_t seen = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kGolden / "invalid")) {
    if (entry.path().filename().string().rfind("job-", 0) != 0) continue;
    const std::string text = content(entry.path());
    CHECK(!message_of<FormatError>([&] { parse_job(text); }).empty());
    ++seen;
  }
  CHECK(seen > 20);
  CHECK(
      contains(message_of<FormatError>([] { parse_job(content(kGolden / "invalid" / "job-newer-version.json")); }),
               "update the runner"));
}

void survives_damage() {
  survive_damage<FormatError>(content(kGolden / "valid" / "job-pixels.json"),
                              [](const std::string& text) { parse_job(text); });
}

}  // namespace

int main() {
  reads_the_valid_jobs();
  refuses_the_invalid_jobs();
  survives_damage();
}
