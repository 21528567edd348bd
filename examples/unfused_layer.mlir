// The layer of diff_v2_layer.mlir, at 512 tokens, the way a framework writes it:
// attention over all 16 query heads with its scores in memory, slices of the even
// and the odd heads, sigmoid, product and difference. The compiler finds the
// differential attention in it and says so:
//
//   diffattn-compile unfused_layer.mlir --run --input=random:1 --check --time

// Dimensions: batch, group, head of the group, query, key, feature.
#query = affine_map<(b, g, r, m, n, d) -> (b, m, g, r, d)>
#key = affine_map<(b, g, r, m, n, d) -> (b, n, g, d)>
#score = affine_map<(b, g, r, m, n, d) -> (b, g, r, m, n)>
#probability = affine_map<(b, g, r, m, d, n) -> (b, g, r, m, n)>
#value = affine_map<(b, g, r, m, d, n) -> (b, n, g, d)>
#context = affine_map<(b, g, r, m, d, n) -> (b, m, g, r, d)>
#scores = affine_map<(b, g, r, m, n) -> (b, g, r, m, n)>
#row = affine_map<(b, g, r, m, n) -> (b, g, r, m)>
#gate = affine_map<(b, m, h, d) -> (b, m, h)>
#output = affine_map<(b, m, h, d) -> (b, m, h, d)>

