// Variable tensors: what a fused recurrent layer remembers from one invocation to the next.
//
// LiteRT's compiled models refuse them ("Variable tensors not yet supported"), though the interpreter below runs
// them, takes memory of the caller's for any input, and leaves what it wrote there alone. So the copy of the file
// that the runtime gets names them as inputs too: then their memory is ours, and is cleared before each
// invocation, which is what ResetVariableTensors does. The flag by which they are refused is put down for the
// loading alone. Offsets and fields: schema.fbs of TensorFlow Lite, version 3, and the FlatBuffers binary format;
// both only ever grow.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace harness {

class ModelStates {
 public:
  // Looks at a whole .tflite. Bytes that are none have no states: the runtime says what is wrong with them.
  ModelStates(const void* data, size_t size);

  bool empty() const { return tensors_.empty(); }
  size_t count() const { return tensors_.size(); }
  // Whether some are in a graph that the signature only calls, such as a loop's body: those cannot be reached.
  bool has_hidden() const { return has_hidden_; }

  // `model` again, with its states as further inputs, behind the others, of names that begin with kStatePrefix.
  // Their flags are down. Throws FormatError.
  std::vector<uint8_t> with_inputs(const void* data, size_t size);
  // Puts the flags up again, in the bytes that with_inputs gave.
  void restore_flags(uint8_t* model) const;

 private:
  std::vector<uint32_t> tensors_;    // indices in the signature's graph
  std::vector<size_t> flag_places_;  // of their flags `is_variable`
  bool has_hidden_ = false;
  size_t graph_ = 0;      // the place of the signature's SubGraph
  size_t signature_ = 0;  // of its SignatureDef; 0: none
};

constexpr char kStatePrefix[] = "harness_state_";

}  // namespace harness
