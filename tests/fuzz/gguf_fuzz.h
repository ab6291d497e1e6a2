// The fuzz target for model files; shared by libFuzzer and by the seeded smoke test. What damages
// files for it is in gguf_mutations.h.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "tests/inference/gguf_writer.h"

namespace kinglet::test {

/// Reads the bytes as a model file and uses what was accepted: values, vocabulary, tokenizer,
/// tensors, the model, three tokens through it. True when the file was accepted. Throws
/// BrokenPromise when an accepted file breaks a promise.
bool use_gguf(std::span<const std::byte> bytes);

/// A small good file: a vocabulary and tensors of several formats. The same at each call.
Bytes good_gguf();
/// One of each architecture, and a byte-level vocabulary.
std::vector<GgufWriter> good_ggufs();

}  // namespace kinglet::test
