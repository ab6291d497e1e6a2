// Matrix times matrix by integer dot products, for prefill, tiled (mul_mat_frame.glsl has shapes and
// grid). The weights' own quants, a byte each, times activations rounded to bytes; each group of
// kGroupQuads has a scale and an offset (quads.glsl), activations a scale of their own.
//
// A workgroup loads kDepth columns of both sides into shared memory, the weights chunk by chunk, the
// activations in the chunks' order, multiplies, and goes on. An invocation holds kRowSums ×
// kTokenSums sums. Both sides lie there line by line, with one group to spare.
#include "packed_dot.glsl"

layout(local_size_x = 256, local_size_x_id = 0) in;
layout(constant_id = 1) const uint kRows = 64;
layout(constant_id = 2) const uint kTokens = 64;
layout(constant_id = 3) const uint kRowSums = 4;
layout(constant_id = 4) const uint kTokenSums = 4;
// Every format's chunks of so many columns, from a multiple of them on, have just these columns.
layout(constant_id = 5) const uint kDepth = 128;

const uint kRowLanes = kRows / kRowSums;
const uint kTokenLanes = kTokens / kTokenSums;
const uint kTurn = kRowLanes;
const uint kResults = kTokenLanes * kRows;
const uint kStepChunks = kDepth / kChunkElements;
const uint kGroupElements = kGroupQuads * 4;
const uint kStepGroups = kDepth / kGroupElements;
const uint kStride = kStepGroups + 1;
#include "mul_mat_tile.glsl"

shared uvec4 weight_quants[kRows * kStride];
shared vec2 weight_scales[kRows * kStride];  // scale, offset
shared uvec4 vector_quants[kTokens * kStride];
shared vec2 vector_scales[kTokens * kStride];  // scale, scale · sum of the quants

layout(buffer_reference, scalar, buffer_reference_align = 16) readonly buffer ConstQuads {
  vec4 at[kGroupQuads];
};

void load_weights(uint first_line, uint line, uint first_chunk, uint chunk) {
  const uint at = line * kStride + chunk * kChunkGroups;
  if ((first_chunk + chunk) * kChunkElements >= n_columns) {
    [[unroll]] for (uint g = 0; g < kChunkGroups; ++g) {
      weight_quants[at + g] = uvec4(0);
      weight_scales[at + g] = vec2(0.0);
    }
    return;
  }
  const Chunk c = load_chunk(line_address(first_line + line), first_chunk + chunk);
  [[unroll]] for (uint g = 0; g < kChunkGroups; ++g) {
    uvec4 quants;
    [[unroll]] for (uint j = 0; j < kGroupQuads; ++j) {
      quants[j] = quad_bytes(c, first_chunk + chunk, g * kGroupQuads + j);
    }
    weight_quants[at + g] = quants;
    weight_scales[at + g] = group_scale(c, first_chunk + chunk, g);
  }
}

// Tokens past the end repeat the last one; their results are not stored.
void load_vectors(uint token, uint line, uint first_column, uint group) {
  const uint column = first_column + group * kGroupElements;
  const uvec2 place = quad_place(column / 4);
  const uint at = line * kStride + (place.x - first_column / kChunkElements) * kChunkGroups +
                  place.y / kGroupQuads;
  uvec4 quants = uvec4(0);
  vec2 scales = vec2(0.0);
  if (column < n_columns) {
    ConstQuads values = ConstQuads(float_row(vectors, min(token, n_tokens - 1), input_stride) +
                                   uint64_t(column) * 4ul);
    vec4 quads[kGroupQuads];
    vec4 largest = vec4(0.0);
    [[unroll]] for (uint j = 0; j < kGroupQuads; ++j) {
      quads[j] = values.at[j];
      largest = max(largest, abs(quads[j]));
    }
    const float most = max(max(largest.x, largest.y), max(largest.z, largest.w));
    const float inverse = most > 0.0 ? 127.0 / most : 0.0;
    int total = 0;
    [[unroll]] for (uint j = 0; j < kGroupQuads; ++j) {
      const ivec4 rounded = ivec4(roundEven(quads[j] * inverse));
      const uvec4 bytes = uvec4(rounded) & 255u;
      quants[j] = bytes.x | bytes.y << 8 | bytes.z << 16 | bytes.w << 24;
      total += rounded.x + rounded.y + rounded.z + rounded.w;
    }
    // A largest magnitude that is not finite makes the scale so, and with it every sum.
    scales = vec2(most / 127.0, most / 127.0 * float(total));
  }
  vector_quants[at] = quants;
  vector_scales[at] = scales;
}

void main() {
  const Tile tile = tile_of_group();
  if (is_outside(tile)) return;
  const uint lane = gl_LocalInvocationID.x;
  const uint row_lane = lane % kRowLanes;
  const uint token_lane = lane / kRowLanes;
#ifdef KINGLET_PREPARE_CHUNKS
  KINGLET_PREPARE_CHUNKS;
  barrier();
#endif

  float sums[kTokenSums][kRowSums];
  [[unroll]] for (uint t = 0; t < kTokenSums; ++t) {
    [[unroll]] for (uint r = 0; r < kRowSums; ++r) sums[t][r] = 0.0;
  }
  for (uint column = tile.begin; column < tile.end; column += kDepth) {
    for (uint task = lane; task < kRows * kStepChunks; task += gl_WorkGroupSize.x) {
      load_weights(tile.first_line, task / kStepChunks, column / kChunkElements,
                   task % kStepChunks);
    }
    for (uint task = lane; task < kTokens * kStepGroups; task += gl_WorkGroupSize.x) {
      const uint line = task / kStepGroups;
      load_vectors(tile.first_token + line, line, column, task % kStepGroups);
    }
    barrier();
    [[dont_unroll]] for (uint group = 0; group < kStepGroups; ++group) {
      uvec4 w[kRowSums];
      vec2 scales[kRowSums];
      [[unroll]] for (uint r = 0; r < kRowSums; ++r) {
        const uint at = (row_lane + r * kRowLanes) * kStride + group;
        w[r] = weight_quants[at];
        scales[r] = weight_scales[at];
      }
      [[unroll]] for (uint t = 0; t < kTokenSums; ++t) {
        const uint at = (token_lane * kTokenSums + t) * kStride + group;
        const uvec4 v = vector_quants[at];
        const vec2 scale = vector_scales[at];
        [[unroll]] for (uint r = 0; r < kRowSums; ++r) {
          int total = 0;
          [[unroll]] for (uint j = 0; j < kGroupQuads; ++j) total += packed_dot(w[r][j], v[j], 0);
          sums[t][r] += scales[r].x * (scale.x * float(total)) + scales[r].y * scale.y;
        }
      }
    }
    barrier();
  }
  [[unroll]] for (uint t = 0; t < kTokenSums; ++t) {
    [[unroll]] for (uint r = 0; r < kRowSums; ++r) {
      result_tile[token_lane * kRows + row_lane + r * kRowLanes] = sums[t][r];
    }
    barrier();
    store_block(tile, 0, 0, kRows, t, kTokenLanes, kTokenSums, lane, gl_WorkGroupSize.x);
    barrier();
  }
}
