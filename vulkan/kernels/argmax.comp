#version 460
// Greedy choice: the id of each row's greatest number, the lowest of equal ones. Where a row is the
// logits of a sequence's last token, also prepares the pass after it, so that several passes run
// without the host between them.
//
//   rows       (n_rows, n_columns) f32
//   scratch    (n_rows, n_groups) u64, then (n_rows) u32: 0 before and after
//   ids        (n_rows) u32
//   positions  (n_rows) u32, each raised by one; 0: none
//   history    (n_history, n_rows) u32: what is chosen after position p goes to row p % n_history;
//              0: none
//
// A number that is none, or infinite, makes its row kNotFinite in the history, and 0 in the ids,
// which must stay rows of a table.
//
// Workgroups along x share a row (y). The one that comes last joins their results; none waits.
//
// Numbers are compared as integers: of positive floats the bits are in order as they are, of
// negative ones in the opposite order. The complement of the id stands below, so that the greatest
// of all is also the lowest id.
#include "common.glsl"
#include "arrival.glsl"

const uint kWorkgroupSize = 256;
layout(local_size_x = kWorkgroupSize) in;

layout(push_constant, scalar) uniform Push {
  uint64_t rows;
  uint64_t scratch;
  uint64_t ids;
  uint64_t positions;
  uint64_t history;
  uint n_columns;
  uint n_rows;
  uint n_history;
};

layout(buffer_reference, scalar, buffer_reference_align = 4) coherent buffer SharedUints {
  uint at[];
};

const uint kNotFinite = 0xffffffff;

// (order, ~id); the order of what is not finite is above all others.
uvec2 key_of(float number, uint id) {
  const uint bits = floatBitsToUint(number);
  if ((bits & 0x7f800000u) == 0x7f800000u) return uvec2(kNotFinite, ~id);
  if ((bits & 0x7fffffffu) == 0u) return uvec2(0x80000000u, ~id);  // both zeros are equal
  return uvec2((bits >> 31) != 0u ? ~bits : bits | 0x80000000u, ~id);
}

uvec2 greater(uvec2 a, uvec2 b) { return a.x > b.x || (a.x == b.x && a.y > b.y) ? a : b; }

shared uvec2 keys[kWorkgroupSize];

void main() {
  const uint lane = gl_LocalInvocationID.x;
  const uint row = gl_WorkGroupID.y;
  const uint n_groups = gl_NumWorkGroups.x;
  const uint span = (n_columns + n_groups - 1) / n_groups;
  const uint begin = gl_WorkGroupID.x * span;
  const uint end = min(begin + span, n_columns);
  ConstFloats x = ConstFloats(float_row(rows, row, n_columns));
  uvec2 best = uvec2(0);
  for (uint i = begin + lane; i < end; i += kWorkgroupSize) best = greater(best, key_of(x.at[i], i));
  keys[lane] = best;
  for (uint n = kWorkgroupSize / 2; n > 0; n /= 2) {
    barrier();
    if (lane < n) keys[lane] = greater(keys[lane], keys[lane + n]);
  }
  if (lane != 0) return;

  SharedUints partials = SharedUints(scratch + uint64_t(row * n_groups) * 8ul);
  Counter counter = Counter(scratch + uint64_t(n_rows * n_groups) * 8ul + uint64_t(row * 4));
  partials.at[2 * gl_WorkGroupID.x] = keys[0].x;
  partials.at[2 * gl_WorkGroupID.x + 1] = keys[0].y;
  if (arrive(counter) + 1 < n_groups) return;
  counter.arrived = 0;
  best = uvec2(0);
  for (uint i = 0; i < n_groups; ++i) {
    best = greater(best, uvec2(partials.at[2 * i], partials.at[2 * i + 1]));
  }
  const bool is_finite = best.x != kNotFinite;
  SharedUints(ids).at[row] = is_finite ? ~best.y : 0;
  if (positions == 0ul) return;
  const uint position = SharedUints(positions).at[row];
  SharedUints(positions).at[row] = position + 1;
  if (history == 0ul) return;
  SharedUints(history).at[position % n_history * n_rows + row] = is_finite ? ~best.y : kNotFinite;
}
