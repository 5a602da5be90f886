#include "model_states.h"

#include <cstring>
#include <limits>

#include "json.h"

namespace harness {
namespace {

// Fields by their number in the schema.
constexpr size_t kModelSubgraphs = 2;
constexpr size_t kModelSignatures = 7;
constexpr size_t kGraphTensors = 0;
constexpr size_t kGraphInputs = 1;
constexpr size_t kTensorIsVariable = 5;
constexpr size_t kSignatureInputs = 0;
constexpr size_t kSignatureGraph = 4;
constexpr size_t kMapName = 0;
constexpr size_t kMapTensor = 1;

// Reads a FlatBuffer without a schema; every place is checked. Throws FormatError.
class Flat {
 public:
  Flat(const void* data, size_t size) : data_(static_cast<const uint8_t*>(data)), size_(size) {}

  template <typename Number>
  Number at(size_t place) const {
    if (place > size_ || size_ - place < sizeof(Number)) throw FormatError("a place outside the file");
    Number number;
    std::memcpy(&number, data_ + place, sizeof(number));
    return number;
  }

  size_t root() const { return target(0); }
  // Where the offset at `place` leads.
  size_t target(size_t place) const { return place + at<uint32_t>(place); }
  // The place of a table's field; 0 where it is left out.
  size_t field(size_t table, size_t number) const {
    const size_t vtable = table - static_cast<size_t>(static_cast<ptrdiff_t>(at<int32_t>(table)));
    const size_t entry = 4 + 2 * number;
    if (entry + 2 > at<uint16_t>(vtable)) return 0;
    const uint16_t offset = at<uint16_t>(vtable + entry);
    return offset == 0 ? 0 : table + offset;
  }
  // The vector that a field holds; its elements of 4 bytes are `size` from `first` on.
  struct Vector {
    size_t first = 0;
    uint32_t size = 0;
  };
  Vector vector(size_t table, size_t number) const {
    const size_t place = field(table, number);
    if (place == 0) return {};
    const size_t start = target(place);
    const Vector vector{start + 4, at<uint32_t>(start)};
    if (vector.size > size_ / 4) throw FormatError("a vector longer than the file");
    return vector;
  }
  std::string text(size_t table, size_t number) const {
    const size_t place = field(table, number);
    if (place == 0) return "";
    const size_t start = target(place);
    const uint32_t length = at<uint32_t>(start);
    if (start > size_ || size_ - start < size_t{4} + length) throw FormatError("a text longer than the file");
    return {reinterpret_cast<const char*>(data_) + start + 4, length};
  }

 private:
  const uint8_t* data_;
  size_t size_;
};

// Appends to a FlatBuffer; an offset leads to what comes later, so what holds it is written first.
class Appender {
 public:
  explicit Appender(std::vector<uint8_t>& bytes) : bytes_(bytes) {
    while (bytes_.size() % 8 != 0) bytes_.push_back(0);
  }

  size_t end() const { return bytes_.size(); }
  template <typename Number>
  size_t add(Number number) {
    const size_t place = end();
    bytes_.resize(place + sizeof(number));
    std::memcpy(bytes_.data() + place, &number, sizeof(number));
    return place;
  }
  void lead(size_t place, size_t target) {
    if (target - place > std::numeric_limits<uint32_t>::max()) throw FormatError("a model beyond 4 GiB");
    const auto offset = static_cast<uint32_t>(target - place);
    std::memcpy(bytes_.data() + place, &offset, sizeof(offset));
  }
  size_t text(const std::string& text) {
    const size_t place = add(static_cast<uint32_t>(text.size()));
    bytes_.insert(bytes_.end(), text.begin(), text.end());
    do {
      bytes_.push_back(0);
    } while (bytes_.size() % 4 != 0);
    return place;
  }

