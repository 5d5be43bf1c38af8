namespace SixLabors.ImageSharp.Processing.Processors.Transforms;

/// <summary>The source pixels that make one target pixel, and their weights, which sum to 1.</summary>
internal readonly record struct ResizeKernel(int Start, float[] Weights)
{
    public static ResizeKernel[] Create(int sourceLength, int targetLength, IResampler sampler)
    {
        var ratio = sourceLength / (double)targetLength;
        // A shrinking filter is stretched to cover all source pixels.
        var scale = Math.Max(ratio, 1);
        var radius = scale * sampler.Radius;
        var kernels = new ResizeKernel[targetLength];
        for (var i = 0; i < targetLength; i++)
        {
            var center = ((i + .5) * ratio) - .5;
            var nearest = Math.Clamp((int)Math.Floor(center + .5), 0, sourceLength - 1);
            var first = sampler.Radius == 0 ? nearest : Math.Clamp((int)Math.Ceiling(center - radius), 0, nearest);
            var last = sampler.Radius == 0 ? nearest : Math.Clamp((int)Math.Floor(center + radius), nearest, sourceLength - 1);
            var weights = new float[last - first + 1];
            for (var j = 0; j < weights.Length; j++) weights[j] = sampler.GetValue((float)((first + j - center) / scale));
            var sum = weights.Sum();
            for (var j = 0; j < weights.Length; j++) weights[j] /= sum;
            kernels[i] = new ResizeKernel(first, weights);
        }
        return kernels;
    }
}
