// Calls the layer of object.mlir with slices of one buffer that holds, for every
// token, two queries, a key, a value and a logit: what a fused projection gives.
#include "layer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { tokens = 21, dim = 8, tokenStride = 4 * dim + 8 };

static diffattn_memref_4d slice(float *data, int offset, int heads) {
  diffattn_memref_4d x = {0, data, offset, {1, tokens, heads, dim},
                          {tokens * tokenStride, tokenStride, dim, 1}};
  return x;
}

int main(void) {
  static float data[tokens * tokenStride], before[tokens * tokenStride];
  for (int i = 0; i < tokens * tokenStride; ++i)
    data[i] = 0.1f * (i % 7);
  for (int token = 0; token < tokens; ++token) {
    for (int i = 0; i < dim; ++i)
      data[token * tokenStride + 3 * dim + i] = 1;
    data[token * tokenStride + 4 * dim] = 0;
  }
  memcpy(before, data, sizeof(data));

  diffattn_memref_4d query = slice(data, 0, 2);
  diffattn_memref_4d key = slice(data, 2 * dim, 1);
  diffattn_memref_4d value = slice(data, 3 * dim, 1);
  diffattn_memref_3d lambda = {0, data, 4 * dim, {1, tokens, 1},
                               {tokens * tokenStride, tokenStride, 1}};
  diffattn_memref_4d result;
  _mlir_ciface_layer(&result, &query, &key, &value, &lambda);

  if (result.sizes[1] != tokens || result.sizes[3] != dim)
    return 1;
  float *out = (float *)result.aligned + result.offset;
  printf("%f %f\n", out[0],
         out[(tokens - 1) * result.strides[1] + (dim - 1) * result.strides[3]]);
  printf("operands unchanged: %s\n",
         memcmp(before, data, sizeof(data)) ? "no" : "yes");
  free(result.allocated);
  return 0;
}