 private:
  std::vector<uint8_t>& bytes_;
};

struct NamedTensor {
  std::string name;
  uint32_t tensor = 0;
};

void append_signature_inputs(Appender& out, size_t field, const std::vector<NamedTensor>& inputs) {
  constexpr uint16_t kVtableBytes = 8;
  constexpr uint16_t kTableBytes = 12;
  const size_t vtable = out.add(kVtableBytes);
  out.add(kTableBytes);
  out.add(uint16_t{4});  // name
  out.add(uint16_t{8});  // tensor_index
  out.lead(field, out.add(static_cast<uint32_t>(inputs.size())));
  const size_t first = out.end();
  for (size_t i = 0; i < inputs.size(); ++i) out.add(uint32_t{0});
  std::vector<size_t> names;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const size_t table = out.end();
    out.lead(first + 4 * i, table);
    out.add(static_cast<int32_t>(table - vtable));
    names.push_back(out.add(uint32_t{0}));
    out.add(inputs[i].tensor);
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    const size_t name = out.text(inputs[i].name);
    out.lead(names[i], name);
  }
}

}  // namespace

ModelStates::ModelStates(const void* data, size_t size) {
  try {
    const Flat flat(data, size);
    const size_t model = flat.root();
    const Flat::Vector graphs = flat.vector(model, kModelSubgraphs);
    const Flat::Vector signatures = flat.vector(model, kModelSignatures);
    uint32_t main_graph = 0;
    if (signatures.size > 0) {
      signature_ = flat.target(signatures.first);
      const size_t place = flat.field(signature_, kSignatureGraph);
      if (place != 0) main_graph = flat.at<uint32_t>(place);
    }
    for (uint32_t g = 0; g < graphs.size; ++g) {
      const size_t graph = flat.target(graphs.first + size_t{4} * g);
      if (g == main_graph) graph_ = graph;
      const Flat::Vector tensors = flat.vector(graph, kGraphTensors);
      for (uint32_t t = 0; t < tensors.size; ++t) {
        const size_t tensor = flat.target(tensors.first + size_t{4} * t);
        const size_t flag = flat.field(tensor, kTensorIsVariable);
        if (flag == 0 || flat.at<uint8_t>(flag) == 0) continue;
        has_hidden_ = has_hidden_ || g != main_graph;
        tensors_.push_back(t);
        flag_places_.push_back(flag);
      }
    }
  } catch (const FormatError&) {
    tensors_.clear();
    flag_places_.clear();
  }
}

std::vector<uint8_t> ModelStates::with_inputs(const void* data, size_t size) {
  const Flat flat(data, size);
  std::vector<uint8_t> bytes(static_cast<const uint8_t*>(data), static_cast<const uint8_t*>(data) + size);
  for (const size_t place : flag_places_) bytes[place] = 0;
  Appender out(bytes);
  const size_t graph_inputs = flat.field(graph_, kGraphInputs);
  if (graph_inputs == 0) throw FormatError("a model with states takes no inputs");
  const Flat::Vector inputs = flat.vector(graph_, kGraphInputs);
  out.lead(graph_inputs, out.add(static_cast<uint32_t>(inputs.size + tensors_.size())));
  for (uint32_t i = 0; i < inputs.size; ++i) out.add(flat.at<uint32_t>(inputs.first + size_t{4} * i));
  for (const uint32_t tensor : tensors_) out.add(tensor);
  // The runtime then makes one of the graph's own inputs.
  if (signature_ == 0) return bytes;
  const size_t signature_inputs = flat.field(signature_, kSignatureInputs);
  if (signature_inputs == 0) throw FormatError("the signature of a model with states takes no inputs");
  const Flat::Vector maps = flat.vector(signature_, kSignatureInputs);
  std::vector<NamedTensor> named;
  for (uint32_t i = 0; i < maps.size; ++i) {
    const size_t map = flat.target(maps.first + size_t{4} * i);
    const size_t tensor = flat.field(map, kMapTensor);
    named.push_back({flat.text(map, kMapName), tensor == 0 ? 0 : flat.at<uint32_t>(tensor)});
  }
  for (size_t i = 0; i < tensors_.size(); ++i) named.push_back({kStatePrefix + std::to_string(i), tensors_[i]});
  append_signature_inputs(out, signature_inputs, named);
  return bytes;
}

void ModelStates::restore_flags(uint8_t* model) const {
  for (const size_t place : flag_places_) model[place] = 1;
}

}  // namespace harness
