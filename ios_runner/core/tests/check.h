// Checks that stay on in release builds and say where they failed.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>

inline void check_that(bool holds, const char* text, const char* file, int line) {
  if (holds) return;
  std::fprintf(stderr, "%s:%d: %s\n", file, line, text);
  std::exit(1);
}

#define CHECK(condition) check_that((condition), #condition, __FILE__, __LINE__)

// The message of the exception of type `Error` that `call` throws; a failed check where it throws none.
template <typename Error, typename Call>
std::string message_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  std::fprintf(stderr, "nothing was thrown\n");
  std::exit(1);
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}
