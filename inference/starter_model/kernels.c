// The parts of a training step that are not matrix products, fused so that each tensor crosses memory
// once: PyTorch 1.13 runs them as a dozen passes each, which is most of the time on a CPU. kernels.py
// compiles this file and calls it; model.py has the same mathematics in plain PyTorch.
//
// bfloat16 is uint16_t here. All tensors are dense, in row-major order; sizes are in elements.

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef uint16_t bf16;
enum { kMaxRow = 16384 };  // the longest context a softmax row may have

static inline float widen(bf16 value) {
  uint32_t bits = (uint32_t)value << 16;
  float out;
  memcpy(&out, &bits, sizeof out);
  return out;
}

// Rounds to nearest, ties to even. Not for NaN.
static inline bf16 narrow(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return (bf16)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

// sum[n, d] = x[n, d] + y[n, d]; out = sum / rms(sum) * weight; inverse_rms[n] is kept for the way back.
// y may be null: then sum is not written and x is normed.
void add_norm_forward(const float* x, const bf16* y, const float* weight, float epsilon, int64_t n, int64_t d,
                      float* sum, bf16* out, float* inverse_rms, int n_threads) {
#pragma omp parallel for num_threads(n_threads)
  for (int64_t i = 0; i < n; i++) {
    const float* row = x + i * d;
    if (y) {
      for (int64_t j = 0; j < d; j++) sum[i * d + j] = row[j] + widen(y[i * d + j]);
      row = sum + i * d;
    }
    float squares = 0;
    for (int64_t j = 0; j < d; j++) squares += row[j] * row[j];
    float inverse = 1 / sqrtf(squares / d + epsilon);
    inverse_rms[i] = inverse;
    for (int64_t j = 0; j < d; j++) out[i * d + j] = narrow(row[j] * inverse * weight[j]);
  }
}

// Adds to d_sum (the gradient that reaches the sum by other ways) what comes back through the norm, and
// writes it as bfloat16 to d_y too (if not null). d_weight is [n_threads, d], zeroed by the caller.
void add_norm_backward(const bf16* d_out, const float* sum, const float* weight, const float* inverse_rms, int64_t n,
                       int64_t d, float* d_sum, bf16* d_y, float* d_weight, int n_threads) {
#pragma omp parallel for num_threads(n_threads) schedule(static, 1)
  for (int t = 0; t < n_threads; t++) {
    float* mine = d_weight + t * d;
    for (int64_t i = n * t / n_threads; i < n * (t + 1) / n_threads; i++) {
      const float* row = sum + i * d;
      const bf16* g = d_out + i * d;
      float inverse = inverse_rms[i], dot = 0;
      for (int64_t j = 0; j < d; j++) {
        float gj = widen(g[j]);
        dot += gj * weight[j] * row[j];
        mine[j] += gj * row[j] * inverse;
      }
      float back = dot * inverse * inverse * inverse / d;
      for (int64_t j = 0; j < d; j++) {
        float value = d_sum[i * d + j] + widen(g[j]) * weight[j] * inverse - row[j] * back;
        d_sum[i * d + j] = value;
        if (d_y) d_y[i * d + j] = narrow(value);
      }
    }
  }
}

// The attention's layouts. qkv is [batch, time, (heads + 2 kv_heads) * size]. Queries are kept by blocks of
// `block` times: q[time / block][batch * kv_heads][group * block][size], so that the heads that share keys
// multiply them in one product; k and v are [batch * kv_heads, time, size]. cosine and sine are
// [time, size / 2]. The queries are scaled by `scale`.
typedef struct {
  int64_t batch, time, heads, kv_heads, size, block;
} Layout;

static inline int64_t query_offset(const Layout* l, int64_t b, int64_t head, int64_t t) {
  int64_t group = l->heads / l->kv_heads;
  int64_t at = (t / l->block) * (l->batch * l->kv_heads) + b * l->kv_heads + head / group;
  return ((at * group + head % group) * l->block + t % l->block) * l->size;
}

void split_heads_forward(const Layout* l, const bf16* qkv, const float* cosine, const float* sine, float scale, bf16* q,
                         bf16* k, bf16* v, int n_threads) {
  int64_t half = l->size / 2, width = (l->heads + 2 * l->kv_heads) * l->size;
#pragma omp parallel for collapse(2) num_threads(n_threads)
  for (int64_t b = 0; b < l->batch; b++) {
    for (int64_t t = 0; t < l->time; t++) {
      const bf16* row = qkv + (b * l->time + t) * width;
      const float *c = cosine + t * half, *s = sine + t * half;
      for (int64_t h = 0; h < l->heads + l->kv_heads; h++) {
        const bf16* in = row + h * l->size;
        float factor = h < l->heads ? scale : 1;
        bf16* out = h < l->heads ? q + query_offset(l, b, h, t)
                                 : k + ((b * l->kv_heads + h - l->heads) * l->time + t) * l->size;
        for (int64_t j = 0; j < half; j++) {
          float x = widen(in[j]) * factor, y = widen(in[j + half]) * factor;
          out[j] = narrow(x * c[j] - y * s[j]);
          out[j + half] = narrow(y * c[j] + x * s[j]);
        }
      }
      for (int64_t h = 0; h < l->kv_heads; h++)
        memcpy(v + ((b * l->kv_heads + h) * l->time + t) * l->size, row + (l->heads + l->kv_heads + h) * l->size,
               l->size * sizeof(bf16));
    }
  }
}

void split_heads_backward(const Layout* l, const bf16* d_q, const float* d_k, const float* d_v, const float* cosine,
                          const float* sine, float scale, bf16* d_qkv, int n_threads) {
  int64_t half = l->size / 2, width = (l->heads + 2 * l->kv_heads) * l->size;
#pragma omp parallel for collapse(2) num_threads(n_threads)
  for (int64_t b = 0; b < l->batch; b++) {
    for (int64_t t = 0; t < l->time; t++) {
      bf16* row = d_qkv + (b * l->time + t) * width;
      const float *c = cosine + t * half, *s = sine + t * half;
      for (int64_t h = 0; h < l->heads; h++) {
        const bf16* in = d_q + query_offset(l, b, h, t);
        bf16* out = row + h * l->size;
        for (int64_t j = 0; j < half; j++) {
          float x = widen(in[j]) * scale, y = widen(in[j + half]) * scale;
          out[j] = narrow(x * c[j] + y * s[j]);
          out[j + half] = narrow(y * c[j] - x * s[j]);
        }
      }
      for (int64_t h = 0; h < l->kv_heads; h++) {
        const float* in = d_k + ((b * l->kv_heads + h) * l->time + t) * l->size;
        bf16* out = row + (l->heads + h) * l->size;
        for (int64_t j = 0; j < half; j++) {
          out[j] = narrow(in[j] * c[j] + in[j + half] * s[j]);
          out[j + half] = narrow(in[j + half] * c[j] - in[j] * s[j]);
        }
        in = d_v + ((b * l->kv_heads + h) * l->time + t) * l->size;
        out = row + (l->heads + l->kv_heads + h) * l->size;
        for (int64_t j = 0; j < l->size; j++) out[j] = narrow(in[j]);
      }
    }
  }
}

// Between [batch, time, heads * size] and the queries' blocks: `gather` 1 fills rows from blocks, 0 blocks from rows.
void merge_heads(const Layout* l, bf16* blocks, bf16* rows, int gather, int n_threads) {
#pragma omp parallel for collapse(2) num_threads(n_threads)
  for (int64_t b = 0; b < l->batch; b++) {
    for (int64_t t = 0; t < l->time; t++) {
      for (int64_t h = 0; h < l->heads; h++) {
        bf16* in_row = rows + ((b * l->time + t) * l->heads + h) * l->size;
        bf16* in_block = blocks + query_offset(l, b, h, t);
        if (gather) memcpy(in_row, in_block, l->size * sizeof(bf16));
        else memcpy(in_block, in_row, l->size * sizeof(bf16));
      }
    }
  }
}

// In place, rows of `width` scores: row r belongs to time start + r % block and sees the columns up to it.
void causal_softmax_forward(bf16* scores, int64_t n_rows, int64_t width, int64_t start, int64_t block, int n_threads) {
#pragma omp parallel for num_threads(n_threads) schedule(static)
  for (int64_t r = 0; r < n_rows; r++) {
    float row[kMaxRow];
    bf16* s = scores + r * width;
    int64_t seen = start + r % block + 1;
    float highest = -INFINITY, sum = 0;
    for (int64_t j = 0; j < seen; j++) {
      float value = widen(s[j]);
      highest = value > highest ? value : highest;
    }
    for (int64_t j = 0; j < seen; j++) {
      row[j] = expf(widen(s[j]) - highest);
      sum += row[j];
    }
    float inverse = 1 / sum;
    for (int64_t j = 0; j < seen; j++) s[j] = narrow(row[j] * inverse);
    memset(s + seen, 0, (width - seen) * sizeof(bf16));
  }
}

// d_weights becomes the gradient of the scores.
void causal_softmax_backward(const bf16* weights, bf16* d_weights, int64_t n_rows, int64_t width, int64_t start,
                             int64_t block, int n_threads) {
#pragma omp parallel for num_threads(n_threads) schedule(static)
  for (int64_t r = 0; r < n_rows; r++) {
    const bf16* w = weights + r * width;
    bf16* d = d_weights + r * width;
    int64_t seen = start + r % block + 1;
    float dot = 0;
    for (int64_t j = 0; j < seen; j++) dot += widen(w[j]) * widen(d[j]);
    for (int64_t j = 0; j < seen; j++) d[j] = narrow(widen(w[j]) * (widen(d[j]) - dot));
    memset(d + seen, 0, (width - seen) * sizeof(bf16));
  }
}

// gate_up [n, 2 f] to silu(gate) * up [n, f].
void swiglu_forward(const bf16* gate_up, int64_t n, int64_t f, bf16* out, int n_threads) {
#pragma omp parallel for num_threads(n_threads)
  for (int64_t i = 0; i < n; i++) {
    const bf16 *gate = gate_up + i * 2 * f, *up = gate + f;
    for (int64_t j = 0; j < f; j++) {
      float g = widen(gate[j]);
      out[i * f + j] = narrow(g / (1 + expf(-g)) * widen(up[j]));
    }
  }
}

void swiglu_backward(const bf16* gate_up, const bf16* d_out, int64_t n, int64_t f, bf16* d_gate_up, int n_threads) {
#pragma omp parallel for num_threads(n_threads)
  for (int64_t i = 0; i < n; i++) {
    const bf16 *gate = gate_up + i * 2 * f, *up = gate + f;
    bf16 *d_gate = d_gate_up + i * 2 * f, *d_up = d_gate + f;
    for (int64_t j = 0; j < f; j++) {
      float g = widen(gate[j]), d = widen(d_out[i * f + j]);
      float sigmoid = 1 / (1 + expf(-g));
      d_up[j] = narrow(d * g * sigmoid);
      d_gate[j] = narrow(d * widen(up[j]) * sigmoid * (1 + g * (1 - sigmoid)));
    }
  }
}

// Logits [n, v] become their gradient, (softmax - one hot) * scale; losses [n] in nats. Targets of `ignore` give 0.
void cross_entropy(bf16* logits, const int64_t* targets, int64_t ignore, int64_t n, int64_t v, float scale,
                   float* losses, int n_threads) {
#pragma omp parallel for num_threads(n_threads)
  for (int64_t i = 0; i < n; i++) {
    float row[kMaxRow];
    bf16* s = logits + i * v;
    if (targets[i] == ignore) {
      losses[i] = 0;
      memset(s, 0, v * sizeof(bf16));
      continue;
    }
    float highest = -INFINITY, sum = 0;
    for (int64_t j = 0; j < v; j++) {
      float value = widen(s[j]);
      highest = value > highest ? value : highest;
    }
    for (int64_t j = 0; j < v; j++) {
      row[j] = expf(widen(s[j]) - highest);
      sum += row[j];
    }
    losses[i] = logf(sum) + highest - widen(s[targets[i]]);
    float factor = scale / sum;
    row[targets[i]] -= sum;
    for (int64_t j = 0; j < v; j++) s[j] = narrow(row[j] * factor);
  }
}

// d_table[tokens[i]] += d_x[i], rows of d; each thread owns some columns.
void embedding_backward(const int64_t* tokens, const float* d_x, int64_t n, int64_t d, float* d_table, int n_threads) {
#pragma omp parallel for num_threads(n_threads) schedule(static, 1)
  for (int t = 0; t < n_threads; t++) {
    int64_t first = d * t / n_threads, last = d * (t + 1) / n_threads;
    for (int64_t i = 0; i < n; i++)
      for (int64_t j = first; j < last; j++) d_table[tokens[i] * d + j] += d_x[i * d + j];
  }
}
