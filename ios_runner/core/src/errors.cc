#include "errors.h"

namespace harness {

const char* stage_name(Stage stage) {
  switch (stage) {
    case Stage::kStart: return "start";
    case Stage::kLoad: return "load";
    case Stage::kCompile: return "compile";
    case Stage::kFirstRun: return "first_run";
    case Stage::kWarmup: return "warmup";
    case Stage::kSteady: return "steady";
  }
  return "";
}

const char* code_name(FailureCode code) {
  switch (code) {
    case FailureCode::kJobInvalid: return "job_invalid";
    case FailureCode::kBlobMissing: return "blob_missing";
    case FailureCode::kBlobCorrupt: return "blob_corrupt";
    case FailureCode::kRuntimeMissing: return "runtime_missing";
    case FailureCode::kRuntimeUnsupported: return "runtime_unsupported";
    case FailureCode::kModelInvalid: return "model_invalid";
    case FailureCode::kCompileFailed: return "compile_failed";
    case FailureCode::kInputMismatch: return "input_mismatch";
    case FailureCode::kOutputUnsupported: return "output_unsupported";
    case FailureCode::kInvokeFailed: return "invoke_failed";
    case FailureCode::kIoFailed: return "io_failed";
    case FailureCode::kOutOfMemory: return "out_of_memory";
  }
  return "";
}

}  // namespace harness
