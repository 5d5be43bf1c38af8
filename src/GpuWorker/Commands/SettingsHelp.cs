using System.Collections;
using System.Globalization;
using System.Reflection;
using System.Text.Json;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.GpuWorker.Commands;

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
        (Nullable.GetUnderlyingType(type) ?? type) is { IsEnum: true } words ? string.Join('|', Enum.GetNames(words).Select(JsonNamingPolicy.CamelCase.ConvertName)) : "";

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
