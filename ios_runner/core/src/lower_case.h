// Unicode's simple lower case, by a table of our own: no platform's locale has a say.
#pragma once

namespace harness {

// The lower case of `character` where that is one code point, else `character` itself (U+0130 alone has two).
char32_t lower_case(char32_t character);

}  // namespace harness
