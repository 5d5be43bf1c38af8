namespace SixLabors.ImageSharp.Processing.Processors.Transforms;

/// <summary>A resampling filter.</summary>
public interface IResampler
{
    /// <summary>How far the filter reaches, in pixels.</summary>
    float Radius { get; }

    /// <summary>Its weight at the distance <paramref name="x"/>.</summary>
    float GetValue(float x);
}
