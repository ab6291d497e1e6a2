// Scores and sums of attention_tile.glsl by each invocation for itself: a square of kSide rows and kSide
// positions of the scores, the head sliced by kSlice elements, and then its part of the sums over
// values, the positions sliced. With KINGLET_HALF all that is multiplied is f16. Scores are summed in
// f32 all the same: where keys and queries have a large element in common, as learned biases make them,
// f16 sums would lose what tells the keys apart. Sums over a slice of values are f16.
const uint kValueStride = kHeadStride / 4;
const uint kValueKeys = kTileQuads / kValueStride / kSide * kSide;

// Leaves a block's scores in `weights`.
void score_block(uint block, uint last) {
  float scores[kSide * kSide];
  [[unroll]] for (uint i = 0; i < kSide * kSide; ++i) scores[i] = 0.0;
  [[dont_unroll]] for (uint slice = 0; slice < kHeadStride / kSlice; ++slice) {
    barrier();
    load_queries(slice);
    load_slice(key_cache, block, last, slice, kSlice);
    barrier();
    [[dont_unroll]] for (uint quad = 0; quad < kSlice / 4; ++quad) {
      Quad keys[kSide];
      [[unroll]] for (uint k = 0; k < kSide; ++k) {
        keys[k] = tile[(key_group + k * kKeyGroups) * kSliceStride + quad];
      }
      [[unroll]] for (uint r = 0; r < kSide; ++r) {
        const Quad q = query_tile[(first_own + r) * kSliceStride + quad];
        [[unroll]] for (uint k = 0; k < kSide; ++k) {
          const uint i = r * kSide + k;
#ifdef KINGLET_HALF
          // One instruction each where products of halves can be added to floats.
          [[unroll]] for (uint e = 0; e < 4; ++e) {
            scores[i] = fma(float(q[e]), float(keys[k][e]), scores[i]);
          }
#else
          scores[i] += dot(q, keys[k]);
#endif
        }
      }
    }
  }
  [[unroll]] for (uint r = 0; r < kSide; ++r) {
    [[unroll]] for (uint k = 0; k < kSide; ++k) {
      weights[(first_own + r) * kWeightStride + key_group + k * kKeyGroups] = scores[r * kSide + k];
    }
  }
}

void put_weight(uint row, uint key, float weight) { weights[row * kWeightStride + key] = weight; }

void load_values(uint block, uint last, uint first) {
  [[dont_unroll]] for (uint i = gl_LocalInvocationID.x; i < kValueKeys * kChunks;
                       i += kWorkgroupSize) {
    const uint key = i / kChunks;
    const uint chunk = i % kChunks;
    const uint position = min(block + first + key, last);
    const Chunk c = fetch(region_at(value_cache, block, position), position % kPageTokens, chunk);
    tile[key * kValueStride + low_element(chunk) / 4] = Quad(low_of(c));
    tile[key * kValueStride + high_element(chunk) / 4] = Quad(high_of(c));
  }
}

// Corrects the sums and adds a block's values, weighted.
void add_values(uint block, uint last) {
  [[dont_unroll]] for (uint first = 0; first < kBlock; first += kValueKeys) {
    barrier();
    load_values(block, last, first);
    barrier();
    if (first == 0) {
      [[unroll]] for (uint r = 0; r < kSide; ++r) {
        [[unroll]] for (uint c = 0; c < kQuads; ++c) {
          sums[r * kQuads + c] *= corrections[first_own + r];
        }
      }
    }
#ifdef KINGLET_HALF
    f16vec4 parts[kSide * kQuads];
    [[unroll]] for (uint i = 0; i < kSide * kQuads; ++i) parts[i] = f16vec4(0.0);
#endif
    const uint n_keys = min(kValueKeys, kBlock - first);
    [[dont_unroll]] for (uint k = 0; k < n_keys; k += kSide) {
      [[unroll]] for (uint i = 0; i < kSide; ++i) {
        Quad values[kQuads];
        [[unroll]] for (uint c = 0; c < kQuads; ++c) {
          const uint quad = min(key_group + c * kKeyGroups, kValueStride - 1);
          values[c] = tile[(k + i) * kValueStride + quad];
        }
        [[unroll]] for (uint r = 0; r < kSide; ++r) {
          const float weight = weights[(first_own + r) * kWeightStride + first + k + i];
          [[unroll]] for (uint c = 0; c < kQuads; ++c) {
#ifdef KINGLET_HALF
            parts[r * kQuads + c] = fma(f16vec4(weight), values[c], parts[r * kQuads + c]);
#else
            sums[r * kQuads + c] += weight * values[c];
#endif
          }
        }
      }
    }
#ifdef KINGLET_HALF
    [[unroll]] for (uint i = 0; i < kSide * kQuads; ++i) sums[i] += vec4(parts[i]);
#endif
  }
}
