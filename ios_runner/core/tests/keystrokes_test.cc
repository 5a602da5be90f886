#include "keystrokes.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "check.h"
#include "errors.h"

using namespace harness;

namespace {

std::vector<std::string> texts_of(const std::string& json) {
  char path[] = "/tmp/keystrokes_test_XXXXXX";
  const int descriptor = ::mkstemp(path);
  CHECK(descriptor >= 0 && ::write(descriptor, json.data(), json.size()) == static_cast<ssize_t>(json.size()));
  ::close(descriptor);
  const File file(path, O_RDONLY);
  ::unlink(path);
  return read_typed_texts(file);
}

void a_text_grows_by_characters() {
  const std::string text = "a\xC3\xA9\xF0\x9F\x91\x8D!";
  const auto prefixes = typed_prefixes(text, 10);
  CHECK(prefixes.size() == 4);
  CHECK(prefixes[0] == "a" && prefixes[1] == "a\xC3\xA9" && prefixes[2].size() == 7 && prefixes[3] == text);
  CHECK(typed_prefixes(text, 2).size() == 2 && typed_prefixes("", 5).empty());
}

void reads_the_texts_or_says_why_not() {
  CHECK(texts_of("[\"one\",\"zw\\u00f6lf\"]") == std::vector<std::string>({"one", "zw\xC3\xB6lf"}));
  for (const std::string bad : {"", "[", "{}", "[1]", "[]", "[\"\"]", "[\"\\ud800\"]"}) {
    CHECK(contains(message_of<JobError>([&] { texts_of(bad); }), "keystrokes.texts"));
  }
  CHECK(contains(message_of<JobError>([] { texts_of("[\"" + std::string(10001, 'x') + "\"]"); }), "10000"));
}

}  // namespace

int main() {
  a_text_grows_by_characters();
  reads_the_texts_or_says_why_not();
}
