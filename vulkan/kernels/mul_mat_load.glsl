// How the tiled products put kDepth columns of both sides into shared memory, line by line. Blocks are
// taken chunk by chunk (quads.glsl), and the vectors in the chunks' order; plain rows as they are.
// The including file has `Quad`, four elements as they lie there, kQuads = kDepth / 4 of them a line,
// kStride from line to line; weight_tile, vector_tile; kInputScale, by which vectors are multiplied.
layout(buffer_reference, scalar, buffer_reference_align = 4) readonly buffer ConstQuad {
  vec4 quad;
};

// Of the plain formats, whose rows may end anywhere.
vec4 weights_at(uint64_t row, uint column) {
  if (column + 4 <= n_columns) return load4(row, column);
  vec4 values = vec4(0.0);
  [[unroll]] for (uint i = 0; i < 3; ++i) {
    if (column + i < n_columns) values[i] = load1(row, column + i);
  }
  return values;
}

// Tokens past the end repeat the last one; their results are not stored.
vec4 vectors_at(uint token, uint column) {
  const uint64_t row = float_row(vectors, min(token, n_tokens - 1), input_stride);
  if (kBlockElements % kDepth == 0 || column + 4 <= n_columns) return ConstQuad(row + uint64_t(column) * 4ul).quad;
  vec4 values = vec4(0.0);
  [[unroll]] for (uint i = 0; i < 3; ++i) {
    if (column + i < n_columns) values[i] = ConstFloats(row).at[column + i];
  }
  return values;
}

// Loops over tasks have counts that are known once the constants are, so that their loads are all in
// flight at once.
void load_chunk_of(uint first_line, uint column, uint task) {
  const uint kChunks = kDepth / kChunkElements;
  const uint chunk = column / kChunkElements + task % kChunks;
  const uint at = task / kChunks * kStride + task % kChunks * kChunkQuads;
  if (kDepth > kChunkElements && chunk * kChunkElements >= n_columns) {
    [[unroll]] for (uint i = 0; i < kChunkQuads; ++i) weight_tile[at + i] = Quad(0.0);
    return;
  }
  const Chunk c = load_chunk(line_address(first_line + task / kChunks), chunk);
  [[unroll]] for (uint g = 0; g < kChunkGroups; ++g) {
    const vec2 scale = group_scale(c, chunk, g);
    [[unroll]] for (uint j = 0; j < kGroupQuads; ++j) {
      const uint i = g * kGroupQuads + j;
      weight_tile[at + i] = Quad(quad_values(c, chunk, i) * scale.x + scale.y);
    }
  }
}

void load_weights(uint first_line, uint column, uint lane) {
  if (kBlockElements == 1) {
    [[unroll]] for (uint first = 0; first < kRows * kQuads; first += gl_WorkGroupSize.x) {
      const uint line = (first + lane) / kQuads;
      const uint quad = (first + lane) % kQuads;
      weight_tile[line * kStride + quad] =
          Quad(weights_at(line_address(first_line + line), column + quad * 4));
    }
    return;
  }
  const uint kTasks = kRows * kDepth / kChunkElements;
  [[unroll]] for (uint first = 0; first < kTasks; first += gl_WorkGroupSize.x) {
    if (kTasks % gl_WorkGroupSize.x == 0 || first + lane < kTasks) {
      load_chunk_of(first_line, column, first + lane);
    }
  }
}

void load_vectors(uint first_token, uint column, uint lane) {
  [[unroll]] for (uint first = 0; first < kTokens * kQuads; first += gl_WorkGroupSize.x) {
    const uint line = (first + lane) / kQuads;
    const uint quad = (first + lane) % kQuads;
    const uint from = column / 4 + quad;
    const uint at = kBlockElements == 1 ? from : quad_at(from / kChunkQuads, from % kChunkQuads);
    vector_tile[line * kStride + quad] =
        Quad(kInputScale * vectors_at(first_token + line, at * 4));
  }
}
