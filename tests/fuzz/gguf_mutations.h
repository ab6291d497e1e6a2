// Damages model files, as a seed says: blindly, or knowing where keys, counts, lengths, types and
// offsets lie.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "tests/inference/gguf_writer.h"

namespace kinglet::test {

/// The parts of a file as they stand, however wrong they are; nothing when the header cannot be
/// taken apart to its end. bytes() of an undamaged file's parts is the file.
std::optional<GgufWriter> read_layout(std::span<const std::byte> bytes);

/// Spoils one to three fields: counts, types, lengths, elements, keys, shapes, offsets, names.
void spoil_layout(GgufWriter& file, std::uint64_t seed);

/// Spoils some bytes: bits, numbers, cuts, repeats. Knows nothing of the layout.
void spoil_bytes(Bytes& bytes, std::uint64_t seed);

/// The one or the other, or both: layout where there is one.
void spoil_gguf(Bytes& bytes, std::uint64_t seed);

}  // namespace kinglet::test
