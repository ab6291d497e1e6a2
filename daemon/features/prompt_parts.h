// A prompt taken apart, for people who ask what a completion was made from.
#pragma once

#include <string>

#include "daemon/features/packed_prompt.h"
#include "lsp/json.h"

namespace kinglet::daemon {

/// The answer to kinglet/context:
///   path      of the document, as in its parts
///   place     path:line:column, as `kinglet context` takes it: from 1, columns in bytes
///   notIndexed  why the index does not have the document; null: it has
///   format, tokens, budget, seconds  of the prompt: its layout, its length, what packing took
///   dropped   how many candidates did not get in
///   parts     all that the prompt holds, in its order but for the format's own, which are spread
///             over it and come first. Their tokens add up to `tokens`. Each has
///     path    below the repository's root; "" for the format's own
///     line    its first, from 1; null without text, or put together from several places
///     reason  format, prefix, suffix, typed, or indexer::name_of() the chunk's reason
///     detail  why it is there, in words
///     score   comparable within one reason; null for what is always there
///     tokens
///     age     seconds since the file was last changed on the disk; null when that is not known
///     text    as the model reads it; null for the format's own
///   ids       the prompt's tokens
///   rendered  all of it but the ids as text for people: what `kinglet context --explain` prints
///
/// `not_indexed` is empty for a document that the index has. Asks the disk for the files' times:
/// not for the protocol thread.
lsp::Json describe_prompt(const PackedPrompt& packed,
                          const PackJob& job,
                          const std::string& not_indexed);

}  // namespace kinglet::daemon
