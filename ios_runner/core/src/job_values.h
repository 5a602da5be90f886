// Values that a job and a live variant share, read from their JSON. Everything throws FormatError with the place.
#pragma once

#include <string>

#include "job.h"
#include "json.h"

namespace harness {

std::string item_place(const std::string& place, size_t index);
Blob parse_blob(const Json& json, const std::string& place);
Encoding parse_encoding(const Json& json, const std::string& place);
// The text of a small document: more than 1 MiB is refused. Throws std::system_error too.
std::string read_document(const std::string& path);

Loading parse_loading(const Json& json, const std::string& place);

}  // namespace harness
