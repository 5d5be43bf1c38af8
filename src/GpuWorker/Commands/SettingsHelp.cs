using System.Collections;
using System.Globalization;
using System.Reflection;
using System.Text.Json;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.GpuWorker.Commands;

/// <summary>
/// A run's settings for <c>train --help</c>: the names that a request has them by, their defaults, and what the contracts' own documentation
/// says about them, so that there is one place to keep right.
/// </summary>
internal static class SettingsHelp
{
    private const int Indent = 6;

    /// <summary>A setting.</summary>
    /// <param name="Name">Dotted, such as <c>lora.rank</c>.</param>
    /// <param name="Words">What it may be, when it is one of a few words.</param>
    /// <param name="Default">Empty when it may be left out and then has no value.</param>
    public sealed record Setting(string Name, string Words, string Default, string Text);

    /// <summary>Every setting, in the order of the contracts.</summary>
    public static IReadOnlyList<Setting> All()
    {
        var documentation = XmlDocumentation.Load(typeof(TrainingSettings).Assembly);
        return [.. Of(new TrainingSettings(), "", documentation)];
    }

    /// <summary>All of them as text.</summary>
    /// <param name="width">Of a line, in characters.</param>
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
                // What the part is, then its own settings.
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
