namespace Microsoft.Azure.Functions.Worker.Converters;

/// <summary>Names the type that converts a parameter's input.</summary>
public class InputConverterAttribute : Attribute
{
    public InputConverterAttribute(Type converterType) => ConverterType = converterType;

    public Type ConverterType { get; }
}
