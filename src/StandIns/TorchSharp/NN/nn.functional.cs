namespace TorchSharp;

public static partial class torch
{
    public static partial class nn
    {
        public static partial class functional
        {
            public static Tensor linear(Tensor input, Tensor weights, Tensor? bias = null) => Aten.One("linear", input, weights, bias);

            public static Tensor layer_norm(Tensor input, long[] normalized_shape, Tensor? weight = null, Tensor? bias = null, double eps = 1e-05) =>
                Aten.One("layer_norm", input, normalized_shape, weight, bias, eps);

            public static Tensor conv2d(Tensor input, Tensor weight, Tensor? bias = null, long[]? strides = null, long[]? padding = null, long[]? dilation = null, long groups = 1) =>
                Aten.One("conv2d", input, weight, bias, strides ?? [1], padding ?? [0], dilation ?? [1], groups);

            public static Tensor dropout(Tensor input, double p = 0.5, bool training = true, bool inplace = false) =>
                inplace ? Aten.InPlace("dropout_", input, p, training) : Aten.One("dropout", input, p, training);

            public static Tensor relu(Tensor x, bool inplace = false) => inplace ? x.relu_().alias() : x.relu();

            /// <summary>The exact (erf) form.</summary>
            public static Tensor gelu(Tensor x) => x.gelu();

            public static Tensor gelu(Tensor x, bool inplace) => inplace ? x.gelu_().alias() : x.gelu();

            public static Tensor silu(Tensor x, bool inplace = false) => inplace ? x.silu_().alias() : x.silu();

            public static Tensor sigmoid(Tensor x) => x.sigmoid();

            public static Tensor tanh(Tensor x, bool inplace = false) => inplace ? x.tanh_().alias() : x.tanh();

            public static Tensor softmax(Tensor input, long dim, ScalarType? dtype = null) => input.softmax(dim, dtype);

            public static Tensor log_softmax(Tensor x, long dim) => x.log_softmax(dim);

            public static Tensor softplus(Tensor x, double beta = 1.0, double threshold = 20.0) => x.softplus(beta, threshold);

            public static Tensor one_hot(Tensor x, long num_classes = -1L) => Aten.One("one_hot", x, num_classes);

            public static Tensor normalize(Tensor input, double p = 2.0, long dim = 1L, double eps = 1e-12)
            {
                using var norm = Aten.One("norm.ScalarOpt_dim", input, p, new[] { dim }, true);
                using var divisor = norm.clamp_min(eps);
                return input.div(divisor);
            }

            public static Tensor cosine_similarity(Tensor x1, Tensor x2, long dim = 1L, double eps = 1e-8) => Aten.One("cosine_similarity", x1, x2, dim, eps);

            public static Tensor cross_entropy(Tensor input, Tensor target, Tensor? weight = null, long ignore_index = -100, Reduction reduction = Reduction.Mean, double label_smoothing = 0.0) =>
                Aten.One("cross_entropy_loss", input, target, weight, (long)reduction, ignore_index, label_smoothing);

            public static Tensor nll_loss(Tensor input, Tensor target, Tensor? weight = null, Reduction reduction = Reduction.Mean) =>
                Aten.One("nll_loss", input, target, weight, (long)reduction);

            public static Tensor mse_loss(Tensor input, Tensor target, Reduction reduction = Reduction.Mean) => Aten.One("mse_loss", input, target, (long)reduction);

            public static Tensor l1_loss(Tensor input, Tensor target, Reduction reduction = Reduction.Mean) => Aten.One("l1_loss", input, target, (long)reduction);

            public static Tensor kl_div(Tensor input, Tensor target, bool log_target = true, Reduction reduction = Reduction.Mean) => Aten.One("kl_div", input, target, (long)reduction, log_target);

            public static Tensor pad(Tensor input, long[] pad, PaddingModes mode = PaddingModes.Constant, double value = 0)
            {
                return mode switch
                {
                    PaddingModes.Constant or PaddingModes.Zeros => Aten.One("constant_pad_nd", input, pad, (Scalar)value),
                    PaddingModes.Reflect => Aten.One($"reflection_pad{pad.Length / 2}d", input, pad),
                    PaddingModes.Replicate => Aten.One($"replication_pad{pad.Length / 2}d", input, pad),
                    _ => throw new NotImplementedException($"Padding mode {mode} is not in this stand-in."),
                };
            }

