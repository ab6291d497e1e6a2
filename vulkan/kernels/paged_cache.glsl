// Where the keys and values of a position lie. The cache of one layer is (n_pages, n_kv_heads)
// regions, each of kPageTokens rows that hold kHeadDim elements in whole units of the format
// (cached_….glsl, included before); how a region lays out its rows is the format's. `pages` maps a
// sequence's pages to the cache's. Tokens may be of several sequences: each token's table then lies
// page_stride entries after the one before; with 0 they share one.
const uint kUnits = (kHeadDim + kUnit - 1) / kUnit;
const uint kRegionBytes = kPageTokens * kUnits * kUnitBytes;
const uint kChunks = (kUnits * kUnit + 7) / 8;  // of a row

uint64_t region_of(uint64_t cache, uint page, uint n_kv_heads, uint kv_head) {
  return cache +
         (uint64_t(page) * uint64_t(n_kv_heads) + uint64_t(kv_head)) * uint64_t(kRegionBytes);
}

uint page_at(uint64_t pages, uint page_stride, uint token, uint page) {
  return ConstUints(pages + uint64_t(token) * uint64_t(page_stride) * 4ul).at[page];
}

// Stores the head at heads[0], padded with zeros to whole units: an invocation a chunk, so the
// workgroup has 32 or more.
void store_head(uint64_t region, uint slot) {
  const uint chunk = gl_LocalInvocationID.x;
  if (chunk < kChunks) store_chunk(region, slot, chunk, rounded(chunk));
}
