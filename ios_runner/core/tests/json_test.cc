#include "json.h"

#include "check.h"
#include "json_writer.h"

using namespace harness;

namespace {

void reads_values() {
  const Json document = parse_json(R"( {"a": [1, -2.5e1, true, null], "b": {"c": "\u00e9\ud83d\ude00\n"}} )");
  const auto& items = document.members.at("a").items;
  CHECK(items.size() == 4);
  CHECK(items[0].kind == Json::Kind::kInteger && items[0].integer == 1);
  CHECK(items[1].kind == Json::Kind::kReal && items[1].real == -25.0);
  CHECK(items[2].boolean && items[3].kind == Json::Kind::kNull);
  CHECK(document.members.at("b").members.at("c").text == "\xC3\xA9\xF0\x9F\x98\x80\n");
  CHECK(parse_json("-0").integer == 0);
  CHECK(parse_json("9223372036854775807").integer == INT64_MAX);
  CHECK(parse_json("9223372036854775808").kind == Json::Kind::kReal);
}

void refuses_what_is_not_json() {
  const char* const bad[] = {"",
                             " ",
                             "{",
                             "[1,]",
                             "{\"a\":1,}",
                             "{a:1}",
                             "01",
                             "1.",
                             ".5",
                             "+1",
                             "1e",
                             "-",
                             "NaN",
                             "Infinity",
                             "tru",
                             "'a'",
                             "\"a",
                             "\"\\x\"",
                             "\"\\u12\"",
                             "[1] 2",
                             "\xEF\xBB\xBF{}",
                             "\"\xC0\x80\"",
                             "\"\xED\xA0\x80\"",
                             "\"\xF4\x90\x80\x80\"",
                             "\"\\ud800\"",
                             "\"\\udc00\"",
                             "\"\\ud800\\u0041\"",
                             "1e999",
                             "\"\t\"",
                             "{\"a\":1,\"a\":1}",
                             "[1 2]",
                             "{\"a\" 1}"};
  for (const char* text : bad) message_of<FormatError>([text] { parse_json(text); });
  message_of<FormatError>([] { parse_json(std::string("\"\0\"", 3)); });
  CHECK(contains(message_of<FormatError>([] { parse_json(std::string(1'000'000, '[')); }), "nested too deeply"));
  CHECK(contains(message_of<FormatError>([] { parse_json("{\"k\":1,\"k\":2}"); }), "'k' appears twice"));
}

void takes_members_apart() {
  const Json document = parse_json(R"({"count": 3, "name": "x", "extra": 1.0})");
  ObjectReader reader(document, "job");
  CHECK(reader.integer("count", 0) == 3);
  CHECK(contains(message_of<FormatError>([&] { reader.integer("count", 4); }), "job.count: 3 is outside"));
  CHECK(contains(message_of<FormatError>([&] { reader.integer("extra", 0); }), "job.extra: an integer"));
  CHECK(contains(message_of<FormatError>([&] { reader.required("gone"); }), "'gone' is missing"));
  ObjectReader partial(document, "");
  partial.required("count");
  CHECK(contains(message_of<FormatError>([&] { partial.finish(); }), "unknown key 'extra'"));
}

void writes_what_it_reads() {
  JsonWriter writer;
  writer.begin_object().member("text", "a\"\\\n\x01\xC3\xA9\xFF").key("list").begin_array();
  writer.integer(-1).real(0.1).real32(0.1F).boolean(false).end_array();
  writer.key("none").begin_object().end_object().end_object();
  CHECK(writer.str() ==
        "{\"text\":\"a\\\"\\\\\\u000a\\u0001\xC3\xA9\xEF\xBF\xBD\",\"list\":[-1,0.10000000000000001,0.100000001,"
        "false],"
        "\"none\":{}}");
  CHECK(static_cast<float>(parse_json(writer.str()).members.at("list").items[2].real) == 0.1F);
}

}  // namespace

int main() {
  reads_values();
  refuses_what_is_not_json();
  takes_members_apart();
  writes_what_it_reads();
}
