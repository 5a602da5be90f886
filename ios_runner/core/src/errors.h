// How a job ends early: a failure that goes into the log, a log that cannot be written, or a request.
#pragma once

#include <stdexcept>
#include <string>

namespace harness {

enum class Stage { kStart, kLoad, kCompile, kFirstRun, kWarmup, kSteady };

enum class FailureCode {
  kJobInvalid,
  kBlobMissing,
  kBlobCorrupt,
  kRuntimeMissing,
  kRuntimeUnsupported,
  kModelInvalid,
  kCompileFailed,
  kInputMismatch,
  kOutputUnsupported,
  kInvokeFailed,
  kIoFailed,
  kOutOfMemory,
};

const char* stage_name(Stage stage);
const char* code_name(FailureCode code);

class JobError : public std::runtime_error {
 public:
  JobError(FailureCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  FailureCode code() const { return code_; }

 private:
  FailureCode code_;
};

// Nothing can be written down, so the caller has to be told.
class LogUnwritable : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class Cancelled : public std::exception {
 public:
  const char* what() const noexcept override { return "cancelled"; }
};

}  // namespace harness
