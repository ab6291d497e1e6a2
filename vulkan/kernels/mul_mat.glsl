// Matrix times matrix, for prefill, tiled (mul_mat_frame.glsl has shapes and grid).
//
// A workgroup loads kDepth columns of both sides into shared memory, multiplies, and goes on; each
// of its invocations holds kRowSums × kTokenSums sums. Both sides lie there line by line, a line's
// columns in fours and one four to spare, so that what neighbours load and store lies in different
// banks. With KINGLET_HALF both sides are f16, and so are the sums over kDepth columns; those over
// all columns are f32.
layout(constant_id = 1) const uint kRows = 64;
layout(constant_id = 2) const uint kTokens = 64;
#ifdef KINGLET_HALF
layout(local_size_x = 256, local_size_x_id = 0) in;
layout(constant_id = 3) const uint kRowSums = 4;  // each sum takes two registers
layout(constant_id = 4) const uint kTokenSums = 4;
#else
layout(local_size_x = 64, local_size_x_id = 0) in;
layout(constant_id = 3) const uint kRowSums = 8;
layout(constant_id = 4) const uint kTokenSums = 8;
#endif
layout(constant_id = 5) const uint kDepth = 32;

const uint kRowLanes = kRows / kRowSums;
const uint kTokenLanes = kTokens / kTokenSums;
const uint kTurn = kRowLanes;
const uint kResults = kTokenLanes * kRows;
const uint kQuads = kDepth / 4;
const uint kStride = kQuads + 1;
#include "mul_mat_tile.glsl"

#ifdef KINGLET_HALF
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#define Quad f16vec4
// f16 ends at 65504. Activations may go beyond, and lose nothing that matters by a smaller scale.
const float kInputScale = 1.0 / 16.0;
#else
#define Quad vec4
const float kInputScale = 1.0;
#endif

shared Quad weight_tile[kRows * kStride];
shared Quad vector_tile[kTokens * kStride];

#include "mul_mat_load.glsl"

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
    load_weights(tile.first_line, column, lane);
    load_vectors(tile.first_token, column, lane);
    barrier();
#ifdef KINGLET_HALF
    f16vec2 parts[kTokenSums][kRowSums];
    [[unroll]] for (uint t = 0; t < kTokenSums; ++t) {
      [[unroll]] for (uint r = 0; r < kRowSums; ++r) parts[t][r] = f16vec2(0.0);
    }
#endif
    [[dont_unroll]] for (uint quad = 0; quad < kQuads; ++quad) {
      Quad w[kRowSums];
      [[unroll]] for (uint r = 0; r < kRowSums; ++r) {
        w[r] = weight_tile[(row_lane + r * kRowLanes) * kStride + quad];
      }
      [[unroll]] for (uint t = 0; t < kTokenSums; ++t) {
        const Quad v = vector_tile[(token_lane * kTokenSums + t) * kStride + quad];
        [[unroll]] for (uint r = 0; r < kRowSums; ++r) {
#ifdef KINGLET_HALF
          parts[t][r] = fma(w[r].xy, v.xy, parts[t][r]);
          parts[t][r] = fma(w[r].zw, v.zw, parts[t][r]);
#else
          sums[t][r] += dot(w[r], v);
#endif
        }
      }
    }
#ifdef KINGLET_HALF
    [[unroll]] for (uint t = 0; t < kTokenSums; ++t) {
      [[unroll]] for (uint r = 0; r < kRowSums; ++r) {
        sums[t][r] += float(parts[t][r].x) + float(parts[t][r].y);
      }
    }
#endif
    barrier();
  }
  [[unroll]] for (uint t = 0; t < kTokenSums; ++t) {
    [[unroll]] for (uint r = 0; r < kRowSums; ++r) {
      result_tile[token_lane * kRows + row_lane + r * kRowLanes] = sums[t][r] / kInputScale;
    }
    barrier();
    store_block(tile, 0, 0, kRows, t, kTokenLanes, kTokenSums, lane, gl_WorkGroupSize.x);
    barrier();
  }
}
