// Damages text inputs as a seed says, with the words of their language at hand.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "tests/inference/gguf_writer.h"

namespace kinglet::test {

/// One to four times: bytes changed, put in, taken out or moved, a part said again (now and then
/// often), a word put in, two words exchanged. No input grows beyond 64 KiB by it.
void spoil_text(std::string& text, std::uint64_t seed, std::span<const std::string_view> words);
void spoil_text(Bytes& bytes, std::uint64_t seed, std::span<const std::string_view> words);

Bytes to_bytes(std::string_view text);

}  // namespace kinglet::test
