// Scores and sums of attention_tile.glsl by cooperative matrices of f16 with sums in f32: queries ·
// keysᵀ sliced along the head, weights · values sliced along it, too. A subgroup has every kSubgroups-th
// of the matrices of a result. Products of weights and values go through shared memory to the
// invocations whose sums they are: nobody knows which elements of a matrix an invocation has, and rows
// are to be corrected one by one.
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require

layout(constant_id = 2) const uint kSubgroups = 4;  // of kWorkgroupSize invocations
layout(constant_id = 3) const uint kM = 16;         // divides 32
layout(constant_id = 4) const uint kN = 16;         // 64
layout(constant_id = 5) const uint kK = 16;         // 32

const uint kWeightQuads = kBlock / 4 + kSpareQuads;  // of a row
const uint kValueStride = kValueSlice / 4 + kSpareQuads;
const uint kTileRows = kRows / kM;

#define Sums coopmat<float, gl_ScopeSubgroup, kM, kN, gl_MatrixUseAccumulator>
#define Left coopmat<float16_t, gl_ScopeSubgroup, kM, kK, gl_MatrixUseA>
#define Right coopmat<float16_t, gl_ScopeSubgroup, kK, kN, gl_MatrixUseB>

shared f16vec4 weight_tile[kRows * kWeightQuads];

void score_block(uint block, uint last) {
  const uint n_tiles = kTileRows * (kBlock / kN);
  const uint n_own = (n_tiles + kSubgroups - 1) / kSubgroups;
  Sums scores[n_own];
  [[unroll]] for (uint i = 0; i < n_own; ++i) scores[i] = Sums(0.0);
  [[dont_unroll]] for (uint slice = 0; slice < kHeadStride / kSlice; ++slice) {
    barrier();
    load_queries(slice);
    load_slice(key_cache, block, last, slice, kSlice);
    barrier();
    [[unroll]] for (uint i = 0; i < n_own; ++i) {
      const uint t = gl_SubgroupID + i * kSubgroups;
      if (t >= n_tiles) continue;
      [[unroll]] for (uint k = 0; k < kSlice; k += kK) {
        Left q;
        Right keys;
        coopMatLoad(q, query_tile, t % kTileRows * kM * kSliceStride + k / 4, kSliceStride,
                    gl_CooperativeMatrixLayoutRowMajor);
        coopMatLoad(keys, tile, t / kTileRows * kN * kSliceStride + k / 4, kSliceStride,
                    gl_CooperativeMatrixLayoutColumnMajor);
        scores[i] = coopMatMulAdd(q, keys, scores[i]);
      }
    }
  }
  [[unroll]] for (uint i = 0; i < n_own; ++i) {
    const uint t = gl_SubgroupID + i * kSubgroups;
    if (t >= n_tiles) continue;
    coopMatStore(scores[i], weights, t % kTileRows * kM * kWeightStride + t / kTileRows * kN,
                 kWeightStride, gl_CooperativeMatrixLayoutRowMajor);
  }
}

void put_weight(uint row, uint key, float weight) {
  weight_tile[row * kWeightQuads + key / 4][key % 4] = float16_t(weight);
}

void add_values(uint block, uint last) {
  const uint n_tiles = kTileRows * (kValueSlice / kN);
  const uint n_own = (n_tiles + kSubgroups - 1) / kSubgroups;
  [[unroll]] for (uint c = 0; c < kQuads; ++c) {
    barrier();
    load_slice(value_cache, block, last, c, kValueSlice);
    barrier();
    [[unroll]] for (uint i = 0; i < n_own; ++i) {
      const uint t = gl_SubgroupID + i * kSubgroups;
      if (t >= n_tiles) continue;
      Sums products = Sums(0.0);
      [[unroll]] for (uint k = 0; k < kBlock; k += kK) {
        Left w;
        Right values;
        coopMatLoad(w, weight_tile, t % kTileRows * kM * kWeightQuads + k / 4, kWeightQuads,
                    gl_CooperativeMatrixLayoutRowMajor);
        coopMatLoad(values, tile, k * kValueStride + t / kTileRows * kN / 4, kValueStride,
                    gl_CooperativeMatrixLayoutRowMajor);
        products = coopMatMulAdd(w, values, products);
      }
      coopMatStore(products, weights, t % kTileRows * kM * kWeightStride + t / kTileRows * kN,
                   kWeightStride, gl_CooperativeMatrixLayoutRowMajor);
    }
    barrier();
    [[unroll]] for (uint r = 0; r < kSide; ++r) {
      const uint at = (first_own + r) * kWeightStride + key_group * 4;
      sums[r * kQuads + c] = sums[r * kQuads + c] * corrections[first_own + r] +
                             vec4(weights[at], weights[at + 1], weights[at + 2], weights[at + 3]);
    }
  }
}
