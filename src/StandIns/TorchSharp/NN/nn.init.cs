namespace TorchSharp;

public static partial class torch
{
    public static partial class nn
    {
        /// <summary>Starting values, written in place without recording a graph.</summary>
        public static partial class init
        {
            public enum NonlinearityType
            {
                Linear = 0, Conv1D = 1, Conv2D = 2, Conv3D = 3, ConvTranspose1D = 4, ConvTranspose2D = 5, ConvTranspose3D = 6,
                Sigmoid = 7, Tanh = 8, ReLU = 9, LeakyReLU = 10,
            }

            public enum FanInOut
            {
                FanIn = 0, FanOut = 1,
            }

            public static Tensor zeros_(Tensor tensor) => constant_(tensor, 0);

            public static Tensor ones_(Tensor tensor) => constant_(tensor, 1);

            public static Tensor constant_(Tensor tensor, Scalar val) => Untracked(() => tensor.fill_(val));

            public static Tensor normal_(Tensor tensor, double mean = 0.0, double std = 1.0, Generator? generator = null) =>
                Untracked(() => tensor.normal_(mean, std, generator));

            public static Tensor uniform_(Tensor tensor, double low = 0, double high = 1, Generator? generator = null) =>
                Untracked(() => tensor.uniform_(low, high, generator));

            /// <summary>Normal, cut to [a, b], by the inverse of the cumulative distribution.</summary>
            public static Tensor trunc_normal_(Tensor tensor, double mean = 0.0, double std = 1.0, double a = -2.0, double b = 2.0, Generator? generator = null)
            {
                var (low, high) = (Cumulative((a - mean) / std), Cumulative((b - mean) / std));
                return Untracked(() => Aten.InPlace("erfinv_", tensor.uniform_(2 * low - 1, 2 * high - 1, generator))
                    .mul_((Scalar)(std * Math.Sqrt(2))).add_((Scalar)mean).clamp_((Scalar)a, (Scalar)b));
            }

            public static Tensor xavier_uniform_(Tensor tensor, double gain = 1.0)
            {
                var (fanIn, fanOut) = CalculateFanInAndFanOut(tensor);
                var bound = gain * Math.Sqrt(6.0 / (fanIn + fanOut));
                return uniform_(tensor, -bound, bound);
            }

            public static Tensor xavier_normal_(Tensor tensor, double gain = 1.0)
            {
                var (fanIn, fanOut) = CalculateFanInAndFanOut(tensor);
                return normal_(tensor, 0, gain * Math.Sqrt(2.0 / (fanIn + fanOut)));
            }

            public static Tensor kaiming_uniform_(Tensor tensor, double a = 0, FanInOut mode = FanInOut.FanIn, NonlinearityType nonlinearity = NonlinearityType.LeakyReLU)
            {
                var bound = Math.Sqrt(3) * Deviation(tensor, a, mode, nonlinearity);
                return uniform_(tensor, -bound, bound);
            }

            public static Tensor kaiming_normal_(Tensor tensor, double a = 0, FanInOut mode = FanInOut.FanIn, NonlinearityType nonlinearity = NonlinearityType.LeakyReLU) =>
                normal_(tensor, 0, Deviation(tensor, a, mode, nonlinearity));

            public static double calculate_gain(NonlinearityType nonlinearity, double param = 0.0) => nonlinearity switch
            {
                NonlinearityType.Tanh => 5.0 / 3.0,
                NonlinearityType.ReLU => Math.Sqrt(2),
                NonlinearityType.LeakyReLU => Math.Sqrt(2.0 / (1 + param * param)),
                _ => 1,
            };

            public static (long fanIn, long fanOut) CalculateFanInAndFanOut(Tensor tensor)
            {
                var shape = tensor.shape;
                if (shape.Length < 2) throw new ArgumentException("Fan in and fan out can not be computed for tensor with fewer than 2 dimensions");
                var field = shape[2..].TotalSize();
                return (shape[1] * field, shape[0] * field);
            }

            private static double Deviation(Tensor tensor, double a, FanInOut mode, NonlinearityType nonlinearity)
            {
                var (fanIn, fanOut) = CalculateFanInAndFanOut(tensor);
                return calculate_gain(nonlinearity, a) / Math.Sqrt(mode == FanInOut.FanIn ? fanIn : fanOut);
            }

            private static double Cumulative(double x)
            {
                using var element = torch.tensor(x / Math.Sqrt(2));
                using var erf = element.erf();
                return (1 + erf.ToDouble()) / 2;
            }

            private static Tensor Untracked(Func<Tensor> body)
            {
                using var untracked = no_grad();
                return body();
            }
        }
    }
}
