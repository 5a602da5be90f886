#include "model_states.h"

#include <filesystem>
#include <fstream>
#include <iterator>

#include "check.h"
#include "json.h"

using namespace harness;

namespace {

const std::filesystem::path kTiny = std::filesystem::path(HARNESS_GOLDEN_FOLDER).parent_path() / "tiny";

std::string content(const char* name) {
  std::ifstream stream(kTiny / name, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

void finds_the_states_of_a_fused_layer() {
  const std::string model = content("stateful_int32.tflite");
  ModelStates states(model.data(), model.size());
  CHECK(states.count() == 2 && !states.has_hidden());
  std::vector<uint8_t> patched = states.with_inputs(model.data(), model.size());
  CHECK(patched.size() > model.size());
  // The flags are down, so that there is nothing left to find, until they are put up again.
  CHECK(ModelStates(patched.data(), patched.size()).empty());
  states.restore_flags(patched.data());
  CHECK(ModelStates(patched.data(), patched.size()).count() == 2);
}

void leaves_other_models_alone() {
  for (const char* name : {"image_int8.tflite", "tokens_int32.tflite", "two_in_two_out.tflite"}) {
    const std::string model = content(name);
    CHECK(!model.empty() && ModelStates(model.data(), model.size()).empty());
  }
  CHECK(ModelStates("", 0).empty() && ModelStates("TFL3", 4).empty());
}

// Every cut and every changed byte ends in a model, in a refusal, or in no states: never in anything else.
void survives_damage() {
  const std::string model = content("stateful_int32.tflite");
  for (size_t i = 0; i < model.size(); ++i) {
    std::string flipped = model;
    flipped[i] = static_cast<char>(flipped[i] ^ 0x95);
    for (const std::string& damaged : {model.substr(0, i), flipped}) {
      ModelStates states(damaged.data(), damaged.size());
      if (states.empty()) continue;
      try {
        std::vector<uint8_t> patched = states.with_inputs(damaged.data(), damaged.size());
        states.restore_flags(patched.data());
      } catch (const FormatError&) {
      }
    }
  }
}

}  // namespace

int main() {
  finds_the_states_of_a_fused_layer();
  leaves_other_models_alone();
  survives_damage();
}
