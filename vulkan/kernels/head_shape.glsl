// What is constant in kernels that work on heads: the model's head size, the cache's page size.
layout(constant_id = 0) const uint kHeadDim = 128;
layout(constant_id = 1) const uint kPageTokens = 32;  // a multiple of 8: regions are then aligned
