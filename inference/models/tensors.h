// The tensors that architectures share, by the names that GGUF files give them.
#pragma once

#include <array>

#include "inference/models/architecture.h"
#include "inference/models/join.h"

namespace kinglet::inference::tensors {

constexpr TensorSpec optional(TensorSpec spec) {
  spec.presence = Presence::kOptional;
  return spec;
}
template <std::size_t n>
constexpr std::array<TensorSpec, n> optional(std::array<TensorSpec, n> specs) {
  for (TensorSpec& spec : specs)
    spec = optional(spec);
  return specs;
}

inline constexpr TensorSpec kTokenEmbedding = {
    "token_embd.weight", Role::kTokenEmbedding, Dim::kEmbedding, Dim::kVocabulary};
inline constexpr TensorSpec kOutputNorm = {
    "output_norm.weight", Role::kOutputNorm, Dim::kEmbedding};
inline constexpr TensorSpec kOutputNormBias = {
    "output_norm.bias", Role::kOutputNormBias, Dim::kEmbedding};
/// Files of models that tie it to the embedding lack it.
inline constexpr TensorSpec kOutput = {"output.weight",
                                       Role::kOutput,
                                       Dim::kEmbedding,
                                       Dim::kVocabulary,
                                       Presence::kOptional,
                                       Role::kTokenEmbedding};

inline constexpr TensorSpec kRopeFactors = {
    "rope_freqs.weight", Role::kRopeFactors, Dim::kRopeHalf, Dim::kNone, Presence::kOptional};
inline constexpr TensorSpec kRopeFactorsLong = {"rope_factors_long.weight",
                                                Role::kRopeFactorsLong,
                                                Dim::kRopeHalf,
                                                Dim::kNone,
                                                Presence::kOptional};
inline constexpr TensorSpec kRopeFactorsShort = {"rope_factors_short.weight",
                                                 Role::kRopeFactorsShort,
                                                 Dim::kRopeHalf,
                                                 Dim::kNone,
                                                 Presence::kOptional};

inline constexpr TensorSpec kAttentionNorm = {
    "blk.{}.attn_norm.weight", Role::kAttentionNorm, Dim::kEmbedding};
inline constexpr TensorSpec kAttentionNormBias = {
    "blk.{}.attn_norm.bias", Role::kAttentionNormBias, Dim::kEmbedding};
inline constexpr TensorSpec kAttentionQkv = {
    "blk.{}.attn_qkv.weight", Role::kAttentionQkv, Dim::kEmbedding, Dim::kQkv};
inline constexpr TensorSpec kAttentionQuery = {
    "blk.{}.attn_q.weight", Role::kAttentionQuery, Dim::kEmbedding, Dim::kQuery};
inline constexpr TensorSpec kAttentionQueryBias = {
    "blk.{}.attn_q.bias", Role::kAttentionQueryBias, Dim::kQuery};
inline constexpr TensorSpec kAttentionQueryNorm = {
    "blk.{}.attn_q_norm.weight", Role::kAttentionQueryNorm, Dim::kHead};
inline constexpr TensorSpec kAttentionKey = {
    "blk.{}.attn_k.weight", Role::kAttentionKey, Dim::kEmbedding, Dim::kKeyValue};
inline constexpr TensorSpec kAttentionKeyBias = {
    "blk.{}.attn_k.bias", Role::kAttentionKeyBias, Dim::kKeyValue};
inline constexpr TensorSpec kAttentionKeyNorm = {
    "blk.{}.attn_k_norm.weight", Role::kAttentionKeyNorm, Dim::kHead};
inline constexpr TensorSpec kAttentionValue = {
    "blk.{}.attn_v.weight", Role::kAttentionValue, Dim::kEmbedding, Dim::kKeyValue};
inline constexpr TensorSpec kAttentionValueBias = {
    "blk.{}.attn_v.bias", Role::kAttentionValueBias, Dim::kKeyValue};
inline constexpr TensorSpec kAttentionOutput = {
    "blk.{}.attn_output.weight", Role::kAttentionOutput, Dim::kQuery, Dim::kEmbedding};
inline constexpr TensorSpec kAttentionOutputBias = {
    "blk.{}.attn_output.bias", Role::kAttentionOutputBias, Dim::kEmbedding};
inline constexpr TensorSpec kAttentionPostNorm = {
    "blk.{}.post_attention_norm.weight", Role::kAttentionPostNorm, Dim::kEmbedding};

inline constexpr TensorSpec kFeedForwardNorm = {
    "blk.{}.ffn_norm.weight", Role::kFeedForwardNorm, Dim::kEmbedding};
inline constexpr TensorSpec kFeedForwardNormBias = {
    "blk.{}.ffn_norm.bias", Role::kFeedForwardNormBias, Dim::kEmbedding};
/// Gate and up in one, under up's name.
inline constexpr TensorSpec kFeedForwardGateUp = {
    "blk.{}.ffn_up.weight", Role::kFeedForwardGateUp, Dim::kEmbedding, Dim::kGateUp};
inline constexpr TensorSpec kFeedForwardGate = {
    "blk.{}.ffn_gate.weight", Role::kFeedForwardGate, Dim::kEmbedding, Dim::kFeedForward};
inline constexpr TensorSpec kFeedForwardGateBias = {
    "blk.{}.ffn_gate.bias", Role::kFeedForwardGateBias, Dim::kFeedForward};
inline constexpr TensorSpec kFeedForwardUp = {
    "blk.{}.ffn_up.weight", Role::kFeedForwardUp, Dim::kEmbedding, Dim::kFeedForward};
inline constexpr TensorSpec kFeedForwardUpBias = {
    "blk.{}.ffn_up.bias", Role::kFeedForwardUpBias, Dim::kFeedForward};
inline constexpr TensorSpec kFeedForwardDown = {
    "blk.{}.ffn_down.weight", Role::kFeedForwardDown, Dim::kFeedForward, Dim::kEmbedding};
inline constexpr TensorSpec kFeedForwardDownBias = {
    "blk.{}.ffn_down.bias", Role::kFeedForwardDownBias, Dim::kEmbedding};
inline constexpr TensorSpec kFeedForwardPostNorm = {
    "blk.{}.post_ffw_norm.weight", Role::kFeedForwardPostNorm, Dim::kEmbedding};

// Groups: what most have.

/// What lies before and behind the layers.
inline constexpr std::array kEnds = {kTokenEmbedding, kOutputNorm, kOutput};
/// One before each half of a layer.
inline constexpr std::array kNorms = {kAttentionNorm, kFeedForwardNorm};
inline constexpr std::array kNormBiases = {kAttentionNormBias, kFeedForwardNormBias};
inline constexpr std::array kSeparateQkv = {kAttentionQuery, kAttentionKey, kAttentionValue};
inline constexpr std::array kQkvBiases = {
    kAttentionQueryBias, kAttentionKeyBias, kAttentionValueBias};
inline constexpr std::array kGatedFeedForward = {
    kFeedForwardGate, kFeedForwardUp, kFeedForwardDown};
inline constexpr std::array kGatedFeedForwardBiases = {
    kFeedForwardGateBias, kFeedForwardUpBias, kFeedForwardDownBias};

/// All of Llama's, which are those of who took its form.
inline constexpr auto kLlama = join<TensorSpec>(kEnds,
                                                kRopeFactors,
                                                kNorms,
                                                kSeparateQkv,
                                                optional(kQkvBiases),
                                                kAttentionOutput,
                                                optional(kAttentionOutputBias),
                                                kGatedFeedForward,
                                                optional(kGatedFeedForwardBiases));

}  // namespace kinglet::inference::tensors
