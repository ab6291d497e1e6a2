// A prompt taken apart, for people who ask what a completion was made from.
#pragma once

#include "daemon/features/packed_prompt.h"
#include "lsp/json.h"

namespace kinglet::daemon {

/// The answer to kinglet/context:
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
///
/// Asks the disk for the files' times: not for the protocol thread.
lsp::Json describe_prompt(const PackedPrompt& packed, const PackJob& job);

}  // namespace kinglet::daemon
