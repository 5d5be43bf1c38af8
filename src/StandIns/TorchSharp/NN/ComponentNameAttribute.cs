namespace TorchSharp.Utils;

/// <summary>The name to register a field under, instead of its own.</summary>
[AttributeUsage(AttributeTargets.Field)]
public class ComponentNameAttribute : Attribute
{
    public string Name { get; set; } = "";
}