            public static Tensor pad(Tensor input, ReadOnlySpan<long> pad, PaddingModes mode = PaddingModes.Constant, double value = 0) =>
                functional.pad(input, pad.ToArray(), mode, value);

            public static Tensor pad(Tensor input, (long, long) pad, PaddingModes mode = PaddingModes.Constant, double value = 0) =>
                functional.pad(input, [pad.Item1, pad.Item2], mode, value);

            /// <summary>Resizes [N, C, H, W].</summary>
            public static Tensor interpolate(Tensor x, long[]? size = null, double[]? scale_factor = null, InterpolationMode mode = InterpolationMode.Nearest, bool? align_corners = null, bool recompute_scale_factor = false, bool antialias = false)
            {
                if (x.ndim != 4) throw new NotImplementedException("interpolate in this stand-in takes tensors of 4 dimensions.");
                var corners = align_corners ?? false;
                var factors = scale_factor is { Length: 1 } ? [scale_factor[0], scale_factor[0]] : scale_factor;
                if (recompute_scale_factor && factors is not null)
                {
                    size = [(long)(x.shape[2] * factors[0]), (long)(x.shape[3] * factors[1])];
                    factors = null;
                }
                return mode switch
                {
                    InterpolationMode.Nearest => Aten.One("upsample_nearest2d.vec", x, size, factors),
                    InterpolationMode.NearestExact => Aten.One("_upsample_nearest_exact2d.vec", x, size, factors),
                    InterpolationMode.Bilinear => Aten.One(antialias ? "_upsample_bilinear2d_aa.vec" : "upsample_bilinear2d.vec", x, size, corners, factors),
                    InterpolationMode.Bicubic => Aten.One(antialias ? "_upsample_bicubic2d_aa.vec" : "upsample_bicubic2d.vec", x, size, corners, factors),
                    InterpolationMode.Area => Aten.One("adaptive_avg_pool2d", x, size ?? [(long)(x.shape[2] * factors![0]), (long)(x.shape[3] * factors[1])]),
                    _ => throw new NotImplementedException($"Interpolation mode {mode} is not in this stand-in."),
                };
            }

            /// <summary>softmax(query · keyᵀ / √d + mask) · value.</summary>
            /// <param name="attn_mask">Added to the scores, or a boolean tensor: true takes part. Not together with <paramref name="is_casual"/>.</param>
            /// <param name="is_casual">Each position sees itself and those before it.</param>
            public static Tensor scaled_dot_product_attention(Tensor query, Tensor key, Tensor value, Tensor? attn_mask = null, double p = 0.0, bool is_casual = false)
            {
                if (p < 0 || p > 1) throw new ArgumentException("'p' must be within the range [0,1]");
                if (is_casual && attn_mask is not null) throw new ArgumentException("Casual attention masking cannot pass a mask.");
                return Aten.Has("scaled_dot_product_attention")
                    ? Aten.One("scaled_dot_product_attention", query, key, value, attn_mask, p, is_casual)
                    : Composed(query, key, value, attn_mask, p, is_casual);
            }

            // libtorch before 2.0.
            private static Tensor Composed(Tensor query, Tensor key, Tensor value, Tensor? mask, double p, bool causal)
            {
                using var transposed = key.transpose(-2, -1);
                using var scaled = query.mul((Scalar)(1 / Math.Sqrt(query.shape[^1])));
                var scores = scaled.matmul(transposed);
                if (causal)
                {
                    using var future = ones([query.shape[^2], key.shape[^2]], ScalarType.Bool, query.device).triu_(1);
                    scores.masked_fill_(future, double.NegativeInfinity);
                }
                else if (mask is not null && mask.dtype == ScalarType.Bool)
                {
                    using var hidden = mask.logical_not();
                    scores.masked_fill_(hidden, double.NegativeInfinity);
                }
                else if (mask is not null)
                {
                    scores.add_(mask);
                }
                using (scores)
                using (var weights = scores.softmax(-1))
                {
                    if (p == 0) return weights.matmul(value);
                    using var kept = dropout(weights, p);
                    return kept.matmul(value);
                }
            }
        }
    }
}
