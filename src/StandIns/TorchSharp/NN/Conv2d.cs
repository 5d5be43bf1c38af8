using TorchSharp.Modules;
using static TorchSharp.torch;

namespace TorchSharp
{
    namespace Modules
    {
        /// <summary>What convolutions have in common.</summary>
        public abstract class Convolution : nn.Module<Tensor, Tensor>
        {
            internal Convolution(string name, long inputs, long outputs, long[] kernel_size, long[] stride, long[] padding, long[] dilation, long groups, bool bias, Device? device, ScalarType? dtype)
                : base(name)
            {
                (in_channels, out_channels) = (inputs, outputs);
                (this.kernel_size, this.stride, this.padding, this.dilation, this.groups) = (kernel_size, stride, padding, dilation, groups);
                weight = new Parameter(empty([outputs, inputs / groups, .. kernel_size], dtype, device));
                nn.init.kaiming_uniform_(weight, Math.Sqrt(5));
                if (!bias) return;
                var bound = 1 / Math.Sqrt(inputs / groups * kernel_size.TotalSize());
                this.bias = new Parameter(empty(outputs, dtype, device));
                nn.init.uniform_(this.bias, -bound, bound);
            }

            public long in_channels { get; }

            public long out_channels { get; }

            public long[] kernel_size { get; set; }

            public long[] stride { get; set; }

            public long[] padding { get; }

            public long[] dilation { get; set; }

            public long groups { get; set; }

            public Parameter weight
            {
                get => Registered(nameof(weight))!;
                set => ConditionallyRegisterParameter(nameof(weight), value);
            }

            public Parameter? bias
            {
                get => Registered(nameof(bias));
                set => ConditionallyRegisterParameter(nameof(bias), value);
            }
        }

        /// <summary>A convolution over [N, C, H, W], zero-padded.</summary>
        public sealed class Conv2d : Convolution
        {
            internal Conv2d(long inputs, long outputs, long[] kernel_size, long[] stride, long[] padding, long[] dilation, long groups, bool bias, Device? device, ScalarType? dtype)
                : base(nameof(Conv2d), inputs, outputs, kernel_size, stride, padding, dilation, groups, bias, device, dtype)
            {
            }

            public override Tensor forward(Tensor input) => nn.functional.conv2d(input, weight, bias, stride, padding, dilation, groups);
        }
    }

    public static partial class torch
    {
        public static partial class nn
        {
            public static Conv2d Conv2d(long in_channels, long out_channels, long kernel_size, long stride = 1, long padding = 0, long dilation = 1, PaddingModes padding_mode = PaddingModes.Zeros, long groups = 1, bool bias = true, Device? device = null, ScalarType? dtype = null) =>
                new(in_channels, out_channels, [kernel_size, kernel_size], [stride, stride], [padding, padding], [dilation, dilation], Zeros(padding_mode, groups), bias, device, dtype);

            public static Conv2d Conv2d(long in_channels, long out_channels, (long, long) kernel_size, (long, long)? stride = null, (long, long)? padding = null, (long, long)? dilation = null, PaddingModes padding_mode = PaddingModes.Zeros, long groups = 1, bool bias = true, Device? device = null, ScalarType? dtype = null) =>
                new(in_channels, out_channels, List(kernel_size), List(stride ?? (1, 1)), List(padding ?? (0, 0)), List(dilation ?? (1, 1)), Zeros(padding_mode, groups), bias, device, dtype);

            private static long Zeros(PaddingModes mode, long groups) =>
                mode == PaddingModes.Zeros ? groups : throw new NotImplementedException($"Padding mode {mode} is not in this stand-in.");

            private static long[] List((long, long) pair) => [pair.Item1, pair.Item2];
        }
    }
}
