// The part of LiteRT's C API that the runner uses, declared here so that no third-party header is needed.
// Shapes and values as published for LiteRT 2.2 and 2.3 (litert/c/*.h of github.com/google-ai-edge/LiteRT).
#pragma once

#include <cstddef>
#include <cstdint>

namespace harness::litert {

using Status = int;
constexpr Status kOk = 0;
constexpr Status kMemoryAllocationFailure = 2;

struct EnvironmentT;
struct ModelT;
struct SignatureT;
struct TensorT;
struct OptionsT;
struct OpaqueOptionsT;
struct CompiledModelT;
struct TensorBufferT;
struct SubgraphT;
struct AcceleratorT;
struct ProfilerT;

using Environment = EnvironmentT*;
using Model = ModelT*;
using Signature = SignatureT*;
using Tensor = TensorT*;
using Options = OptionsT*;
using OpaqueOptions = OpaqueOptionsT*;
using CompiledModel = CompiledModelT*;
using TensorBuffer = TensorBufferT*;
using Subgraph = SubgraphT*;
using Accelerator = AcceleratorT*;
using Profiler = ProfilerT*;

constexpr size_t kMaxRank = 8;

struct Layout {
  unsigned int rank : 7;
  unsigned int has_strides : 1;
  int32_t dimensions[kMaxRank];
  uint32_t strides[kMaxRank];
};
static_assert(sizeof(Layout) == 68 && offsetof(Layout, dimensions) == 4 && offsetof(Layout, strides) == 36);

struct RankedTensorType {
  int element_type;
  Layout layout;
};
static_assert(sizeof(RankedTensorType) == 72 && offsetof(RankedTensorType, layout) == 4);

constexpr int kElementFloat32 = 1;
constexpr int kElementInt32 = 2;
constexpr int kElementUInt8 = 3;
constexpr int kElementInt64 = 4;
constexpr int kElementBool = 6;
constexpr int kElementInt16 = 7;
constexpr int kElementInt8 = 9;

struct QuantizationPerTensor {
  float scale;
  int64_t zero_point;
};
static_assert(sizeof(QuantizationPerTensor) == 16 && offsetof(QuantizationPerTensor, zero_point) == 8);

constexpr int kQuantizationPerTensor = 1;

struct Any {
  int type;
  union {
    bool bool_value;
    int64_t int_value;
    double real_value;
    const char* str_value;
    const void* ptr_value;
  };
};
static_assert(sizeof(Any) == 16);
constexpr int kAnyInt = 2;
constexpr int kAnyString = 8;

struct EnvOption {
  int tag;
  Any value;
};
static_assert(sizeof(EnvOption) == 24 && offsetof(EnvOption, value) == 8);

constexpr int kEnvRuntimeLibraryDir = 22;
constexpr int kEnvAutoRegisterAccelerators = 24;
constexpr int kEnvMinLoggerSeverity = 25;
constexpr int64_t kLogWarning = 2;

constexpr int kAcceleratorCpu = 1;
constexpr int kAcceleratorGpu = 2;
constexpr int kBufferHostMemory = 1;
constexpr int kLockRead = 0;
constexpr int kLockWrite = 1;

// An operation that no delegate took; `metadata1` is its index in the graph, or, at or above the graph's count of
// operations, that of a delegate's partition.
constexpr int kEventOperation = 2;
// An operation inside a delegate that tells its own; `metadata1` counts from 0 in each partition.
constexpr int kEventDelegateOperation = 8;

struct ProfiledEvent {
  const char* tag;
  int type;
  uint64_t start_us;
  uint64_t elapsed_us;
  size_t memory_before[3];
  size_t memory_after[3];
  uint64_t metadata1;
  uint64_t metadata2;
  int source;
};
static_assert(sizeof(ProfiledEvent) == 104 && offsetof(ProfiledEvent, metadata1) == 80);

// name in the library without "LiteRt" | result | arguments
#define HARNESS_LITERT_FUNCTIONS(X)                                                                        \
  X(CreateEnvironment, Status, (int, const EnvOption*, Environment*))                                      \
  X(DestroyEnvironment, void, (Environment))                                                               \
  X(CreateModelFromBuffer, Status, (Environment, const void*, size_t, Model*))                             \
  X(DestroyModel, void, (Model))                                                                           \
  X(GetNumModelSignatures, Status, (Model, size_t*))                                                       \
  X(GetModelSignature, Status, (Model, size_t, Signature*))                                                \
  X(GetNumSignatureInputs, Status, (Signature, size_t*))                                                   \
  X(GetNumSignatureOutputs, Status, (Signature, size_t*))                                                  \
  X(GetSignatureInputName, Status, (Signature, size_t, const char**))                                      \
  X(GetSignatureOutputName, Status, (Signature, size_t, const char**))                                     \
  X(GetSignatureInputTensorByIndex, Status, (Signature, size_t, Tensor*))                                  \
  X(GetSignatureOutputTensorByIndex, Status, (Signature, size_t, Tensor*))                                 \
  X(GetRankedTensorType, Status, (Tensor, RankedTensorType*))                                              \
  X(GetQuantizationTypeId, Status, (Tensor, int*))                                                         \
  X(GetPerTensorQuantization, Status, (Tensor, QuantizationPerTensor*))                                    \
  X(CreateOptions, Status, (Options*))                                                                     \
  X(DestroyOptions, void, (Options))                                                                       \
  X(SetOptionsHardwareAccelerators, Status, (Options, int))                                                \
  X(AddOpaqueOptions, Status, (Options, OpaqueOptions))                                                    \
  X(CreateOpaqueOptions, Status, (const char*, void*, void (*)(void*), OpaqueOptions*))                    \
  X(DestroyOpaqueOptions, void, (OpaqueOptions))                                                           \
  X(CreateCompiledModel, Status, (Environment, Model, Options, CompiledModel*))                            \
  X(DestroyCompiledModel, void, (CompiledModel))                                                           \
  X(CompiledModelResizeInputTensor, Status, (CompiledModel, size_t, size_t, const int*, size_t))           \
  X(GetCompiledModelInputTensorLayout, Status, (CompiledModel, size_t, size_t, Layout*))                   \
  X(GetCompiledModelOutputTensorLayouts, Status, (CompiledModel, size_t, size_t, Layout*, bool))           \
  X(RunCompiledModel, Status, (CompiledModel, size_t, size_t, TensorBuffer*, size_t, TensorBuffer*))       \
  X(CreateManagedTensorBuffer, Status, (Environment, int, const RankedTensorType*, size_t, TensorBuffer*)) \
  X(DestroyTensorBuffer, void, (TensorBuffer))                                                             \
  X(LockTensorBuffer, Status, (TensorBuffer, void**, int))                                                 \
  X(UnlockTensorBuffer, Status, (TensorBuffer))                                                            \
  X(GetSignatureSubgraph, Status, (Signature, Subgraph*))                                                  \
  X(GetNumSubgraphOps, Status, (Subgraph, size_t*))                                                        \
  X(GetNumAccelerators, Status, (Environment, size_t*))                                                    \
  X(GetAccelerator, Status, (Environment, size_t, Accelerator*))                                           \
  X(GetAcceleratorHardwareSupport, Status, (Accelerator, int*))                                            \
  X(CompiledModelGetProfiler, Status, (CompiledModel, Profiler*))                                          \
  X(StartProfiler, Status, (Profiler))                                                                     \
  X(StopProfiler, Status, (Profiler))                                                                      \
  X(ResetProfiler, Status, (Profiler))                                                                     \
  X(GetNumProfilerEvents, Status, (Profiler, int*))                                                        \
  X(GetProfilerEvents, Status, (Profiler, int, ProfiledEvent*))

}  // namespace harness::litert
