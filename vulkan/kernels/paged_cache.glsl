// Where the keys and values of a position lie: the cache of one layer is
// (n_pages, n_kv_heads, page_tokens) rows of whole blocks that hold head_dim elements; `pages` maps
// a sequence's pages to the cache's. Tokens may be of several sequences: each token's table then lies
// page_stride entries after the one before; with 0 they share one.
uint blocks_of(uint head_dim) { return (head_dim + kBlockElements - 1) / kBlockElements; }

uint64_t page_table(uint64_t pages, uint page_stride, uint token) {
  return pages + uint64_t(token) * uint64_t(page_stride) * 4ul;
}

uint64_t cache_row(uint64_t cache, uint64_t pages, uint page_tokens, uint n_kv_heads, uint head_dim,
                   uint position, uint kv_head) {
  const uint page = ConstUints(pages).at[position / page_tokens];
  const uint64_t row = (uint64_t(page) * uint64_t(n_kv_heads) + uint64_t(kv_head)) *
                           uint64_t(page_tokens) + uint64_t(position % page_tokens);
  return cache + row * uint64_t(blocks_of(head_dim) * kBlockBytes);
}
