using System.Reflection;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace FunctionsPipeline.GpuWorker.Commands;

/// <summary>
/// Documentation comments of an assembly's public members, from the XML file that the compiler writes beside the assembly.
/// </summary>
internal sealed partial class XmlDocumentation
{
    private readonly Dictionary<string, XElement> _members;

    private XmlDocumentation(Dictionary<string, XElement> members) => _members = members;

    /// <summary>Reads the XML file beside the assembly; a missing file yields empty summaries.</summary>
    public static XmlDocumentation Load(Assembly assembly)
    {
        var path = Path.Combine(AppContext.BaseDirectory, $"{assembly.GetName().Name}.xml");
        return new XmlDocumentation(File.Exists(path)
            ? XDocument.Load(path, LoadOptions.PreserveWhitespace).Descendants("member").ToDictionary(member => member.Attribute("name")!.Value)
            : []);
    }

    /// <summary>Returns the summary of a property as one line of plain text; empty when it has none.</summary>
    public string SummaryOf(PropertyInfo property) =>
        _members.TryGetValue($"P:{property.DeclaringType!.FullName}.{property.Name}", out var member) && member.Element("summary") is { } summary
            ? Whitespace().Replace(string.Concat(summary.Nodes().Select(Plain)), " ").Trim() : "";

    private static string Plain(XNode node) => node switch
    {
        XText text => text.Value,
        XElement { Name.LocalName: "see", IsEmpty: true } see =>
            see.Attribute("langword")?.Value ?? see.Attribute("href")?.Value ?? Name(see.Attribute("cref")!.Value),
        XElement { Name.LocalName: "paramref" or "typeparamref" } parameter => parameter.Attribute("name")!.Value,
        XElement element => string.Concat(element.Nodes().Select(Plain)),
        _ => "",
    };

    // Turns "P:Namespace.Type.Member" into the camel-case name of a request's member.
    private static string Name(string reference)
    {
        var name = reference.Split('(')[0].Split('.')[^1];
        return reference.StartsWith("P:", StringComparison.Ordinal) ? JsonNamingPolicy.CamelCase.ConvertName(name) : name;
    }

    [GeneratedRegex(@"\s+")]
    private static partial Regex Whitespace();
}
