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

// Calls `parse` with every cut of `text`, and with every byte left out or changed: each call has to end in an
// `Error` or without one, never in anything else.
template <typename Error, typename Parse>
void survive_damage(const std::string& text, Parse parse) {
  for (size_t i = 0; i < text.size(); ++i) {
    std::string shorter = text;
    shorter.erase(i, 1);
    std::string flipped = text;
    flipped[i] = static_cast<char>(flipped[i] ^ 0x55);
    for (const std::string& damaged : {text.substr(0, i), shorter, flipped}) {
      try {
        parse(damaged);
      } catch (const Error&) {
      }
    }
  }
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}
