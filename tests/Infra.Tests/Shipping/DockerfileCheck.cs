using System.Text.RegularExpressions;

namespace FunctionsPipeline.Infra.Tests.Shipping;

/// <summary>Holds a Dockerfile to the rules of this repository that linters do not have.</summary>
internal static partial class DockerfileCheck
{
    /// <summary>Lists the rules that a Dockerfile breaks.</summary>
    public static IReadOnlyList<string> Findings(Dockerfile file) =>
        [.. Bases(file), .. User(file), .. Health(file), .. BuildKit(file), .. Layers(file)];

    private static IEnumerable<string> Bases(Dockerfile file) => file.Stages.Select(stage => stage[0].Values[0])
        .Where(image => !Digest().IsMatch(image)).Select(image => $"{image} has no digest");

    private static IEnumerable<string> User(Dockerfile file) =>
        file.Image.LastOrDefault(instruction => instruction.Name == "USER")?.Arguments is null or "root" or "0"
            ? ["the image runs as root"]
            : [];

    private static IEnumerable<string> Health(Dockerfile file) => file.Stages.SelectMany(stage => stage)
        .Where(instruction => instruction.Name == "HEALTHCHECK").Select(_ => "Container Apps ignores HEALTHCHECK");

    // The registry's remote build runs the classic builder.
    private static IEnumerable<string> BuildKit(Dockerfile file)
    {
        if (Directive().IsMatch(file.Text)) yield return "a syntax directive needs BuildKit";
        foreach (var instruction in file.Stages.SelectMany(stage => stage))
        {
            if (instruction.Arguments.Contains("<<", StringComparison.Ordinal)) yield return $"{instruction.Name} <<: needs BuildKit";
            // Options of the command that RUN runs come after it.
            var flags = instruction.Name == "RUN" && !instruction.Arguments.StartsWith("--", StringComparison.Ordinal)
                ? []
                : instruction.Flags;
            foreach (var flag in flags.Where(flag => !Classic().IsMatch(flag))) yield return $"{instruction.Name} {flag}: needs BuildKit";
        }
    }

    private static IEnumerable<string> Layers(Dockerfile file)
    {
        var copies = file.Image.Where(instruction => instruction.Name == "COPY").Select(copy => copy.Values[0]).ToList();
        if (copies.FirstOrDefault() != "/torch/") yield return "the layer of torch is not the first";
        if (copies.Count != 2) yield return $"{copies.Count} layers are copied, not torch and the app";
    }

    [GeneratedRegex("@sha256:[0-9a-f]{64}$")]
    private static partial Regex Digest();

    [GeneratedRegex(@"^#\s*(syntax|check)\s*=", RegexOptions.Multiline)]
    private static partial Regex Directive();

    [GeneratedRegex("^--(from|chown|platform)=")]
    private static partial Regex Classic();
}
