// The fuzz target for model files, and what makes damaged files for it; shared by libFuzzer and by
// the seeded smoke test.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "tests/inference/gguf_writer.h"

namespace kinglet::test {

/// Reads the bytes as a model file and uses what was accepted: values, vocabulary, tokenizer,
/// tensors. True when the file was accepted. Aborts when an accepted file breaks a promise.
bool use_gguf(std::span<const std::byte> bytes);

/// A small good file: a vocabulary and tensors of all formats. The same at each call.
Bytes good_gguf();

/// A file whose fields, and perhaps bytes, are spoiled as the seed says.
Bytes spoiled_gguf(std::uint64_t seed);

/// Spoils some bytes as the seed says: bits, numbers, cuts, repeats. Knows nothing of the layout.
void spoil_bytes(Bytes& bytes, std::uint64_t seed);

}  // namespace kinglet::test
