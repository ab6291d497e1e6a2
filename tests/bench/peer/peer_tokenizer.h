// What tokenizer_bench asks of another tokenizer; see peer_tokenizer.cpp.
#pragma once

#include <cstdint>

extern "C" {

/// The vocabulary of a GGUF file, or nullptr.
using PeerOpen = void* (*)(const char* path);

/// Writes the ids of a text, which names of control tokens are part of unless `control` is set.
/// Returns how many; negative: they are more than `capacity`.
using PeerTokenize = std::int32_t (*)(void* vocabulary,
                                      const char* text,
                                      std::int32_t n_bytes,
                                      std::int32_t* ids,
                                      std::int32_t capacity,
                                      bool control);
}
