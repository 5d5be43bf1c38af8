using TorchSharp.Modules;
using static TorchSharp.torch;

namespace TorchSharp
{
    namespace Modules
    {
        /// <summary>Rows of a table by index; the padding row gets no gradient.</summary>
        public sealed class Embedding : nn.Module<Tensor, Tensor>
        {
            private readonly long padding;

            internal Embedding(Tensor weight, long? padding_idx)
                : base(nameof(Embedding))
            {
                padding = padding_idx is long row ? (row < 0 ? weight.shape[0] + row : row) : -1;
                this.weight = weight as Parameter ?? new Parameter(weight);
            }

            public Parameter? weight
            {
                get => Registered(nameof(weight));
                set => ConditionallyRegisterParameter(nameof(weight), value);
            }

            public override Tensor forward(Tensor input) => Aten.One("embedding", weight, input, padding);
        }
    }

    public static partial class torch
    {
        public static partial class nn
        {
            /// <summary>The table starts normal(0, 1), its padding row zero. Norm limits, frequency scaling and sparse gradients are not in this stand-in.</summary>
            public static Embedding Embedding(long num_embeddings, long embedding_dims, long? padding_idx = null, double? max_norm = null, double norm_type = 2.0, bool scale_grad_by_freq = false, bool sparse = false, Device? device = null, ScalarType? dtype = null)
            {
                if (max_norm is not null || scale_grad_by_freq || sparse)
                    throw new NotImplementedException("Embedding with max_norm, scale_grad_by_freq or sparse is not in this stand-in.");
                var weight = randn(num_embeddings, embedding_dims, dtype, device);
                if (padding_idx is long row)
                    using (var padding = weight.select(0, row)) padding.zero_();
                return new(weight, padding_idx);
            }

            /// <summary>A layer over a table that is there already, which is not copied. Norm limits, frequency scaling and sparse gradients are not in this stand-in.</summary>
            public static Embedding Embedding_from_pretrained(Tensor embeddings, bool freeze = true, long? padding_idx = null, double? max_norm = null, double norm_type = 2.0, bool scale_grad_by_freq = false, bool sparse = false, Device? device = null, ScalarType? dtype = null)
            {
                if (max_norm is not null || scale_grad_by_freq || sparse)
                    throw new NotImplementedException("Embedding with max_norm, scale_grad_by_freq or sparse is not in this stand-in.");
                var table = device is null && dtype is null ? embeddings : embeddings.to(dtype ?? embeddings.dtype, device ?? embeddings.device);
                return new(table is Parameter ? table.requires_grad_(!freeze) : new Parameter(table, !freeze), padding_idx);
            }
        }
    }
}
