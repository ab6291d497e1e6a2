// Chunks (quads.glsl) of formats without blocks: kChunkElements elements in order, rows of any length. The
// columns after the last whole chunk are multiplied one by one.
const uint kChunkQuads = kChunkElements / 4;
const uint kChunkGroups = 1;
const uint kGroupQuads = kChunkQuads;

vec2 group_scale(Chunk c, uint chunk, uint g) { return vec2(1.0, 0.0); }
uvec2 quad_place(uint quad) { return uvec2(quad / kChunkQuads, quad % kChunkQuads); }
uint quad_at(uint chunk, uint i) { return chunk * kChunkQuads + i; }
