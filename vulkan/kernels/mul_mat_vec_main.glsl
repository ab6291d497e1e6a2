// The rest of mul_mat_vec.glsl, after the activations.

// By token and subgroup: tokens are fewer than twice a subgroup.
shared float square_parts[kWorkgroupSize * 2];

// Puts the slab's columns, `first` and on, into shared memory, zeros past the row's end, and adds up
// the squares of what this invocation put there.
void fill_slab(uint first, uint first_token) {
  const uint columns = min(kSlab, n_columns() - first);
  const uint units = (columns + kChunkElements - 1) / kChunkElements * (kChunkElements / kUnit);
  [[unroll]] for (uint t = 0; t < kTokens; ++t) {
    // Tokens past the end repeat the last one and are not stored.
    const uint64_t row = float_row(vectors, min(first_token + t, n_tokens() - 1), input_stride);
    for (uint unit = gl_LocalInvocationID.x; unit < units; unit += kWorkgroupSize) {
      vec4 values[kUnit / 4];
      [[unroll]] for (uint j = 0; j < kUnit / 4; ++j) {
        const uint column = first + unit * kUnit + j * 4;
        values[j] = float_quad(row, column);
        squares[t] += dot(values[j], values[j]);
        if (norm_weight != 0ul) values[j] *= float_quad(norm_weight, column);
      }
      put_unit(t, unit, values);
    }
  }
}

void load_rows(uint chunk) {
  [[unroll]] for (uint r = 0; r < kRows; ++r) chunks[r] = load_chunk(rows[r], chunk);
}

void main() {
  const uint n_tiles = (n_tokens() + kTokens - 1) / kTokens;
  const uint group = folded_group() / n_tiles;
  const uint first_token = folded_group() % n_tiles * kTokens;
  // A gated store's rows come in pairs: gates, then as many ups.
  const uint rows_each = is_gated() ? kRows / 2 : kRows;
  const uint group_rows = rows_each * gl_NumSubgroups;
  const uint n_groups[3] = uint[](
      (parts[0].n_rows + group_rows - 1) / group_rows,
      is_gated() ? 0 : (parts[1].n_rows + group_rows - 1) / group_rows,
      is_gated() ? 0 : (parts[2].n_rows + group_rows - 1) / group_rows);
  if (group >= n_groups[0] + n_groups[1] + n_groups[2]) return;
  Part part = parts[0];
  uint part_group = group;
  if (group >= n_groups[0] + n_groups[1]) {
    part = parts[2];
    part_group = group - n_groups[0] - n_groups[1];
  } else if (group >= n_groups[0]) {
    part = parts[1];
    part_group = group - n_groups[0];
  }
  const uint first_row = part_group * group_rows + gl_SubgroupID * rows_each;

  const uint64_t row_bytes = uint64_t(n_columns() / kBlockElements) * uint64_t(kBlockBytes);
  [[unroll]] for (uint r = 0; r < kRows; ++r) {
    // Rows past the end repeat the last one and are not stored.
    const bool is_up = is_gated() && r >= kRows / 2;
    const uint row = min(first_row + (is_up ? r - kRows / 2 : r), part.n_rows - 1);
    rows[r] = (is_up ? parts[1].weights : part.weights) + uint64_t(row) * row_bytes;
  }
#ifdef KINGLET_PREPARE_CHUNKS
  KINGLET_PREPARE_CHUNKS;
#endif
  [[unroll]] for (uint i = 0; i < kSums; ++i) sums[i] = 0.0;
  [[unroll]] for (uint t = 0; t < kTokens; ++t) squares[t] = 0.0;

  const uint whole_chunks = n_columns() / kChunkElements;
  const uint lane = gl_SubgroupInvocationID;
  const uint n_lanes = min(gl_SubgroupSize, kWorkgroupSize);
  for (uint first = 0; first < n_columns(); first += kSlab) {
    const uint first_chunk = first / kChunkElements;
    const uint end = min(kSlabChunks, whole_chunks - first_chunk);
    uint at = lane;
    if (at < end) load_rows(first_chunk + at);
    if (first != 0) barrier();  // the last slab has been read
    fill_slab(first, first_token);
    barrier();
    while (at < end) {
      multiply(first_chunk + at, at);
      at += n_lanes;
      if (at < end) load_rows(first_chunk + at);
    }
    multiply_tail(first, lane, n_lanes);
  }

  [[unroll]] for (uint i = 0; i < kSums; ++i) sums[i] = subgroupAdd(sums[i]);
  if (norm_weight != 0ul) {
    [[unroll]] for (uint t = 0; t < kTokens; ++t) {
      const float square = subgroupAdd(squares[t]);
      if (subgroupElect()) square_parts[t * gl_NumSubgroups + gl_SubgroupID] = square;
    }
    barrier();
    [[unroll]] for (uint t = 0; t < kTokens; ++t) {
      float square = 0.0;
      for (uint s = 0; s < gl_NumSubgroups; ++s) square += square_parts[t * gl_NumSubgroups + s];
      const float factor = inversesqrt(square / float(n_columns()) + epsilon);
      [[unroll]] for (uint r = 0; r < kRows; ++r) sums[r * kTokens + t] *= factor;
    }
  }

  for (uint at = lane; at < rows_each * kTokens; at += n_lanes) {
    const uint r = at / kTokens;
    const uint token = first_token + at % kTokens;
    const uint row = first_row + r;
    if (row >= part.n_rows || token >= n_tokens()) continue;
    float total = 0.0;
    float up = 0.0;
    [[unroll]] for (uint i = 0; i < kSums; ++i) {
      if (i == at) total = sums[i];
      if (i == at + kRows / 2 * kTokens) up = sums[i];
    }
    if (part.bias != 0ul) total += ConstFloats(part.bias).at[row];
    Floats line = Floats(float_row(part.result, token, part.stride));
    switch (store_kind()) {
      case kStorePlain:
        line.at[row] = scale * total;
        break;
      case kStoreAdd:
        line.at[row] += scale * total;
        break;
      default:
        if (parts[1].bias != 0ul) up += ConstFloats(parts[1].bias).at[row];
        line.at[row] = (store_kind() == kStoreSwiGlu ? silu(total) : gelu(total)) * up;
    }
  }
}
