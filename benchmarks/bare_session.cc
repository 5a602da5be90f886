// What a program needs at the least to run a model through LiteRT's C API: the base that the runner's memory is
// compared with. The same calls as the runner's model_session.cc in the same order, and no C++ library.
//
//   bare_session LIBRARY MODEL RUNS      prints its peak memory in bytes
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#ifdef __APPLE__
#include <mach/mach.h>
#include <mach/task_info.h>
#endif

#include "litert_api.h"

namespace {

using namespace harness::litert;

struct Functions {
#define DECLARE(name, result, arguments) result(*name) arguments = nullptr;
  HARNESS_LITERT_FUNCTIONS(DECLARE)
#undef DECLARE
};

constexpr size_t kMostTensors = 8;

void need(bool fine, const char* what) {
  if (fine) return;
  std::fprintf(stderr, "bare_session: %s\n", what);
  std::exit(1);
}

unsigned long long peak_bytes() {
#ifdef __APPLE__
  task_vm_info_data_t info{};
  mach_msg_type_number_t count = TASK_VM_INFO_COUNT;
  need(task_info(mach_task_self(), TASK_VM_INFO, reinterpret_cast<task_info_t>(&info), &count) == KERN_SUCCESS,
       "task_info");
  return static_cast<unsigned long long>(info.ledger_phys_footprint_peak);
#else
  FILE* file = std::fopen("/proc/self/status", "r");
  need(file != nullptr, "/proc/self/status");
  char line[256];
  unsigned long long kilobytes = 0;
  while (std::fgets(line, sizeof line, file) != nullptr) {
    if (std::sscanf(line, "VmHWM: %llu kB", &kilobytes) == 1) break;
  }
  std::fclose(file);
  return kilobytes * 1024;
#endif
}

size_t element_bytes(int type) {
  switch (type) {
    case kElementFloat32:
    case kElementInt32: return 4;
    case kElementInt64: return 8;
    case kElementInt16: return 2;
    default: return 1;
  }
}

TensorBuffer make_buffer(const Functions& litert, Environment environment, Tensor tensor, size_t& bytes) {
  RankedTensorType type{};
  need(litert.GetRankedTensorType(tensor, &type) == kOk, "a tensor's type");
  bytes = element_bytes(type.element_type);
  for (unsigned i = 0; i < type.layout.rank; ++i) bytes *= static_cast<size_t>(type.layout.dimensions[i]);
  TensorBuffer buffer = nullptr;
  need(litert.CreateManagedTensorBuffer(environment, kBufferHostMemory, &type, bytes, &buffer) == kOk, "a buffer");
  return buffer;
}

}  // namespace

int main(int argc, char** argv) {
  need(argc == 4, "usage: bare_session LIBRARY MODEL RUNS");
  void* library = ::dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  need(library != nullptr, "the library cannot be opened");
  Functions litert;
#define RESOLVE(name, result, arguments)                                                        \
  litert.name = reinterpret_cast<decltype(litert.name)>(::dlsym(library, "LiteRt" #name)); \
  need(litert.name != nullptr, "the library has no LiteRt" #name);
  HARNESS_LITERT_FUNCTIONS(RESOLVE)
#undef RESOLVE

  EnvOption environment_options[2] = {};
  environment_options[0].tag = kEnvAutoRegisterAccelerators;
  environment_options[0].value.type = kAnyInt;
  environment_options[0].value.int_value = kAcceleratorCpu;
  environment_options[1].tag = kEnvMinLoggerSeverity;
  environment_options[1].value.type = kAnyInt;
  environment_options[1].value.int_value = kLogWarning;
  Environment environment = nullptr;
  need(litert.CreateEnvironment(2, environment_options, &environment) == kOk, "the environment");

  const int descriptor = ::open(argv[2], O_RDONLY);
  struct stat info{};
  need(descriptor >= 0 && ::fstat(descriptor, &info) == 0, "the model cannot be opened");
  const auto size = static_cast<size_t>(info.st_size);
  void* bytes = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
  need(bytes != MAP_FAILED, "the model cannot be mapped");
  Model model = nullptr;
  need(litert.CreateModelFromBuffer(environment, bytes, size, &model) == kOk, "the model");

  Options options = nullptr;
  need(litert.CreateOptions(&options) == kOk, "options");
  need(litert.SetOptionsHardwareAccelerators(options, kAcceleratorCpu) == kOk, "the CPU accelerator");
  OpaqueOptions cpu_options = nullptr;
  need(litert.CreateOpaqueOptions("xnnpack", ::strdup("num_threads = 1\n"), std::free, &cpu_options) == kOk &&
           litert.AddOpaqueOptions(options, cpu_options) == kOk,
       "CPU options");
  CompiledModel compiled = nullptr;
  need(litert.CreateCompiledModel(environment, model, options, &compiled) == kOk, "the compiled model");

  Signature signature = nullptr;
  size_t inputs = 0;
  size_t outputs = 0;
  need(litert.GetModelSignature(model, 0, &signature) == kOk &&
           litert.GetNumSignatureInputs(signature, &inputs) == kOk && inputs <= kMostTensors &&
           litert.GetNumSignatureOutputs(signature, &outputs) == kOk && outputs <= kMostTensors,
       "the signature");
  TensorBuffer input_buffers[kMostTensors] = {};
  TensorBuffer output_buffers[kMostTensors] = {};
  Tensor tensor = nullptr;
  size_t tensor_bytes = 0;
  for (size_t i = 0; i < inputs; ++i) {
    need(litert.GetSignatureInputTensorByIndex(signature, i, &tensor) == kOk, "an input");
    input_buffers[i] = make_buffer(litert, environment, tensor, tensor_bytes);
    void* elements = nullptr;
    need(litert.LockTensorBuffer(input_buffers[i], &elements, kLockWrite) == kOk, "an input's buffer");
    std::memset(elements, 0, tensor_bytes);
    litert.UnlockTensorBuffer(input_buffers[i]);
  }
  for (size_t i = 0; i < outputs; ++i) {
    need(litert.GetSignatureOutputTensorByIndex(signature, i, &tensor) == kOk, "an output");
    output_buffers[i] = make_buffer(litert, environment, tensor, tensor_bytes);
  }
  for (long runs = std::atol(argv[3]); runs > 0; --runs) {
    need(litert.RunCompiledModel(compiled, 0, inputs, input_buffers, outputs, output_buffers) == kOk,
         "the invocation");
  }
  std::printf("%llu\n", peak_bytes());
  return 0;
}