func.func @unfused_layer(
    %query: tensor<1x512x16x128xbf16>, %key: tensor<1x512x4x128xbf16>,
    %value: tensor<1x512x4x128xbf16>, %lambda: tensor<1x512x8xbf16>)
    -> tensor<1x512x8x128xbf16> {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  %scale = arith.constant 0.088388347648318447 : f32

  // Scaled and masked scores, f32.
  %query_groups = tensor.expand_shape %query [[0], [1], [2, 3], [4]]
      output_shape [1, 512, 4, 4, 128]
      : tensor<1x512x16x128xbf16> into tensor<1x512x4x4x128xbf16>
  %score_empty = tensor.empty() : tensor<1x4x4x512x512xf32>
  %score_zero = linalg.fill ins(%zero : f32)
      outs(%score_empty : tensor<1x4x4x512x512xf32>) -> tensor<1x4x4x512x512xf32>
  %products = linalg.generic {
      indexing_maps = [#query, #key, #score],
      iterator_types = ["parallel", "parallel", "parallel", "parallel",
                        "parallel", "reduction"]}
      ins(%query_groups, %key
          : tensor<1x512x4x4x128xbf16>, tensor<1x512x4x128xbf16>)
      outs(%score_zero : tensor<1x4x4x512x512xf32>) {
  ^bb0(%q: bf16, %k: bf16, %sum: f32):
    %q_f32 = arith.extf %q : bf16 to f32
    %k_f32 = arith.extf %k : bf16 to f32
    %product = arith.mulf %q_f32, %k_f32 : f32
    %next = arith.addf %sum, %product : f32
    linalg.yield %next : f32
  } -> tensor<1x4x4x512x512xf32>
  %scores = linalg.generic {
      indexing_maps = [#scores, #scores],
      iterator_types = ["parallel", "parallel", "parallel", "parallel",
                        "parallel"]}
      ins(%products : tensor<1x4x4x512x512xf32>)
      outs(%score_empty : tensor<1x4x4x512x512xf32>) {
  ^bb0(%s: f32, %unused: f32):
    %scaled = arith.mulf %s, %scale : f32
    %row = linalg.index 3 : index
    %column = linalg.index 4 : index
    %visible = arith.cmpi sle, %column, %row : index
    %masked = arith.select %visible, %scaled, %lowest : f32
    linalg.yield %masked : f32
  } -> tensor<1x4x4x512x512xf32>

  // Softmax over the keys.
  %row_empty = tensor.empty() : tensor<1x4x4x512xf32>
  %row_lowest = linalg.fill ins(%lowest : f32)
      outs(%row_empty : tensor<1x4x4x512xf32>) -> tensor<1x4x4x512xf32>
  %max = linalg.generic {
      indexing_maps = [#scores, #row],
      iterator_types = ["parallel", "parallel", "parallel", "parallel",
                        "reduction"]}
      ins(%scores : tensor<1x4x4x512x512xf32>)
      outs(%row_lowest : tensor<1x4x4x512xf32>) {
  ^bb0(%s: f32, %so_far: f32):
    %next = arith.maximumf %s, %so_far : f32
    linalg.yield %next : f32
  } -> tensor<1x4x4x512xf32>
  %exponentials = linalg.generic {
      indexing_maps = [#scores, #row, #scores],
      iterator_types = ["parallel", "parallel", "parallel", "parallel",
                        "parallel"]}
      ins(%scores, %max : tensor<1x4x4x512x512xf32>, tensor<1x4x4x512xf32>)
      outs(%score_empty : tensor<1x4x4x512x512xf32>) {
  ^bb0(%s: f32, %m: f32, %unused: f32):
    %shifted = arith.subf %s, %m : f32
    %exponential = math.exp %shifted : f32
    linalg.yield %exponential : f32
  } -> tensor<1x4x4x512x512xf32>
  %row_zero = linalg.fill ins(%zero : f32)
      outs(%row_empty : tensor<1x4x4x512xf32>) -> tensor<1x4x4x512xf32>
  %sum = linalg.generic {
      indexing_maps = [#scores, #row],
      iterator_types = ["parallel", "parallel", "parallel", "parallel",
                        "reduction"]}
      ins(%exponentials : tensor<1x4x4x512x512xf32>)
      outs(%row_zero : tensor<1x4x4x512xf32>) {
  ^bb0(%e: f32, %so_far: f32):
    %next = arith.addf %e, %so_far : f32
    linalg.yield %next : f32
  } -> tensor<1x4x4x512xf32>
  %probabilities = linalg.generic {
      indexing_maps = [#scores, #row, #scores],
      iterator_types = ["parallel", "parallel", "parallel", "parallel",
                        "parallel"]}
      ins(%exponentials, %sum : tensor<1x4x4x512x512xf32>, tensor<1x4x4x512xf32>)
      outs(%score_empty : tensor<1x4x4x512x512xf32>) {
  ^bb0(%e: f32, %s: f32, %unused: f32):
    %probability = arith.divf %e, %s : f32
    linalg.yield %probability : f32
  } -> tensor<1x4x4x512x512xf32>

  // One context vector per query head, rounded as frameworks do.
  %context_empty = tensor.empty() : tensor<1x512x4x4x128xf32>
  %context_zero = linalg.fill ins(%zero : f32)
      outs(%context_empty : tensor<1x512x4x4x128xf32>)
      -> tensor<1x512x4x4x128xf32>
  %context = linalg.generic {
      indexing_maps = [#probability, #value, #context],
      iterator_types = ["parallel", "parallel", "parallel", "parallel",
                        "parallel", "reduction"]}
      ins(%probabilities, %value
          : tensor<1x4x4x512x512xf32>, tensor<1x512x4x128xbf16>)
      outs(%context_zero : tensor<1x512x4x4x128xf32>) {
  ^bb0(%p: f32, %v: bf16, %so_far: f32):
    %v_f32 = arith.extf %v : bf16 to f32
    %product = arith.mulf %p, %v_f32 : f32
    %next = arith.addf %so_far, %product : f32
    linalg.yield %next : f32
  } -> tensor<1x512x4x4x128xf32>
  %heads_f32 = tensor.collapse_shape %context [[0], [1], [2, 3], [4]]
      : tensor<1x512x4x4x128xf32> into tensor<1x512x16x128xf32>
  %heads_empty = tensor.empty() : tensor<1x512x16x128xbf16>
  %heads = linalg.generic {
      indexing_maps = [#output, #output],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%heads_f32 : tensor<1x512x16x128xf32>)
      outs(%heads_empty : tensor<1x512x16x128xbf16>) {
  ^bb0(%o: f32, %unused: bf16):
    %rounded = arith.truncf %o : f32 to bf16
    linalg.yield %rounded : bf16
  } -> tensor<1x512x16x128xbf16>

  // Even heads minus sigmoid(lambda) times odd heads.
  %signal = tensor.extract_slice %heads[0, 0, 0, 0] [1, 512, 8, 128] [1, 1, 2, 1]
      : tensor<1x512x16x128xbf16> to tensor<1x512x8x128xbf16>
  %noise = tensor.extract_slice %heads[0, 0, 1, 0] [1, 512, 8, 128] [1, 1, 2, 1]
      : tensor<1x512x16x128xbf16> to tensor<1x512x8x128xbf16>
  %init = tensor.empty() : tensor<1x512x8x128xbf16>
  %out = linalg.generic {
      indexing_maps = [#output, #output, #gate, #output],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%signal, %noise, %lambda : tensor<1x512x8x128xbf16>,
          tensor<1x512x8x128xbf16>, tensor<1x512x8xbf16>)
      outs(%init : tensor<1x512x8x128xbf16>) {
  ^bb0(%o1: bf16, %o2: bf16, %logit: bf16, %unused: bf16):
    %logit_f32 = arith.extf %logit : bf16 to f32
    %negated = arith.negf %logit_f32 : f32
    %exponential = math.exp %negated : f32
    %denominator = arith.addf %exponential, %one : f32
    %gate = arith.divf %one, %denominator : f32
    %o1_f32 = arith.extf %o1 : bf16 to f32
    %o2_f32 = arith.extf %o2 : bf16 to f32
    %weighted = arith.mulf %gate, %o2_f32 : f32
    %difference = arith.subf %o1_f32, %weighted : f32
    %rounded = arith.truncf %difference : f32 to bf16
    linalg.yield %rounded : bf16
  } -> tensor<1x512x8x128xbf16>
  return %out : tensor<1x512x8x128xbf16>
}
