#include "input_encoding.h"

#include <cmath>
#include <limits>

#include "check.h"

using namespace harness;

namespace {

TensorInfo tensor(DType dtype, std::vector<int32_t> shape, float scale, int64_t zero_point) {
  TensorInfo info;
  info.name = "x";
  info.dtype = dtype;
  info.shape = std::move(shape);
  if (scale > 0) info.quantization = Quantization{scale, zero_point};
  return info;
}

void rounds_halves_away_from_zero_and_clamps() {
  const Quantization q{0.5F, 3};
  CHECK(quantize(0.25F, q, -128, 127) == 4);
  CHECK(quantize(-0.25F, q, -128, 127) == 2);
  CHECK(quantize(0.2F, q, -128, 127) == 3);
  CHECK(quantize(1e9F, q, -128, 127) == 127);
  CHECK(quantize(-1e9F, q, -128, 127) == -128);
  CHECK(quantize(std::numeric_limits<float>::infinity(), q, 0, 255) == 255);
  CHECK(quantize(std::nanf(""), q, 0, 255) == 0);
  CHECK(quantize(0, {1, INT64_MAX}, -128, 127) == 127);
}

void normalizes_pixels_by_channel() {
  Encoding encoding;
  encoding.kind = Encoding::Kind::kPixels;
  encoding.shape = {1, 2, 2};
  encoding.mean = {1, 100};
  encoding.scale = {2, 50};
  const uint8_t pixels[] = {0, 255, 5, 50};
  float real[4] = {};
  const TensorInfo floats = tensor(DType::kFloat32, {1, 1, 2, 2}, 0, 0);
  CHECK(encoding_problem(encoding, floats).empty());
  convert_record(encoding, floats, pixels, real);
  CHECK(real[0] == -0.5F && real[1] == 155.0F / 50.0F && real[2] == 2.0F && real[3] == -1.0F);
  uint8_t bytes[4] = {};
  convert_record(encoding, tensor(DType::kUInt8, {4}, 0.5F, 128), pixels, bytes);
  CHECK(bytes[0] == 127 && bytes[1] == 134 && bytes[2] == 132 && bytes[3] == 126);
  int16_t words[4] = {};
  convert_record(encoding, tensor(DType::kInt16, {4}, 0.0001F, 0), pixels, words);
  CHECK(words[0] == -5000 && words[1] == 31000 && words[2] == 20000 && words[3] == -10000);
}

void takes_characters_as_the_model_does() {
  Encoding encoding;
  encoding.kind = Encoding::Kind::kCharacters;
  encoding.dtype = DType::kInt32;
  encoding.shape = {1, 3};
  CHECK(is_plain_copy(encoding, tensor(DType::kInt32, {1, 3}, 0, 0)));
  const int32_t numbers[] = {2, 65537, 0};
  int64_t wide[3] = {};
  const TensorInfo wide_tensor = tensor(DType::kInt64, {1, 3}, 0, 0);
  CHECK(encoding_problem(encoding, wide_tensor).empty() && !is_plain_copy(encoding, wide_tensor));
  convert_record(encoding, wide_tensor, numbers, wide);
  CHECK(wide[0] == 2 && wide[1] == 65537 && wide[2] == 0);
  float real[3] = {};
  convert_record(encoding, tensor(DType::kFloat32, {1, 3}, 0, 0), numbers, real);
  CHECK(real[0] == 2.0F && real[1] == 65537.0F && real[2] == 0.0F);
  CHECK(!encoding_problem(encoding, tensor(DType::kInt8, {1, 3}, 0.1F, 0)).empty());
  CHECK(!encoding_problem(encoding, tensor(DType::kInt32, {1, 4}, 0, 0)).empty());
}

void names_what_does_not_fit() {
  Encoding floats;
  floats.dtype = DType::kFloat32;
  floats.shape = {2, 2};
  CHECK(encoding_problem(floats, tensor(DType::kFloat32, {2, 2}, 0, 0)).empty());
  CHECK(is_plain_copy(floats, tensor(DType::kFloat32, {2, 2}, 0, 0)));
  CHECK(encoding_problem(floats, tensor(DType::kInt8, {2, 2}, 0.1F, 0)).empty());
  CHECK(!encoding_problem(floats, tensor(DType::kInt8, {2, 2}, 0, 0)).empty());
  CHECK(!encoding_problem(floats, tensor(DType::kInt32, {2, 2}, 0.1F, 0)).empty());
  CHECK(!encoding_problem(floats, tensor(DType::kFloat32, {4}, 0, 0)).empty());
  Encoding bytes = floats;
  bytes.dtype = DType::kUInt8;
  CHECK(!encoding_problem(bytes, tensor(DType::kInt8, {2, 2}, 0.1F, 0)).empty());
}

}  // namespace

int main() {
  rounds_halves_away_from_zero_and_clamps();
  normalizes_pixels_by_channel();
  takes_characters_as_the_model_does();
  names_what_does_not_fit();
}
