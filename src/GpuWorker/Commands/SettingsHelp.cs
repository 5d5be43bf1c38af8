using System.Collections;
using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.Globalization;
using System.Reflection;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.GpuWorker.Commands;

/// <summary>Help action that prints a command's usual help, followed by a run's settings.</summary>
internal sealed class SettingsHelpAction(HelpAction usual) : SynchronousCommandLineAction
{
    private const int WidthOfNoConsole = 120;
    private const int Widest = 140;

    /// <summary>Replaces a command's help action by this one.</summary>
    public static void AddTo(Command command)
    {
        var option = new HelpOption();
        option.Action = new SettingsHelpAction((HelpAction)option.Action!);
        command.Add(option);
    }

    /// <summary>True, so that <c>train --help</c> works without the required run.</summary>
    public override bool ClearsParseErrors => true;

    /// <inheritdoc/>
    public override int Invoke(ParseResult parseResult)
    {
        var code = usual.Invoke(parseResult);
        SettingsHelp.Write(parseResult.InvocationConfiguration.Output, Width());
        return code;
    }

    private static int Width()
    {
        if (Console.IsOutputRedirected) return WidthOfNoConsole;
        // The width is 0 in terminals that do not report one.
        return Console.WindowWidth is > 0 and var width ? Math.Min(width, Widest) : WidthOfNoConsole;
    }
}

/// <summary>
/// Lists a run's settings for <c>train --help</c>: their names in a request, their defaults, and the summaries of the contracts' XML
/// documentation, so that the text is maintained in one place.
/// </summary>
internal static class SettingsHelp
{
    private const int Indent = 6;

    /// <summary>One setting of a run.</summary>
    /// <param name="Name">Dotted name, such as <c>lora.rank</c>.</param>
    /// <param name="Words">Allowed words of an enum, separated by bars; empty for other types.</param>
    /// <param name="Default">Default value; empty for an optional setting without one.</param>
    public sealed record Setting(string Name, string Words, string Default, string Text);

    /// <summary>Lists every setting, in the order of the contracts.</summary>
    public static IReadOnlyList<Setting> All()
    {
        var documentation = XmlDocumentation.Load(typeof(TrainingSettings).Assembly);
        return [.. Of(new TrainingSettings(), "", documentation)];
    }

    /// <summary>Writes all settings as text.</summary>
    /// <param name="width">Width of a line, in characters.</param>
    public static void Write(TextWriter writer, int width)
    {
        writer.WriteLine("Settings (training.* of a run's request):");
        foreach (var setting in All())
        {
            var words = setting.Words.Length > 0 ? $" <{setting.Words}>" : "";
            writer.WriteLine($"  {setting.Name}{words}{(setting.Default.Length > 0 ? $" [default: {setting.Default}]" : "")}");
            foreach (var line in TextWrap.Lines(setting.Text, width - Indent)) writer.WriteLine(new string(' ', Indent) + line);
        }
    }

    private static IEnumerable<Setting> Of(object settings, string prefix, XmlDocumentation documentation)
    {
        // Reflection yields properties in the order of their declaration, although .NET does not promise it.
        foreach (var property in settings.GetType().GetProperties(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly))
        {
            var name = prefix + JsonNamingPolicy.CamelCase.ConvertName(property.Name);
            var value = property.GetValue(settings);
            if (value is not null && IsRecord(property.PropertyType))
            {
                // The nested record itself comes first, then its settings.
                yield return new Setting($"{name}.*", "", "", documentation.SummaryOf(property));
                foreach (var setting in Of(value, $"{name}.", documentation)) yield return setting;
            }
            else
            {
                yield return new Setting(name, Words(property.PropertyType), Text(value), documentation.SummaryOf(property));
            }
        }
    }

    private static bool IsRecord(Type type) => type.Assembly == typeof(TrainingSettings).Assembly && type.IsClass;

    private static string Words(Type type) =>
        (Nullable.GetUnderlyingType(type) ?? type) is { IsEnum: true } words
            ? string.Join('|', Enum.GetNames(words).Select(JsonNamingPolicy.CamelCase.ConvertName))
            : "";

    private static string Text(object? value) => value switch
    {
        null => "",
        bool flag => flag ? "true" : "false",
        Enum word => JsonNamingPolicy.CamelCase.ConvertName(word.ToString()),
        string text => JsonSerializer.Serialize(text, PipelineJson.Compact),
        IEnumerable list => string.Join(", ", list.Cast<object>()),
        _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
    };
}

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
            ? XDocument.Load(path, LoadOptions.PreserveWhitespace).Descendants("member")
                .ToDictionary(member => member.Attribute("name")!.Value)
            : []);
    }

    /// <summary>Returns the summary of a property as one line of plain text; empty when it has none.</summary>
    public string SummaryOf(PropertyInfo property) =>
        _members.TryGetValue($"P:{property.DeclaringType!.FullName}.{property.Name}", out var member)
        && member.Element("summary") is { } summary
            ? Whitespace().Replace(string.Concat(summary.Nodes().Select(Plain)), " ").Trim()
            : "";

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

/// <summary>Wraps text between words.</summary>
internal static class TextWrap
{
    /// <summary>Splits text into lines of at most <paramref name="width"/> characters; a longer word gets a line of its own.</summary>
    public static IEnumerable<string> Lines(string text, int width)
    {
        var line = "";
        foreach (var word in text.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.Length > 0 && line.Length + 1 + word.Length > width)
            {
                yield return line;
                line = "";
            }
            line = line.Length == 0 ? word : $"{line} {word}";
        }
        if (line.Length > 0) yield return line;
    }
}
