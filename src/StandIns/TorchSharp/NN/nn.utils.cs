using TorchSharp.Modules;

namespace TorchSharp;

public static partial class torch
{
    public static partial class nn
    {
        public static partial class utils
        {
            /// <summary>Scales the gradients so that their norm over all parameters is at most <paramref name="max_norm"/>.</summary>
            /// <returns>The norm before.</returns>
            public static double clip_grad_norm_(IEnumerable<Parameter> tensors, double max_norm, double norm_type = 2.0)
            {
                using var untracked = no_grad();
                using var scope = NewDisposeScope();
                var grads = tensors.Select(parameter => parameter.grad).OfType<Tensor>().ToArray();
                if (grads.Length == 0) return 0;
                var norms = grads.Select(grad => Aten.One("norm.Scalar", grad, norm_type).to(grads[0].device)).ToArray();
                var total = double.IsPositiveInfinity(norm_type) ? stack(norms).max().ToDouble() : Aten.One("norm.Scalar", stack(norms), norm_type).ToDouble();
                var factor = max_norm / (total + 1e-6);
                // A norm that is not a number must reach the gradients, as it does in PyTorch.
                if (!(factor >= 1))
                    foreach (var grad in grads) grad.mul_((Scalar)factor);
                return total;
            }

            public static void clip_grad_value_(IEnumerable<Parameter> tensors, double clip_value)
            {
                using var untracked = no_grad();
                foreach (var parameter in tensors)
                    if (parameter.grad is { } grad)
                        using (grad) grad.clamp_((Scalar)(-clip_value), (Scalar)clip_value);
            }
        }
    }
}
